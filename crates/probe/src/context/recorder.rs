//! What one probe measured and saw: samples, notes, evidence, the time of each stage. Bounded, whatever the target sends.
//!
//! Must not know what is secret: texts come without secrets, but for those of the evidence, which is sealed at the end.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::report::{Evidence, Hop, MetricDef, Sample, Stage, Warning};

/// The most samples that one probe may yield.
const SAMPLES_MAX: usize = 200;

/// How many samples and notes a usual probe yields: room for them is made once.
const SAMPLES_USUAL: usize = 24;
const NOTES_USUAL: usize = 6;

/// The most notes: with their length, what the memory of one remembered probe is bounded by.
const NOTES_MAX: usize = 64;

/// The records of one probe.
pub(super) struct Recorder {
    times: [(Stage, Duration); 5],
    samples: Vec<Sample>,
    notes: Vec<(Duration, String)>,
    evidence: Evidence,
    /// Set when the latest TLS connection ends without `close_notify`.
    tls_end: Option<Arc<AtomicBool>>,
}

/// What was recorded, at the end.
pub(super) struct Records {
    pub(super) samples: Vec<Sample>,
    pub(super) notes: Vec<(Duration, String)>,
    pub(super) evidence: Evidence,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            times: Stage::ALL.map(|stage| (stage, Duration::ZERO)),
            samples: Vec::with_capacity(SAMPLES_USUAL),
            notes: Vec::with_capacity(NOTES_USUAL),
            evidence: Evidence::default(),
            tls_end: None,
        }
    }

    /// How long a stage took so far, all redirects together.
    pub(super) fn time(&self, stage: Stage) -> Duration {
        let found = self.times.iter().find(|(known, _)| *known == stage);
        found.map_or(Duration::ZERO, |(_, sum)| *sum)
    }

    /// Adds to the time of a stage, and to that of the request in progress.
    pub(super) fn add_time(&mut self, stage: Stage, elapsed: Duration) {
        for (known, sum) in &mut self.times {
            if *known == stage {
                *sum += elapsed;
            }
        }
        if let Some(hop) = self.evidence.hop() {
            hop.add_time(stage, elapsed);
        }
    }

    /// Adds a sample, unless there are too many.
    pub(super) fn sample(
        &mut self,
        metric: &'static MetricDef,
        labels: Vec<(impl Into<Cow<'static, str>>, Cow<'static, str>)>,
        value: f64,
    ) {
        if self.samples.len() < SAMPLES_MAX {
            let labels = labels.into_iter().map(|(name, value)| (name.into(), value)).collect();
            self.samples.push(Sample { metric, labels, value });
        }
    }

    /// Removes the samples of these metrics.
    pub(super) fn forget(&mut self, metrics: &[&'static MetricDef]) {
        self.samples
            .retain(|sample| !metrics.iter().any(|metric| std::ptr::eq(*metric, sample.metric)));
    }

    /// Whether there is room for another note.
    pub(super) fn takes_notes(&self) -> bool {
        self.notes.len() < NOTES_MAX
    }

    /// Adds a note, unless there are too many.
    pub(super) fn note(&mut self, at: Duration, text: String) {
        if self.takes_notes() {
            self.notes.push((at, text));
        }
    }

    /// Begins a request, to which all evidence belongs from now on.
    pub(super) fn begin_hop(&mut self, hop: Hop) {
        self.evidence.begin(hop);
    }

    /// The request in progress.
    pub(super) fn hop(&mut self) -> Option<&mut Hop> {
        self.evidence.hop()
    }

    /// Adds a warning, once.
    pub(super) fn warn(&mut self, warning: Warning) {
        self.evidence.warn(warning);
    }

    /// Watches the end of another TLS connection.
    pub(super) fn watch_tls_end(&mut self, cut_short: Arc<AtomicBool>) {
        self.look_at_tls_end();
        self.tls_end = Some(cut_short);
    }

    fn look_at_tls_end(&mut self) {
        if self.tls_end.as_ref().is_some_and(|cut_short| cut_short.load(Ordering::Relaxed)) {
            self.warn(Warning::NoCloseNotify);
        }
    }

    /// Ends the records. `hide` hides what is secret.
    pub(super) fn finish(mut self, hide: impl Fn(&mut String)) -> Records {
        self.look_at_tls_end();
        self.evidence.seal(hide);
        let Self { samples, notes, evidence, .. } = self;
        Records { samples, notes, evidence }
    }
}
