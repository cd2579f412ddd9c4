//! The receiver under pressure: long bodies, senders that stall, disks that hang. No one waits for another.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    program::{Program, send, wait_for_file},
    webhook::{files, post, start_watching},
};

const WEBHOOK: &str = "/api/v1/alertmanager";
const HEARTBEAT: &str = "/api/v1/heartbeat";
/// How long anything may take that is not part of the pressure. A machine that is busy with other tests needs some of it.
const SOON: Duration = Duration::from_secs(5);

/// A body of many alerts, as short as they can be.
fn many(count: usize, names: &str) -> String {
    let alert = |number: usize| {
        format!(
            "{{\"status\":\"firing\",\"labels\":{{\"alertname\":\"{names}{number}\"}},\"startsAt\":\"2026-11-22T10:00:00Z\"}}"
        )
    };
    let alerts: Vec<_> = (0..count).map(alert).collect();
    format!("{{\"version\":\"4\",\"alerts\":[{}]}}", alerts.join(","))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_stall_hold_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_watching(&folder.path().join("alerts.jsonl"), None, files(&[], &[])).await;
    let mut stalled = Vec::new();
    for path in [WEBHOOK, HEARTBEAT].repeat(40) {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{");
        stream.write_all(head.as_bytes()).await.unwrap();
        stalled.push(stream);
    }
    let begun = Instant::now();
    for path in [WEBHOOK, HEARTBEAT] {
        let answered = timeout(SOON, post(app.address(), path, &many(1, "A"))).await;
        assert_eq!(answered.ok(), Some(200), "{path} after {:?}", begun.elapsed());
    }
    // Those that stall are answered in the end, so that a slow Alertmanager asks again.
    let mut answer = [0; 12];
    stalled[0].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    drop(stalled);
    app.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_watching(&folder.path().join("alerts.jsonl"), None, files(&[], &[])).await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = format!("POST {WEBHOOK} HTTP/1.1\r\nHost: a\r\nContent-Length: 160000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    app.stop().await;
}

/// While many alerts are written, the rules are evaluated, their alerts are written in between, and others are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_alerts_at_once_hold_up_neither_rules_nor_others() {
    const COUNT: usize = 60_000;
    let rules = "groups: [{name: g, rules: [{alert: Own, expr: probe_success == 0}]}]\n";
    let program =
        Program::all_in_one("- targets: [\"http://127.0.0.1:1/\"]\n", "groups: []\n").await;
    let address = program.app.address();
    let body = Arc::new(many(COUNT, "Many"));
    let mut posts = tokio::task::JoinSet::new();
    posts.spawn(async move { post(address, WEBHOOK, &body).await });
    let log = program.path("alerts.jsonl");
    wait_for_file(&log, "the first of many", |text| text.contains("Many0")).await;
    std::fs::write(program.path("rules.yml"), rules).unwrap();
    program.post("/-/reload").await;
    let mut longest = Duration::ZERO;
    while posts.try_join_next().is_none_or(|answer| {
        assert_eq!(answer.unwrap(), 200);
        false
    }) {
        for path in [WEBHOOK, HEARTBEAT] {
            let begun = Instant::now();
            assert_eq!(post(address, path, &many(1, "Few")).await, 200);
            longest = longest.max(begun.elapsed());
        }
    }
    assert!(longest < SOON, "another sender waited for {longest:?}");
    let text =
        wait_for_file(&log, "the program's own alert", |text| text.contains("FIRING Own")).await;
    let own = text.lines().position(|line| line.contains("FIRING Own")).unwrap();
    assert!(own < COUNT, "the program's own alert waited for all the others");
    assert_eq!(text.lines().filter(|line| line.contains("Many")).count(), COUNT);
    let (_, metrics) = send(address, "GET", "/metrics", "", "").await;
    assert!(metrics.contains("notifications_dropped_total{notifier=\"alert_log\"} 0"), "{metrics}");
    program.app.stop().await;
}
