//! Our own cases for `PromQL`: the rules that are easily got wrong, what is refused, limits, and that nothing panics.
//!
//! Must not need data from outside of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use proptest::prelude::*;
use series::{
    Labels,
    promql::{Options, Query, QueryError, Value},
};

use crate::{
    promqltest::{self, run},
    promqltest_script::{Command, parse},
    promqltest_source::{MemorySource, Point},
};

const SCRIPT: &str = include_str!("scripts/semantics.test");

#[test]
fn the_semantics_are_those_of_prometheus() {
    let mut failures = BTreeSet::new();
    let count = run("semantics.test", SCRIPT, &mut failures, &BTreeMap::new());
    assert!(failures.is_empty(), "{failures:?}");
    assert!(count.passed > 70, "{} evaluations only", count.passed);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (query, part) in [
        ("info(up)", "info"),
        ("limitk(2, up)", "limitk"),
        ("limit_ratio(0.5, up)", "limit_ratio"),
        ("histogram_count(up)", "histogram_count"),
        ("histogram_stddev(up)", "histogram_stddev"),
        ("rate(up[5m] smoothed)", "smoothed"),
        ("rate(up[5m] anchored)", "anchored"),
        ("up + fill(0) up", "fill"),
        ("holt_winters(up[5m], 0.5, 0.5)", "holt_winters"),
        ("{a=\"1\" or b=\"2\"}", "or"),
        ("rate(up)", "expected type"),
        ("ln(-1)", "expected type"),
        ("sum(1)", "expected type"),
        ("1 > 2", "BOOL"),
        ("up[5m] + 1", ""),
        ("\"a\" + 1", ""),
        ("-\"a\"", ""),
        ("{}", "at least one non-empty matcher"),
        ("rate(up[0s])", ""),
        ("", ""),
        ("up offset 999999999999y", ""),
    ] {
        match Query::parse(query) {
            Err(QueryError::Parse(message)) => {
                assert!(message.contains(part), "{query}: {message}");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
}

#[test]
fn queries_that_are_too_large_are_refused() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(150)).is_ok());
    assert!(Query::parse(&format!("1{}", "+1".repeat(150))).is_ok());
    for query in [
        nested(201),
        nested(100_000),
        "-".repeat(100_000) + "1",
        format!("1{}", "+1".repeat(300)),
        format!("up{}", " or up".repeat(100_000)),
        format!("1{}", "+1".repeat(20_000)),
    ] {
        assert!(matches!(Query::parse(&query), Err(QueryError::Parse(_))), "{} bytes", query.len());
    }
}

#[test]
fn the_deepest_queries_need_little_stack() {
    let nested = |before: &str, after: &str, levels: usize| {
        format!("{}a{}", before.repeat(levels), after.repeat(levels))
    };
    let queries = [
        nested("abs(", ")", 195),
        nested("-(", ")", 98),
        nested("sum(", ")", 195),
        nested("max_over_time(", "[1m:1m])", 95),
        nested("b + (", ")", 98),
        nested("(b and ", ")", 98),
        format!("a{}", " or b".repeat(195)),
    ];
    let evaluate = move || {
        let source = source();
        for query in queries {
            let parsed = Query::parse(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
            parsed.instant(&source, 0, &Options::default()).unwrap();
        }
    };
    // The worker threads of the program have two megabytes.
    std::thread::Builder::new().stack_size(1 << 20).spawn(evaluate).unwrap().join().unwrap();
}

fn source() -> MemorySource {
    let mut source = MemorySource::default();
    for (labels, points) in parse(SCRIPT).into_iter().filter_map(loaded).flatten() {
        for (time, point) in points {
            source.add(&labels, time, point);
        }
    }
    source
}

type Loaded = Vec<(Labels, Vec<(i64, Point)>)>;

fn loaded(command: Command) -> Option<Loaded> {
    match command {
        Command::Load(series) => Some(series),
        _ => None,
    }
}

#[test]
fn limits_hold() {
    let source = source();
    let options = Options { samples_max: 30, ..Options::default() };
    let instant = |query: &str| Query::parse(query).unwrap().instant(&source, 60_000, &options);
    assert!(instant("count(a)").is_ok());
    for query in [
        "count_over_time({__name__=~\".+\"}[1h])",
        "vector(1)[1h:1s]",
        "count_over_time(vector(1)[30d:1ms])",
        "sum(a)[1h:1s]",
    ] {
        assert!(matches!(instant(query), Err(QueryError::Limit(_))), "{query}");
    }
    let query = Query::parse("vector(1)").unwrap();
    let options = Options::default();
    assert_eq!(query.range(&source, 0, 11_000, 1, &options).unwrap()[0].samples.len(), 11_001);
    assert!(matches!(query.range(&source, 0, 11_001, 1, &options), Err(QueryError::Limit(_))));
    assert!(matches!(
        query.range(&source, i64::MIN, i64::MAX, 1, &options),
        Err(QueryError::Limit(_))
    ));
    for (start, end, step) in [(0, 10, 0), (0, 10, -1), (10, 0, 1)] {
        assert!(matches!(
            query.range(&source, start, end, step, &options),
            Err(QueryError::Evaluate(_))
        ));
    }
}

#[test]
fn what_a_part_of_a_query_held_is_free_for_the_next_part() {
    let source = source();
    let options = Options { samples_max: 200, ..Options::default() };
    let query = Query::parse(&vec!["count_over_time(probes[10m:15s])"; 20].join(" + ")).unwrap();
    let answer = query.instant(&source, 240_000, &options);
    assert!(answer.is_ok(), "{answer:?}");
}

#[test]
fn a_query_remembers_its_text_and_a_range_has_neither_text_nor_windows() {
    let source = source();
    let query = Query::parse(" \"x\" ").unwrap().clone();
    assert_eq!(query.text(), " \"x\" ");
    assert_eq!(
        query.instant(&source, 0, &Options::default()).unwrap(),
        Value::String("x".to_owned())
    );
    for text in ["\"x\"", "probes[5m]"] {
        let query = Query::parse(text).unwrap();
        let answer = query.range(&source, 0, 10, 1, &Options::default());
        assert!(matches!(answer, Err(QueryError::Evaluate(_))), "{text}: {answer:?}");
    }
}

#[test]
fn a_plain_selector_gives_its_matchers() {
    let matchers = |text: &str| Query::parse(text).unwrap().selector().map(<[_]>::len);
    assert_eq!(matchers("up"), Some(1));
    assert_eq!(matchers("(up{job=~\"a|b\"})"), Some(2));
    for text in ["up offset 5m", "up @ 1", "up[5m]", "up + 1", "1"] {
        assert_eq!(matchers(text), None, "{text}");
    }
}

/// Words that queries are made of.
const WORDS: [&str; 48] = [
    "a",
    "b",
    "probes",
    "owner",
    "(",
    ")",
    "[5m]",
    "[5m:30s]",
    "[1h:]",
    "{x=\"1\"}",
    "{x=~\"1|2\"}",
    "{",
    "}",
    "rate",
    "sum",
    "topk",
    "quantile",
    "count_values",
    "\"v\"",
    "by (x)",
    "without (x)",
    "on (x)",
    "ignoring (n)",
    "group_left (team)",
    "group_right",
    "bool",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "atan2",
    "==",
    ">",
    "and",
    "or",
    "unless",
    "offset 5m",
    "offset -290000000y",
    "@ start()",
    "@ 1e18",
    "NaN",
    "Inf",
    "1e308",
    "0",
    ",",
    "\\",
];

fn never_panics(source: &MemorySource, text: &str, at: i64) {
    let options = Options { samples_max: 10_000, ..Options::default() };
    if let Ok(query) = Query::parse(text) {
        let _instant = query.instant(source, at, &options);
        let _range = query.range(source, at, at.saturating_add(600_000), 60_000, &options);
    }
}

/// The queries in the script beside this file, and of Prometheus's when they are at hand.
fn queries() -> &'static [String] {
    static QUERIES: OnceLock<Vec<String>> = OnceLock::new();
    QUERIES.get_or_init(|| {
        let scripts = std::iter::once(SCRIPT.to_owned())
            .chain(promqltest::scripts().into_iter().map(|(_, text)| text));
        let commands = scripts.flat_map(|script| parse(&script));
        commands
            .filter_map(|command| match command {
                Command::Evaluate(evaluation) => Some(evaluation.query),
                _ => None,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(text in "\\PC{0,60}", bytes in "[ -~\n\t\u{0}é]{0,80}") {
        let source = MemorySource::default();
        never_panics(&source, &text, 0);
        never_panics(&source, &bytes, 0);
    }

    #[test]
    fn random_words_never_panic(words in prop::collection::vec(0..WORDS.len(), 1..12), at in any::<i64>()) {
        let text: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
        never_panics(&source(), &text.join(" "), at);
    }

    #[test]
    fn changed_queries_never_panic(
        index in any::<prop::sample::Index>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..WORDS.len(), any::<bool>()), 1..4),
        at in prop_oneof![0_i64..600_000, any::<i64>()],
    ) {
        let queries = queries();
        let mut characters: Vec<char> = index.get(queries).chars().collect();
        for (place, word, replaces) in places {
            let place = place.index(characters.len());
            let end = if replaces { (place + 1).min(characters.len()) } else { place };
            characters.splice(place..end, WORDS[word].chars());
        }
        never_panics(&source(), &characters.into_iter().collect::<String>(), at);
    }
}
