//! `targets`: whether each could be probed, and whether it is up.

use std::{sync::Arc, time::Duration};

use probe::{Failure, Outcome, Phase, ProbeResult, Reason};
use series::Labels;
use webservice_monitor::config::{Promises, Target};

use super::setup::{Server, monitor, store, success};

fn result(outcome: Outcome) -> ProbeResult {
    let started = std::time::UNIX_EPOCH;
    let (elapsed, timeout) = (Duration::from_millis(250), Duration::from_secs(9));
    ProbeResult {
        outcome,
        started,
        elapsed,
        timeout,
        samples: Vec::new(),
        notes: Vec::new(),
        evidence: probe::Evidence::default(),
    }
}

fn target(instance: &str) -> Arc<Target> {
    let labels = [("instance", instance), ("job", "webservices"), ("service", "shop")];
    Arc::new(Target {
        instance: instance.to_owned(),
        address: probe::Module::builtin()["http_2xx"].target(instance).unwrap(),
        module: "http_2xx".to_owned(),
        internal_labels: Arc::default(),
        promises: Promises::default(),
        labels: Labels::new(labels),
        interval: Duration::from_secs(15),
        timeout: Duration::from_millis(9500),
        origin: "targets.yml:3".to_owned(),
    })
}

const INSTANCES: [&str; 4] =
    ["http://up.test/", "http://down.test/", "http://fault.test/", "http://new.test/"];

/// What the API says of each instance: `health` is whether it could be probed, `probeSuccess` whether it is up.
fn active() -> Vec<String> {
    let tail = r#""scrapeInterval":"15s","scrapeTimeout":"9s500ms""#;
    let expected = [
        ("", "1970-01-01T00:00:01.5Z", "0.25", "up", r#"true,"failure":null"#),
        (
            "",
            "1970-01-01T00:00:01.5Z",
            "0.25",
            "up",
            r#"false,"failure":{"phase":"connect","reason":"refused","detail":"a detail"}"#,
        ),
        (
            "internal/no_fds: a detail",
            "1970-01-01T00:00:01.5Z",
            "0.25",
            "down",
            r#"null,"failure":{"phase":"internal","reason":"no_fds","detail":"a detail"}"#,
        ),
        ("", "0001-01-01T00:00:00Z", "0.0", "unknown", r#"null,"failure":null"#),
    ];
    INSTANCES
        .iter()
        .zip(expected)
        .map(|(instance, (error, at, took, health, own))| {
            format!(
                concat!(
                    r#"{{"discoveredLabels":{{"__address__":"{0}","__meta_filepath":"targets.yml","#,
                    r#""__param_module":"http_2xx","__scrape_interval__":"15s","__scrape_timeout__":"9s500ms","#,
                    r#""job":"webservices","service":"shop"}},"#,
                    r#""labels":{{"instance":"{0}","job":"webservices","service":"shop"}},"#,
                    r#""scrapePool":"webservices","scrapeUrl":"{0}","globalUrl":"{0}","lastError":"{1}","#,
                    r#""lastScrape":"{2}","lastScrapeDuration":{3},"health":"{4}",{5},"probeSuccess":{6}}}"#,
                ),
                instance, error, at, took, health, tail, own
            )
        })
        .collect()
}

#[tokio::test]
async fn targets_are_listed_with_their_health_and_their_success() {
    let monitor = monitor(Some(store()), INSTANCES.map(target).to_vec());
    let failure = |phase, reason| Failure::new(phase, reason, "a detail");
    for (instance, outcome) in INSTANCES.into_iter().zip([
        Outcome::Up,
        Outcome::Down(failure(Phase::Connect, Reason::Refused)),
        Outcome::Fault(failure(Phase::Internal, Reason::NoFds)),
    ]) {
        monitor.results().watched(&target(instance), 1_500, result(outcome));
    }
    let server = Server::start(monitor).await;
    let body = |active: &str, counts: &str| {
        let dropped = r#""droppedTargets":[],"droppedTargetCounts":"#;
        (200, success(&format!(r#"{{"activeTargets":[{active}],{dropped}{counts}}}"#)))
    };
    let all = active().join(",");
    for (path, expected) in [
        ("targets", body(&all, r#"{"webservices":0}"#)),
        ("targets?state=any", body(&all, r#"{"webservices":0}"#)),
        ("targets?state=ACTIVE&scrapePool=webservices", body(&all, "null")),
        ("targets?state=dropped", body("", r#"{"webservices":0}"#)),
        ("targets?state=active&scrapePool=other", body("", "null")),
    ] {
        assert_eq!(server.get(path).await, expected, "{path}");
    }
}
