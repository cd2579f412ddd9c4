//! What an Alertmanager reports that is not to be taken as it is: ends while nothing is evaluated, alerts that are not understood,
//! ends for another reason than that all is well.

use std::{path::Path, time::Duration};

use jiff::Timestamp;

use crate::{
    program::{send, wait_for_file},
    receive::{files, post, start_watching},
};

const WEBHOOK: &str = "/api/v1/alertmanager";
const HEARTBEAT: &str = "/api/v1/heartbeat";

/// An alert about a target that began some seconds ago, and ended when it is over.
fn alert(name: &str, status: &str, ago: i64) -> serde_json::Value {
    let at = |seconds: i64| {
        Timestamp::from_second(Timestamp::now().as_second() - seconds).unwrap().to_string()
    };
    let ends = if status == "firing" { "0001-01-01T00:00:00Z".to_owned() } else { at(1) };
    serde_json::json!({
        "status": status,
        "labels": { "alertname": "WebserviceDown", "instance": format!("http://{name}/"), "job": "webservices", "severity": "critical" },
        "annotations": { "summary": "down", "resolved": format!("http://{name}/ works again"), "runbook_url": "/runbooks/WebserviceDown" },
        "startsAt": at(ago), "endsAt": ends,
    })
}

fn body(alerts: &[serde_json::Value]) -> String {
    serde_json::json!({ "version": "4", "truncatedAlerts": 0, "alerts": alerts }).to_string()
}

/// The heartbeat of an evaluation some seconds ago.
fn heartbeat(ago: i64) -> String {
    let evaluated_at = (Timestamp::now().as_second() - ago).to_string();
    serde_json::json!({ "version": "4", "alerts": [{
        "status": "firing", "labels": { "alertname": "Watchdog", "severity": "none" },
        "annotations": { "evaluated_at": evaluated_at }, "startsAt": "2026-11-22T10:00:00Z",
    }] })
    .to_string()
}

/// `action instance reason` of each line.
fn lines(path: &Path) -> Vec<String> {
    let text = String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", of("event.action"), of("url.full"), of("event.reason"))
    };
    text.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_wait_while_nothing_is_evaluated_and_are_written_by_themselves_later() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    // Stale after 8 s, released 5 s after that.
    let timeout = Some(Duration::from_secs(20));
    let app = start_watching(&log, timeout, files(&[], &[])).await;
    let address = app.address();
    let both = [alert("a", "firing", 60), alert("b", "firing", 60)];
    assert_eq!(post(address, WEBHOOK, &body(&both)).await, 200);
    assert_eq!(post(address, HEARTBEAT, &heartbeat(15)).await, 200);
    let ends = [alert("a", "resolved", 60), alert("b", "resolved", 60), alert("c", "firing", 60)];
    let (status, why) = send(address, "POST", WEBHOOK, "", &body(&ends)).await;
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("2 ends of alerts are not believed yet"), "{why}");
    let begun = ["firing http://a/ -", "firing http://b/ -", "firing http://c/ -"];
    assert_eq!(lines(&log), begun);
    app.stop().await;

    // A restart in the meantime knows that nothing is evaluated.
    let app = start_watching(&log, timeout, files(&[], &[])).await;
    let address = app.address();
    assert_eq!(post(address, WEBHOOK, &body(&ends)).await, 503);
    assert_eq!(post(address, HEARTBEAT, &heartbeat(0)).await, 200);
    // One of them still fires, as Prometheus says under a new start: it was never over.
    assert_eq!(post(address, WEBHOOK, &body(&[alert("b", "firing", 5)])).await, 200);
    let is_over = |text: &str| text.contains("\"resolved\"");
    wait_for_file(&log, "the end that waited", is_over).await;
    assert_eq!(lines(&log)[3..], ["resolved http://a/ works again"]);
    let (_, metrics) = send(address, "GET", "/metrics", "", "").await;
    for line in [
        "webservice_monitor_webhook_held_ends_total 2",
        "webservice_monitor_webhook_requests_total{outcome=\"held\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(post(address, WEBHOOK, &body(&[alert("b", "resolved", 5)])).await, 200);
    assert_eq!(lines(&log)[4..], ["resolved http://b/ works again"]);
    app.stop().await;
}

#[tokio::test]
async fn an_alert_that_is_not_understood_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start_watching(&log, None, files(&[], &[])).await;
    let mut odd = vec![alert("a", "firing", 60)];
    for (name, pointer, value) in [
        ("b", "/annotations", serde_json::Value::Null),
        ("c", "/startsAt", serde_json::Value::Null),
        ("d", "/labels/instance", 7.into()),
        ("e", "/status", "fi\nring 2026-11-22 FORGED".into()),
    ] {
        let mut alert = alert(name, "firing", 60);
        *alert.pointer_mut(pointer).unwrap() = value;
        odd.push(alert);
    }
    let text = body(&odd).replace("\"truncatedAlerts\":0", "\"truncatedAlerts\":7");
    assert_eq!(post(app.address(), WEBHOOK, &text).await, 200);
    assert_eq!(lines(&log), ["firing http://a/ -", "firing http://b/ -"]);
    let (_, metrics) = send(app.address(), "GET", "/metrics", "", "").await;
    for line in [
        "webservice_monitor_webhook_skipped_alerts_total 3",
        "webservice_monitor_webhook_truncated_alerts_total 7",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // Where none is understood it is no webhook, and what is reported of it is one line.
    let (status, why) = send(app.address(), "POST", WEBHOOK, "", &body(&odd[4..])).await;
    assert_eq!((status, why.matches('\n').count()), (400, 1), "{why}");
    app.stop().await;
}

#[tokio::test]
async fn heartbeats_are_no_news_and_links_lead_here() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start_watching(&log, None, files(&[], &[])).await;
    assert_eq!(post(app.address(), WEBHOOK, &heartbeat(0)).await, 200);
    assert_eq!(lines(&log), [""; 0]);
    assert_eq!(post(app.address(), WEBHOOK, &body(&[alert("a", "firing", 60)])).await, 200);
    let text = String::from_utf8(std::fs::read(&log).unwrap()).unwrap();
    assert!(
        text.contains("\"event.url\":\"http://log.example/runbooks/WebserviceDown\""),
        "{text}"
    );
    app.stop().await;
}

#[tokio::test]
async fn an_end_has_the_reason_that_the_files_give() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let (targets, rules) = (folder.path().join("targets.yml"), folder.path().join("rules.yml"));
    std::fs::write(&targets, "- targets: [http://a/, http://b/]\n").unwrap();
    let rule = |name: &str| {
        format!("groups: [{{name: g, rules: [{{alert: {name}, expr: vector(1)}}]}}]\n")
    };
    std::fs::write(&rules, rule("WebserviceDown")).unwrap();
    let path = |path: &Path| path.display().to_string();
    let watched = files(&[path(&targets)], &[path(&rules)]);
    let app = start_watching(&log, None, watched).await;
    let told = async |name, status| {
        assert_eq!(post(app.address(), WEBHOOK, &body(&[alert(name, status, 60)])).await, 200);
    };
    for name in ["a", "b", "c", "d"] {
        told(name, "firing").await;
    }
    told("a", "resolved").await;
    told("c", "resolved").await;
    // A mistake in a file: nothing is known of targets, but of rules.
    std::fs::write(&targets, "- targets: 7\n").unwrap();
    told("d", "resolved").await;
    std::fs::write(&rules, rule("Other")).unwrap();
    told("b", "resolved").await;
    assert_eq!(
        lines(&log)[4..],
        [
            "resolved http://a/ works again",
            "resolved http://c/ no longer watched",
            "resolved http://d/ works again",
            "resolved http://b/ rule removed"
        ]
    );
    app.stop().await;
}

/// In two bodies, the new labels first or last; and both in one.
#[tokio::test]
async fn an_edit_of_labels_during_a_disruption_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start_watching(&log, None, files(&[], &[])).await;
    let edited = |severity: &str, status: &str| {
        let mut alert = alert("a", status, 60);
        alert["labels"]["severity"] = severity.into();
        alert
    };
    let told: &[&[serde_json::Value]] = &[
        &[edited("critical", "firing")],
        &[edited("critical", "resolved"), edited("warning", "firing")],
        &[edited("info", "firing")],
        &[edited("warning", "resolved")],
    ];
    for alerts in told {
        assert_eq!(post(app.address(), WEBHOOK, &body(alerts)).await, 200);
        assert_eq!(lines(&log), ["firing http://a/ -"]);
    }
    assert_eq!(post(app.address(), WEBHOOK, &body(&[edited("info", "resolved")])).await, 200);
    assert_eq!(lines(&log)[1..], ["resolved http://a/ works again"]);
    app.stop().await;
}
