//! Every line of a beginning gets its line of the end, whatever is edited, stopped, killed or lost in between.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alerting::{AlertEvent, Format, Origin, open_alert_log};
use series::Labels;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::program::{Program, Running, read_head, wait_for, wait_for_file};

/// Nothing listens on port 1.
const DOWN: &str = "- targets: [\"http://127.0.0.1:1/\"]\n  labels: { team: web }\n";

fn rules(name: &str, severity: &str) -> String {
    format!(
        "groups: [{{name: g, rules: [{{alert: {name}, expr: probe_success == 0, labels: {{severity: {severity}}}, \
         annotations: {{summary: it is down, resolved: it works again, error_type: connect/refused}}}}]}}]\n"
    )
}

/// `action name reason` of each line.
fn lines(path: &Path) -> Vec<String> {
    let text = String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let of = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", of("event.action"), of("rule.name"), of("event.reason"))
    };
    text.lines().map(line).collect()
}

fn is_firing(text: &str) -> bool {
    text.contains("\"firing\"")
}

fn is_resolved(text: &str) -> bool {
    text.contains("\"resolved\"")
}

async fn edit(program: &Program, file: &str, text: &str) {
    std::fs::write(program.path(file), text).unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_labels_ends_nothing_and_a_removal_ends_it_with_its_reason() {
    for (what, reason) in [("target", "no longer watched"), ("rule", "rule removed")] {
        let program = Program::all_in_one(DOWN, &rules("Down", "critical")).await;
        let log = program.path("alerts.jsonl");
        wait_for_file(&log, "the alert", is_firing).await;
        edit(&program, "targets.yml", &DOWN.replace("web", "data")).await;
        let edited = |body: &str| body.contains("\"team\":\"data\"") && body.contains("\"firing\"");
        program.wait_for("/api/v1/alerts", "the edited target", edited).await;
        edit(&program, "rules.yml", &rules("Down", "warning")).await;
        let edited =
            |body: &str| body.contains("\"severity\":\"warning\"") && body.contains("\"firing\"");
        program.wait_for("/api/v1/alerts", "the edited rule", edited).await;
        assert_eq!(lines(&log), ["firing Down -"]);
        if what == "target" {
            edit(&program, "targets.yml", "- targets: [\"http://127.0.0.1:2/\"]\n").await;
        } else {
            edit(&program, "rules.yml", &rules("Other", "warning")).await;
        }
        let text = wait_for_file(&log, "the end", is_resolved).await;
        let end = text.lines().find(|line| is_resolved(line)).unwrap();
        assert!(end.contains(&format!("\"event.reason\":\"{reason}\"")), "{end}");
        program.app.stop().await;
    }
}

/// The new labels take over the alert that fires, although the rule has a time to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_ends_nothing_under_a_rule_that_waits() {
    let slow = rules("Down", "critical").replace("labels: {sev", "for: 1s, labels: {sev");
    let program = Program::all_in_one(DOWN, &slow).await;
    let log = program.path("alerts.jsonl");
    wait_for_file(&log, "the alert", is_firing).await;
    for (team, state) in [("data", "firing"), ("web", "firing")] {
        edit(&program, "targets.yml", &DOWN.replace("web", team)).await;
        let edited = |body: &str| {
            body.contains(&format!("\"team\":\"{team}\"")) && body.contains(&format!("\"{state}\""))
        };
        program.wait_for("/api/v1/alerts", "the edited target", edited).await;
    }
    assert_eq!(lines(&log), ["firing Down -"]);
    // And then it is over.
    edit(&program, "rules.yml", &slow.replace("== 0", "== 7")).await;
    wait_for_file(&log, "the end", is_resolved).await;
    assert_eq!(lines(&log), ["firing Down -", "resolved Down works again"]);
    program.app.stop().await;
}

/// What happens while the program is off, and how the alert ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_no_rule_has_after_a_restart_ends() {
    for (case, reason) in [
        ("the rule is gone", "rule removed"),
        // As after a stop that is longer than what is remembered: nothing is known of the alert.
        ("the store is gone and the service is back", "works again"),
    ] {
        let switches = Switches::start(1).await;
        let targets = format!("- targets: [\"http://{}/0\"]\n", switches.address);
        let program = Program::all_in_one(&targets, &rules("Down", "critical")).await;
        let directory = program.directory;
        let log = directory.path().join("alerts.jsonl");
        wait_for_file(&log, "the alert", is_firing).await;
        program.app.stop().await;
        let write = |file: &str, text: &str| {
            std::fs::write(directory.path().join(file), text).unwrap();
        };
        if case == "the rule is gone" {
            write("rules.yml", &rules("Other", "critical"));
        } else {
            std::fs::remove_dir_all(directory.path().join("data")).unwrap();
            switches.works[0].store(true, Ordering::Relaxed);
        }
        let app = Program::start(directory.path(), true).await;
        let text = wait_for_file(&log, "the end", is_resolved).await;
        let end = text.lines().find(|line| is_resolved(line)).unwrap();
        let end: serde_json::Value = serde_json::from_str(end).unwrap();
        assert_eq!(
            (end["event.reason"].as_str(), end["rule.name"].as_str()),
            (Some(reason), Some("Down")),
            "{case}"
        );
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        for field in ["event.id", "event.start", "url.full", "labels", "error.type"] {
            assert_eq!(first[field], end[field], "{case}: {field}");
        }
        app.stop().await;
    }
}

/// The log says that an alert fires, and the program knows nothing of it: whatever of the state was lost in a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_log_says_is_open_ends() {
    for (format, lost) in [
        (Format::Json, "nothing"),
        (Format::Json, "the file beside the log"),
        (Format::Logfmt, "nothing"),
        (Format::Text, "nothing"),
    ] {
        let program =
            Program::all_in_one("- targets: [\"http://127.0.0.1:2/\"]\n", "groups: []\n").await;
        let directory = program.directory;
        program.app.stop().await;
        let log = directory.path().join("alerts.jsonl");
        let mut before = open_alert_log(&log, format).unwrap();
        let event = |name: &str, origin| AlertEvent {
            labels: Labels::new([("alertname", name), ("instance", "http://a/")]),
            origin,
            ..AlertEvent::default()
        };
        let foreign = event("Foreign", Origin::Alertmanager);
        before.notify(&[event("Gone", Origin::Rules), foreign]).unwrap();
        drop(before);
        if lost != "nothing" {
            std::fs::remove_file(directory.path().join(".alerts.jsonl.known")).unwrap();
        }
        let app = Program::start(directory.path(), true).await;
        let text = wait_for_file(&log, "the end", |text| {
            text.contains("RESOLVED Gone: http://a/: rule removed")
        })
        .await;
        if lost == "nothing" {
            assert!(!text.contains("RESOLVED Foreign"), "{text}");
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_writes_no_line_for_the_heartbeat() {
    let rules = "groups: [{name: g, rules: [{alert: Watchdog, expr: vector(1), labels: {severity: none}}]}]\n";
    let program = Program::all_in_one(DOWN, rules).await;
    let fires = |body: &str| body.contains("Watchdog") && body.contains("\"firing\"");
    program.wait_for("/api/v1/alerts", "the heartbeat", fires).await;
    edit(&program, "rules.yml", "groups: []\n").await;
    let log = program.path("alerts.jsonl");
    program.app.stop().await;
    assert_eq!(lines(&log), [""; 0]);
}

/// Services that can be switched on and off: one for each path.
struct Switches {
    address: SocketAddr,
    works: Arc<Vec<AtomicBool>>,
    _tasks: tokio::task::JoinSet<()>,
}

impl Switches {
    async fn start(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let works: Arc<Vec<_>> = Arc::new((0..count).map(|_| AtomicBool::new(false)).collect());
        let switches = Arc::clone(&works);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let request = read_head(&mut stream).await;
                let number = request.split(['/', ' ']).nth(2).and_then(|path| path.parse().ok());
                let switch = number.and_then(|number: usize| switches.get(number));
                let works = switch.is_some_and(|works| works.load(Ordering::Relaxed));
                let status = if works { "200 OK" } else { "500 Down" };
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _peer_gone = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, works, _tasks: tasks }
    }
}

/// The real program with targets that go up and down, killed at any moment: what began is over in the end, and nothing is doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_leave_no_beginning_without_its_end() {
    const KILLS: usize = 10;
    const TARGETS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(directory.path().join(path), text).unwrap();
    std::fs::create_dir_all(directory.path().join("config/rules")).unwrap();
    let switches = Switches::start(TARGETS).await;
    let urls: Vec<String> =
        (0..TARGETS).map(|number| format!("\"http://{}/{number}\"", switches.address)).collect();
    write("config/targets.yml", &format!("- targets: [{}]\n", urls.join(", ")));
    let rules = |name| rules(name, "critical").replace("{name: g,", "{name: g, interval: 100ms,");
    write("config/rules/test.yml", &rules("Down"));
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = directory.path().join("data/alerts.jsonl");
    for kill in 0..KILLS {
        let running = Running::start(directory.path(), address);
        wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
        // Some change, and the kill comes once so many of the changes are in the log.
        let before = std::fs::read(&log).unwrap_or_default().len();
        for (number, works) in switches.works.iter().enumerate() {
            works.store((number + kill) % 3 == 0, Ordering::Relaxed);
        }
        let wanted = before + 1 + 150 * kill;
        wait_for_file(&log, "changes", |text| text.len() > wanted).await;
        drop(running);
    }
    // In the end all of them are gone.
    write("config/targets.yml", "- targets: [\"http://127.0.0.1:1/\"]\n");
    write("config/rules/test.yml", &rules("Other"));
    let _running = Running::start(directory.path(), address);
    let events = |text: &str| {
        let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            if line["rule.name"] == "Down" {
                let action = line["event.action"].as_str().unwrap_or("").to_owned();
                events.entry(line["event.id"].to_string()).or_default().push(action);
            }
        }
        events
    };
    let paired =
        |text: &str| events(text).values().all(|actions| *actions == ["firing", "resolved"]);
    let text = wait_for_file(&log, "an end for each beginning", paired).await;
    assert!(events(&text).len() > TARGETS, "{text}");
}
