//! What a reader would have to guess is said: why an address has no page any more, why a failing target has no alert, and that an
//! alert is about to end.

use std::sync::Arc;

use probe::{Phase, Reason};
use series::rule::{External, GroupState, GroupView};

use super::setup::{
    DOWN, MINUTE, NOW, Server, append, assert_shows, down, encoded, lively, monitor, watched,
};

const RULES: &str = r"
groups:
  - name: services
    rules:
      - alert: ServiceDown
        expr: probe_success == 0
        keep_firing_for: 10m
";

#[tokio::test]
async fn a_page_that_is_gone_says_that_the_target_was_removed() {
    const GONE: &str = "http://gone.example/";
    let monitor = lively();
    append(&monitor, NOW - 90 * MINUTE, GONE, "probe_success", &[], 1.0);
    let server = Server::start(&monitor).await;
    for (instance, says) in [
        (GONE, "was removed from the targets files; its last probe was at 2025-12-31 22:30:00 UTC"),
        ("http://gone.example", "spelled differently"),
    ] {
        let page = server.get(&format!("/targets/{}", encoded(instance))).await;
        assert_eq!(page.status, 404, "{instance}");
        assert_shows(&page.body, &["is not among the targets", says]);
    }
}

#[tokio::test]
async fn a_failing_target_that_waits_says_what_for() {
    let posted = ("module", "http_post_2xx");
    for (of_alert, waiting, shown) in
        [(&[][..], 1.0, true), (&[], 0.0, false), (&[posted], 1.0, false)]
    {
        let monitor = monitor(&[(DOWN, &[("depends_on", "database")])], true);
        watched(&monitor, DOWN, NOW - 4000, down(Phase::Connect, Reason::Refused, ""));
        append(&monitor, NOW - 1000, DOWN, "target:waiting", of_alert, waiting);
        let server = Server::start(&monitor).await;
        let page = server.get(&format!("/targets/{}", encoded(DOWN))).await;
        let says = "Its failure is not reported for now";
        assert_eq!(page.body.contains(says), shown, "{of_alert:?} {waiting}: {}", page.body);
        assert_eq!(page.body.contains("<strong>database</strong>, which it depends on"), shown);
    }
}

#[tokio::test]
async fn an_alert_in_its_last_minutes_says_so() {
    let monitor = lively();
    let groups = series::rule::load(RULES).unwrap().groups;
    let mut states: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
    let store = Arc::clone(monitor.store.as_ref().unwrap());
    for (at, value, ending) in [(NOW - 2 * MINUTE, 0.0, false), (NOW - MINUTE + 1, 1.0, true)] {
        append(&monitor, at, DOWN, "probe_success", &[], value);
        states[0].evaluate(store.as_ref(), at, &External::default());
        monitor.rules.publish(states.iter().map(GroupView::of));
        let server = Server::start(&monitor).await;
        let page = server.get("/alerts").await;
        assert_shows(&page.body, &["1 firing", DOWN]);
        assert_eq!(page.body.contains("Its condition ended"), ending, "{at}: {}", page.body);
    }
}
