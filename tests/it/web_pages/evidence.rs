//! What the pages show of a probe: its requests and answers, its warnings, why it failed and what to look at.

use std::time::Duration;

use probe::{Evidence, Hop, Phase, ProbeResult, Reason, Stage, Warning};

use super::setup::{
    DOWN, MINUTE, NEW, NOW, Server, UP, assert_order, assert_shows, down, encoded, lively, monitor,
    result, watched,
};

/// A result that saw a redirect and then an answer.
fn redirected(outcome: ProbeResult) -> ProbeResult {
    let milliseconds = Duration::from_millis;
    let first = Hop {
        attempt: 1,
        title: "GET https://up.example/<b>".to_owned(),
        request: "GET https://up.example/<b>\nHost: up.example\nx-api-key: <secret>\n".to_owned(),
        peer: Some("192.0.2.7:443".parse().unwrap()),
        head: "HTTP/1.1 301 Moved Permanently\nlocation: http://up.example/\n".to_owned(),
        times: vec![(Stage::Connect, milliseconds(3)), (Stage::Processing, milliseconds(9))],
        ..Hop::default()
    };
    let second = Hop {
        attempt: 2,
        title: "GET http://up.example/".to_owned(),
        head: "HTTP/1.1 200 OK\nserver-timing: db;dur=53;desc=\"the <i>rows</i>\", cache\n"
            .to_owned(),
        body: "<script>alert(1)</script>\\u{0}".to_owned(),
        ..Hop::default()
    };
    let warnings = vec![Warning::Downgrade];
    ProbeResult { evidence: Evidence { hops: vec![first, second], warnings }, ..outcome }
}

#[tokio::test]
async fn a_target_s_page_shows_what_its_probes_saw() {
    let monitor = lively();
    let seen = redirected(down(Phase::Check, Reason::Status, "503"));
    let failed = watched(&monitor, UP, NOW - MINUTE, seen).record.id;
    let plain = result(probe::Outcome::Up, Vec::new());
    let last = watched(&monitor, UP, NOW - 2000, plain).record.id;
    let server = Server::start(&monitor).await;
    let page = server.get(&format!("/targets/{}", encoded(UP))).await.body;
    assert_order(
        &page,
        &[
            ">Evidence</h2>",
            "Last probe, ",
            &format!("/logs?id={last}"),
            "Failed probes before it",
            "<details class=\"probe\"><summary>2025-12-31 23:59:00",
            "check/status",
            "the status code is not an expected one",
            "compare with the module's valid_status_codes",
            "⚠ downgrade",
            "anybody on the way can read",
            "1. GET https://up.example/&lt;b&gt;",
            "192.0.2.7:443",
            "class=\"p-connect\" x=\"0.0\" width=\"250.0\"",
            "class=\"p-processing\" x=\"250.0\" width=\"750.0\"",
            "x-api-key: &lt;secret&gt;",
            "301 Moved Permanently",
            "2. GET http://up.example/",
            "attempt 2",
            "Server-Timing",
            "53 ms",
            "<td>the &lt;i&gt;rows&lt;/i&gt;</td>",
            "&lt;script&gt;alert(1)",
        ],
    );
    assert_eq!(page.matches("<script").count(), 1, "the only script is the page's own");
    let page = server.get(&format!("/targets/{}", encoded(NEW))).await.body;
    assert_shows(&page, &["Nothing is remembered"]);

    // Each probe has a page of its own, linked from the list of all.
    assert_shows(&server.get("/probes").await.body, &[&format!("href=\"/probes/{failed}\"")]);
    let page = server.get(&format!("/probes/{failed}")).await;
    assert_eq!(page.status, 200);
    assert_shows(
        &page.body,
        &["301 Moved", "⚠ downgrade", "href=\"/targets/http%3A%2F%2Fup.example%2F\""],
    );
    for id in ["0", "999", "-1", "x", "18446744073709551616"] {
        let page = server.get(&format!("/probes/{id}")).await;
        assert_eq!(page.status, 404, "{id}");
        assert_shows(&page.body, &["no longer remembered"]);
    }
}

#[tokio::test]
async fn the_last_failures_of_a_target_are_shown_whatever_others_do() {
    let monitor = lively();
    for number in 0..2000 {
        let fine = result(probe::Outcome::Up, Vec::new());
        watched(&monitor, if number % 2 == 0 { UP } else { DOWN }, NOW, fine);
        monitor.results().asked(
            "http://asked.example/",
            "http_2xx",
            NOW,
            down(Phase::Tls, Reason::Expired, ""),
        );
    }
    let server = Server::start(&monitor).await;
    let page = server.get(&format!("/targets/{}", encoded(DOWN))).await.body;
    assert_shows(&page, &["connect/refused: os error 111", "Check whether the service runs"]);
    assert!(!page.contains("tls/expired"), "what was asked for is not what is watched");
}

/// A reader must never read that the cause of a failure is not known.
#[tokio::test]
async fn no_failure_is_unknown_on_any_page() {
    let failures: Vec<(Phase, Reason)> = Phase::ALL
        .iter()
        .flat_map(|phase| Reason::ALL.iter().map(|reason| (*phase, *reason)))
        .collect();
    let names: Vec<String> =
        failures.iter().map(|(phase, reason)| format!("http://{phase}.{reason}/")).collect();
    let targets: Vec<(&str, &[(&str, &str)])> =
        names.iter().map(|name| (name.as_str(), &[] as &[_])).collect();
    let monitor = monitor(&targets, true);
    for ((phase, reason), name) in failures.iter().zip(&names) {
        watched(&monitor, name, NOW - 1000, down(*phase, *reason, "the detail"));
    }
    let server = Server::start(&monitor).await;
    let own = names.iter().map(|name| format!("/targets/{}", encoded(name)));
    let all = ["/", "/probes", "/alerts", "/api/v1/targets"].map(str::to_owned);
    for path in all.into_iter().chain(own.step_by(7)) {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.to_lowercase().contains("unknown"), "{path}:\n{}", page.body);
    }
}
