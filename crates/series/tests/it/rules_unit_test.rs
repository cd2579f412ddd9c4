//! The runner of unit tests for rules. Must not know the runner's private parts.

use series::rule::unit_test::{Report, run};

const RULES: &str = "groups:
  - name: late
    rules: [{record: twice, expr: 'once * 2'}]
  - name: early
    interval: 1h
    rules:
      - {record: once, expr: 'requests + 0'}
      - alert: High
        expr: once > 2
        for: 1m
        labels: {severity: page}
        annotations: {summary: '{{ $value }} at {{ $externalLabels.region }} {{ $externalURL }}'}
";

fn run_tests(tests: &str) -> Report {
    let text = format!(
        "rule_files: [a.yml]\nevaluation_interval: 1m\ngroup_eval_order: [early, late]\ntests:\n{tests}"
    );
    run(&text, &|name| if name == "a.yml" { Ok(RULES.to_owned()) } else { Err("no".to_owned()) })
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn expectations_that_hold_pass() {
    let report = run_tests(
        "  - name: all kinds of values
    interval: 1m
    external_labels: {region: eu}
    external_url: http://me
    input_series:
      - {series: 'requests{job=\"a\"}', values: '0+1x4 stale _x2 7'}
      - {series: 'falling', values: '10-2x3 -1e1 NaN'}
    alert_rule_test:
      - {alertname: High, eval_time: 3m, exp_alerts: []}
      - alertname: High
        eval_time: 4m30s
        exp_alerts:
          - exp_labels: {severity: page, job: a}
            exp_annotations: {summary: 4 at eu http://me}
      - {alertname: Other, eval_time: 4m}
    promql_expr_test:
      - {expr: requests, eval_time: 4m, exp_samples: [{labels: 'requests{job=\"a\"}', value: 4}]}
      - {expr: requests, eval_time: 5m}
      - {expr: requests, eval_time: 8m, exp_samples: [{labels: 'requests{job=\"a\"}', value: 7}]}
      - {expr: falling, eval_time: 3m, exp_samples: [{labels: falling, value: 4}]}
      - {expr: falling, eval_time: 4m, exp_samples: [{labels: falling, value: -10}]}
      - {expr: falling, eval_time: 5m, exp_samples: [{labels: falling, value: NaN}]}
      - {expr: 'twice', eval_time: 2m, exp_samples: [{labels: 'twice{job=\"a\"}', value: 4}]}
      - {expr: 'ALERTS_FOR_STATE', eval_time: 4m, exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname=\"High\",job=\"a\",severity=\"page\"}', value: 180}]}
      - {expr: '1 + 1', eval_time: 1m, exp_samples: [{labels: '{}', value: 2}]}
",
    );
    assert!(report.passed(), "{report}");
    assert_eq!(report.checks, 12);
    assert_eq!(report.to_string(), "  SUCCESS (12 checks)\n\n");
}

/// How often an alert began to fire, as tests of long scenarios count it; promtool 3.5 gives the same.
#[test]
fn the_series_of_alerts_can_be_asked_for() {
    let begins = |range: &str| {
        format!(
            "count_over_time((ALERTS{{alertstate=\"firing\"}} unless ALERTS{{alertstate=\"firing\"}} offset 1m)[{range}:1m])"
        )
    };
    let report = run_tests(&format!(
        "  - interval: 1m
    input_series: [{{series: 'requests', values: '5x5 0x3 5x5 stale'}}]
    promql_expr_test:
      - {{expr: 'ALERTS', eval_time: 0m, exp_samples: [{{labels: 'ALERTS{{alertname=\"High\",alertstate=\"pending\",severity=\"page\"}}', value: 1}}]}}
      - {{expr: '{}', eval_time: 1h, exp_samples: [{{labels: '{{alertname=\"High\",alertstate=\"firing\",severity=\"page\"}}', value: 2}}]}}
      - {{expr: '{}', eval_time: 5m, exp_samples: [{{labels: '{{alertname=\"High\",alertstate=\"firing\",severity=\"page\"}}', value: 1}}]}}
      - {{expr: '{}', eval_time: 1h}}
",
        begins("1h"),
        begins("10m"),
        begins("10m")
    ));
    assert!(report.passed(), "{report}");
    assert_eq!(report.checks, 4);
}

#[test]
fn values_are_compared_exactly_unless_a_test_file_says_otherwise() {
    for (fuzzy, passes) in [("false", false), ("true", true)] {
        let text = format!(
            "fuzzy_compare: {fuzzy}
tests:
  - promql_expr_test: [{{expr: '0.1 + 0.2', eval_time: 0, exp_samples: [{{labels: '{{}}', value: 0.3}}]}}]
"
        );
        let report =
            run(&text, &|_| Err("no".to_owned())).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(report.passed(), passes, "{report}");
    }
    let later = "tests:\n  - start_timestamp: 5\n";
    let problems =
        run(later, &|_| Err("no".to_owned())).expect_err("not known to promtool 3.5 either");
    assert!(problems[0].message.contains("unknown key `start_timestamp`"), "{problems:?}");
}

#[test]
fn expectations_that_do_not_hold_are_reported_with_what_came_out() {
    let report = run_tests(
        "  - name: wrong
    interval: 1m
    input_series: [{series: 'requests', values: '5x5'}]
    alert_rule_test:
      - {alertname: High, eval_time: 2m, exp_alerts: [{exp_labels: {severity: none}}]}
    promql_expr_test:
      - {expr: requests, eval_time: 1m, exp_samples: [{labels: requests, value: 6}]}
      - {expr: nothing, eval_time: 1m, exp_samples: [{labels: nothing, value: 6}]}
      - {expr: requests, eval_time: 1m, exp_samples: []}
      - {expr: 'requests[5m]', eval_time: 1m}
",
    );
    assert!(!report.passed());
    assert_eq!(
        report.to_string(),
        "  FAILED (5 of 5 checks):
    name: wrong,
    alertname: High, time: 2m,
        exp:[
            0:
              Labels:{alertname=\"High\", severity=\"none\"}
              Annotations:{}
            ]
        got:[
            0:
              Labels:{alertname=\"High\", severity=\"page\"}
              Annotations:{summary=\"5 at  \"}
            ]

    name: wrong,
    expr: \"requests\", time: 1m,
        exp: requests 6.0
        got: requests 5.0

    name: wrong,
    expr: \"nothing\", time: 1m,
        exp: nothing 6.0
        got: nil

    name: wrong,
    expr: \"requests\", time: 1m,
        exp: nil
        got: requests 5.0

    name: wrong,
    expr: \"requests[5m]\", time: 1m, err: rule result is not a vector or scalar

"
    );
}

#[test]
fn a_rule_that_fails_ends_its_test() {
    let text = "rule_files: [a]\ntests:
  - interval: 1m
    input_series: [{series: 'a{x=\"1\"}', values: 1}, {series: 'a{x=\"2\"}', values: 1}]
    promql_expr_test: [{expr: a, eval_time: 1m}]
";
    let rules = "groups: [{name: g, rules: [{record: b, expr: a, labels: {x: ''}}]}]";
    let report = run(text, &|_| Ok(rules.to_owned())).expect("no mistakes");
    assert_eq!(
        report.failures,
        [
            "    rule: b, time: 0s, err: vector contains metrics with the same labelset after applying rule labels"
        ]
    );
}

#[test]
fn mistakes_in_a_test_file_are_reported_with_their_places() {
    let text = "rule_files: [missing.yml, bad.yml]
evaluation_interval: 0s
group_eval_order: [a, a]
tests:
  - interval: x
    input_serie: []
    input_series: [{series: 'a{', values: '1x'}, {series: 'a{b=c}', values: '{{schema:1}}'}]
    alert_rule_test: [{alertname: A, eval_time: 1}]
    promql_expr_test: [{expr: 'sum(', eval_time: 1m, exp_samples: [{labels: 'a}', value: one}]}]
";
    let load = |name: &str| match name {
        "bad.yml" => Ok("groups: [{name: g, rules: [{record: b}]}]".to_owned()),
        _ => Err(format!("{name}: no such file")),
    };
    let problems = run(text, &load).expect_err("a bad file");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines[0], "line 1 column 14: missing.yml: no such file");
    assert!(lines[1].starts_with("line 1 column 27: bad.yml: line 1 column "), "{}", lines[1]);
    let places = [
        (2, 22),
        (3, 23),
        (5, 15),
        (6, 5),
        (7, 29),
        (7, 43),
        (7, 59),
        (7, 77),
        (8, 49),
        (9, 31),
        (9, 77),
        (9, 90),
    ];
    let found: Vec<(usize, usize)> = problems
        .iter()
        .skip(2)
        .filter_map(|problem| problem.position)
        .map(|at| (at.line, at.column))
        .collect();
    assert_eq!(found, places, "{lines:#?}");
}
