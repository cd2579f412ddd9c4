//! The states of alerts and the results of rules, against a store in memory. Must not know the private parts of the rules.

use std::{collections::BTreeMap, fmt::Write as _};

use series::{
    Appender as _, Labels, Matcher, Queryable as _, Timestamp, is_stale,
    labels::METRIC_NAME,
    rule::{
        AlertChange, AlertState, Evaluation, External, Group, GroupState, Health, Transition, load,
    },
    store::Store,
};

const MINUTE: Timestamp = 60_000;

fn groups(rules: &str) -> Vec<Group> {
    load(rules).unwrap_or_else(|problems| panic!("{problems:?}")).groups
}

fn group(rules: &str) -> GroupState {
    GroupState::new(groups(rules).remove(0))
}

fn down(extra: &str) -> String {
    format!(
        "groups: [{{name: g, rules: [{{alert: Down, expr: 'up == 0', labels: {{severity: '{{{{ $labels.severity }}}}'}}, \
         annotations: {{summary: '{{{{ $labels.job }}}} at {{{{ $value }}}}'}}{extra}}}]}}]"
    )
}

fn labels(text: &[(&str, &str)]) -> Labels {
    Labels::new(text.iter().copied())
}

fn up(job: &str) -> Labels {
    labels(&[(METRIC_NAME, "up"), ("job", job)])
}

fn evaluate(state: &mut GroupState, store: &Store, at: Timestamp) -> Evaluation {
    state.evaluate(store, at, &External::default())
}

/// The samples of the series of a metric, as `labels: time=value`.
fn dump(store: &Store, metric: &str) -> String {
    let mut all = store
        .select(&[Matcher::equal(METRIC_NAME, metric)], Timestamp::MIN, Timestamp::MAX)
        .expect("a store in memory");
    all.sort_by(|left, right| left.labels.cmp(&right.labels));
    let mut text = String::new();
    for series in all {
        write!(text, "{}:", series.labels.without_metric_name()).unwrap();
        for sample in series.samples {
            let value =
                if is_stale(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
            write!(text, " {}={value}", sample.timestamp / MINUTE).unwrap();
        }
        text.push('\n');
    }
    text
}

fn words(changes: &[AlertChange]) -> Vec<String> {
    changes.iter().map(|change| format!("{:?}", change.transition)).collect()
}

/// Each script: options of the rule, one value of `up` for each minute, and what is reported in each minute.
const SCRIPTS: [(&str, &str, &str, &str); 10] = [
    ("fires at once without `for`", "", "100", "- Firing -"),
    ("`for: 0s` is none", ", for: 0s", "10", "- Firing"),
    (
        "pending, then firing when `for` has passed to the millisecond",
        ", for: 2m",
        "00000",
        "Pending - Firing - -",
    ),
    (
        "a lucky answer in the pending time begins anew",
        ", for: 2m",
        "001000",
        "Pending - Cleared Pending - Firing",
    ),
    (
        "resolves at once without `keep_firing_for`",
        ", for: 1m",
        "0001",
        "Pending Firing - Resolved",
    ),
    ("a second outage is a new alert", "", "0101", "Firing Resolved Firing Resolved"),
    (
        "goes on firing after the last cause",
        ", keep_firing_for: 2m",
        "01111",
        "Firing - - Resolved -",
    ),
    (
        "a lucky answer does not interrupt it",
        ", keep_firing_for: 2m",
        "0101100111",
        "Firing - - - - - - - - Resolved",
    ),
    ("pending is not kept", ", for: 5m, keep_firing_for: 5m", "0011", "Pending - Cleared -"),
    ("an end of the series is an end of the alert", ", for: 1m", "00s", "Pending Firing Resolved"),
];

#[test]
fn alerts_go_from_state_to_state() {
    for (name, extra, values, expected) in SCRIPTS {
        let store = Store::in_memory();
        let mut state = group(&down(extra));
        let mut reported = Vec::new();
        for (index, value) in values.chars().enumerate() {
            let at = Timestamp::try_from(index).unwrap() * MINUTE;
            let value = value.to_digit(10).map_or_else(series::stale_marker, f64::from);
            store.append(at, &[(up("web"), value)]).unwrap();
            let evaluation = evaluate(&mut state, &store, at);
            assert_eq!(evaluation.errors, [], "{name}");
            let words = words(&evaluation.changes);
            reported.push(if words.is_empty() { "-".to_owned() } else { words.join("+") });
            assert!(evaluation.changes.iter().all(|change| change.at == at && change.group == "g"));
        }
        assert_eq!(reported.join(" "), expected, "{name}");
    }
}

#[test]
fn an_alert_has_its_times_labels_and_annotations() {
    let store = Store::in_memory();
    let mut state = group(&down(", for: 1m, keep_firing_for: 2m"));
    for (minute, value) in [(0, 0.0), (1, 0.0), (2, 1.0)] {
        store.append(minute * MINUTE, &[(up("web").with("severity", "high"), value)]).unwrap();
        evaluate(&mut state, &store, minute * MINUTE);
    }
    let alert = state.rules()[0].alerts().next().expect("an alert").clone();
    assert_eq!(
        alert.labels,
        labels(&[("alertname", "Down"), ("job", "web"), ("severity", "high")])
    );
    assert_eq!(alert.annotations, BTreeMap::from([("summary".to_owned(), "web at 0".to_owned())]));
    assert_eq!((alert.state.as_str(), alert.active_at), ("firing", 0));
    assert_eq!((alert.fired_at, alert.keep_firing_since), (Some(MINUTE), Some(2 * MINUTE)));
    store.append(4 * MINUTE, &[(up("web").with("severity", "high"), 1.0)]).unwrap();
    let change = evaluate(&mut state, &store, 4 * MINUTE).changes.remove(0);
    assert_eq!(change.transition, Transition::Resolved);
    assert_eq!(change.alert.state, AlertState::Inactive);
    assert_eq!(change.alert.resolved_at, Some(4 * MINUTE));
    assert_eq!(state.rules()[0].alerts().count(), 0);
    assert_eq!(state.last_evaluation(), Some(4 * MINUTE));
}

#[test]
fn the_series_of_alerts_have_state_and_end() {
    let store = Store::in_memory();
    let mut state = group(&down(", for: 1m"));
    for (minute, value) in [(1, 0.0), (2, 0.0), (3, 0.0), (4, 1.0), (5, 1.0)] {
        store.append(minute * MINUTE, &[(up("web"), value)]).unwrap();
        evaluate(&mut state, &store, minute * MINUTE);
    }
    assert_eq!(
        dump(&store, "ALERTS"),
        "{alertname=\"Down\", alertstate=\"firing\", job=\"web\"}: 2=1 3=1 4=stale\n\
         {alertname=\"Down\", alertstate=\"pending\", job=\"web\"}: 1=1 2=stale\n"
    );
    assert_eq!(
        dump(&store, "ALERTS_FOR_STATE"),
        "{alertname=\"Down\", job=\"web\"}: 1=60 2=60 3=60 4=stale\n"
    );
}

#[test]
fn later_rules_see_the_results_of_earlier_ones() {
    let store = Store::in_memory();
    let mut state = group(
        "groups: [{name: g, query_offset: 1m, labels: {source: rules, job: x}, rules: [\
         {record: 'job:up', expr: 'up + 1', labels: {job: y}}, {alert: Two, expr: 'job:up == 2'}]}]",
    );
    store.append(0, &[(up("a"), 1.0)]).unwrap();
    let evaluation = evaluate(&mut state, &store, MINUTE);
    assert_eq!((evaluation.samples, words(&evaluation.changes)), (3, vec!["Firing".to_owned()]));
    assert_eq!(dump(&store, "job:up"), "{job=\"y\", source=\"rules\"}: 0=2\n");
    assert_eq!(
        evaluation.changes[0].alert.labels,
        labels(&[("alertname", "Two"), ("job", "x"), ("source", "rules")])
    );
    assert_eq!(evaluation.changes[0].alert.active_at, MINUTE);
    store.append(MINUTE, &[(up("a"), series::stale_marker())]).unwrap();
    evaluate(&mut state, &store, 2 * MINUTE);
    assert_eq!(dump(&store, "job:up"), "{job=\"y\", source=\"rules\"}: 0=2 1=stale\n");
}

#[test]
fn a_failed_evaluation_holds_the_alerts() {
    let store = Store::in_memory();
    let mut state = group(
        "groups: [{name: g, rules: [{alert: Down, expr: 'up * on () group_left () limits == 0', for: 2m}]}]",
    );
    let limit = |name| labels(&[(METRIC_NAME, "limits"), ("name", name)]);
    let mut reported = Vec::new();
    for minute in 0..5 {
        let at = minute * MINUTE;
        store.append(at, &[(up("web"), 0.0), (limit("a"), 1.0)]).unwrap();
        let second = if minute == 1 { 1.0 } else { series::stale_marker() };
        store.append(at, &[(limit("b"), second)]).unwrap();
        let evaluation = evaluate(&mut state, &store, at);
        reported.push((words(&evaluation.changes).join("+"), evaluation.errors.len()));
        let rule = &state.rules()[0];
        assert_eq!(rule.alerts().count(), 1);
        let health = if minute == 1 { Health::Err } else { Health::Ok };
        assert_eq!((rule.health(), rule.last_error().is_some()), (health, minute == 1));
    }
    let expected = [("Pending", 0), ("", 1), ("Firing", 0), ("", 0), ("", 0)];
    assert_eq!(reported, expected.map(|(word, errors)| (word.to_owned(), errors)));
    assert_eq!(Health::Unknown.as_str(), "unknown");
}

#[test]
fn equal_label_sets_and_too_many_results_are_errors() {
    let rule = |text: &str| {
        let store = Store::in_memory();
        store.append(0, &[(up("a"), 0.0), (up("b"), 0.0)]).unwrap();
        let mut state = group(text);
        let evaluation = evaluate(&mut state, &store, 0);
        assert_eq!(evaluation.errors.len(), 1);
        assert_eq!(evaluation.errors[0].line, 1);
        (evaluation.errors[0].message.clone(), words(&evaluation.changes), evaluation.samples)
    };
    for (text, message) in [
        (
            "groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {job: same}}]}]",
            "vector contains metrics with the same labelset after applying alert labels",
        ),
        (
            "groups: [{name: g, rules: [{record: a, expr: up == 0, labels: {job: ''}}]}]",
            "vector contains metrics with the same labelset after applying rule labels",
        ),
        (
            "groups: [{name: g, limit: 1, rules: [{alert: A, expr: up == 0}]}]",
            "exceeded limit of 1 with 2 alerts",
        ),
        (
            "groups: [{name: g, limit: 1, rules: [{record: a, expr: up == 0}]}]",
            "exceeded limit of 1 with 2 series",
        ),
    ] {
        assert_eq!(rule(text), (message.to_owned(), Vec::new(), 0), "{text}");
    }
}

#[test]
fn alerts_over_the_limit_are_resolved() {
    let store = Store::in_memory();
    let mut state = group("groups: [{name: g, limit: 1, rules: [{alert: A, expr: up == 0}]}]");
    store.append(0, &[(up("a"), 0.0)]).unwrap();
    assert_eq!(words(&evaluate(&mut state, &store, 0).changes), ["Firing"]);
    store.append(MINUTE, &[(up("a"), 0.0), (up("b"), 0.0)]).unwrap();
    assert_eq!(words(&evaluate(&mut state, &store, MINUTE).changes), ["Resolved"]);
}

fn restore(state: &mut GroupState, store: &Store, now: Timestamp) -> Vec<AlertChange> {
    GroupState::restore(std::slice::from_mut(state), store, now, &External::default())
}

/// Runs a rule from minute 1, "restarts" after `before`, and evaluates at minute 10 with `up` as given.
fn restart(extra: &str, before: &[f64], after: f64) -> (Vec<AlertChange>, Vec<AlertChange>) {
    let store = Store::in_memory();
    let mut state = group(&down(extra));
    for (value, minute) in before.iter().zip(1..) {
        let at = minute * MINUTE + 250;
        store.append(at, &[(up("web"), *value)]).unwrap();
        evaluate(&mut state, &store, at);
    }
    let mut state = group(&down(extra));
    let restored = restore(&mut state, &store, 10 * MINUTE);
    store.append(10 * MINUTE, &[(up("web"), after)]).unwrap();
    (restored, evaluate(&mut state, &store, 10 * MINUTE).changes)
}

#[test]
fn alerts_survive_a_restart() {
    let (restored, changes) = restart(", for: 1m", &[0.0, 0.0, 0.0], 0.0);
    assert_eq!(words(&restored), ["Firing"]);
    let alert = &restored[0].alert;
    assert_eq!(alert.labels, labels(&[("alertname", "Down"), ("job", "web")]));
    assert_eq!((alert.active_at, alert.fired_at), (MINUTE, Some(2 * MINUTE + 250)));
    assert_eq!(restored[0].at, 2 * MINUTE + 250);
    assert_eq!(alert.annotations["summary"], "web at 0", "as it was reported before the restart");
    assert_eq!(changes, [], "it goes on firing");

    let (_, changes) = restart(", for: 1m", &[0.0, 0.0], 1.0);
    assert_eq!(words(&changes), ["Resolved"]);
    assert_eq!(changes[0].alert.active_at, MINUTE);

    let (restored, changes) = restart(", for: 9m", &[0.0, 0.0], 0.0);
    assert_eq!((restored.len(), words(&changes)), (0, vec!["Firing".to_owned()]));

    let (restored, changes) = restart(", for: 1h", &[0.0, 0.0], 1.0);
    assert_eq!((restored.len(), words(&changes)), (0, vec!["Cleared".to_owned()]));

    let (restored, changes) = restart("", &[0.0, 1.0], 0.0);
    assert_eq!((restored.len(), words(&changes)), (0, vec!["Firing".to_owned()]), "it had ended");

    let (restored, changes) = restart("", &[0.0, 1.0, 0.0], 0.0);
    assert_eq!((words(&restored), changes.len()), (vec!["Firing".to_owned()], 0));
    assert_eq!(restored[0].alert.fired_at, Some(3 * MINUTE + 250), "not the run before");

    let (restored, changes) = restart(", keep_firing_for: 1h", &[0.0, 1.0], 1.0);
    assert_eq!((words(&restored), changes.len()), (vec!["Firing".to_owned()], 0));
}

#[test]
fn restored_alerts_go_to_the_rule_that_gave_them() {
    let rules = "groups: [{name: g, rules: [\
        {alert: Down, expr: 'up{job=\"a\"} == 0', labels: {kind: '{{ $labels.job }}1'}}, \
        {alert: Down, expr: 'up{job=\"b\"} == 0', labels: {kind: '{{ $labels.job }}2'}}]}]";
    for (after, expected) in [(0.0, 0), (1.0, 2)] {
        let store = Store::in_memory();
        let mut state = group(rules);
        store.append(0, &[(up("a"), 0.0), (up("b"), 0.0)]).unwrap();
        assert_eq!(evaluate(&mut state, &store, 0).changes.len(), 2);
        let mut state = group(rules);
        assert_eq!(restore(&mut state, &store, 30_000).len(), 2);
        store.append(MINUTE, &[(up("a"), after), (up("b"), after)]).unwrap();
        let changes = evaluate(&mut state, &store, MINUTE).changes;
        assert_eq!(changes.len(), expected);
        assert!(changes.iter().all(|change| change.transition == Transition::Resolved));
        let alerts = state.rules().iter().map(|rule| rule.alerts().count());
        assert_eq!(alerts.collect::<Vec<_>>(), if expected == 0 { [1, 1] } else { [0, 0] });
        let stale = dump(&store, "ALERTS").matches("stale").count();
        assert_eq!(stale, expected);
    }
}
