//! From a URL in a file to results, series, an alert, a line in the log and a page.

use crate::program::{Program, Service, request};

const RULES: &str = r#"
groups:
  - name: test
    rules:
      - alert: WebserviceDown
        expr: probe_success == 0
        labels: { severity: critical }
        annotations: { summary: "{{ $labels.instance }} is down", description: "value {{ $value }}" }
"#;

fn targets(urls: &[&str]) -> String {
    let group = |url: &&str| {
        format!("- targets: [\"{url}\"]\n  labels: {{ service: shop, team: payments }}\n")
    };
    urls.iter().map(group).collect::<Vec<_>>().concat()
}

/// The percent-encoded form of a URL, for a query.
fn encoded(url: &str) -> String {
    url::form_urlencoded::byte_serialize(url.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_becomes_results_series_an_alert_a_line_and_a_page() {
    let service = Service::start(0, "200 OK").await;
    let (url, port) = (service.url(), service.address.port());
    let program = Program::all_in_one(&targets(&[&url]), RULES).await;
    let query =
        format!("/api/v1/query?query={}", encoded(&format!("probe_success{{instance=\"{url}\"}}")));

    let answer = program.wait_for(&query, "an up target", |body| body.contains("\"1\"]")).await;
    assert!(
        answer.contains("\"team\":\"payments\"") && answer.contains("\"job\":\"webservices\""),
        "{answer}"
    );
    let page = program.wait_for("/", "the target", |body| body.contains(&url)).await;
    assert!(page.contains("shop"), "{page}");

    // Who asks for another probe gets it, and changes nothing of what is watched.
    let elsewhere = program.get("/probe?target=http://127.0.0.1:1/").await.1;
    assert!(elsewhere.contains("\nprobe_success 0\n"), "{elsewhere}");
    assert_eq!(program.app.monitor().latest().len(), 1);

    drop(service);
    let firing = |text: &str| text.contains("\"event.action\":\"firing\"") && text.ends_with('\n');
    let line = program.wait_for_file("alerts.jsonl", "a firing alert", firing).await;
    let line: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(line["rule.name"], "WebserviceDown");
    assert_eq!(line["log.level"], "error");
    assert_eq!(line["url.full"], url.as_str());
    assert_eq!(line["labels"]["team"], "payments");
    program
        .wait_for("/alerts", "the alert", |body| {
            body.contains("WebserviceDown") && body.contains("is down")
        })
        .await;
    let detail = program.get(&format!("/targets/{}", encoded(&url))).await.1;
    assert!(detail.contains("refused"), "{detail}");
    let api = program.get("/api/v1/alerts").await.1;
    assert!(api.contains("\"state\":\"firing\""), "{api}");

    let _service = Service::start(port, "200 OK").await;
    let resolved = |text: &str| text.contains("\"event.action\":\"resolved\"");
    let log = program.wait_for_file("alerts.jsonl", "the resolved alert", resolved).await;
    assert_eq!(log.lines().count(), 2, "{log}");
    program.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_takes_effect_and_a_broken_one_does_not() {
    let one = Service::start(0, "200 OK").await;
    let two = Service::start(0, "503 Service Unavailable").await;
    let program = Program::all_in_one(&targets(&[&one.url()]), RULES).await;
    program.wait_for("/api/v1/targets", "the target", |body| body.contains(&one.url())).await;

    // The watcher sees the edit by itself.
    std::fs::write(program.path("targets.yml"), targets(&[&one.url(), &two.url()])).unwrap();
    let reason = encoded(&format!("probe_failure_info{{instance=\"{}\"}}", two.url()));
    program
        .wait_for(&format!("/api/v1/query?query={reason}"), "the reason", |body| {
            body.contains("\"status\"")
        })
        .await;
    program.wait_for("/api/v1/targets", "the new target", |body| body.contains(&two.url())).await;
    program
        .wait_for(&format!("/api/v1/query?query={reason}"), "the reason", |body| {
            body.contains("\"reason\":\"status\"")
        })
        .await;

    // A broken edit is shown, and changes nothing.
    std::fs::write(program.path("targets.yml"), "- targets: [http://a/]\n  lables: {}\n").unwrap();
    let (status, text) = program.post("/-/reload").await;
    assert_eq!(status, 500);
    assert!(text.contains("targets.yml:2:") && text.contains("lables"), "{text}");
    assert!(program.get("/").await.1.contains("lables"));
    let metric = "webservice_monitor_config_last_reload_successful";
    assert!(program.get("/metrics").await.1.contains(&format!("\n{metric} 0\n")));
    program
        .wait_for("/api/v1/targets", "both targets", |body| {
            body.contains(&one.url()) && body.contains(&two.url())
        })
        .await;

    // A corrected edit without the first target ends its series at once.
    std::fs::write(program.path("targets.yml"), targets(&[&two.url()])).unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
    assert!(program.get("/metrics").await.1.contains(&format!("\n{metric} 1\n")));
    let gone = encoded(&format!("probe_success{{instance=\"{}\"}}", one.url()));
    program
        .wait_for(&format!("/api/v1/query?query={gone}"), "the end", |body| {
            body.contains("\"result\":[]")
        })
        .await;
    program.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_history_and_reports_no_alert_twice() {
    let program = Program::all_in_one(&targets(&["http://127.0.0.1:1/"]), RULES).await;
    let firing = |text: &str| text.contains("\"event.action\":\"firing\"") && text.ends_with('\n');
    program.wait_for_file("alerts.jsonl", "a firing alert", firing).await;
    let Program { app, directory } = program;
    app.stop().await;

    let app = Program::start(directory.path(), true).await;
    let program = Program { app, directory };
    program
        .wait_for("/api/v1/alerts", "the alert", |body| body.contains("\"state\":\"firing\""))
        .await;
    let evaluated = "/api/v1/query?query=count_over_time(ALERTS%7Balertstate%3D%22firing%22%7D%5B1h%5D)%20%3E%205";
    program.wait_for(evaluated, "more evaluations", |body| body.contains("WebserviceDown")).await;
    let log = std::fs::read(program.path("alerts.jsonl")).unwrap();
    assert_eq!(
        log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(),
        1,
        "{}",
        String::from_utf8_lossy(&log)
    );
    program.app.stop().await;
}

/// A rule that works on the exporter's samples works on the store's: both have the same series.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporter_and_the_store_hold_the_same_series() {
    let service = Service::start(0, "200 OK").await;
    let exporter = Program::exporter().await;
    let exposed =
        exporter.get(&format!("/probe?target={}&module=http_2xx", encoded(&service.url()))).await.1;
    let mut from_exporter: Vec<String> = exposed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            line.rsplit_once(' ').unwrap().0.replace(['{', '}', '"'], " ").trim().to_owned()
        })
        .collect();
    from_exporter.sort();
    exporter.app.stop().await;

    let program = Program::all_in_one(&targets(&[&service.url()]), "groups: []\n").await;
    let path = format!("/api/v1/query?query={}", encoded("{__name__=~\"probe_.*\"}"));
    let body = program.wait_for(&path, "samples", |body| body.contains("probe_success")).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let mut from_store: Vec<String> = Vec::new();
    for series in body["data"]["result"].as_array().unwrap() {
        let mut text = series["metric"]["__name__"].as_str().unwrap().to_owned();
        for (name, value) in series["metric"].as_object().unwrap() {
            if !["__name__", "job", "instance", "service", "team"].contains(&name.as_str()) {
                text = format!("{text} {name}= {}", value.as_str().unwrap());
            }
        }
        from_store.push(text);
    }
    from_store.sort();
    assert!(from_exporter.len() > 10, "{from_exporter:?}");
    assert_eq!(from_exporter, from_store);
    program.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporter_answers_as_prometheus_expects() {
    let service = Service::start(0, "200 OK").await;
    let exporter = Program::exporter().await;
    let target = encoded(&service.url());
    let table: &[(&str, u16, &str)] = &[
        ("/probe", 400, "Target parameter is missing"),
        (&format!("/probe?target={target}&module=nope"), 400, "Unknown module \"nope\""),
        (&format!("/probe?target={target}&target={target}"), 400, "is given twice"),
        (&format!("/probe?target={target}"), 200, "\nprobe_success 1\n"),
        ("/probe?target=127.0.0.1:1&module=tcp_connect", 200, "\nprobe_success 0\n"),
        (
            "/probe?target=127.0.0.1:1&module=tcp_connect",
            200,
            "probe_failure_info{phase=\"connect\",reason=\"refused\"} 1\n",
        ),
        (
            &format!("/probe?target={target}&debug=true"),
            200,
            "Metrics that would have been returned:",
        ),
        ("/-/healthy", 200, "Healthy"),
        ("/-/ready", 200, "Ready"),
        ("/config", 200, "http_2xx"),
        ("/logs?target=127.0.0.1:1", 200, "connect/refused"),
        ("/logs?id=999999", 404, "no such probe"),
        ("/", 200, "127.0.0.1:1"),
        ("/metrics", 200, "webservice_monitor_module_unknown_total 1\n"),
    ];
    for (path, status, needle) in table {
        let (found, body) = exporter.get(path).await;
        assert_eq!(found, *status, "{path}: {body}");
        assert!(body.contains(needle), "{path} does not show {needle:?}:\n{body}");
    }
    let address = exporter.app.address();
    let header = |text: &str| format!("X-Prometheus-Scrape-Timeout-Seconds: {text}\r\n");
    let path = format!("/probe?target={target}");
    assert_eq!(request(address, "GET", &path, &header("NaN")).await.0, 400);
    assert!(
        request(address, "GET", &path, &header("3")).await.1.contains("probe_timeout_seconds 2.5")
    );
    assert_eq!(request(address, "PUT", "/-/reload", "").await.0, 405);
    assert_eq!(
        request(address, "POST", "/-/reload", "Origin: http://evil.example\r\n").await.0,
        403
    );
    assert_eq!(exporter.post("/-/reload").await.0, 200);
    exporter.app.stop().await;
}

/// Groups of one name in two files are two groups, as in Prometheus: neither may hide the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_one_name_in_two_files_are_both_evaluated() {
    let group = |name: &str| {
        format!("groups:\n- name: test\n  rules: [{{ record: {name}, expr: vector(1) }}]\n")
    };
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("targets.yml", "[]\n");
    write("rules-a.yml", &group("from_a"));
    write("rules-b.yml", &group("from_b"));
    let app = Program::start(directory.path(), true).await;
    let program = Program { app, directory };
    for name in ["from_a", "from_b"] {
        let path = format!("/api/v1/query?query={name}");
        program.wait_for(&path, "the recorded series", |body| body.contains(name)).await;
    }
    let rules: serde_json::Value =
        serde_json::from_str(&program.get("/api/v1/rules").await.1).unwrap();
    let files: Vec<&str> = rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["file"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(files, ["rules-a.yml", "rules-b.yml"]);
    program.app.stop().await;
}

/// A folder of rules that is emptied, or a mount that is gone, must not end alerts and their evaluation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_folder_of_rules_is_a_mistake() {
    let rules = "groups:\n- name: kept\n  rules: [{ record: kept, expr: vector(1) }]\n";
    let program = Program::all_in_one("[]\n", rules).await;
    std::fs::remove_file(program.path("rules.yml")).unwrap();
    let (status, answer) = program.post("/-/reload").await;
    assert_ne!(status, 200);
    assert!(answer.contains("no file matches"), "{answer}");
    assert!(program.get("/api/v1/rules").await.1.contains("kept"));
    // Nothing but comments says that there are to be none.
    std::fs::write(program.path("rules.yml"), "# None for now.\n").unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
    program.wait_for("/api/v1/rules", "no groups", |body| !body.contains("kept")).await;
    program.app.stop().await;
}
