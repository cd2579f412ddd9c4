//! What is shown of a probe afterwards: `debug=true`, `/logs`, and what a reload does to what is remembered.

use crate::program::{Program, Service};

const DEAD: &str = "http://127.0.0.1:1/";

/// Fails unless the headings stand in a text in this order.
fn assert_sections(text: &str) {
    let headings = [
        "Logs for the probe:\n",
        "\nMetrics that would have been returned:\n",
        "\nModule configuration:\n",
        "\nEvidence:\n",
    ];
    let places: Vec<Option<usize>> = headings.iter().map(|heading| text.find(heading)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_shows_what_it_did_and_saw() {
    let service = Service::start(0, "200 OK").await;
    let url = service.url();
    let program = Program::exporter().await;
    let modules = "modules:\n  secretive:\n    prober: http\n    http: { headers: { X-Api-Key: hunter2hunter2 } }\n";
    std::fs::write(program.path("modules.yml"), modules).unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
    let path = format!("/probe?target={url}&module=secretive&debug=true");
    let (status, text) = program.get(&path).await;
    assert_eq!(status, 200);
    assert_sections(&text);
    let address = service.address;
    for needle in [
        "probe succeeded",
        "\nprobe_success 1\n",
        "secretive:\n  prober: http\n",
        &format!("1. GET {url}\n"),
        &format!("   Address: {address}\n"),
        "   Times: resolve ",
        "   > GET / HTTP/1.1\n",
        &format!("   > Host: {address}\n"),
        "   > X-Api-Key: <secret>\n",
        "   < HTTP/1.1 200 OK\n",
        "   | ok\n",
    ] {
        assert!(text.contains(needle), "{needle} is not in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");

    // A failure says what it means and what to look at.
    let (_, text) = program.get(&format!("/probe?target={DEAD}&debug=true")).await;
    assert_sections(&text);
    assert!(
        text.contains("probe failed: connect/refused")
            && text.contains("nothing listens on the port"),
        "{text}"
    );
    assert!(text.contains("Check whether the service runs"), "{text}");
    program.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_found_by_number_and_by_target() {
    let service = Service::start(0, "200 OK").await;
    let url = service.url();
    let program = Program::exporter().await;
    for path in [
        format!("/probe?target={url}"),
        format!("/probe?target={DEAD}"),
        format!("/probe?target={url}&module=http_post_2xx"),
    ] {
        assert_eq!(program.get(&path).await.0, 200);
    }
    for (query, needle) in [
        ("id=1".to_owned(), "http_2xx (http)".to_owned()),
        ("id=2".to_owned(), "connect/refused".to_owned()),
        (format!("target={url}"), "http_post_2xx (http)".to_owned()),
        (format!("target={url}&module=http_2xx"), format!("1. GET {url}")),
        (format!("target={DEAD}&failed=true"), "connect/refused".to_owned()),
    ] {
        let (status, text) = program.get(&format!("/logs?{query}")).await;
        assert_eq!(status, 200, "{query}: {text}");
        assert_sections(&text);
        assert!(text.contains(&needle), "{query} does not show {needle}:\n{text}");
    }
    for (query, status) in [
        (String::new(), 400),
        ("id=one".to_owned(), 400),
        ("id=1&target=x".to_owned(), 400),
        ("target=".to_owned(), 400),
        (format!("target={url}&failed=perhaps"), 400),
        (format!("target={url}&modul=http_2xx"), 400),
        ("id=99".to_owned(), 404),
        ("target=http%3A%2F%2Felsewhere%2F".to_owned(), 404),
        (format!("target={url}&module=tcp_connect"), 404),
        (format!("target={url}&failed=true"), 404),
    ] {
        assert_eq!(program.get(&format!("/logs?{query}")).await.0, status, "{query}");
    }
    program.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_drops_what_is_known_of_removed_targets_only() {
    let (one, two) =
        (Service::start(0, "503 Service Unavailable").await, Service::start(0, "200 OK").await);
    let line = |url: &str, team: &str| {
        format!("- targets: [\"{url}\"]\n  labels: {{ team: {team}, __scrape_interval__: 1m }}\n")
    };
    let both = format!("{}{}", line(&one.url(), "a"), line(&two.url(), "a"));
    let program = Program::all_in_one(&both, "groups: []\n").await;
    let remembered = |url: &str| program.app.monitor().history().of_watched(url, "http_2xx", "");
    let logs = |url: &str| format!("/logs?target={url}");
    for service in [&one, &two] {
        program.wait_for(&logs(&service.url()), "a probe", |text| text.contains("Evidence:")).await;
    }
    let first = remembered(&one.url()).last().unwrap().record.id;

    // The first one is edited, the second one removed.
    std::fs::write(program.path("targets.yml"), line(&one.url(), "b")).unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
    let targets = "/api/v1/targets";
    program.wait_for(targets, "one target", |body| !body.contains(&two.url())).await;
    let forgotten = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(10));
        while !remembered(&two.url()).is_empty() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), forgotten).await.unwrap();
    assert!(remembered(&one.url()).iter().any(|probe| probe.record.id == first));
    program.app.stop().await;
}
