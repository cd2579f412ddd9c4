//! From a probe's result to labelled samples: the only bridge between `probe` and `series`.
//!
//! The exposition of `/probe` and the samples of the embedded store come from the same [`ProbeResult`], so that a rule
//! that works in one mode works in the other. Must not know how samples are written down or stored.

mod earlier;
mod size;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

pub use self::size::StoreSize;
use probe::{Label, MetricDef, Outcome, ProbeResult, Sample};
use series::{Database as _, Labels, Timestamp, labels::METRIC_NAME, stale_marker, store::Store};
use tracing::{debug, error};

use crate::{
    config::{Identity, Promises, Target},
    schedule::Sink,
    state::{Monitor, ProbeRecord, Results, lock},
    telemetry::{OwnSample, log::PROBE_LOG},
};

/// Whether the scrape worked, as Prometheus writes it: 0 only when the fault is ours.
pub const UP: &str = "up";

/// How long the scrape took, as Prometheus writes it.
pub const SCRAPE_DURATION_SECONDS: &str = "scrape_duration_seconds";

/// A sample without labels of its own.
const NO_LABELS: &[Label] = &[];

/// The sample of a promise `alert_after`.
pub static ALERT_AFTER: MetricDef = MetricDef {
    name: "probe_target_alert_after_seconds",
    help: "How long the target may fail before that is reported, as its label alert_after says.",
};

/// The sample of a promise `max_latency`.
pub static MAX_LATENCY: MetricDef = MetricDef {
    name: "probe_target_max_latency_seconds",
    help: "Above which duration of a probe the target is slow, as its label max_latency says.",
};

/// The sample of a promise `slo`.
pub static SLO: MetricDef = MetricDef {
    name: "probe_target_slo_ratio",
    help: "The share of probes that is to succeed, as the target's label slo says in percent.",
};

/// Adds what the target was promised to what was found: rules cannot compute with the text of a label.
pub fn add_promises(result: &mut ProbeResult, promises: &Promises) {
    let found = [
        (&ALERT_AFTER, promises.alert_after.map(seconds)),
        (&MAX_LATENCY, promises.max_latency.map(seconds)),
        (&SLO, promises.slo),
    ];
    result.samples.extend(found.into_iter().filter_map(|(metric, value)| {
        value.map(|value| Sample { metric, labels: Vec::new(), value })
    }));
}

/// A duration as the number that is written for it: `0.3` for 300ms, not its nearest sum of two numbers.
fn seconds(duration: Duration) -> f64 {
    let milliseconds = u32::try_from(duration.as_millis());
    milliseconds.map_or_else(|_| duration.as_secs_f64(), |number| f64::from(number) / 1000.0)
}

/// The labels of one sample: the target's, the sample's own, and the metric's name.
///
/// A label of the sample that the target has too is renamed to `exported_…`, as Prometheus does without `honor_labels`.
pub fn sample_labels<N: AsRef<str>>(
    target: &Labels,
    metric: &str,
    own: &[(N, Cow<'static, str>)],
) -> Labels {
    let mut pairs: Vec<(String, String)> =
        target.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in own {
        let name = name.as_ref();
        let name =
            if target.get(name).is_some() { format!("exported_{name}") } else { name.to_owned() };
        pairs.push((name, value.clone().into_owned()));
    }
    pairs.push((METRIC_NAME.to_owned(), metric.to_owned()));
    Labels::new(pairs)
}

/// The `job` of the program's own metrics.
pub const OWN_JOB: &str = "webservice-monitor";

/// A series that a target wrote in its last round.
struct Written {
    metric: &'static MetricDef,
    own: Vec<Label>,
    labels: Labels,
}

/// What a target wrote in its last round.
struct LastRound {
    /// The target's labels at that time.
    target: Labels,
    up: Labels,
    duration: Labels,
    written: Vec<Written>,
    /// What is left of it from before the start of the program.
    earlier: Vec<Labels>,
}

/// Writes results into the monitor's state and the embedded store.
pub struct Recorder {
    results: Results,
    store: Arc<Store>,
    last: Mutex<HashMap<Identity, LastRound>>,
}

impl LastRound {
    fn new(target: &Target) -> Self {
        Self {
            target: target.labels.clone(),
            up: sample_labels(&target.labels, UP, NO_LABELS),
            duration: sample_labels(&target.labels, SCRAPE_DURATION_SECONDS, NO_LABELS),
            written: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// The last round before the start of the program.
    fn before(old: earlier::Old) -> Self {
        Self {
            up: sample_labels(&old.target, UP, NO_LABELS),
            duration: sample_labels(&old.target, SCRAPE_DURATION_SECONDS, NO_LABELS),
            target: old.target,
            written: Vec::new(),
            earlier: old.series,
        }
    }

    /// Staleness markers for all its series.
    fn end(self) -> impl Iterator<Item = (Labels, f64)> {
        let mut series: Vec<Labels> = self.written.into_iter().map(|entry| entry.labels).collect();
        series.extend([self.up, self.duration]);
        let earlier = self.earlier.into_iter().filter(|labels| !series.contains(labels));
        let earlier: Vec<Labels> = earlier.collect();
        series.into_iter().chain(earlier).map(|labels| (labels, stale_marker()))
    }
}

impl Recorder {
    /// A recorder for a monitor with a store, from before whose start the store may have series: those of targets that were
    /// removed while the program stood still end now, those of labels that were edited with the first probe.
    pub fn new(monitor: &Monitor, store: Arc<Store>) -> Self {
        let now = monitor.now();
        let found = earlier::find(&store, &monitor.config().targets, now);
        let last = found.and_then(|earlier| {
            let gone = earlier.gone.into_iter().map(|labels| (labels, stale_marker()));
            store.append(now, &gone.collect::<Vec<_>>())?;
            let edited = earlier.edited.into_iter();
            Ok(edited.map(|(identity, old)| (identity, LastRound::before(old))).collect())
        });
        let last = last.unwrap_or_else(|error| {
            error!(%error, "Series of removed targets stay for some minutes.");
            HashMap::new()
        });
        Self { results: monitor.results(), store, last: Mutex::new(last) }
    }

    /// The samples of one round: those of the probe, `up`, `scrape_duration_seconds`, and a staleness marker for each
    /// series of the previous round that is not in this one.
    ///
    /// The series of labels that were edited end here, where those of the new ones begin: in between there is no moment at which
    /// nothing is known of the target, at which its alerts would end.
    fn round(&self, target: &Target, result: &ProbeResult) -> Vec<(Labels, f64)> {
        let mut rounds = lock(&self.last);
        let last = rounds.entry(target.identity()).or_insert_with(|| LastRound::new(target));
        let fault = matches!(result.outcome, Outcome::Fault(_));
        let mut samples = Vec::with_capacity(result.samples.len() + 2);
        if last.target != target.labels {
            samples.extend(std::mem::replace(last, LastRound::new(target)).end());
        }
        let mut written = Vec::with_capacity(result.samples.len());
        let mut previous = std::mem::take(&mut last.written);
        // Our own fault says nothing about the target: all its series end, as after a failed scrape.
        for sample in result.samples.iter().filter(|_| !fault) {
            // Rounds are alike, so that the labels of the last one nearly always serve again.
            let known = previous
                .iter()
                .position(|entry| {
                    std::ptr::eq(entry.metric, sample.metric) && entry.own == sample.labels
                })
                .map(|index| previous.swap_remove(index));
            let entry = known.unwrap_or_else(|| Written {
                metric: sample.metric,
                own: sample.labels.clone(),
                labels: sample_labels(&target.labels, sample.metric.name, &sample.labels),
            });
            samples.push((entry.labels.clone(), sample.value));
            written.push(entry);
        }
        samples.extend(previous.into_iter().map(|gone| (gone.labels, stale_marker())));
        samples.push((last.up.clone(), if fault { 0.0 } else { 1.0 }));
        samples.push((last.duration.clone(), result.elapsed.as_secs_f64()));
        last.written = written;
        samples
    }
}

impl Sink for Recorder {
    fn record(&self, target: &Target, started: Timestamp, mut result: ProbeResult) {
        add_promises(&mut result, &target.promises);
        let samples = self.round(target, &result);
        if let Err(error) = self.store.append(started, &samples) {
            error!(target = %target.instance, %error, "Samples lost: the store takes none.");
        }
        log_outcome(&self.results.watched(target, started, result).record);
    }

    fn forget(&self, target: &Target, at: Timestamp) {
        let identity = target.identity();
        self.results.forget(target);
        let Some(last) = lock(&self.last).remove(&identity) else { return };
        let samples: Vec<(Labels, f64)> = last.end().collect();
        if let Err(error) = self.store.append(at, &samples) {
            error!(target = %target.instance, %error, "Samples lost: the store takes none.");
        }
    }
}

/// The samples of a scrape of ourselves, as Prometheus would write them for `job="webservice-monitor"`: the rules about the
/// exporter then hold in both modes.
pub fn own_round(instance: &str, samples: &[OwnSample]) -> Vec<(Labels, f64)> {
    let target = Labels::new([("job", OWN_JOB), ("instance", instance)]);
    let own = samples
        .iter()
        .map(|sample| (sample_labels(&target, sample.metric.name, &sample.labels), sample.value));
    own.chain(std::iter::once((sample_labels(&target, UP, NO_LABELS), 1.0))).collect()
}

/// Says what a probe found. A target that is down is no error of ours, and a flaky one must not fill the log: that is what
/// alerts are for.
fn log_outcome(record: &ProbeRecord) {
    let instance = &*record.instance;
    let elapsed_seconds = record.result.elapsed.as_secs_f64();
    match &record.result.outcome {
        Outcome::Up => debug!(target: PROBE_LOG, instance, elapsed_seconds, "Probe succeeded."),
        Outcome::Down(failure) => {
            debug!(target: PROBE_LOG, instance, elapsed_seconds, phase = %failure.phase, reason = %failure.reason,
                detail = %failure.detail, "Probe failed.");
        }
        Outcome::Fault(failure) => {
            error!(instance, reason = %failure.reason, detail = %failure.detail,
                "Probe impossible: nothing is known about the target.");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use probe::{Failure, Phase, Reason};
    use series::{Matcher, Source as _, is_stale};

    use super::*;

    static SUCCESS: MetricDef = MetricDef { name: "probe_success", help: "" };
    static CODE: MetricDef = MetricDef { name: "probe_http_status_code", help: "" };

    fn target() -> Target {
        let module = probe::Module::builtin().remove("http_2xx").unwrap();
        Target {
            instance: "http://one/".to_owned(),
            address: module.target("http://one/").unwrap(),
            module: "http_2xx".to_owned(),
            internal_labels: Arc::default(),
            promises: Promises::default(),
            labels: Labels::new([
                ("job", "webservices"),
                ("instance", "http://one/"),
                ("phase", "beta"),
            ]),
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            origin: String::new(),
        }
    }

    fn result(outcome: Outcome, samples: Vec<Sample>) -> ProbeResult {
        ProbeResult {
            outcome,
            started: std::time::SystemTime::UNIX_EPOCH,
            elapsed: Duration::from_millis(20),
            timeout: Duration::from_secs(10),
            samples,
            notes: Vec::new(),
            evidence: probe::Evidence::default(),
        }
    }

    fn sample(metric: &'static MetricDef, value: f64) -> Sample {
        Sample { metric, labels: Vec::new(), value }
    }

    fn recorder() -> (Recorder, Arc<Store>) {
        let store = Arc::new(Store::in_memory());
        (Recorder::new(&Monitor::for_tests(), Arc::clone(&store)), store)
    }

    /// Every sample of the store as `labels => values`, with `stale` for a marker.
    fn contents(store: &Store) -> Vec<String> {
        let mut lines: Vec<String> = store
            .select(&[Matcher::equal("instance", "http://one/")], 0, i64::MAX)
            .unwrap()
            .iter()
            .map(|series| {
                let values: Vec<String> = series
                    .samples
                    .iter()
                    .map(|sample| {
                        if is_stale(sample.value) {
                            "stale".into()
                        } else {
                            sample.value.to_string()
                        }
                    })
                    .collect();
                format!("{} {}", series.labels.metric_name(), values.join(" "))
            })
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_round_writes_what_prometheus_would() {
        let (recorder, store) = recorder();
        let target = target();
        recorder.record(
            &target,
            1000,
            result(Outcome::Up, vec![sample(&SUCCESS, 1.0), sample(&CODE, 200.0)]),
        );
        let down = Outcome::Down(Failure::new(Phase::Connect, Reason::Refused, ""));
        recorder.record(&target, 2000, result(down, vec![sample(&SUCCESS, 0.0)]));
        let fault = Outcome::Fault(Failure::new(Phase::Internal, Reason::NoFds, ""));
        recorder.record(&target, 3000, result(fault, Vec::new()));
        recorder.forget(&target, 4000);
        assert_eq!(
            contents(&store),
            [
                "probe_http_status_code 200 stale",
                "probe_success 1 0 stale",
                "scrape_duration_seconds 0.02 0.02 0.02 stale",
                "up 1 1 0 stale",
            ]
        );
    }

    #[test]
    fn promises_are_samples_whether_the_target_is_up_or_not() {
        let (recorder, store) = recorder();
        let (alert_after, max_latency) = (Duration::from_mins(25), Duration::from_millis(300));
        let promises = Promises {
            alert_after: Some(alert_after),
            max_latency: Some(max_latency),
            slo: Some(0.9995),
        };
        let target = Target { promises, ..target() };
        recorder.record(&target, 1000, result(Outcome::Up, vec![sample(&SUCCESS, 1.0)]));
        let down = Outcome::Down(Failure::new(Phase::Connect, Reason::Refused, ""));
        recorder.record(&target, 2000, result(down, vec![sample(&SUCCESS, 0.0)]));
        assert_eq!(
            contents(&store),
            [
                "probe_success 1 0",
                "probe_target_alert_after_seconds 1500 1500",
                "probe_target_max_latency_seconds 0.3 0.3",
                "probe_target_slo_ratio 0.9995 0.9995",
                "scrape_duration_seconds 0.02 0.02",
                "up 1 1",
            ]
        );
    }

    #[test]
    fn series_of_edited_labels_end_where_the_new_ones_begin() {
        let (recorder, store) = recorder();
        let old = target();
        recorder.record(&old, 1000, result(Outcome::Up, vec![sample(&SUCCESS, 1.0)]));
        let new = Target { labels: old.labels.with("team", "shop"), ..target() };
        recorder.record(&new, 9000, result(Outcome::Up, vec![sample(&SUCCESS, 1.0)]));
        let found = store.select(&[Matcher::equal("__name__", "up")], 0, i64::MAX).unwrap();
        let mut found: Vec<_> = found
            .iter()
            .map(|series| {
                let last = series.samples.last().unwrap();
                (series.labels.get("team"), last.timestamp, is_stale(last.value))
            })
            .collect();
        found.sort();
        assert_eq!(found, [(None, 9000, true), (Some("shop"), 9000, false)]);
    }

    #[test]
    fn what_was_removed_or_edited_while_the_program_stood_still_ends_too() {
        let (recorder, store) = recorder();
        let [kept, edited, removed] = ["kept", "edited", "removed"].map(|instance| Target {
            instance: instance.to_owned(),
            labels: target().labels.with("instance", instance),
            ..target()
        });
        let up = || result(Outcome::Up, vec![sample(&SUCCESS, 1.0)]);
        for target in [&kept, &edited, &removed] {
            recorder.record(target, 900_000, up());
        }
        let now = Target { labels: edited.labels.with("team", "shop"), ..edited.clone() };
        let monitor = Monitor::for_tests_of(vec![Arc::new(kept), Arc::new(now.clone())]);
        let recorder = Recorder::new(&monitor, Arc::clone(&store));
        let stale = |instance: &str| {
            let matchers = [Matcher::equal("instance", instance)];
            let series = store.select(&matchers, 0, i64::MAX).unwrap();
            let stale = |series: &&series::Series| is_stale(series.samples.last().unwrap().value);
            (series.iter().filter(stale).count(), series.len())
        };
        assert_eq!([stale("kept"), stale("edited"), stale("removed")], [(0, 3), (0, 3), (3, 3)]);
        recorder.record(&now, 1_001_000, up());
        assert_eq!(stale("edited"), (3, 6));
    }

    #[test]
    fn a_label_of_the_target_wins_over_a_label_of_the_sample() {
        let labels = sample_labels(
            &target().labels,
            "probe_http_duration_seconds",
            &[("phase", Cow::Borrowed("tls"))],
        );
        assert_eq!(labels.get("phase"), Some("beta"));
        assert_eq!(labels.get("exported_phase"), Some("tls"));
    }
}
