//! Rule files, good and bad, and the shipped ones with their unit tests. Must not know the loader's private parts.

use std::{fs, path::PathBuf};

use series::rule::{Group, RuleKind, load, unit_test};

#[test]
fn a_rule_file_becomes_groups() {
    let groups = load(
        "groups:
  - name: first
    interval: 1m
    limit: 10
    query_offset: 30s
    labels: {team: core, tier: one}
    rules:
      - record: 'job:up:sum'
        expr: sum by (job) (up)
        labels: {tier: two}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 10m
        labels: {slo: 99.9, severity: '{{ $labels.severity }}'}
        annotations: {summary: '{{ $value | humanize }}', empty: }
  - name: second
",
    )
    .expect("a good file")
    .groups;
    assert_eq!(groups.len(), 2);
    let first = &groups[0];
    assert_eq!((first.name.as_str(), first.interval_ms), ("first", Some(60_000)));
    // A group is known by its file too: groups of one name in two files are two groups.
    let elsewhere = Group { file: "b.yml".to_owned(), ..first.clone() };
    assert_eq!((first.key(), elsewhere.key()), (";first".to_owned(), "b.yml;first".to_owned()));
    assert_eq!((first.limit, first.query_offset_ms), (10, 30_000));
    let (record, alert) = (&first.rules[0], &first.rules[1]);
    assert_eq!((record.kind, record.line), (RuleKind::Recording, 8));
    assert_eq!(format!("{:?}", record.labels), r#"{"team": "core", "tier": "two"}"#);
    assert_eq!(alert.kind, RuleKind::Alerting { for_ms: 300_000, keep_firing_for_ms: 600_000 });
    assert_eq!((alert.labels["slo"].as_str(), alert.labels["team"].as_str()), ("99.9", "core"));
    assert_eq!(alert.query.text(), "up == 0");
    assert_eq!(alert.annotations.len(), 2);
    assert_eq!((groups[1].rules.len(), groups[1].interval_ms), (0, None));
    for none in
        ["groups:", "groups: []", "", "# Nothing yet.\n", "---\n# Nothing yet.\n", "~", "\u{feff}"]
    {
        let loaded = load(none).unwrap_or_else(|problems| panic!("{none:?}: {problems:?}"));
        assert!(loaded.groups.is_empty(), "{none:?}");
    }
}

/// Mistakes and how they are reported. The first line of a rule's text is line 4 of the file.
const MISTAKES: [(&str, &str); 30] = [
    (
        "record: a",
        "line 4 column 9: the rule has no `expr` (hint: `expr` holds the PromQL expression)",
    ),
    (
        "expr: up",
        "line 4 column 9: the rule has neither `record` nor `alert` (hint: one of them names the rule)",
    ),
    (
        "{record: a, alert: b, expr: up}",
        "line 4 column 28: a rule cannot have both `record` and `alert` (hint: make two rules of it)",
    ),
    (
        "{record: a-b, expr: up}",
        "line 4 column 18: `a-b` is not a metric name (hint: use letters, digits, `_` and `:`, not beginning with a digit)",
    ),
    (
        "{record: 1a, expr: up}",
        "line 4 column 18: `1a` is not a metric name (hint: use letters, digits, `_` and `:`, not beginning with a digit)",
    ),
    ("{alert: '', expr: up}", "line 4 column 17: the alert needs a name"),
    ("{alert: A, exp: up}", "line 4 column 20: unknown key `exp` (hint: did you mean `expr`?)"),
    (
        "{alert: A, expr: up, fore: 5m}",
        "line 4 column 30: unknown key `fore` (hint: did you mean `for`?)",
    ),
    (
        "{alert: A, expr: up, for: 5}",
        "line 4 column 35: `5` is not a duration such as `15s`, `5m` or `1h30m`",
    ),
    (
        "{alert: A, expr: up, keep_firing_for: soon}",
        "line 4 column 47: `soon` is not a duration such as `15s`, `5m` or `1h30m`",
    ),
    ("{record: a, expr: up, for: 5m}", "line 4 column 36: only a rule with `alert` can have `for`"),
    (
        "{record: a, expr: up, keep_firing_for: 5m}",
        "line 4 column 48: only a rule with `alert` can have `keep_firing_for`",
    ),
    (
        "{record: a, expr: up, annotations: {b: c}}",
        "line 4 column 48: only a rule with `alert` can have `annotations`",
    ),
    ("{record: a, expr: 'up['}", "line 4 column 27: "),
    ("{record: a, expr: 'sum(up[5m])'}", "line 4 column 27: "),
    (
        "{record: a, expr: 'up[5m]'}",
        "line 4 column 27: a rule needs a vector or a number, not a range vector",
    ),
    (
        "{record: a, expr: '\"text\"'}",
        "line 4 column 27: a rule needs a vector or a number, not a text",
    ),
    ("{record: a, expr: 'unknown_function(up)'}", "line 4 column 27: "),
    (
        "{record: a, expr: up, labels: {b-c: d}}",
        "line 4 column 45: `b-c` is not a name for a label (hint: use letters, digits and `_`, not beginning with a digit)",
    ),
    (
        "{alert: A, expr: up, annotations: {1: d}}",
        "line 4 column 47: `1` is not a name for an annotation (hint: use letters, digits and `_`, not beginning with a digit)",
    ),
    (
        "{alert: A, expr: up, labels: {alertname: B}}",
        "line 4 column 50: the label `alertname` is set by the rule's name",
    ),
    (
        "{record: a, expr: up, labels: {__name__: B}}",
        "line 4 column 50: the label `__name__` is set by the rule's name",
    ),
    (
        "{alert: A, expr: up, annotations: {a: '{{ $labels.job '}}",
        "line 4 column 47: not a valid template: ",
    ),
    (
        "{alert: A, expr: up, annotations: {a: '{{ if $value }}x'}}",
        "line 4 column 47: not a valid template: ",
    ),
    (
        "{alert: A, expr: up, annotations: {a: '{{ end }} x'}}",
        "line 4 column 47: not a valid template: ",
    ),
    (
        "{alert: A, expr: up, annotations: {a: '{{ define \"x\" }} x'}}",
        "line 4 column 47: not a valid template: an `{{ end }}` is missing, or there is one too many",
    ),
    (
        "{alert: A, expr: up, annotations: {a: '{{ humanise $value }}'}}",
        "line 4 column 47: not a valid template: there is no function `humanise` (hint: did you mean `humanize`?)",
    ),
    (
        "{alert: A, expr: up, labels: {a: '{{ $label.job }}'}}",
        "line 4 column 42: not a valid template: there is no variable `$label` (hint: did you mean `labels`?)",
    ),
    (
        "{alert: A, expr: up, labels: [a]}",
        "line 4 column 38: expected a mapping (`key: value`), found a list",
    ),
    ("[a]", "line 4 column 9: expected a mapping (`key: value`), found a list"),
];

#[test]
fn mistakes_are_reported_with_their_places() {
    for (rule, expected) in MISTAKES {
        let text = format!("groups:\n  - name: g\n    rules:\n      - {rule}\n");
        let problems = load(&text).expect_err(rule);
        let first = problems[0].to_string();
        let exact = !expected.ends_with(": ");
        assert!(
            if exact { first == expected } else { first.starts_with(expected) },
            "{rule}: {first}"
        );
        assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let problems = load(
        "groups:
  - name: g
    intervall: 1m
    interval: 0s
    rules:
      - {record: a, expr: up, labels: {x: y}}
      - {record: a, expr: up + 1, labels: {x: y}}
      - {alert: a, expr: up, labels: {x: y}}
      - {record: b, expr: 'sum('}
  - name: g
    rules: []
  - rules: []
    limit: many
",
    )
    .expect_err("a bad file");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(
        lines[0],
        "line 3 column 5: unknown key `intervall` (hint: did you mean `interval`?)"
    );
    assert_eq!(lines[1], "line 4 column 15: the interval must be longer than zero");
    assert!(lines[2].starts_with("line 9 column 27: "));
    assert_eq!(
        lines[3],
        "line 10 column 11: duplicate group `g` (hint: the other one is in line 2)"
    );
    assert!(lines[4].starts_with("line 13 column 12: expected"), "{}", lines[4]);
}

#[test]
fn duplicate_rules_are_a_warning() {
    let loaded = load(
        "groups:
  - name: g
    rules:
      - {record: a, expr: up, labels: {x: y}}
      - {record: a, expr: up + 1, labels: {x: y}}
      - {alert: a, expr: up, labels: {x: y}}
      - {alert: a, expr: up, labels: {x: z}}
      - {alert: a, expr: up == 1, labels: {x: y}}
  - name: h
    rules:
      - {record: a, expr: up, labels: {x: y}}
",
    )
    .expect("no mistakes");
    assert_eq!(loaded.groups[0].rules.len(), 5);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let hint =
        "(hint: rename one of them, give it another label, or join the expressions with `or`)";
    assert_eq!(
        warnings,
        [
            format!(
                "line 5 column 9: duplicate rule: `a` is in this group with the same labels in line 4 also {hint}"
            ),
            format!(
                "line 8 column 9: duplicate rule: `a` is in this group with the same labels in line 6 also {hint}"
            ),
        ]
    );
}

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

#[test]
fn the_shipped_rules_load() {
    let begins = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("- alert:") || line.starts_with("- record:")
    };
    for name in ["webservices", "slo", "monitoring"] {
        let path = shipped().join(format!("rules/{name}.rules.yml"));
        let text = String::from_utf8(fs::read(path).expect("the shipped rules")).expect("a text");
        let loaded = load(&text).expect("no mistakes");
        assert_eq!(loaded.warnings, []);
        let rules: usize = loaded.groups.iter().map(|group| group.rules.len()).sum();
        assert_eq!(rules, text.lines().filter(begins).count());
        assert!(rules >= 5, "{name}: {rules}");
    }
}

fn run_shipped(name: &str) {
    let directory = shipped().join("rules_test");
    let read = |name: &str| {
        let bytes = fs::read(directory.join(name)).map_err(|error| format!("{name}: {error}"))?;
        String::from_utf8(bytes).map_err(|error| format!("{name}: {error}"))
    };
    let report =
        unit_test::run(&read(name).expect("the shipped tests"), &read).expect("no mistakes");
    assert!(report.passed(), "{report}");
    assert!(report.checks > 1);
}

#[test]
fn the_shipped_unit_tests_pass() {
    run_shipped("webservices_test.yml");
}

#[test]
fn the_shipped_unit_tests_of_the_monitoring_pass() {
    run_shipped("monitoring_test.yml");
}

#[test]
fn the_shipped_unit_tests_of_error_budgets_pass() {
    run_shipped("slo_test.yml");
}
