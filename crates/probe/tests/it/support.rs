//! What the topics share: running a probe from a module's text, and comparing what it found with a table's row.
//!
//! Must not know any topic.

use std::time::Duration;

use probe::{Module, Net, Outcome, ProbeResult};

/// The plain HTTP module.
pub(crate) const HTTP: &str = "{ prober: http }";

/// A deadline that only a probe which hangs will ever reach, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A deadline for behaviours that never end by themselves.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// How much later than its deadline a probe may answer on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// A network without a name server of its own and without trusted roots.
pub(crate) fn plain_net() -> Net {
    Net::for_tests(None, &[]).expect("a network for tests")
}

/// The module that this flow mapping describes.
pub(crate) fn module(settings: &str) -> Module {
    let text = format!("modules:\n  tested: {settings}\n");
    let mut modules =
        probe::parse_modules(&text).unwrap_or_else(|problems| panic!("{text}{problems:?}"));
    modules.usable.remove("tested").expect("the module of the text")
}

/// Runs one probe, and checks what holds for every probe.
pub(crate) async fn run(net: &Net, settings: &str, target: &str, timeout: Duration) -> ProbeResult {
    let module = module(settings);
    let target = module.target(target).unwrap_or_else(|error| panic!("{target}: {error}"));
    let result = module.probe(net, &target, timeout).await;
    check_invariants(&result);
    result
}

/// Runs one probe of a target that needs neither names nor trust.
pub(crate) async fn run_plain(settings: &str, target: &str) -> ProbeResult {
    run(&plain_net(), settings, target, LONG).await
}

/// `up`, `phase/reason` for a target that is down, or `fault phase/reason`.
pub(crate) fn verdict(result: &ProbeResult) -> String {
    match &result.outcome {
        Outcome::Up => "up".to_owned(),
        Outcome::Down(failure) => format!("{}/{}", failure.phase, failure.reason),
        Outcome::Fault(failure) => format!("fault {}/{}", failure.phase, failure.reason),
    }
}

/// The value of the only sample of a metric.
pub(crate) fn value(result: &ProbeResult, metric: &str) -> Option<f64> {
    let mut samples = result.samples.iter().filter(|sample| sample.metric.name == metric);
    let first = samples.next()?;
    assert!(samples.next().is_none(), "{metric} has several samples");
    Some(first.value)
}

/// The value of a label of the first sample of a metric.
pub(crate) fn label(result: &ProbeResult, metric: &str, label: &str) -> Option<String> {
    let sample = result.samples.iter().find(|sample| sample.metric.name == metric)?;
    let (_, value) = sample.labels.iter().find(|(name, _)| *name == label)?;
    Some(value.to_string())
}

/// The seconds of each phase of an HTTP probe.
pub(crate) fn phases(result: &ProbeResult) -> Vec<(String, f64)> {
    let samples =
        result.samples.iter().filter(|sample| sample.metric.name == "probe_http_duration_seconds");
    samples
        .map(|sample| {
            let [(name, phase)] = sample.labels.as_slice() else {
                panic!("one label, not {:?}", sample.labels)
            };
            assert_eq!(*name, "phase");
            (phase.to_string(), sample.value)
        })
        .collect()
}

/// The mistakes of a table, all of which are reported together.
#[derive(Default)]
pub(crate) struct Table(Vec<String>);

impl Table {
    /// Compares a verdict with what is expected: one text, or several that the kernel chooses from, separated by ` or `.
    pub(crate) fn expect(&mut self, row: &str, result: &ProbeResult, expected: &str) {
        let found = verdict(result);
        if !expected.split(" or ").any(|expected| expected == found) {
            self.0.push(format!("{row}: expected {expected}, found {found}: {:?}", result.outcome));
        }
    }

    /// Notes a mistake unless the condition holds.
    pub(crate) fn check(&mut self, row: &str, holds: bool, what: &str) {
        if !holds {
            self.0.push(format!("{row}: {what}"));
        }
    }

    /// Fails if there was a mistake.
    pub(crate) fn finish(self) {
        assert!(self.0.is_empty(), "{} rows are wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// What holds for every result, whatever the target did.
fn check_invariants(result: &ProbeResult) {
    let up = result.outcome == Outcome::Up;
    assert_eq!(value(result, "probe_success"), Some(f64::from(u8::from(up))));
    assert_eq!(value(result, "probe_duration_seconds"), Some(result.elapsed.as_secs_f64()));
    assert_eq!(value(result, "probe_timeout_seconds"), Some(result.timeout.as_secs_f64()));
    assert!(
        result.elapsed <= result.timeout + SLACK,
        "{:?} is over {:?}",
        result.elapsed,
        result.timeout
    );
    match &result.outcome {
        Outcome::Down(failure) => {
            assert_eq!(
                label(result, "probe_failure_info", "phase").as_deref(),
                Some(failure.phase.as_str())
            );
            assert_eq!(
                label(result, "probe_failure_info", "reason").as_deref(),
                Some(failure.reason.as_str())
            );
            assert!(failure.detail.len() <= 600, "a detail of {} bytes", failure.detail.len());
        }
        Outcome::Up | Outcome::Fault(_) => assert_eq!(value(result, "probe_failure_info"), None),
    }
    for (index, sample) in result.samples.iter().enumerate() {
        assert!(!sample.value.is_nan(), "{} is not a number", sample.metric.name);
        let same = |other: &probe::Sample| {
            other.metric.name == sample.metric.name && other.labels == sample.labels
        };
        assert!(
            !result.samples[..index].iter().any(same),
            "{} {:?} twice",
            sample.metric.name,
            sample.labels
        );
    }
    let total: f64 = phases(result).iter().map(|(_, seconds)| seconds).sum();
    assert!(
        total <= result.elapsed.as_secs_f64() + 0.001,
        "phases of {total} s in {:?}",
        result.elapsed
    );
    assert!(result.notes.is_sorted_by_key(|(offset, _)| *offset), "{:?}", result.notes);
    assert!(result.notes.iter().all(|(offset, _)| *offset <= result.elapsed), "{:?}", result.notes);
    let notes: usize = result.notes.iter().map(|(_, note)| note.len()).sum();
    assert!(notes <= 64 * 1024, "{notes} bytes of notes");
}
