//! The exporter's targets as a Prometheus discovers them: as in the file, followed live, never broken by an edit.

use crate::program::{Program, request};

const TARGETS: &str = "
- targets: [https://example.com/, https://www.example.org/]
  labels: { service: shop, module: http_2xx, __scrape_interval__: 1m }
- targets: [https://example.net/]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_are_served_with_the_labels_of_the_file_and_followed_live() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("targets.yml");
    std::fs::write(&file, TARGETS).unwrap();
    let app = Program::start(directory.path(), false).await;
    let address = app.address();
    let discovered = async || {
        let (status, body) = request(address, "GET", "/sd", "").await;
        assert_eq!(status, 200);
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    let shop = |url: &str| {
        serde_json::json!({
            "targets": [url],
            "labels": { "service": "shop", "module": "http_2xx", "__scrape_interval__": "1m" },
        })
    };
    let net = serde_json::json!({ "targets": ["https://example.net/"], "labels": {} });
    let whole =
        serde_json::json!([shop("https://example.com/"), shop("https://www.example.org/"), net]);
    assert_eq!(discovered().await, whole);

    std::fs::write(&file, "- targets: [example.com]\n").unwrap();
    assert_eq!(request(address, "POST", "/-/reload", "").await.0, 500);
    assert_eq!(discovered().await, whole, "a broken edit takes no target away");
    let (_, metrics) = request(address, "GET", "/metrics", "").await;
    assert!(
        metrics.contains("\nwebservice_monitor_config_last_reload_successful 0\n"),
        "{metrics}"
    );

    // What Prometheus would forget between two probes is no interval.
    let rare = "- targets: [https://example.com/]\n  labels: { __scrape_interval__: 5m }\n";
    std::fs::write(&file, rare).unwrap();
    let (status, reason) = request(address, "POST", "/-/reload", "").await;
    assert!(status == 500 && reason.contains("forgets a sample after 5 minutes"), "{reason}");
    assert_eq!(discovered().await, whole);

    std::fs::write(&file, "- targets: [https://example.net/]\n").unwrap();
    assert_eq!(request(address, "POST", "/-/reload", "").await.0, 200);
    assert_eq!(discovered().await, serde_json::json!([net]));
    app.stop().await;

    // It starts on a broken file too, and leaves a Prometheus the targets that it has.
    std::fs::write(&file, "- targets: [example.com]\n").unwrap();
    let app = Program::start(directory.path(), false).await;
    assert_eq!(request(app.address(), "GET", "/sd", "").await.0, 503);
    assert_eq!(request(app.address(), "GET", "/probe?target=http://127.0.0.1:1/", "").await.0, 200);
    std::fs::write(&file, "- targets: [https://example.net/]\n").unwrap();
    assert_eq!(request(app.address(), "POST", "/-/reload", "").await.0, 200);
    assert_eq!(request(app.address(), "GET", "/sd", "").await.0, 200);
    app.stop().await;

    // Without a targets file there is nothing to discover.
    let program = Program::exporter().await;
    assert_eq!(program.get("/sd").await, (200, "[]".to_owned()));
    program.app.stop().await;
}
