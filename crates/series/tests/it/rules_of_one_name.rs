//! Rules of one name: alerts that several of them give.
//!
//! Must not know how states are carried, only what is reported and stored.

use series::{Matcher, Queryable as _, labels::METRIC_NAME};

use crate::rules_program::{A, MINUTE, Program, file};

#[test]
fn an_alert_is_reported_once_and_survives_a_restart() {
    let rule = |expr: &str| format!("{{alert: Down, expr: '{expr}'}}");
    let rules = file(&format!("{}, {}", rule("up == 0"), rule("up < 1")));
    for restarts in [false, true] {
        let mut program = Program::new(&[("r.yml", &rules)]);
        program.evaluate(1, &[(A, 0.0)]);
        program.evaluate(2, &[(A, 0.0)]);
        if restarts {
            assert_eq!(program.restart(&[("r.yml", &rules)]).len(), 1);
        }
        // Only the second one goes on, then none.
        program.evaluate(3, &[(A, 0.5)]);
        program.evaluate(4, &[(A, 0.5)]);
        program.evaluate(5, &[(A, 1.0)]);
        program.evaluate(6, &[(A, 0.5)]);
        assert_eq!(
            program.reported,
            [
                "1 Firing {alertname=\"Down\"}",
                "5 Resolved {alertname=\"Down\"}",
                "6 Firing {alertname=\"Down\"}"
            ],
            "{restarts}"
        );
    }
    // Rules that change places keep what is theirs.
    let (first, second) = (rule("up{device=\"sda\"} == 0"), rule("up{device=\"sdb\"} == 0"));
    let before = file(&format!("{first}, {second}"));
    let after = file(&format!("{second}, {first}"));
    let mut program = Program::new(&[("r.yml", &before)]);
    program.evaluate(1, &[("up device=sda", 0.0), ("up device=sdb", 0.0)]);
    program.reload(&[("r.yml", &after)]);
    program.evaluate(2, &[("up device=sda", 0.0), ("up device=sdb", 0.0)]);
    assert_eq!(program.reported.len(), 2);
    assert_eq!(program.ends("ALERTS"), 0);
    // Recording rules: the first one's samples stay, as in Prometheus.
    let rules = file("{record: r, expr: vector(1)}, {record: r, expr: vector(2)}");
    let mut program = Program::new(&[("r.yml", &rules)]);
    program.evaluate(1, &[]);
    let found = program.store.select(&[Matcher::equal(METRIC_NAME, "r")], 0, MINUTE).unwrap();
    assert_eq!(found[0].samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.0]);
}
