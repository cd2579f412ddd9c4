//! Alerts that an Alertmanager sends: each transition is one line, however often, in whatever batches and across whatever
//! restarts it is sent.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use webservice_monitor::{
    app::alert_log::{AlertLogApp, Settings},
    clock::SystemClock,
    config::Sources,
};

use crate::program::{Program, Running, send, wait_for, wait_for_file};

const WEBHOOK: &str = "/api/v1/alertmanager";
const HEARTBEAT: &str = "/api/v1/heartbeat";

/// A webhook body as Alertmanager sends it: `name state start` for each alert, start in minutes after ten o'clock.
fn body(alerts: &[(&str, &str, u32)]) -> String {
    let alert = |(name, status, start): &(&str, &str, u32)| {
        let ends = if *status == "firing" {
            "0001-01-01T00:00:00Z".to_owned()
        } else {
            format!("2026-11-22T10:{:02}:30Z", start + 5)
        };
        serde_json::json!({
            "status": status,
            "labels": { "alertname": "WebserviceDown", "instance": format!("http://{name}/"), "service": name, "severity": "critical" },
            "annotations": { "summary": format!("http://{name}/ is down") },
            "startsAt": format!("2026-11-22T10:{start:02}:00.5Z"),
            "endsAt": ends,
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "0",
        })
    };
    let alerts: Vec<_> = alerts.iter().map(alert).collect();
    serde_json::json!({ "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "alert-log", "alerts": alerts })
        .to_string()
}

/// `action service start` of each line, the start as in [`body`].
fn events(text: &str) -> Vec<String> {
    let event = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let start = line["event.start"].as_str().unwrap().get(14..16).unwrap().to_owned();
        let of = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {start}", of("event.action"), of("service.name"))
    };
    text.lines().map(event).collect()
}

fn read(path: &Path) -> Vec<String> {
    events(&String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap())
}

async fn start(log: &Path, heartbeat_timeout: Option<Duration>) -> AlertLogApp {
    start_watching(log, heartbeat_timeout, files(&[], &[])).await
}

/// Starts a receiver that knows what is watched.
pub(crate) async fn start_watching(
    log: &Path,
    heartbeat_timeout: Option<Duration>,
    watched: Sources,
) -> AlertLogApp {
    let settings = Settings {
        destinations: alerting::Settings::alert_log(log, alerting::Format::Json),
        heartbeat_timeout,
        external_url: "http://log.example".to_owned(),
        watched,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    AlertLogApp::start(settings, Arc::new(SystemClock), listener).unwrap()
}

/// Where targets and rules are.
pub(crate) fn files(targets: &[String], rules: &[String]) -> Sources {
    Sources {
        listen: SocketAddr::from(([127, 0, 0, 1], 9115)),
        targets: targets.to_vec(),
        modules: "modules.yml".into(),
        modules_required: false,
        rules: rules.to_vec(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
    }
}

/// The real program, with its log in `data/`.
pub(crate) fn start_process(folder: &Path, address: SocketAddr, options: &[&str]) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"))
        .args(["alert-log", "--alert-log.stdout"])
        .args(options)
        .arg(format!("--web.listen-address={address}"))
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

pub(crate) async fn post(address: SocketAddr, path: &str, body: &str) -> u16 {
    send(address, "POST", path, "Content-Type: application/json\r\n", body).await.0
}

#[tokio::test]
async fn each_transition_is_one_line_however_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/alerts.jsonl");
    let app = start(&log, None).await;
    let sent: &[&[(&str, &str, u32)]] = &[
        &[("a", "firing", 0)],
        // Sent again: alone, with a change of its group, and twice in one batch.
        &[("a", "firing", 0)],
        &[("a", "firing", 0), ("b", "firing", 1), ("b", "firing", 1)],
        &[("b", "firing", 1), ("a", "resolved", 0)],
        &[("b", "firing", 1), ("a", "resolved", 0)],
        // The next disruption of the first.
        &[("a", "firing", 9), ("b", "resolved", 1)],
    ];
    for alerts in sent {
        assert_eq!(post(app.address(), WEBHOOK, &body(alerts)).await, 200);
    }
    let expected = ["firing a 00", "firing b 01", "resolved a 00", "firing a 09", "resolved b 01"];
    assert_eq!(read(&log), expected);

    let text = String::from_utf8(std::fs::read(&log).unwrap()).unwrap();
    let resolved: serde_json::Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
    assert_eq!(resolved["event.end"], "2026-11-22T10:05:30.000Z");
    assert_eq!(resolved["event.duration"], 329_500_000_000_i64);
    assert_ne!(
        resolved["@timestamp"], resolved["event.end"],
        "a line has the time at which it was written"
    );
    let (_, metrics) = send(app.address(), "GET", "/metrics", "", "").await;
    for line in [
        "webservice_monitor_webhook_requests_total{outcome=\"accepted\"} 6",
        "webservice_monitor_notifications_total{notifier=\"alert_log\"} 5",
        "webservice_monitor_build_info{version=",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    app.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start(&log, None).await;
    // A folder in the place of the file refuses to be written to, for root as well.
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    for _ in 0..3 {
        assert_eq!(post(app.address(), WEBHOOK, &body(&[("a", "firing", 0)])).await, 500);
    }
    std::fs::remove_dir(&log).unwrap();
    assert_eq!(post(app.address(), WEBHOOK, &body(&[("a", "firing", 0)])).await, 200);
    assert_eq!(read(&log), ["firing a 00"]);
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let app = start(&folder.path().join("alerts.jsonl"), None).await;
    for (headers, body) in [
        ("", "not JSON".to_owned()),
        ("", "{\"alerts\": 1}".to_owned()),
        // What is wrong is said in short, however long it is.
        ("", format!("{{\"alerts\": [{{\"status\": \"{}\"}}]}}", "x".repeat(1_000_000))),
        ("Origin: http://evil.example\r\n", body(&[("a", "firing", 0)])),
    ] {
        let (status, answer) = send(app.address(), "POST", WEBHOOK, headers, &body).await;
        // Alertmanager asks again after a 5xx only.
        assert_eq!(status, 400, "{answer}");
        assert!(!answer.is_empty() && answer.len() < 1_000);
    }
    let (_, metrics) = send(app.address(), "GET", "/metrics", "", "").await;
    assert!(metrics.contains("webhook_requests_total{outcome=\"refused\"} 4"), "{metrics}");
    assert_eq!(send(app.address(), "GET", WEBHOOK, "", "").await.0, 405);
    assert_eq!(send(app.address(), "GET", "/probe?target=http://127.0.0.1/", "", "").await.0, 404);
    app.stop().await;
}

#[tokio::test]
async fn an_alert_that_fires_for_long_is_not_reported_again_after_its_line_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let app = start(&log, None).await;
    assert_eq!(post(app.address(), WEBHOOK, &body(&[("a", "firing", 0)])).await, 200);
    app.stop().await;
    // Rotated, compressed, shipped and deleted.
    std::fs::remove_file(&log).unwrap();
    let app = start(&log, None).await;
    assert_eq!(post(app.address(), WEBHOOK, &body(&[("a", "firing", 0)])).await, 200);
    assert_eq!(read(&log), [""; 0]);
    assert_eq!(post(app.address(), WEBHOOK, &body(&[("a", "resolved", 0)])).await, 200);
    assert_eq!(read(&log), ["resolved a 00"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_heartbeat_is_reported_and_its_return_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let missing =
        |text: &str| text.contains("WebserviceMonitorHeartbeatMissing") && text.ends_with('\n');
    let app = start(&log, Some(Duration::from_millis(1))).await;
    let line = wait_for_file(&log, "the alert", missing).await;
    assert!(
        line.contains(
            "\"event.url\":\"http://log.example/runbooks/WebserviceMonitorHeartbeatMissing\""
        ),
        "{line}"
    );
    app.stop().await;

    // A restart changes nothing: reported once, and over with the first heartbeat.
    let app = start(&log, Some(Duration::from_hours(1))).await;
    assert_eq!(post(app.address(), HEARTBEAT, &body(&[("watchdog", "resolved", 0)])).await, 200);
    assert_eq!(read(&log).len(), 1);
    for _ in 0..2 {
        assert_eq!(post(app.address(), HEARTBEAT, &body(&[("watchdog", "firing", 0)])).await, 200);
    }
    let events = read(&log);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[1].starts_with("resolved"), "{events:?}");
    let (_, metrics) = send(app.address(), "GET", "/metrics", "", "").await;
    assert!(metrics.contains("\nwebservice_monitor_heartbeat_timestamp_seconds "), "{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_all_in_one_mode_takes_alerts_too_and_the_exporter_only_with_a_log() {
    let program =
        Program::all_in_one("- targets: [\"http://127.0.0.1:1/\"]\n", "groups: []\n").await;
    assert_eq!(post(program.app.address(), WEBHOOK, &body(&[("a", "firing", 0)])).await, 200);
    assert_eq!(read(&program.path("alerts.jsonl")), ["firing a 00"]);
    program.app.stop().await;
    let exporter = Program::exporter().await;
    assert_eq!(post(exporter.app.address(), WEBHOOK, &body(&[])).await, 404);
    exporter.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_two_deliveries_doubles_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("data/alerts.jsonl");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for round in 0..3_u32 {
        let mut running = start_process(folder.path(), address, &[]);
        wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
        // All that was sent before is sent again, as after a lost answer.
        let mut printed = String::new();
        let mut output = BufReader::new(running.0.stdout.take().unwrap());
        for past in 0..=round {
            let alerts = [("a", "firing", past), ("b", "firing", past)];
            assert_eq!(post(address, WEBHOOK, &body(&alerts)).await, 200);
            assert_eq!(post(address, WEBHOOK, &body(&[("a", "resolved", past)])).await, 200);
        }
        // The second service begins again each time, which ends what was before.
        let lines = if round == 0 { 3 } else { 4 };
        for _ in 0..lines {
            output.read_line(&mut printed).unwrap();
        }
        running.0.kill().unwrap();
        running.0.wait().unwrap();
        output.read_to_string(&mut printed).unwrap();
        assert_eq!(
            events(&printed).len(),
            lines,
            "each line of this round is printed as well: {printed}"
        );
    }
    let expected: Vec<String> = (0..3)
        .flat_map(|round: u32| {
            let over = round.checked_sub(1).map(|before| format!("resolved b {before:02}"));
            std::iter::once(format!("firing a {round:02}"))
                .chain(over)
                .chain([format!("firing b {round:02}"), format!("resolved a {round:02}")])
        })
        .collect();
    assert_eq!(read(&log), expected);
}

/// More lines than are written in one step; the kill comes while they are written, wherever that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_many_lines_doubles_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("data/alerts.jsonl");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let names: Vec<String> = (0..4_000).map(|number| format!("service-{number}")).collect();
    let alerts: Vec<_> = names.iter().map(|name| (name.as_str(), "firing", 0)).collect();
    let many = Arc::new(body(&alerts));
    // In which half of the steps the kill comes.
    for bytes in [1, 700_000, 1_400_000] {
        let running = start_process(folder.path(), address, &[]);
        wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
        let mut posts = tokio::task::JoinSet::new();
        let sent = Arc::clone(&many);
        posts.spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                sent.len()
            );
            let _killed = stream.write_all(format!("{head}{sent}").as_bytes()).await;
            // Open until the kill.
            std::future::pending::<()>().await;
        });
        wait_for_file(&log, "lines", |text| text.len() > bytes).await;
        drop(running);
    }
    let _running = start_process(folder.path(), address, &[]);
    wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
    assert_eq!(post(address, WEBHOOK, &many).await, 200);
    let mut lines = read(&log);
    assert_eq!(lines.len(), names.len());
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), names.len());
}

#[test]
fn a_health_check_answers_by_its_exit_code() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"));
        command.arg("healthcheck").args(arguments).output().unwrap()
    };
    let closed = run(&["--web.listen-address=0.0.0.0:1"]);
    assert_eq!(closed.status.code(), Some(1));
    let message = String::from_utf8(closed.stderr).unwrap();
    assert!(
        message.contains("http://127.0.0.1:1/-/healthy is not healthy: connect/refused"),
        "{message}"
    );
    assert_eq!(run(&["ftp://127.0.0.1/"]).status.code(), Some(2));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = runtime.block_on(start(&folder.path().join("alerts.jsonl"), None));
    let healthy = run(&[&format!("--web.listen-address={}", app.address())]);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");
    assert_eq!(run(&[&format!("http://{}/nothing", app.address())]).status.code(), Some(1));
    runtime.block_on(app.stop());
}
