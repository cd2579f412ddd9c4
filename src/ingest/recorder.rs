//! The two ends of the queue into the store: the recorder takes results from the scheduler, the writer stores them.
//!
//! Pages and API see a result at once; the store gets it as soon as the writer comes to it. Neither waits for a disk: what is stored is
//! in memory, and [`super::Disk`] writes it to disk. Must not know when probes are made.

use std::sync::{Arc, Mutex};

use probe::{Outcome, ProbeResult};
use series::{Appender as _, Labels, Timestamp, stale_marker, store::Store};
use tracing::{debug, error};

use super::{
    earlier,
    labels::OWN_JOB,
    promises::add_promises,
    queue::{Entry, Queue},
    rounds::Rounds,
};
use crate::{
    config::Target,
    schedule::Sink,
    state::{Monitor, ProbeRecord, Results, lock},
    telemetry::{Collect, OwnSample, log::PROBE_LOG},
};

/// Takes in results and samples. The last one that is dropped lets the writer end.
pub struct Recorder {
    results: Results,
    queue: Arc<Queue>,
}

/// Stores what the recorder took in, in its order.
pub struct Writer {
    store: Arc<Store>,
    queue: Arc<Queue>,
    /// Only the writer looks at them.
    rounds: Mutex<Rounds>,
}

/// A recorder and its writer for a monitor with a store, from before whose start the store may have series: those of targets that
/// were removed while the program was stopped end now, those of labels that were edited with the first probe.
pub fn channel(monitor: &Monitor, store: Arc<Store>) -> (Recorder, Arc<Writer>) {
    let now = monitor.now();
    let found = earlier::find(&store, &monitor.config().targets, now);
    let rounds = found.and_then(|earlier| {
        let gone = earlier.gone.into_iter().map(|labels| (labels, stale_marker()));
        store.append(now, &gone.collect::<Vec<_>>())?;
        Ok(Rounds::after(earlier.edited))
    });
    let rounds = rounds.unwrap_or_else(|error| {
        error!(%error, "Series of removed targets stay for some minutes.");
        Rounds::default()
    });
    let queue = Arc::new(Queue::default());
    let writer = Writer { store, queue: Arc::clone(&queue), rounds: Mutex::new(rounds) };
    (Recorder { results: monitor.results(), queue }, Arc::new(writer))
}

impl Recorder {
    /// Takes in samples of the program about itself.
    pub fn record_own(&self, at: Timestamp, samples: Vec<(Labels, f64)>) {
        self.queue.push(Entry::Own { at, samples });
    }
}

impl Sink for Recorder {
    fn record(&self, target: &Arc<Target>, started: Timestamp, mut result: ProbeResult) {
        add_promises(&mut result, &target.promises);
        let record = self.results.watched(target, started, result).record;
        log_outcome(&record);
        self.queue.push(Entry::Result { target: Arc::clone(target), record });
    }

    fn forget(&self, target: &Arc<Target>, at: Timestamp) {
        self.results.forget(target);
        self.queue.push(Entry::Removed { target: Arc::clone(target), at });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Writer {
    /// Stores until the recorder is dropped and nothing is left.
    pub async fn run(self: Arc<Self>) {
        loop {
            let writer = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || writer.write_all()).await {
                Ok(()) => return,
                Err(error) => {
                    error!(%error, "A result was not stored because of a programming error.");
                }
            }
        }
    }

    fn write_all(&self) {
        while let Some(entry) = self.queue.pop() {
            self.write(entry);
        }
    }

    fn write(&self, entry: Entry) {
        match entry {
            Entry::Result { target, record } => {
                let samples = lock(&self.rounds).round(&target, &record.result);
                self.append(record.started, &target.instance, &samples);
            }
            Entry::Removed { target, at } => {
                let samples = lock(&self.rounds).end(&target);
                self.append(at, &target.instance, &samples);
            }
            Entry::Own { at, samples } => self.append(at, OWN_JOB, &samples),
        }
    }

    fn append(&self, at: Timestamp, target: &str, samples: &[(Labels, f64)]) {
        if let Err(error) = self.store.append(at, samples) {
            error!(target, %error, "Samples lost: the store takes none.");
        }
    }
}

impl Collect for Writer {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        self.queue.collect(samples);
    }
}

/// Logs what a probe found. A target that is down is no error of the program, and a flaky one must not fill the log: that is what
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
pub(super) mod tests {
    use std::time::Duration;

    use probe::{Failure, MetricDef, Phase, Reason, Sample};
    use series::{Matcher, Queryable as _, is_stale};

    use super::*;
    use crate::config::Promises;

    static SUCCESS: MetricDef = MetricDef { name: "probe_success", help: "" };
    static CODE: MetricDef = MetricDef { name: "probe_http_status_code", help: "" };

    pub(in crate::ingest) fn target() -> Target {
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

    /// A recorder whose writer stores at once.
    struct Both(Recorder, Arc<Writer>);

    impl Both {
        fn record(&self, target: &Target, started: Timestamp, result: ProbeResult) {
            self.0.record(&Arc::new(target.clone()), started, result);
            self.write();
        }

        fn forget(&self, target: &Target, at: Timestamp) {
            self.0.forget(&Arc::new(target.clone()), at);
            self.write();
        }

        fn write(&self) {
            while self.1.queue.len() > 0 {
                self.1.queue.pop().into_iter().for_each(|entry| self.1.write(entry));
            }
        }
    }

    fn recorder_of(monitor: &Monitor, store: &Arc<Store>) -> Both {
        let (recorder, writer) = channel(monitor, Arc::clone(store));
        Both(recorder, writer)
    }

    fn recorder() -> (Both, Arc<Store>) {
        let store = Arc::new(Store::in_memory());
        (recorder_of(&Monitor::for_tests(), &store), store)
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
    fn what_was_removed_or_edited_while_the_program_was_stopped_ends_too() {
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
        let recorder = recorder_of(&monitor, &store);
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

    #[tokio::test]
    async fn the_writer_stores_what_was_taken_in_before_the_end_and_ends() {
        let store = Arc::new(Store::in_memory());
        let (recorder, writer) = channel(&Monitor::for_tests(), Arc::clone(&store));
        let target = Arc::new(target());
        for at in 0..100 {
            recorder.record(&target, at * 1000, result(Outcome::Up, vec![sample(&SUCCESS, 1.0)]));
        }
        recorder.forget(&target, 100_000);
        drop(recorder);
        writer.run().await;
        assert_eq!(store.statistics().samples, 303);
    }
}
