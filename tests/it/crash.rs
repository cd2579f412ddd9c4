//! The real program, killed without a warning again and again: it starts again, keeps its samples, and reports no alert twice.

use std::collections::BTreeMap;

use crate::program::{Running, wait_for};

/// How often the program is killed.
const KILLS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_alert_and_double_none() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(directory.path().join(path), text).unwrap();
    std::fs::create_dir_all(directory.path().join("config/rules")).unwrap();
    // Nothing listens on port 1: the target is down for good, and its alert fires once.
    write("config/targets.yml", "- targets: [\"http://127.0.0.1:1/\"]\n");
    write(
        "config/rules/test.yml",
        "groups:\n- name: test\n  rules:\n  - alert: Down\n    expr: probe_success == 0\n    keep_firing_for: 1h\n",
    );
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let firing = |body: &str| body.contains("\"state\":\"firing\"");
    let count = "/api/v1/query?query=count_over_time(probe_success%5B1h%5D)";
    let mut counts: Vec<u64> = Vec::new();
    for kill in 0..KILLS {
        let mut running = Running::start(directory.path(), address);
        wait_for(address, "/api/v1/alerts", "the alert", firing).await;
        // A different moment of the round of writing each time.
        let samples = |body: &str| -> u64 {
            let answer: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            answer["data"]["result"][0]["value"][1]
                .as_str()
                .and_then(|count| count.parse().ok())
                .unwrap_or(0)
        };
        let before = counts.last().copied().unwrap_or(0);
        let wanted = before + 5 + 3 * u64::try_from(kill).unwrap();
        let body = wait_for(address, count, "more samples", |body| samples(body) >= wanted).await;
        counts.push(samples(&body));
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    let log = std::fs::read(directory.path().join("data/alerts.jsonl")).unwrap();
    let mut events: BTreeMap<String, usize> = BTreeMap::new();
    for line in String::from_utf8(log).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        *events.entry(format!("{} {}", event["event.id"], event["event.action"])).or_default() += 1;
    }
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(events.values().all(|count| *count == 1), "{events:#?}");
}
