//! The program that is run for each alert, beside the alert log: in the real program, with its flags.
//!
//! Must not know how it is run.

use std::{path::Path, process::Command};

use webservice_monitor::clock;

use crate::{
    program::{Running, wait_for, wait_for_file},
    webhook::{post, start_process},
};

const WEBHOOK: &str = "/api/v1/alertmanager";
/// Says that it runs, and never ends.
const HANGS: &str = "echo $$ >> \"$0\"; exec sleep 10000";

fn body(name: &str) -> String {
    format!(
        "{{\"version\":\"4\",\"alerts\":[{{\"status\":\"firing\",\"labels\":{{\"alertname\":\"{name}\"}},\"startsAt\":\"2026-11-22T10:00:00Z\"}}]}}"
    )
}

fn read(path: &Path) -> String {
    String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap()
}

/// A port that nothing listens on.
fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Asks a process to end, and waits until it has.
fn terminate(mut running: Running) -> std::time::Duration {
    let uptime = clock::uptime();
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    running.0.wait().unwrap();
    uptime()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_of_the_flags_gets_the_lines_of_the_alert_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, taken) = (folder.path().join("data/alerts.jsonl"), folder.path().join("taken"));
    let flags = [
        "--alert-command.program=tee",
        "--alert-command.argument=-a",
        "--alert-command.argument=taken",
    ];
    for restart in [false, true] {
        let address = free_address();
        let running = start_process(folder.path(), address, &flags);
        wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
        for name in ["A", "B"] {
            assert_eq!(post(address, WEBHOOK, &body(name)).await, 200);
        }
        let is_whole = |text: &str| text.lines().count() == 2;
        wait_for_file(&taken, "both lines", is_whole).await;
        let counted = if restart { 0 } else { 2 };
        wait_for(address, "/metrics", "what it took", |text| {
            text.contains(&format!("notifications_total{{notifier=\"command\"}} {counted}\n"))
        })
        .await;
        terminate(running);
        assert_eq!(read(&taken), read(&log));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_hangs_delays_no_line_no_answer_and_no_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (log, pids) = (folder.path().join("data/alerts.jsonl"), folder.path().join("pids"));
    let flags = [
        "--alert-command.program=/bin/sh",
        "--alert-command.argument=-c",
        &format!("--alert-command.argument={HANGS}"),
        "--alert-command.argument=pids",
        "--alert-command.timeout=1h",
        "--heartbeat.timeout=1h",
    ];
    let address = free_address();
    let running = start_process(folder.path(), address, &flags);
    wait_for(address, "/-/ready", "that it is ready", |body| body == "Ready\n").await;
    assert_eq!(post(address, WEBHOOK, &body("A0")).await, 200);
    let text = wait_for_file(&pids, "that it runs", |text| text.ends_with('\n')).await;
    // From here on it hangs for an hour.
    for number in 1..50 {
        assert_eq!(post(address, WEBHOOK, &body(&format!("A{number}"))).await, 200);
        assert_eq!(read(&log).lines().count(), number + 1, "written before it is answered");
        assert_eq!(post(address, "/api/v1/heartbeat", &body("Watchdog")).await, 200);
    }
    let metrics = wait_for(address, "/metrics", "that the others wait", |text| {
        text.contains("notifications_queued{notifier=\"command\"} 50\n")
    })
    .await;
    for line in [
        "webservice_monitor_notifications_total{notifier=\"alert_log\"} 50\n",
        "webservice_monitor_notifications_queued{notifier=\"alert_log\"} 0\n",
        "webservice_monitor_command_exit_code -1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    let took = terminate(running);
    assert!(took.as_secs() < 15, "the stop took {took:?}");
    assert_eq!(read(&pids), text, "it was run once");
    let alive = Command::new("kill").args(["-0", text.trim()]).output().unwrap();
    assert!(!alive.status.success(), "the program is left behind");
}
