//! The templates of annotations, through an alert's annotation. Expected texts follow Prometheus's own template tests.
//! Must not know the template engine.

use series::{
    Appender as _, Labels,
    labels::METRIC_NAME,
    rule::{External, GroupState, Loaded, load},
    store::Store,
};

/// What the annotation `text` becomes for an alert with this value.
fn expand(text: &str, value: f64) -> String {
    let store = Store::in_memory();
    let named = |name: &str, instance: &str| {
        Labels::new([(METRIC_NAME, name), ("instance", instance), ("job", "web")])
    };
    let samples = [
        (named("cause", "host.example:80"), value),
        (named("metric", "b"), 21.0),
        (named("metric", "a"), 11.0),
    ];
    store.append(1_500, &samples).expect("a store in memory");
    let quoted = text.replace('\'', "''");
    let rules = format!(
        "groups: [{{name: g, rules: [{{alert: A, expr: 'cause == cause or on () cause', annotations: {{text: '{quoted}'}}}}]}}]"
    );
    let group =
        load(&rules).unwrap_or_else(|problems| panic!("{text}: {problems:?}")).groups.remove(0);
    let external = External {
        url: "https://monitor.example/prefix".to_owned(),
        labels: Labels::new([("region", "eu")]),
    };
    let evaluation = GroupState::new(group).evaluate(&store, 1_500, &external);
    assert_eq!(evaluation.errors, []);
    evaluation.changes[0].alert.annotations["text"].clone()
}

#[test]
fn numbers_are_written_for_people() {
    let table: [(&str, f64, &str); 46] = [
        ("{{ $value }}", 1.0, "1"),
        ("{{ $value }}", 0.5, "0.5"),
        ("{{ .Value }}", 123_456.0, "123456"),
        ("{{ $value }}", 1_234_567.0, "1.234567e+06"),
        ("{{ $value }}", 1e21, "1e+21"),
        ("{{ $value }}", 0.000_012, "1.2e-05"),
        ("{{ $value }}", f64::NAN, "NaN"),
        ("{{ $value }}", f64::INFINITY, "+Inf"),
        ("{{ $value | printf \"%.1f%%\" }}", 12.34, "12.3%"),
        ("{{ humanize $value }}", 0.0, "0"),
        ("{{ humanize $value }}", 1.0, "1"),
        ("{{ humanize $value }}", 1_234_567.0, "1.235M"),
        ("{{ humanize $value }}", 999.0, "999"),
        ("{{ humanize $value }}", 100_000.0, "100k"),
        ("{{ humanize $value }}", 0.12, "120m"),
        ("{{ humanize $value }}", -1024.0, "-1.024k"),
        ("{{ humanize $value }}", f64::NEG_INFINITY, "-Inf"),
        ("{{ humanize \"12e3\" }}", 0.0, "12k"),
        ("{{ humanize1024 $value }}", 0.0, "0"),
        ("{{ humanize1024 $value }}", 1024.0, "1ki"),
        ("{{ humanize1024 $value }}", 1_048_576.0, "1Mi"),
        ("{{ humanize1024 $value }}", 0.5, "0.5"),
        ("{{ humanizeDuration $value }}", 0.0, "0s"),
        ("{{ humanizeDuration $value }}", 1.0, "1s"),
        ("{{ humanizeDuration $value }}", 60.0, "1m 0s"),
        ("{{ humanizeDuration $value }}", 3600.0, "1h 0m 0s"),
        ("{{ humanizeDuration $value }}", 86_400.0, "1d 0h 0m 0s"),
        ("{{ humanizeDuration $value }}", 88_472.0, "1d 0h 34m 32s"),
        ("{{ humanizeDuration $value }}", -88_472.0, "-1d 0h 34m 32s"),
        ("{{ humanizeDuration $value }}", 899.99, "14m 59s"),
        ("{{ humanizeDuration $value }}", 12.345_678, "12.35s"),
        ("{{ humanizeDuration $value }}", 0.1, "100ms"),
        ("{{ humanizeDuration $value }}", 0.000_1, "100us"),
        ("{{ humanizeDuration $value }}", f64::NAN, "NaN"),
        ("{{ humanizePercentage $value }}", -0.22, "-22%"),
        ("{{ humanizePercentage $value }}", 0.123_456_7, "12.35%"),
        ("{{ humanizePercentage $value }}", 1.0, "100%"),
        ("{{ humanizeTimestamp $value }}", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ humanizeTimestamp $value }}", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("{{ humanizeTimestamp $value }}", f64::INFINITY, "+Inf"),
        ("{{ toTime $value }}", 1.0, "1970-01-01 00:00:01 +0000 UTC"),
        ("{{ parseDuration \"1h2m10ms\" }}", 0.0, "3720.01"),
        ("{{ now }}", 0.0, "1.5"),
        ("{{ if gt $value 1.0 }}high{{ else }}low{{ end }}", 2.0, "high"),
        (
            "{{ humanize \"x\" }}",
            0.0,
            "<error expanding template: humanize needs a number, not `x`>",
        ),
        (
            "{{ humanizeTimestamp $value }}",
            1e30,
            "<error expanding template: 1e+30 cannot be represented as a time>",
        ),
    ];
    for (text, value, expected) in table {
        assert_eq!(expand(text, value), expected, "{text} of {value}");
    }
}

/// A time in an alert's value, 2015-06-23 13:19:44.128, and what is written of it. As promtool 3.5 writes it, where a vector has an order.
const TIMES: [(&str, &str); 14] = [
    ("{{ (toTime $value).Format \"15:04\" }}", "13:19"),
    ("{{ ($value | toTime).Format \"2006-01-02 15:04\" }}", "2015-06-23 13:19"),
    ("{{ (toTime $value).UTC.Format \"15:04:05.000 MST\" }}", "13:19:44.128 UTC"),
    ("{{ with toTime $value }}{{ .Format \"3PM\" }} {{ .UTC.Format \"Jan\" }}{{ end }}", "1PM Jun"),
    (
        "{{ with $labels.job }}{{ with $value | toTime }}{{ .Format \"15\" }}{{ end }}{{ . }}{{ end }}",
        "13web",
    ),
    (
        "{{ $time := toTime $value }}{{ $time.Format \"Monday\" }}, {{ $time }}",
        "Tuesday, 2015-06-23 13:19:44.128 +0000 UTC",
    ),
    ("{{ $time := $value | toTime }}{{ with $time }}{{ .Format \"02.01.\" }}{{ end }}", "23.06."),
    ("{{ if eq ((toTime $value).Format \"15\") \"13\" }}noon{{ end }}", "noon"),
    ("{{ printf \"%s!\" ((toTime $value).Format \"15:04\") }}", "13:19!"),
    ("{{ \"15:04\" | (toTime $value).Format }}", "13:19"),
    ("{{ (toTime $value).Format \"15:04\" | toUpper | len }}", "5"),
    (
        "{{ with printf \"metric{instance='%s'}\" \"a\" | query }}{{ (. | first | value | toTime).Format \"05\" }}{{ end }}",
        "11",
    ),
    (
        "{{ range query \"metric\" }}{{ (.Value | toTime).Format \"05\" }}{{ .Labels.instance }}{{ end }}",
        "11a21b",
    ),
    ("{{ (toTime $value).UTC }}", "2015-06-23 13:19:44.128 +0000 UTC"),
];

#[test]
fn times_are_written_by_example() {
    for (text, expected) in TIMES {
        assert_eq!(expand(text, 1_435_065_584.128), expected, "{text}");
    }
    let failed = "<error expanding template: value is NaN or Inf>";
    assert_eq!(expand("{{ toTime $value }}", f64::NAN), failed);
    for text in [
        "{{ (toTime $value).Hour }}",
        "{{ (toTime $value).UTC.Add 5 }}",
        "{{ with toTime $value }}{{ .Weekday }}{{ end }}",
        "{{ $time := toTime $value }}{{ $time.Local.Format \"15:04\" }}",
    ] {
        let rules = format!(
            "groups: [{{name: g, rules: [{{alert: A, expr: up, annotations: {{a: '{text}'}}}}]}}]"
        );
        let problems = load(&rules).expect_err(text);
        assert!(problems[0].message.contains("of a time is not supported"), "{text}: {problems:?}");
        assert!(problems[0].hint.is_some());
    }
    // A label of that name is a label.
    assert_eq!(expand("{{ $labels.Hour }}{{ with $labels }}{{ .Weekday }}{{ end }}.", 1.0), ".");
}

const TEXTS: [(&str, &str); 53] = [
    ("{{ $externalLabels.monitor_url }}/runbooks/Down", "/runbooks/Down"),
    (
        "{{ $externalLabels.dashboard_url }}/d/webservice/webservice?var-instance={{ $labels.instance | urlquery }}",
        "/d/webservice/webservice?var-instance=host.example%3A80",
    ),
    ("{{ with query \"metric{instance='a'}\" }}{{ . | first | value }}{{ end }}", "11"),
    ("{{ printf \"%.3f\" $value }} {{ printf \"%d of %s\" 3 $labels.job }}", "1.000 3 of web"),
    ("{{ if and (gt $value 0.5) (or (eq $labels.job \"x\") (lt $value 2.0)) }}yes{{ end }}", "yes"),
    ("plain text } and {", "plain text } and {"),
    ("{{ $labels.instance }}", "host.example:80"),
    ("{{ .Labels.job }}!", "web!"),
    ("[{{ $labels.missing }}]", "[]"),
    ("{{ if eq $labels.missing \"\" }}none{{ end }}", "none"),
    ("{{ with $labels.severity }}{{ . }}{{ else }}critical{{ end }}", "critical"),
    ("{{ with $labels }}{{ .job }}{{ .missing }}{{ end }}", "web"),
    ("{{ $externalLabels.region }}{{ $externalLabels.zone }}", "eu"),
    (
        "{{ $externalURL }} {{ .ExternalURL }}",
        "https://monitor.example/prefix https://monitor.example/prefix",
    ),
    ("{{ externalURL }} {{ pathPrefix }}", "https://monitor.example/prefix /prefix"),
    (
        "{{ range $name, $text := $labels }}{{ $name }}={{ $text }};{{ end }}",
        "__name__=cause;instance=host.example:80;job=web;",
    ),
    ("{{ $x := \"a\" }}{{ $x }}{{ $x = \"b\" }}{{ $x }}", "ab"),
    ("{{- /* remark */ -}} end", "end"),
    ("{{ toUpper \"abc\" }}{{ toLower \"ABC\" }}", "ABCabc"),
    ("{{ title \"aa bb-cc d_e\" }}", "Aa Bb-Cc D_e"),
    ("{{ \"aa\" | title }}", "Aa"),
    ("{{ match \"a+\" \"baa\" }} {{ match \"^a\" \"b\" }}", "true false"),
    ("{{ reReplaceAll \"(.*):.*\" \"${1}\" $labels.instance }}", "host.example"),
    ("{{ reReplaceAll \"(a)b\" \"x$1\" \"abab\" }}", "xaxa"),
    (
        "{{ reReplaceAll \"(\" \"x\" \"a\" }}",
        "<error expanding template: `(` is not a regular expression>",
    ),
    ("{{ stripPort $labels.instance }}", "host.example"),
    (
        "{{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripPort \"host\" }}",
        "::1 ::1 host",
    ),
    ("{{ stripDomain \"host.example.com\" }}", "host"),
    ("{{ stripDomain $labels.instance }}", "host:80"),
    (
        "{{ stripDomain \"192.0.2.1:80\" }} {{ stripDomain \"192.0.2.1\" }}",
        "192.0.2.1:80 192.0.2.1",
    ),
    ("{{ urlQueryEscape \"a b&c\" }}", "a+b%26c"),
    ("{{ graphLink \"up == 1\" }}", "/graph?g0.expr=up+%3D%3D+1&g0.tab=0"),
    ("{{ tableLink \"up\" }}", "/graph?g0.expr=up&g0.tab=1"),
    ("{{ safeHtml \"<b>\" }}<i>", "<b><i>"),
    ("{{ query \"metric\" | len }}", "2"),
    ("{{ query \"metric{instance='a'}\" | first | value }}", "11"),
    ("{{ query \"metric{instance='a'}\" | first | label \"instance\" }}", "a"),
    ("{{ (query \"metric\" | first).Labels.instance }}", "a"),
    (
        "{{ range query \"metric\" }}{{ .Labels.instance }}={{ .Value }}{{ .Labels.nothing }} {{ end }}",
        "a=11 b=21 ",
    ),
    ("{{ range query \"metric\" | sortByLabel \"instance\" }}{{ .Value }} {{ end }}", "11 21 "),
    ("{{ query \"1.5\" | first | value }}", "1.5"),
    ("{{ query \"sum(metric)\" | first | value | humanize }}", "32"),
    ("{{ query \"2e6\" | first | value }}", "2e+06"),
    ("{{ with query \"absent_metric\" }}some{{ else }}none{{ end }}", "none"),
    (
        "{{ query \"absent_metric\" | first }}",
        "<error expanding template: first() called on vector with no elements>",
    ),
    (
        "{{ with printf \"metric{instance='%s'}\" \"b\" | query }}{{ . | first | value }}{{ end }}",
        "21",
    ),
    ("{{ query \"count_values('__value__', vector(3))\" | first | strvalue }}", "3"),
    (
        "{{ define \"t\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"t\" (args 1 \"b\") }}",
        "1-b",
    ),
    ("{{ len $labels }}", "3"),
    ("{{ print 1 2 }}", "1 2"),
    ("{{ and true false }} {{ or \"\" \"x\" }} {{ not true }}", "false x false"),
    ("{{ index $labels \"job\" }}", "web"),
    ("{{ html \"<\" }}{{ urlquery \"a b\" }}", "&lt;a+b"),
];

#[test]
fn texts_and_labels_are_put_in() {
    for (text, expected) in TEXTS {
        assert_eq!(expand(text, 1.0), expected, "{text}");
    }
    let failed = expand("{{ query \"metric[\" }}", 1.0);
    assert!(failed.starts_with("<error expanding template: "), "{failed}");
}

#[test]
fn texts_that_share_a_query_do_not_share_its_missing_labels() {
    let store = Store::in_memory();
    store.append(0, &[(Labels::new([(METRIC_NAME, "up")]), 1.0)]).expect("a store in memory");
    let rules = r#"groups: [{name: g, rules: [{alert: A, expr: up, annotations: {
        a: '{{ range query "up" }}{{ .Labels.a }}{{ eq .Labels.a "" }}{{ end }}',
        b: '{{ range query "up" }}{{ .Labels.b }}{{ eq .Labels.b "" }}{{ end }}'}}]}]"#;
    let group = load(rules).expect("a good file").groups.remove(0);
    let evaluation = GroupState::new(group).evaluate(&store, 0, &External::default());
    let annotations = &evaluation.changes[0].alert.annotations;
    assert_eq!((annotations["a"].as_str(), annotations["b"].as_str()), ("true", "true"));
}

const PIECES: [&str; 24] = [
    "{{",
    "}}",
    "{{-",
    " -}}",
    "if ",
    "else",
    "end",
    "range ",
    "with ",
    "define ",
    "template ",
    "$labels",
    "$value",
    ".job",
    " | ",
    "humanize",
    "query ",
    "first",
    "\"up\"",
    "\"\u{e4}",
    "(",
    ")",
    ":= ",
    "$x",
];

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(pieces in proptest::collection::vec(0..PIECES.len(), 0..14)) {
        let text: String = pieces.into_iter().map(|index| PIECES[index]).collect();
        let rules = format!(
            "groups: [{{name: g, rules: [{{alert: A, expr: up, annotations: {{a: '{text}'}}}}]}}]"
        );
        if let Ok(Loaded { mut groups, .. }) = load(&rules) {
            let store = Store::in_memory();
            store.append(0, &[(Labels::new([(METRIC_NAME, "up")]), 1.0)]).expect("a store in memory");
            let evaluation = GroupState::new(groups.remove(0)).evaluate(&store, 0, &External::default());
            proptest::prop_assert_eq!(evaluation.changes.len(), 1);
        }
    }
}
