//! `rules` and `alerts`, with the real rule engine on a store of known samples.

use std::{collections::BTreeMap, time::Duration};

use series::{
    Timestamp,
    rule::{GroupState, GroupView},
};
use webservice_monitor::{api::Reader, config::Config};

use super::setup::{Server, reader, store, success};

const RULES: &str = r#"
groups:
  - name: shop
    interval: 15s
    rules:
      - record: up:sum
        expr: sum(up)
        labels: {team: web}
      - alert: Down
        expr: up == 0
        for: 1m
        keep_firing_for: 2m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is down"}
      - alert: Loaded
        expr: load > 1e6
  - name: broken
    rules:
      - record: pair
        expr: up + on() up
"#;

/// A monitor whose first group was evaluated at `times`, and the other one at the last of them.
fn with_rules(times: &[Timestamp]) -> Reader {
    let store = store();
    let config = Config {
        targets: Vec::new(),
        modules: BTreeMap::new(),
        unsupported_modules: BTreeMap::new(),
        rules: Vec::new(),
        files: Vec::new(),
        warnings: Vec::new(),
    };
    let monitor = reader(config, Some(store));
    let store = monitor.store.clone().unwrap();
    let groups = series::rule::load(RULES).unwrap().groups;
    let mut groups: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
    for (index, at) in times.iter().enumerate() {
        let count = if index + 1 == times.len() { 2 } else { 1 };
        for state in groups.iter_mut().take(count) {
            state.evaluate(store.as_ref(), *at, &series::rule::External::default());
            state.set_evaluation_time(Duration::from_millis(3));
        }
    }
    monitor.rules.publish(groups.iter().map(GroupView::of));
    monitor
}

const ALERT: &str = concat!(
    r#"{"labels":{"alertname":"Down","instance":"b","severity":"critical"},"#,
    r#""annotations":{"summary":"b is down"},"state":"firing","activeAt":"1970-01-01T00:09:00Z","value":"0e+00"}"#,
);

#[tokio::test]
async fn alerts_that_are_active_are_listed() {
    let server = Server::start(with_rules(&[540_000])).await;
    let pending = ALERT.replace("firing", "pending");
    assert_eq!(server.get("alerts").await, (200, success(&format!(r#"{{"alerts":[{pending}]}}"#))));
    let server = Server::start(with_rules(&[540_000, 600_000])).await;
    assert_eq!(server.get("alerts").await, (200, success(&format!(r#"{{"alerts":[{ALERT}]}}"#))));
    // The store has nothing about `b` any more, so that the alert only fires on.
    let server = Server::start(with_rules(&[540_000, 600_000, 960_000])).await;
    let since = r#""keepFiringSince":"1970-01-01T00:16:00Z","value""#;
    let kept = ALERT.replace(r#""value""#, since);
    assert_eq!(server.get("alerts").await, (200, success(&format!(r#"{{"alerts":[{kept}]}}"#))));
    let server = Server::start(with_rules(&[])).await;
    assert_eq!(server.get("alerts").await, (200, success(r#"{"alerts":[]}"#)));
}

#[tokio::test]
async fn rules_have_their_state_and_can_be_chosen() {
    let server = Server::start(with_rules(&[540_000, 600_000])).await;
    let evaluated = r#""lastEvaluation":"1970-01-01T00:10:00Z""#;
    let record = format!(
        r#"{{"name":"up:sum","query":"sum(up)","labels":{{"team":"web"}},"health":"ok",{evaluated},"type":"recording"}}"#
    );
    let down = |alerts: &str| {
        format!(
            concat!(
                r#"{{"state":"firing","duration":60.0,"keepFiringFor":120.0,"#,
                r#""annotations":{{"summary":"{{{{ $labels.instance }}}} is down"}},"alerts":[{0}],"#,
                r#""name":"Down","query":"up == 0","labels":{{"severity":"critical"}},"health":"ok",{1},"#,
                r#""type":"alerting"}}"#,
            ),
            alerts, evaluated
        )
    };
    let loaded = format!(
        concat!(
            r#"{{"state":"inactive","duration":0.0,"keepFiringFor":0.0,"annotations":{{}},"alerts":[],"#,
            r#""name":"Loaded","query":"load > 1e6","labels":{{}},"health":"ok",{},"type":"alerting"}}"#,
        ),
        evaluated
    );
    let shop = |rules: &[&str]| {
        let tail = format!(r#""interval":15.0,"limit":0,"evaluationTime":0.003,{evaluated}"#);
        let groups = format!(r#"{{"name":"shop","file":"","rules":[{}],{tail}}}"#, rules.join(","));
        (200, success(&format!(r#"{{"groups":[{groups}]}}"#)))
    };
    for (path, expected) in [
        ("rules?rule_group[]=shop", shop(&[&record, &down(ALERT), &loaded])),
        ("rules?type=alert", shop(&[&down(ALERT), &loaded])),
        ("rules?type=record&rule_group[]=shop", shop(&[&record])),
        ("rules?rule_name[]=Down&rule_name[]=other", shop(&[&down(ALERT)])),
        ("rules?rule_name[]=Down&exclude_alerts=true", shop(&[&down("")])),
        ("rules?rule_group[]=other", (200, success(r#"{"groups":[]}"#))),
    ] {
        assert_eq!(server.get(path).await, expected, "{path}");
    }
    let (_, broken) = server.get("rules?rule_group[]=broken").await;
    let broken: serde_json::Value = serde_json::from_str(&broken).unwrap();
    let rule = &broken["data"]["groups"][0]["rules"][0];
    assert_eq!(rule["health"], "err");
    assert!(!rule["lastError"].as_str().unwrap().is_empty());
    let server = Server::start(with_rules(&[])).await;
    let (_, fresh) = server.get("rules").await;
    assert_eq!(fresh.matches(r#""health":"unknown""#).count(), 4);
    assert_eq!(fresh.matches(r#""lastEvaluation":"0001-01-01T00:00:00Z""#).count(), 6);
}
