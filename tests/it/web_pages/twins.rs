//! Two checks of one address are two targets on every page; the heartbeat is no alert; links of alerts lead to a page.

use std::sync::Arc;

use probe::{Outcome, Phase, Reason};
use series::rule::{External, GroupState, GroupView};
use webservice_monitor::{api::Reader, config::Target};

use super::setup::{
    MINUTE, NOW, Server, UP, append, assert_shows, down, encoded, lively, monitor, result,
};

const BOTH: &str = "http://both.example/";

const RULES: &str = r"
groups:
  - name: services
    rules:
      - alert: ServiceDown
        expr: probe_success == 0
        labels: { severity: critical }
      - alert: Watchdog
        expr: vector(1)
        labels: { severity: none }
";

/// The labels of the second target's series beside those of the address.
const POSTED: &[(&str, &str)] = &[("module", POST)];

const POST: &str = "http_post_2xx";

/// Two targets of one address: the first is up, the second, with a module of its own, is down.
fn twins() -> Arc<Reader> {
    let monitor = monitor(&[(BOTH, &[]), (BOTH, POSTED)], true);
    let config = monitor.config();
    let get = Arc::clone(&config.targets[0]);
    let post = Arc::new(Target { module: POST.to_owned(), ..(*config.targets[1]).clone() });
    let mut changed = (*config).clone();
    changed.targets = vec![Arc::clone(&get), Arc::clone(&post)];
    monitor.reloads().succeeded(Arc::new(changed), NOW);
    for minute in 0..10 {
        append(&monitor, NOW - minute * MINUTE, BOTH, "probe_success", &[], 1.0);
        append(&monitor, NOW - minute * MINUTE, BOTH, "probe_success", POSTED, 0.0);
    }
    monitor.results().watched(&get, NOW - 2000, result(Outcome::Up, Vec::new()));
    let refused = down(Phase::Connect, Reason::Refused, "os error 111");
    monitor.results().watched(&post, NOW - 1000, refused);
    evaluate(&monitor);
    monitor
}

/// Evaluates the rules once.
fn evaluate(monitor: &Reader) {
    let groups = series::rule::load(RULES).unwrap().groups;
    let mut states: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
    states[0].evaluate(monitor.store.as_ref().unwrap().as_ref(), NOW, &External::default());
    monitor.rules.publish(states.iter().map(GroupView::of));
}

#[tokio::test]
async fn two_modules_of_one_address_are_not_mixed_up() {
    let server = Server::start(&twins()).await;
    let path = format!("/targets/{}", BOTH.replace(':', "%3A").replace('/', "%2F"));
    let other = format!("{path}?module=http_post_2xx");
    let overview = server.get("/").await.body;
    assert_shows(
        &overview,
        &[
            "<strong>1</strong> <span>● up</span>",
            "<strong>1</strong> <span>✕ down</span>",
            "<strong>1</strong> <span>▲ firing</span>",
            &format!("href=\"{path}\""),
            &format!("href=\"{other}\""),
            "100 % up in the last 1h",
            "0.00 % up in the last 1h",
        ],
    );
    let page = server.get(&path).await.body;
    assert_shows(
        &page,
        &["100 %", "also checked by", &other, "No alert of this target", "module%3D%22%22"],
    );
    assert!(!page.contains("os error 111"), "{page}");
    let page = server.get(&other).await.body;
    assert_shows(
        &page,
        &[
            "0.00 %",
            "os error 111",
            "Service<wbr>Down",
            "?range=7d&amp;module=http_post_2xx",
            "module%3D%22http_post_2xx%22",
        ],
    );
    assert_eq!(server.get(&format!("{path}?module=nope")).await.status, 404);
    assert_shows(&server.get("/alerts").await.body, &[&other]);
    assert_shows(&server.get("/probes/2").await.body, &[&other]);
}

#[tokio::test]
async fn the_api_lists_both_modules_of_one_address() {
    let server = Server::start(&twins()).await;
    let api: serde_json::Value =
        serde_json::from_str(&server.get("/api/v1/targets").await.body).unwrap();
    let success: Vec<bool> = api["data"]["activeTargets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["probeSuccess"].as_bool().unwrap())
        .collect();
    assert_eq!(success, [true, false]);
}

#[tokio::test]
async fn the_heartbeat_is_no_alert() {
    let monitor = monitor(&[(UP, &[])], true);
    evaluate(&monitor);
    let server = Server::start(&monitor).await;
    for path in ["/", "/alerts"] {
        let body = server.get(path).await.body;
        assert!(!body.contains("1 firing") && !body.contains("▲</span> Firing"), "{path}: {body}");
    }
    assert_shows(
        &server.get("/alerts").await.body,
        &["0 firing, 0 pending", "Nothing is wrong", "Heartbeat: Watchdog", ">heartbeat<"],
    );
}

#[tokio::test]
async fn links_of_alerts_lead_to_pages() {
    let server = Server::start(&lively()).await;
    let to = |head: &str| {
        head.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned)
    };
    for (path, expected) in [
        ("/d/webservices/webservices".to_owned(), "/"),
        (
            format!("/d/webservice/webservice?var-instance={}", encoded(UP)),
            "/targets/http%3a%2f%2fup.example%2f",
        ),
        ("/d/webservice/webservice?var-instance=a&var-module=m".to_owned(), "/targets/a?module=m"),
        ("/d/webservice/webservice".to_owned(), "/"),
    ] {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert_eq!(to(&answer.head).as_deref(), Some(expected), "{path}");
    }
    let exporter = Server::start(&monitor(&[], false)).await;
    let answer = exporter.get("/d/webservice/webservice?var-instance=a").await;
    assert_eq!(to(&answer.head).as_deref(), Some("/"));
}
