//! Views of rule groups: what they show, and that they stay as they were. Must not know who reads them.

use std::ptr;

use series::{
    Appender as _,
    rule::{AlertState, External, GroupState, GroupView, Health, RuleState, RuleView},
    store::Store,
};

use crate::rules_program::{A, DOWN, MINUTE, file, groups, metric};

const BROKEN: &str = "{alert: Broken, expr: 'up * on () group_left () up'}";
const SLOW: &str = "{alert: Slow, expr: up == 0, for: 1h}";
const RECORDED: &str = "{record: 'job:up', expr: up}";

/// A line a rule: its name, its health, its error, and the state, the time and the value of each alert.
fn shown<'a>(view: &'a GroupView) -> Vec<String> {
    let rule = |rule: &'a RuleView| {
        let alerts: Vec<String> = rule
            .alerts()
            .map(|alert| {
                format!(" {} since {}: {}", alert.state.as_str(), alert.active_at, alert.value)
            })
            .collect();
        let name = &rule.rule().name;
        let failed = rule.last_error().is_some();
        format!("{name} {} {failed}{}", rule.health().as_str(), alerts.concat())
    };
    view.rules().iter().map(rule).collect()
}

#[test]
fn a_view_shows_the_rules_as_they_were_and_never_changes() {
    let rules = file(&[DOWN, SLOW, BROKEN, RECORDED].join(", "));
    let mut state = GroupState::new(groups(&[("r.yml", &rules)]).remove(0));
    let store = Store::in_memory();
    let before = GroupView::of(&state);
    let series = [metric(A), metric("up job=b")];
    store.append(MINUTE, &series.clone().map(|labels| (labels, 0.0))).unwrap();
    state.evaluate(&store, MINUTE, &External::default());
    let during = GroupView::of(&state);
    store.append(2 * MINUTE, &series.map(|labels| (labels, 1.0))).unwrap();
    state.evaluate(&store, 2 * MINUTE, &External::default());
    let after = GroupView::of(&state);
    let quiet = |health: &str, failed| {
        ["Down", "Slow", "Broken", "job:up"].map(|name| {
            let (health, failed) = if name == "Broken" { failed } else { (health, false) };
            format!("{name} {health} {failed}")
        })
    };
    assert_eq!(shown(&before), quiet("unknown", ("unknown", false)));
    assert_eq!(
        shown(&during),
        [
            "Down ok false firing since 60000: 0 firing since 60000: 0",
            "Slow ok false pending since 60000: 0 pending since 60000: 0",
            "Broken err true",
            "job:up ok false",
        ]
    );
    assert_eq!(shown(&after), quiet("ok", ("err", true)));
    let times = [&before, &during, &after].map(GroupView::last_evaluation);
    assert_eq!(times, [None, Some(MINUTE), Some(2 * MINUTE)]);
    let [down, slow, broken, _] = during.rules() else { panic!("four rules") };
    assert_eq!((down.state(), down.count(AlertState::Firing)), (AlertState::Firing, 2));
    assert_eq!((slow.state(), slow.count(AlertState::Firing)), (AlertState::Pending, 0));
    assert_eq!((broken.state(), broken.health()), (AlertState::Inactive, Health::Err));
    assert_eq!((during.group().name.as_str(), during.group().file.as_str()), ("g", "r.yml"));
}

/// Ten thousand targets make many alerts, and a view is made after every evaluation.
#[test]
fn a_view_shares_definitions_and_alerts() {
    let mut state = GroupState::new(groups(&[("r.yml", &file(DOWN))]).remove(0));
    let store = Store::in_memory();
    store.append(MINUTE, &[(metric(A), 0.0)]).unwrap();
    state.evaluate(&store, MINUTE, &External::default());
    let view = GroupView::of(&state);
    let (of_state, of_view) = (&state.rules()[0], &view.rules()[0]);
    assert!(ptr::eq(view.group(), state.group()));
    assert!(ptr::eq(of_view.rule(), RuleState::rule(of_state)));
    assert!(ptr::eq(of_view.alerts().next().unwrap(), of_state.alerts().next().unwrap()));
}
