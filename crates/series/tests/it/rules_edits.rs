//! What becomes of alerts when rules and targets are edited, while the program runs and while it is stopped.
//!
//! Must not know how states are carried, only what is reported and stored.

use std::collections::BTreeSet;

use series::rule::{EndReason, GroupState, Transition};

use crate::rules_program::{A, DOWN, MINUTE, OTHER, Program, file};

/// Edits of the file `r.yml` with [`DOWN`] in group `g` that end nothing: what is edited, and the files afterwards.
fn edits() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let other = "{alert: Other, expr: vector(0) > 1}";
    let edit = |from: &str, to: &str| vec![("r.yml", file(&DOWN.replace(from, to)))];
    vec![
        ("spaces", edit("up == 0", "'up  ==  0'")),
        ("the expression", edit("up == 0", "up < 1")),
        ("`for`", edit("expr:", "for: 5m, expr:")),
        ("the annotations", edit("a: b", "a: c")),
        ("the order", vec![("r.yml", file(&format!("{other}, {DOWN}")))]),
        ("the name of the group", vec![("r.yml", file(DOWN).replace("name: g", "name: h"))]),
        ("the name of the file", vec![("s.yml", file(DOWN))]),
        ("both", vec![("s.yml", file(DOWN).replace("name: g", "name: h"))]),
        (
            "its group, where another one takes its place",
            vec![(
                "r.yml",
                format!("groups: [{{name: g, rules: [{other}]}}, {{name: h, rules: [{DOWN}]}}]"),
            )],
        ),
        ("its file", vec![("r.yml", file(other)), ("s.yml", file(DOWN))]),
        ("the severity", edit("critical", "info")),
        ("a label less", edit("labels: {severity: critical}, ", "")),
        ("a label more", edit("severity: critical", "severity: critical, team: web")),
        ("a template", edit("severity: critical", "severity: '{{ $labels.job }}'")),
        (
            "labels of the group",
            vec![("r.yml", file(DOWN).replace("name: g", "name: g, labels: {x: y}"))],
        ),
        (
            "labels, expression, group and file",
            vec![(
                "s.yml",
                file(&DOWN.replace("critical", "info").replace("up == 0", "up < 1"))
                    .replace("name: g", "name: h"),
            )],
        ),
    ]
}

#[test]
fn no_edit_of_a_rule_ends_an_alert_that_goes_on() {
    for (edited, after) in edits() {
        let after: Vec<(&str, &str)> =
            after.iter().map(|(name, text)| (*name, text.as_str())).collect();
        for series in [A, OTHER] {
            for restarts in [false, true] {
                goes_on(edited, &after, series, restarts);
            }
        }
    }
}

/// An alert that fires before an edit fires on after it, reported once, and ends when its condition does.
fn goes_on(edited: &str, after: &[(&str, &str)], series: &str, restarts: bool) {
    let case = format!("{edited}, {series}, {restarts}");
    let before = file(DOWN);
    let mut program = Program::new(&[("r.yml", &before)]);
    program.evaluate(1, &[(series, 0.0)]);
    program.evaluate(2, &[(series, 0.0)]);
    if restarts {
        assert_eq!(program.restart(after).len(), 1, "{case}");
    } else {
        program.reload(after);
    }
    let identity = program.changes[0].alert.identity.clone();
    assert_eq!(program.firing(), BTreeSet::from([identity.clone()]), "{case}");
    program.evaluate(3, &[(series, 0.0)]);
    program.evaluate(4, &[(series, 0.0)]);
    let device = if series == A { "" } else { "device=\"sda\", " };
    let reported = format!("1 Firing {{alertname=\"Down\", {device}severity=\"critical\"}}");
    assert_eq!(program.reported, [reported], "{case}");
    let rules = program.states.iter().flat_map(GroupState::rules);
    let alerts: Vec<_> = rules.flat_map(|rule| rule.alerts().cloned()).collect();
    assert_eq!(alerts.len(), 1, "{case}");
    assert_eq!(
        (alerts[0].active_at, alerts[0].fired_at, &alerts[0].identity),
        (MINUTE, Some(MINUTE), &identity),
        "{case}"
    );
    program.evaluate(5, &[(series, 1.0)]);
    let last = program.changes.last().unwrap();
    assert_eq!((program.changes.len(), last.transition), (2, Transition::Resolved), "{case}");
    assert_eq!(
        (last.reason, &last.alert.identity),
        (Some(EndReason::ConditionOver), &identity),
        "{case}"
    );
    // Labels that an edit changes end the series that had the old ones.
    let relabelled = edited.contains("label") || ["the severity", "a template"].contains(&edited);
    let ends = if relabelled { 2 } else { 1 };
    assert_eq!((program.ends("ALERTS"), program.ends("ALERTS_FOR_STATE")), (ends, ends), "{case}");
}

#[test]
fn a_pending_alert_keeps_its_age_over_every_edit() {
    for (edited, after) in edits().into_iter().filter(|(edited, _)| *edited != "`for`") {
        for restarts in [false, true] {
            let wait = |text: &str| text.replace("alert: Down,", "alert: Down, for: 5m,");
            let before = wait(&file(DOWN));
            let mut program = Program::new(&[("r.yml", &before)]);
            program.evaluate(1, &[(A, 0.0)]);
            program.evaluate(4, &[(A, 0.0)]);
            let after: Vec<_> = after.iter().map(|(name, text)| (*name, wait(text))).collect();
            let after: Vec<(&str, &str)> =
                after.iter().map(|(name, text)| (*name, text.as_str())).collect();
            if restarts {
                assert_eq!(program.restart(&after).len(), 0, "{edited}");
            } else {
                program.reload(&after);
            }
            program.evaluate(5, &[(A, 0.0)]);
            program.evaluate(6, &[(A, 0.0)]);
            let words: Vec<_> = program
                .changes
                .iter()
                .map(|change| (change.transition, change.at / MINUTE))
                .collect();
            assert_eq!(words, [(Transition::Pending, 1), (Transition::Firing, 6)], "{edited}");
            assert_eq!(program.changes[1].alert.active_at, MINUTE, "{edited}");
        }
    }
}

#[test]
fn an_edit_of_a_targets_labels_begins_no_new_alert() {
    let edited = "up job=webservices instance=http://a/ team=web";
    let stale = series::stale_marker();
    for (extra, expected) in [
        (
            "",
            vec!["1 Firing {alertname=\"Down\"}", "9 Resolved {alertname=\"Down\", team=\"web\"}"],
        ),
        (
            ", for: 5m",
            vec![
                "1 Pending {alertname=\"Down\"}",
                "6 Firing {alertname=\"Down\", team=\"web\"}",
                "9 Resolved {alertname=\"Down\", team=\"web\"}",
            ],
        ),
        (
            ", for: 1m, keep_firing_for: 1m",
            vec![
                "1 Pending {alertname=\"Down\"}",
                "2 Firing {alertname=\"Down\"}",
                "10 Resolved {alertname=\"Down\", team=\"web\"}",
            ],
        ),
    ] {
        let rules = file(&format!("{{alert: Down, expr: up == 0{extra}}}"));
        let mut program = Program::new(&[("r.yml", &rules)]);
        for minute in 1..=3 {
            program.evaluate(minute, &[(A, 0.0)]);
        }
        program.evaluate(4, &[(A, stale), (edited, 0.0)]);
        for minute in 5..=8 {
            program.evaluate(minute, &[(edited, 0.0)]);
        }
        program.evaluate(9, &[(edited, 1.0)]);
        program.evaluate(10, &[(edited, 1.0)]);
        assert_eq!(program.reported, expected, "{extra}");
    }
    // Other alerts are what their labels say.
    let rules = file("{alert: Full, expr: up == 0}");
    let mut program = Program::new(&[("r.yml", &rules)]);
    program.evaluate(1, &[(OTHER, 0.0)]);
    program.evaluate(2, &[(OTHER, stale), ("up job=node device=sdb", 0.0)]);
    assert_eq!(
        program.reported,
        [
            "1 Firing {alertname=\"Full\", device=\"sda\"}",
            "2 Resolved {alertname=\"Full\", device=\"sda\"}",
            "2 Firing {alertname=\"Full\", device=\"sdb\"}"
        ]
    );
}

#[test]
fn of_several_alerts_about_one_target_each_begins_and_ends_once() {
    let series = |prober: &str, team: &str| format!("{A} prober={prober} team={team}");
    let rules = file("{alert: Down, expr: up == 0}");
    let mut program = Program::new(&[("r.yml", &rules)]);
    let stale = series::stale_marker();
    program.evaluate(1, &[(&series("a", "x"), 0.0)]);
    program.evaluate(2, &[(&series("a", "x"), 0.0), (&series("b", "x"), 0.0)]);
    // The team of both is edited: each goes on as the one with its prober.
    program.evaluate(
        3,
        &[
            (&series("a", "x"), stale),
            (&series("b", "x"), stale),
            (&series("b", "y"), 0.0),
            (&series("a", "y"), 0.0),
        ],
    );
    let began: Vec<i64> =
        program.states[0].rules()[0].alerts().map(|alert| alert.active_at / MINUTE).collect();
    assert_eq!(began, [1, 2]);
    program.evaluate(4, &[(&series("a", "y"), 1.0), (&series("b", "y"), 0.0)]);
    program.evaluate(5, &[(&series("a", "y"), 1.0), (&series("b", "y"), 1.0)]);
    assert_eq!(
        program.reported,
        [
            "1 Firing {alertname=\"Down\", prober=\"a\", team=\"x\"}",
            "2 Firing {alertname=\"Down\", prober=\"b\", team=\"x\"}",
            "4 Resolved {alertname=\"Down\", prober=\"a\", team=\"y\"}",
            "5 Resolved {alertname=\"Down\", prober=\"b\", team=\"y\"}"
        ]
    );
}

/// One rule for each team, as people write them: an edit of the team leads an alert from rule to rule.
#[test]
fn an_alert_goes_from_one_rule_to_another_of_its_name() {
    let rule = |team: &str, extra: &str| {
        format!(
            "{{alert: Down, expr: 'up{{team=\"{team}\"}} == 0', labels: {{to: {team}}}{extra}}}"
        )
    };
    let stale = series::stale_marker();
    let series = |team: &str| format!("{A} team={team}");
    for (from, to) in [("web", "data"), ("data", "web")] {
        for (extra, begins) in [
            ("", vec![(1, Transition::Firing)]),
            (", for: 4m", vec![(1, Transition::Pending), (5, Transition::Firing)]),
        ] {
            let rules = file(&format!("{}, {}", rule("web", extra), rule("data", extra)));
            let mut program = Program::new(&[("r.yml", &rules)]);
            program.evaluate(1, &[(&series(from), 0.0)]);
            program.evaluate(2, &[(&series(from), 0.0)]);
            program.evaluate(3, &[(&series(from), stale), (&series(to), 0.0)]);
            for minute in 4..=6 {
                program.evaluate(minute, &[(&series(to), 0.0)]);
            }
            program.evaluate(7, &[(&series(to), 1.0)]);
            let mut expected = begins;
            expected.push((7, Transition::Resolved));
            let words: Vec<_> = program
                .changes
                .iter()
                .map(|change| (change.at / MINUTE, change.transition))
                .collect();
            assert_eq!(words, expected, "{from} {extra}");
            assert_eq!(program.changes.last().unwrap().alert.active_at, MINUTE);
            assert_eq!(program.changes.last().unwrap().alert.labels.get("to"), Some(to));
        }
    }
}

#[test]
fn a_rule_that_is_removed_ends_its_alerts_and_says_so() {
    let before = file(&format!(
        "{DOWN}, {{alert: Slow, expr: up == 0, for: 1h}}, {{record: r, expr: up}}, {{record: s, expr: up, labels: {{a: b}}}}"
    ));
    let mut program = Program::new(&[("r.yml", &before)]);
    program.evaluate(1, &[(A, 0.0)]);
    let after = file("{record: s, expr: up, labels: {a: c}}, {alert: Other, expr: up == 0}");
    program.reload(&[("r.yml", &after)]);
    assert_eq!(
        program.reported[2..],
        [
            "1 Resolved {alertname=\"Down\", severity=\"critical\"}",
            "1 Cleared {alertname=\"Slow\"}"
        ]
    );
    assert!(
        program.changes[2..].iter().all(|change| change.reason == Some(EndReason::RuleRemoved))
    );
    let metrics = ["ALERTS", "ALERTS_FOR_STATE", "r", "s"];
    assert_eq!(metrics.map(|metric| program.ends(metric)), [2, 2, 1, 1]);
    assert_eq!(program.states[0].last_evaluation(), Some(MINUTE));
}

/// Three rules of one name become one, as an upgrade of the shipped rules does.
#[test]
fn alerts_of_a_removed_rule_go_on_in_another_one_of_the_name() {
    let rule = |severity: &str, instance: &str| {
        format!(
            "{{alert: Down, expr: 'up{{instance=\"{instance}\"}} == 0', labels: {{severity: {severity}}}}}"
        )
    };
    let all =
        ["a", "b", "c"].map(|host| (format!("up job=webservices instance=http://{host}/"), 0.0));
    let samples = all.each_ref().map(|(labels, value)| (labels.as_str(), *value));
    let rules = [rule("x", "http://a/"), rule("y", "http://b/"), rule("z", "http://c/")].join(", ");
    for (one, ended) in [(DOWN.to_owned(), 0), (rule("w", "http://b/"), 2)] {
        for restarts in [false, true] {
            let before = file(&rules);
            let mut program = Program::new(&[("r.yml", &before)]);
            program.evaluate(1, &samples);
            let after = file(&one);
            if restarts {
                assert_eq!(program.restart(&[("r.yml", &after)]).len(), 3);
            } else {
                program.reload(&[("r.yml", &after)]);
            }
            assert_eq!(program.firing().len(), 3);
            program.evaluate(2, &samples);
            program.evaluate(3, &samples);
            let ends = &program.changes[3..];
            assert_eq!(ends.len(), ended, "{one}");
            assert!(ends.iter().all(|change| change.transition == Transition::Resolved));
            // After a restart it is not known which rules there were.
            let reason = if restarts { EndReason::ConditionOver } else { EndReason::RuleRemoved };
            assert!(ends.iter().all(|change| change.reason == Some(reason)));
            assert_eq!(program.firing().len(), 3 - ended);
        }
    }
}

#[test]
fn a_series_that_no_rule_records_any_more_after_a_restart_ends() {
    let edited = "up job=webservices instance=http://a/ team=web";
    let one = "{record: 'target:down', expr: up == 0}";
    // Of two rules that record one metric no one knows whose the series was.
    for (rules, ends) in [(one.to_owned(), 1), (format!("{one}, {one}"), 0)] {
        let text = file(&rules);
        let files = [("r.yml", text.as_str())];
        let mut program = Program::new(&files);
        program.evaluate(1, &[(A, 0.0)]);
        program.restart(&files);
        program.evaluate(2, &[(A, series::stale_marker()), (edited, 0.0)]);
        assert_eq!(program.ends("target:down"), ends, "{rules}");
    }
}
