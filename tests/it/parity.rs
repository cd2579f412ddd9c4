//! The exporter behind a real Prometheus against the all-in-one mode: the same targets must give the same series.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use crate::{
    parts::part,
    program::{Program, Running, Service, wait_for},
};

/// The query for all series of the targets.
const QUERY: &str = "/api/v1/query?query=%7Bjob%3D%22webservices%22%7D";

/// The label sets of an answer, and of what was promised the values as well, without those that only Prometheus's own scrape bookkeeping writes.
fn series(body: &str) -> BTreeSet<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let found = body["data"]["result"].as_array().cloned().unwrap_or_default();
    let labels = found.into_iter().map(|series| {
        let labels = series["metric"].to_string();
        let promised = labels.contains("\"probe_target_");
        if promised { format!("{labels} {}", series["value"][1]) } else { labels }
    });
    labels
        .filter(|labels| {
            !labels.contains("\"scrape_samples_") && !labels.contains("\"scrape_series_")
        })
        .collect()
}

/// Whether all targets were probed, and both failures reported.
fn complete(body: &str) -> bool {
    let series = series(body);
    ["connect", "status"].iter().all(|word| series.iter().any(|labels| labels.contains(word)))
        && series.iter().filter(|labels| labels.contains("\"probe_success\"")).count() == 5
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_gets_from_the_exporter_what_the_all_in_one_mode_stores() {
    let Some(prometheus) = part("prometheus") else { return };
    let up = Service::start(0, "200 OK").await;
    let failing = Service::start(0, "503 Service Unavailable").await;
    let targets = format!(
        "- targets: [\"{up}\", \"{failing}\"]\n  labels: {{ service: shop, phase: beta, alert_after: 25m, max_latency: 3s, slo: 99.95 }}\n\
         - targets: [\"{up}\"]\n  labels: {{ service: shop, module: http_post_2xx, slo: 90 }}\n\
         - targets: [\"127.0.0.1:1\"]\n  labels: {{ module: tcp_connect, depends_on: shop }}\n\
         - targets: [/-/healthy]\n",
        up = up.url(),
        failing = failing.url()
    );

    let all_in_one = Program::all_in_one(&targets, "groups: []\n").await;
    let exporter = Program::exporter().await;

    // The shipped configuration, but for the address of the exporter and the patience of a test.
    let shipped =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/config/prometheus.yml")).unwrap();
    let config = String::from_utf8(shipped)
        .unwrap()
        .replace("exporter:9115", &exporter.app.address().to_string())
        .replace("15s", "1s")
        .replace("10s", "1s");
    std::fs::write(exporter.path("prometheus.yml"), config).unwrap();
    std::fs::write(exporter.path("targets.yml"), &targets).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new(prometheus)
        .arg(format!("--config.file={}", exporter.path("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", exporter.path("tsdb").display()))
        .arg(format!("--web.listen-address={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _running = Running(child);

    let from_prometheus = series(&wait_for(port, QUERY, "all series", complete).await);
    let from_store = series(&all_in_one.wait_for(QUERY, "all series", complete).await);
    assert_eq!(from_prometheus, from_store);
    for promise in ["alert_after_seconds", "max_latency_seconds", "slo_ratio"] {
        let promised = |labels: &&String| labels.contains(promise);
        let count = from_store.iter().filter(promised).count();
        assert_eq!(count, if promise == "slo_ratio" { 3 } else { 2 }, "{from_store:#?}");
    }
    all_in_one.app.stop().await;
    exporter.app.stop().await;
}
