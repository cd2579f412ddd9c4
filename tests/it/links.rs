//! Links of alerts begin with the address that people reach the program by, and lead to pages of it.

use crate::program::{Program, request};

const RULES: &str = r"
groups:
  - name: test
    rules:
      - alert: WebserviceDown
        expr: probe_success == 0
        labels: { severity: critical }
        annotations:
          runbook_url: '{{ $externalLabels.monitor_url }}/runbooks/WebserviceDown'
          dashboard_url: '{{ $externalLabels.dashboard_url }}/d/webservice/webservice?var-instance={{ $labels.instance | urlquery }}'
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_know_the_external_address() {
    let program = Program::all_in_one("- targets: [\"http://127.0.0.1:1/\"]\n", RULES).await;
    let firing = |body: &str| body.contains("\"state\":\"firing\"");
    let alerts = program.wait_for("/api/v1/alerts", "the alert", firing).await;
    let dashboard =
        "http://monitor.example/d/webservice/webservice?var-instance=http%3A%2F%2F127.0.0.1%3A1%2F";
    assert!(alerts.contains("\"http://monitor.example/runbooks/WebserviceDown\""), "{alerts}");
    assert!(alerts.contains(dashboard), "{alerts}");
    // Neither is a label of the alert.
    assert!(!alerts.contains("monitor_url"), "{alerts}");
    // The page's own link works under any name of this program.
    let page = program.get("/alerts").await.1;
    assert!(page.contains("href=\"/runbooks/WebserviceDown\""), "{page}");

    let path = dashboard.strip_prefix("http://monitor.example").unwrap();
    assert_eq!(request(program.app.address(), "GET", path, "").await.0, 303);
    assert_eq!(program.get("/targets/http%3A%2F%2F127.0.0.1%3A1%2F").await.0, 200);
    program.app.stop().await;
}
