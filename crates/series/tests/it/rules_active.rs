//! Which alerts the rules have on the whole, and of which of them and of which ends they cannot be sure.
//!
//! Must not know what becomes of the answers.

use std::collections::BTreeSet;

use series::{
    Appender as _,
    rule::{
        ActiveAlerts, Alert, AlertChange, EndReason, External, GroupState, GroupView, Transition,
        certain_changes,
    },
    store::Store,
};

use crate::rules_program::{A, DOWN, Program, file, groups, metric};

fn names<'a>(alerts: &[&'a Alert]) -> Vec<&'a str> {
    alerts.iter().map(|alert| alert.name()).collect()
}

#[test]
fn the_rules_say_which_alerts_there_are_and_when_they_cannot_say() {
    let rules = file(&format!("{DOWN}, {{alert: Slow, expr: up == 0, for: 1h}}"));
    let broken = "groups: [{name: h, rules: [{alert: Broken, expr: 'up * on () group_left () up'}, \
        {alert: Beside, expr: up == 2}, {record: 'job:up', expr: up}]}]";
    let store = Store::in_memory();
    let mut states: Vec<GroupState> =
        groups(&[("r.yml", &rules), ("h.yml", broken)]).into_iter().map(GroupState::new).collect();
    let all = BTreeSet::from(["Down", "Slow", "Broken", "Beside", "job:up"]);
    let alerting: BTreeSet<&str> = all.iter().copied().filter(|name| *name != "job:up").collect();
    let views: Vec<GroupView> = states.iter().map(GroupView::of).collect();
    let active = ActiveAlerts::of(&views, |_| false);
    assert_eq!((&active.names, &active.unknown), (&alerting, &all));
    store.append(0, &[(metric(A), 0.0), (metric("up job=b"), 0.0)]).unwrap();
    for state in &mut states {
        state.evaluate(&store, 0, &External::default());
    }
    let views: Vec<GroupView> = states.iter().map(GroupView::of).collect();
    let active = ActiveAlerts::of(&views, |_| true);
    assert_eq!(names(&active.firing), ["Down", "Down"]);
    assert_eq!(names(&active.pending), ["Slow", "Slow"]);
    // A rule that failed says nothing of those beside it.
    assert_eq!((&active.names, &active.unknown), (&alerting, &BTreeSet::from(["Broken"])));
    // What was evaluated before the rules were read again counts no more.
    let active = ActiveAlerts::of(&views, |group| group.name == "g");
    assert_eq!(active.unknown, BTreeSet::from(["Broken", "Beside", "job:up"]));
}

/// What two groups say of ends in a third one, whose alert they may have too.
#[test]
fn an_end_is_certain_when_no_rule_has_the_alert_any_more() {
    let pending = DOWN.replace("expr:", "for: 1h, expr:");
    let edited = pending.replace("critical", "info");
    for (others, certain, open) in [
        (vec![], 1, false),
        (vec![DOWN.to_owned()], 0, false),
        (vec![DOWN.replace("Down", "Other")], 1, false),
        // It is about the same target and may fire yet.
        (vec![edited.clone()], 0, true),
        (vec![DOWN.to_owned(), edited], 0, true),
        (vec![pending.replace("Down", "Other")], 1, false),
    ] {
        let texts: Vec<String> = others.iter().map(|rule| file(rule)).collect();
        let files: Vec<(&str, &str)> =
            ["r.yml", "s.yml"].into_iter().zip(texts.iter().map(String::as_str)).collect();
        let mut program = Program::new(&[("r.yml", &file(DOWN))]);
        program.evaluate(1, &[(A, 0.0)]);
        let firing = program.changes[0].clone();
        let end = AlertChange {
            transition: Transition::Resolved,
            reason: Some(EndReason::RuleRemoved),
            ..firing.clone()
        };
        let mut program = Program::new(&files);
        program.evaluate(1, &[(A, 0.0)]);
        let views = program.views();
        let changes = [firing, end];
        let (found, left_open) = certain_changes(&views, &changes);
        // What is no end is certain in any case.
        assert_eq!((found.len(), left_open), (certain + 1, open), "{others:?}");
        assert_eq!(certain_changes(&views, &changes[..1]), (vec![&changes[0]], false));
    }
}
