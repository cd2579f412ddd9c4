//! What a target was promised, as samples: `/probe` by its parameters, the all-in-one mode by the labels of the file.

use crate::program::{Program, Service};

const PROMISED: [&str; 3] = [
    "probe_target_alert_after_seconds 1500\n",
    "probe_target_max_latency_seconds 0.3\n",
    "probe_target_slo_ratio 0.9995\n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporter_answers_with_what_it_is_asked_with() {
    let service = Service::start(0, "200 OK").await;
    let exporter = Program::exporter().await;
    let promises = "alert_after=25m&max_latency=300ms&slo=99.95";
    for (target, success) in [(service.url(), 1), ("http://127.0.0.1:1/".to_owned(), 0)] {
        let (status, body) = exporter.get(&format!("/probe?target={target}&{promises}")).await;
        assert_eq!(status, 200);
        assert!(body.contains(&format!("\nprobe_success {success}\n")), "{body}");
        for line in PROMISED {
            assert!(body.contains(&format!("\n{line}")), "{line}: {body}");
            let name = line.split(' ').next().unwrap();
            assert!(body.contains(&format!("# HELP {name} ")), "{name}: {body}");
        }
        let (_, plain) = exporter.get(&format!("/probe?target={target}&slo=5")).await;
        assert_eq!(plain.matches("\nprobe_target_").count(), 1, "{plain}");
    }
    for (parameter, reason) in [
        ("alert_after=soon", "parameter `alert_after` cannot be `soon`"),
        ("alert_after=0s", "write a duration above zero"),
        ("max_latency=", "parameter `max_latency` cannot be ``"),
        ("slo=99.9%25", "`slo` cannot be `99.9%`"),
        ("slo=100", "hint: write a percentage between 0 and 100"),
    ] {
        let (status, body) =
            exporter.get(&format!("/probe?target={}&{parameter}", service.url())).await;
        assert_eq!(status, 400, "{parameter}");
        assert!(body.contains(reason), "{parameter}: {body}");
    }
    // The interval, which alert_after has to suit, is Prometheus's: it is not known here.
    assert_eq!(exporter.get("/probe?target=http://127.0.0.1:1/&alert_after=1ms").await.0, 200);
    exporter.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_alone_is_this_program_itself() {
    let program =
        Program::all_in_one("- targets: [/-/healthy]\n  labels: { slo: 99.95 }\n", "groups: []\n")
            .await;
    let query = "/api/v1/query?query=probe_success%20*%20probe_target_slo_ratio";
    program.wait_for(query, "the monitor, up", |body| body.contains("\"0.9995\"]")).await;
    let (_, body) = program.get("/probe?target=/-/healthy").await;
    assert!(body.contains("\nprobe_success 1\n"), "{body}");
    assert_eq!(program.get("/logs?target=/-/healthy").await.0, 200);
    // Only what can be asked by HTTP.
    let (status, body) = program.get("/probe?target=/-/healthy&module=tcp_connect").await;
    assert_eq!(status, 400, "{body}");
    program.app.stop().await;
}
