//! What an Alertmanager reports that is not to be taken as it is: ends while nothing is evaluated, alerts that are not understood,
//! ends for another reason than that all is well.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    program::{send, wait_for, wait_for_file},
    webhook::{files, post, start_process, start_watching},
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

/// The ends are acknowledged, and kept over a kill: no one reports them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_wait_while_nothing_is_evaluated_and_are_written_by_themselves_later() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("data/alerts.jsonl");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Stale after 8 s, released 5 s after that.
    let start = async || {
        let running = start_process(folder.path(), address, &["--heartbeat.timeout=20s"]);
        wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
        running
    };
    let program = start().await;
    let three = ["a", "b", "c"].map(|name| alert(name, "firing", 60));
    assert_eq!(post(address, WEBHOOK, &body(&three)).await, 200);
    assert_eq!(post(address, HEARTBEAT, &heartbeat(15)).await, 200);
    let mut ends = ["a", "b", "c"].map(|name| alert(name, "resolved", 60)).to_vec();
    ends.push(alert("d", "firing", 60));
    for _ in 0..2 {
        let (status, why) = send(address, "POST", WEBHOOK, "", &body(&ends)).await;
        assert_eq!(status, 200, "{why}");
        assert!(why.contains("3 ends of alerts are not believed yet"), "{why}");
    }
    // One of them still fires, as Prometheus says under a new start: it was never over.
    assert_eq!(post(address, WEBHOOK, &body(&[alert("b", "firing", 5)])).await, 200);
    let (_, metrics) = send(address, "GET", "/metrics", "", "").await;
    for line in [
        "webservice_monitor_webhook_held_ends_total 3",
        "webservice_monitor_webhook_requests_total{outcome=\"held\"} 2",
        "webservice_monitor_webhook_requests_total{outcome=\"failed\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // A kill, by the end of the block.
    drop(program);

    let program = start().await;
    let begun = ["a", "b", "c", "d"].map(|name| format!("firing http://{name}/ -"));
    assert_eq!(lines(&log), begun);
    let fresh = Instant::now();
    assert_eq!(post(address, HEARTBEAT, &heartbeat(0)).await, 200);
    // Another, after the kill.
    assert_eq!(post(address, WEBHOOK, &body(&[alert("c", "firing", 5)])).await, 200);
    let is_over = |text: &str| text.contains("\"resolved\"");
    wait_for_file(&log, "the end that waited", is_over).await;
    // It waits no longer once that is noted as well; until then a start would hold the ends that come next. So does that of `c`.
    let noted = |text: &str| text.lines().filter(|line| line.starts_with("f ")).count() == 2;
    wait_for_file(&log.with_file_name(".alerts.jsonl.known"), "that no end waits", noted).await;
    assert!(fresh.elapsed() >= Duration::from_secs(5), "{:?}", fresh.elapsed());
    drop(program);

    // It is written once, and the others are over when they are.
    let _program = start().await;
    assert_eq!(post(address, HEARTBEAT, &heartbeat(0)).await, 200);
    let over = ["a", "b", "c"].map(|name| alert(name, "resolved", 5));
    assert_eq!(post(address, WEBHOOK, &body(&over)).await, 200);
    let ended = ["a", "b", "c"].map(|name| format!("resolved http://{name}/ works again"));
    assert_eq!(lines(&log)[4..], ended);
}

#[tokio::test]
async fn ends_that_cannot_be_kept_are_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start_watching(&log, Some(Duration::from_secs(20)), files(&[], &[])).await;
    let address = app.address();
    assert_eq!(post(address, WEBHOOK, &body(&[alert("a", "firing", 60)])).await, 200);
    assert_eq!(post(address, HEARTBEAT, &heartbeat(15)).await, 200);
    // A folder in the place of the file refuses to be written to, for root as well.
    let known = folder.path().join(".alerts.jsonl.known");
    std::fs::remove_file(&known).unwrap();
    std::fs::create_dir(&known).unwrap();
    let end = body(&[alert("a", "resolved", 60)]);
    assert_eq!(post(address, WEBHOOK, &end).await, 503);
    std::fs::remove_dir(&known).unwrap();
    assert_eq!(post(address, WEBHOOK, &end).await, 200);
    assert_eq!(lines(&log), ["firing http://a/ -"]);
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
    // Too soon for a check each 15 s, which is not what Prometheus need do.
    let text = "- targets: [http://a/, http://b/]\n  labels: {alert_after: 20s}\n";
    std::fs::write(&targets, text).unwrap();
    let rule = |name: &str| {
        format!("groups: [{{name: g, rules: [{{alert: {name}, expr: vector(1)}}]}}]\n")
    };
    std::fs::write(&rules, rule("WebserviceDown")).unwrap();
    let path = |path: &Path| path.display().to_string();
    let watched = files(&[path(&targets)], &[path(&rules)]);
    let app = start_watching(&log, None, watched).await;
    let sent = async |name, status| {
        assert_eq!(post(app.address(), WEBHOOK, &body(&[alert(name, status, 60)])).await, 200);
    };
    for name in ["a", "b", "c", "d"] {
        sent(name, "firing").await;
    }
    sent("a", "resolved").await;
    sent("c", "resolved").await;
    // A mistake in a file: nothing is known of targets, but of rules.
    std::fs::write(&targets, "- targets: 7\n").unwrap();
    sent("d", "resolved").await;
    std::fs::write(&rules, rule("Other")).unwrap();
    sent("b", "resolved").await;
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
    let sent: &[&[serde_json::Value]] = &[
        &[edited("critical", "firing")],
        &[edited("critical", "resolved"), edited("warning", "firing")],
        &[edited("info", "firing")],
        &[edited("warning", "resolved")],
    ];
    for alerts in sent {
        assert_eq!(post(app.address(), WEBHOOK, &body(alerts)).await, 200);
        assert_eq!(lines(&log), ["firing http://a/ -"]);
    }
    assert_eq!(post(app.address(), WEBHOOK, &body(&[edited("info", "resolved")])).await, 200);
    assert_eq!(lines(&log)[1..], ["resolved http://a/ works again"]);
    app.stop().await;
}
