//! Runs Prometheus's own `PromQL` test scripts against the engine, when they are at hand.
//!
//! The scripts are data that is kept outside of the repository: in `PROMQLTEST_DIR`, or in `shared/promqltest` beside
//! the repository. Every instant evaluation is run a second time as a range query around the instant. Evaluations that
//! read native histograms are counted as skipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
};

use series::{
    Labels, Queryable, Timestamp,
    promql::{Options, Query, Value},
};

use crate::{
    promqltest_script::{Command, Evaluation, Times, parse},
    promqltest_source::MemorySource,
};

/// What came of an evaluation.
enum Outcome {
    Passed,
    Skipped,
    Failed(String),
}

/// How many evaluations of a file came out how.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    failed: usize,
    skipped: usize,
}

fn directory() -> Option<PathBuf> {
    let candidates = [
        std::env::var_os("PROMQLTEST_DIR").map(PathBuf::from),
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/promqltest")),
    ];
    candidates.into_iter().flatten().find(|candidate| candidate.is_dir())
}

/// The scripts of Prometheus with their file names, in order; none when they are not at hand.
pub(crate) fn scripts() -> Vec<(String, String)> {
    let Some(directory) = directory() else { return Vec::new() };
    let paths = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "test"));
    let mut scripts: Vec<(String, String)> = paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, String::from_utf8(std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    scripts.sort();
    scripts
}

#[test]
fn the_scripts_of_prometheus_pass() {
    let scripts = scripts();
    if scripts.is_empty() {
        // Not by the macro: what it prints is kept back when a test passes.
        let _reported = writeln!(
            std::io::stderr(),
            "SKIPPED: Prometheus's PromQL test scripts are not here; set PROMQLTEST_DIR to run them"
        );
        assert!(
            std::env::var_os("WEBSERVICE_MONITOR_NO_SKIP").is_none(),
            "the PromQL test scripts are missing"
        );
        return;
    }
    let expected: BTreeMap<&str, &str> = include_str!("promqltest_expected_failures.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a place and a reason"))
        .collect();
    let mut failures = BTreeSet::new();
    let mut total = Count::default();
    for (name, script) in scripts {
        let count = run(&name, &script, &mut failures, &expected);
        println!(
            "{name}: {}/{}, {} skipped",
            count.passed,
            count.passed + count.failed,
            count.skipped
        );
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
    }
    println!("total: {}/{}, {} skipped", total.passed, total.passed + total.failed, total.skipped);
    let expected: BTreeSet<String> = expected.into_keys().map(str::to_owned).collect();
    let unexpected: Vec<&String> = failures.difference(&expected).collect();
    let passing: Vec<&String> = expected.difference(&failures).collect();
    assert!(unexpected.is_empty(), "unexpected failures: {unexpected:?}");
    assert!(passing.is_empty(), "expected to fail, but passed: {passing:?}");
}

/// Runs one script; failed evaluations are added to `failures`, and printed unless they are expected.
pub(crate) fn run(
    name: &str,
    script: &str,
    failures: &mut BTreeSet<String>,
    expected: &BTreeMap<&str, &str>,
) -> Count {
    let mut source = MemorySource::default();
    let mut count = Count::default();
    for command in parse(script) {
        match command {
            Command::Clear => source = MemorySource::default(),
            Command::Load(series) => {
                for (labels, points) in series {
                    for (time, point) in points {
                        source.add(&labels, time, point);
                    }
                }
            }
            Command::Evaluate(evaluation) => match check(&source, &evaluation) {
                Outcome::Passed => count.passed += 1,
                Outcome::Skipped => count.skipped += 1,
                Outcome::Failed(message) => {
                    count.failed += 1;
                    let place = format!("{name}:{}", evaluation.line);
                    if !expected.contains_key(place.as_str()) {
                        println!("{place}: {}\n    {message}", evaluation.query);
                    }
                    failures.insert(place);
                }
            },
        }
    }
    count
}

/// Functions that only exist for native histograms.
const HISTOGRAM_FUNCTIONS: [&str; 5] = [
    "histogram_avg(",
    "histogram_count(",
    "histogram_stddev(",
    "histogram_stdvar(",
    "histogram_sum(",
];

fn check(source: &MemorySource, evaluation: &Evaluation) -> Outcome {
    if evaluation.expects_histogram
        || HISTOGRAM_FUNCTIONS.iter().any(|name| evaluation.query.contains(name))
    {
        return Outcome::Skipped;
    }
    source.take_touched_histogram();
    let result = evaluate(source, evaluation);
    if source.take_touched_histogram() {
        return Outcome::Skipped;
    }
    match result {
        Ok(()) => Outcome::Passed,
        Err(message) => Outcome::Failed(message),
    }
}

fn evaluate(source: &dyn Queryable, evaluation: &Evaluation) -> Result<(), String> {
    let options = Options::default();
    let parsed = Query::parse(&evaluation.query).map_err(|error| error.to_string());
    let answer = parsed.and_then(|query| {
        let answer = match evaluation.times {
            Times::Instant(at) => query.instant(source, at, &options),
            Times::Range(from, to, step) => {
                query.range(source, from, to, step, &options).map(Value::Matrix)
            }
        };
        answer.map(|answer| (query, answer)).map_err(|error| error.to_string())
    });
    let (query, answer) = match (answer, &evaluation.fails) {
        (Err(message), Some(expected)) if message.contains(expected) => return Ok(()),
        (Err(message), _) => return Err(message),
        (Ok((_, answer)), Some(_)) => return Err(format!("expected a failure, got {answer:?}")),
        (Ok(answer), None) => answer,
    };
    compare(evaluation, &answer)?;
    // Functions of the query's own times mean something else in a query over another range.
    let own_times = ["start()", "end()", "step()", "range()"]
        .iter()
        .any(|name| evaluation.query.contains(name));
    match evaluation.times {
        Times::Instant(at)
            if !own_times && !matches!(answer, Value::Matrix(_) | Value::String(_)) =>
        {
            let series = query.range(source, at - 60_000, at + 60_000, 60_000, &options);
            let series = series.map_err(|error| format!("as a range query: {error}"))?;
            let at_instant = series.into_iter().filter_map(|series| {
                let sample = series.samples.iter().find(|sample| sample.timestamp == at)?;
                Some((series.labels, sample.value))
            });
            let expected = match evaluation.scalar {
                Some(scalar) => vec![(Labels::default(), scalar)],
                None => instant_values(evaluation),
            };
            compare_elements(expected, at_instant.collect(), false)
                .map_err(|error| format!("as a range query: {error}"))
        }
        _ => Ok(()),
    }
}

fn instant_values(evaluation: &Evaluation) -> Vec<(Labels, f64)> {
    let series = evaluation.series.iter();
    series
        .filter_map(|(labels, values)| Some((labels.clone(), values.first().copied().flatten()?)))
        .collect()
}

fn compare(evaluation: &Evaluation, answer: &Value) -> Result<(), String> {
    match answer {
        Value::Scalar(actual) => match evaluation.scalar {
            Some(expected) if close(expected, *actual) => Ok(()),
            expected => Err(format!("expected {expected:?}, got {actual}")),
        },
        Value::String(actual) => match &evaluation.text {
            Some(expected) if expected == actual => Ok(()),
            expected => Err(format!("expected {expected:?}, got {actual:?}")),
        },
        Value::Vector(elements) => {
            let actual =
                elements.iter().map(|element| (element.labels.clone(), element.value)).collect();
            if evaluation.scalar.is_some() {
                return Err(format!("expected a scalar, got {actual:?}"));
            }
            compare_elements(instant_values(evaluation), actual, evaluation.ordered)
        }
        Value::Matrix(series) => {
            let (start, step) = match (evaluation.matrix, evaluation.times) {
                (Some(times), _) => times,
                (None, Times::Range(start, _, step)) => (start, step),
                (None, Times::Instant(_)) => return Err("unexpected range vector".to_owned()),
            };
            let expected = evaluation.series.iter().flat_map(|(labels, values)| {
                let times = (0_i64..).map(|index| start + index * step);
                times
                    .zip(values)
                    .filter_map(|(time, value)| Some(((labels.clone(), time), (*value)?)))
            });
            let actual = series.iter().flat_map(|series| {
                series
                    .samples
                    .iter()
                    .map(|sample| ((series.labels.clone(), sample.timestamp), sample.value))
            });
            let (expected, actual): (Points, Points) = (expected.collect(), actual.collect());
            let same = expected.len() == actual.len()
                && expected.iter().all(|(key, value)| {
                    actual.get(key).is_some_and(|actual| close(*value, *actual))
                });
            if same {
                Ok(())
            } else {
                Err(format!("expected {expected:?}\n    got      {actual:?}"))
            }
        }
    }
}

/// The values of a range vector.
type Points = BTreeMap<(Labels, Timestamp), f64>;

fn compare_elements(
    mut expected: Vec<(Labels, f64)>,
    mut actual: Vec<(Labels, f64)>,
    ordered: bool,
) -> Result<(), String> {
    if !ordered {
        expected.sort_by(|left, right| left.0.cmp(&right.0));
        actual.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let same = expected.len() == actual.len()
        && expected
            .iter()
            .zip(&actual)
            .all(|(left, right)| left.0 == right.0 && close(left.1, right.1));
    if same { Ok(()) } else { Err(format!("expected {expected:?}\n    got      {actual:?}")) }
}

/// Equality as the test suite of Prometheus has it: a relative error of a millionth.
fn close(expected: f64, actual: f64) -> bool {
    if expected.is_nan() || actual.is_nan() {
        return expected.is_nan() && actual.is_nan();
    }
    #[expect(clippy::float_cmp, reason = "infinities and exact zeros have no relative error")]
    let identical = expected == actual;
    let scale = (expected.abs() + actual.abs()).min(f64::MAX);
    identical || (expected - actual).abs() / scale < 1e-6
}
