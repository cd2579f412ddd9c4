//! A probe in progress: one deadline over everything, timed stages, bounded samples and notes.
//!
//! Must not know what is probed.

mod redaction;

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use notation::text::cut;
use tokio::time::{Instant, timeout_at};

use crate::{
    clocks::{DRIFT_MAX, Moment},
    report::{
        Evidence, Failure, Hop, Label, MetricDef, Outcome, Phase, ProbeResult, Reason, Sample,
        Stage, Warning, metric,
    },
};

/// The most samples that one probe may yield.
const SAMPLES_MAX: usize = 200;

/// How many samples and notes a usual probe yields: room for them is made once.
const SAMPLES_USUAL: usize = 24;
const NOTES_USUAL: usize = 6;

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 512;

/// The most notes: with their length, what the memory of one remembered probe is bounded by.
const NOTES_MAX: usize = 64;

/// The longest detail of a failure, in bytes.
const DETAIL_BYTES_MAX: usize = 512;

/// A probe in progress.
pub struct ProbeContext {
    started: Instant,
    began: Moment,
    timeout: Duration,
    /// When what is running now has to end: the probe's own deadline, or that of a part of it.
    until: Instant,
    times: [(Stage, Duration); 5],
    samples: Vec<Sample>,
    notes: Vec<(Duration, String)>,
    evidence: Evidence,
    secrets: Vec<String>,
    /// Whether the latest TLS connection ended without a farewell.
    tls_end: Option<Arc<AtomicBool>>,
    /// When the first certificate expires of those that the target and what it redirects to depend on, in Unix seconds.
    expiry: Option<i64>,
}

impl ProbeContext {
    /// Begins a probe that must end within `timeout`. `began` is what the clocks say now.
    pub(crate) fn start(began: Moment, timeout: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            until: started + timeout,
            began,
            timeout,
            times: Stage::ALL.map(|stage| (stage, Duration::ZERO)),
            samples: Vec::with_capacity(SAMPLES_USUAL),
            notes: Vec::with_capacity(NOTES_USUAL),
            evidence: Evidence::default(),
            secrets: Vec::new(),
            tls_end: None,
            expiry: None,
        }
    }

    /// The wall-clock time at which the probe began.
    pub fn started_at(&self) -> SystemTime {
        self.began.wall()
    }

    /// Runs one stage. When the deadline passes, this stage is what timed out.
    ///
    /// # Errors
    /// Those of the work, and the timeout.
    pub fn stage<T>(
        &mut self,
        phase: Phase,
        stage: Stage,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        self.stage_within(self.timeout, phase, stage, work)
    }

    /// Runs one stage that must not use up all of the time: at most `budget`.
    ///
    /// # Errors
    /// As [`ProbeContext::stage`].
    pub fn stage_within<T>(
        &mut self,
        budget: Duration,
        phase: Phase,
        stage: Stage,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        // Boxed here and not further in: a future that is handed on is held once by each function that it passes through.
        self.timed(budget, phase, stage, Box::pin(work))
    }

    async fn timed<T>(
        &mut self,
        budget: Duration,
        phase: Phase,
        stage: Stage,
        work: Pin<Box<impl Future<Output = Result<T, Failure>>>>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let until = (begun + budget).min(self.until);
        let outcome = timeout_at(until, work).await;
        let elapsed = begun.elapsed();
        for (known, sum) in &mut self.times {
            if *known == stage {
                *sum += elapsed;
            }
        }
        if let Some(hop) = self.evidence.hop() {
            hop.add_time(stage, elapsed);
        }
        let outcome = outcome.unwrap_or_else(|_| {
            let detail = format!("no end within {:.3} s", budget.as_secs_f64());
            Err(Failure::new(phase, Reason::Timeout, detail))
        });
        // A timer of ours that is so late says that nobody ran us: what failed meanwhile is not the target's fault.
        let late = until.elapsed();
        if outcome.is_err() && late > self.timeout / 2 {
            let detail = format!("nothing ran for {:.3} s after the deadline", late.as_secs_f64());
            return Err(Failure::new(Phase::Internal, Reason::Overload, detail));
        }
        outcome
    }

    /// How long the probe may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long the probe may still take.
    pub fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Begins one of `parts` equal parts of the time that is left, so that one that hangs leaves time for the others. Gives
    /// back what [`ProbeContext::end_share`] takes.
    pub fn begin_share(&mut self, parts: u32) -> Instant {
        let whole = self.until;
        self.until = Instant::now() + self.time_left() / parts.max(1);
        whole
    }

    /// Ends a part of the time.
    pub fn end_share(&mut self, whole: Instant) {
        self.until = whole;
    }

    /// How long a stage took so far, all redirects together.
    pub fn time(&self, stage: Stage) -> Duration {
        self.times.iter().find(|(known, _)| *known == stage).map_or(Duration::ZERO, |(_, sum)| *sum)
    }

    /// Takes a measured number in.
    pub fn sample(&mut self, metric: &'static MetricDef, value: f64) {
        self.labelled(metric, Vec::<Label>::new(), value);
    }

    /// Takes a measured number with labels in. The number of samples is bounded.
    pub fn labelled(
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

    /// Forgets the numbers of a metric, for those that only the last redirect counts for.
    pub fn forget(&mut self, metrics: &[&'static MetricDef]) {
        self.samples
            .retain(|sample| !metrics.iter().any(|metric| std::ptr::eq(*metric, sample.metric)));
    }

    /// Writes a line for people who ask what the probe did.
    pub fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((self.started.elapsed(), self.told(note.into(), NOTE_BYTES_MAX)));
        }
    }

    /// Writes several lines.
    pub(crate) fn notes(&mut self, notes: Vec<String>) {
        for note in notes {
            self.note(note);
        }
    }

    /// Begins a request, to which everything belongs that is told of the evidence from now on.
    pub fn begin_hop(&mut self, hop: Hop) {
        self.evidence.begin(hop);
    }

    /// The request in progress, to add what was seen of its answer.
    pub fn hop(&mut self) -> Option<&mut Hop> {
        self.evidence.hop()
    }

    /// Watches the end of another TLS connection, which is worth a warning when the flag is set: it came without a farewell.
    pub(crate) fn watch_tls_end(&mut self, cut_short: Arc<AtomicBool>) {
        self.look_at_tls_end();
        self.tls_end = Some(cut_short);
    }

    fn look_at_tls_end(&mut self) {
        if self.tls_end.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            self.warn(Warning::NoCloseNotify);
        }
    }

    /// Takes in when the certificates of one TLS connection expire, in seconds since the Unix epoch.
    pub(crate) fn expires(&mut self, expiry: i64) {
        self.expiry = Some(self.expiry.map_or(expiry, |known| known.min(expiry)));
    }

    /// Begins what is neither the target nor what it redirects to, such as a proxy: its certificates do not count. Gives back
    /// what [`ProbeContext::end_aside`] takes.
    pub(crate) fn begin_aside(&self) -> Option<i64> {
        self.expiry
    }

    /// Ends it.
    pub(crate) fn end_aside(&mut self, expiry: Option<i64>) {
        self.expiry = expiry;
    }

    /// Tells of something wrong with an answer that is accepted all the same.
    pub fn warn(&mut self, warning: Warning) {
        self.evidence.warn(warning);
    }

    /// Names a secret that the probe uses: it is hidden in everything that is told of the probe from now on.
    ///
    /// What white space is around it may be lost on the way, and is no secret.
    pub fn conceal(&mut self, secret: &str) {
        let secret = secret.trim();
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            // The longest first: one that is a part of another must not leave the rest of that to be seen.
            let longer = self.secrets.partition_point(|known| known.len() >= secret.len());
            self.secrets.insert(longer, secret.to_owned());
        }
    }

    /// A text as it may be told: without secrets, and not too long.
    fn told(&self, mut text: String, bytes_max: usize) -> String {
        redaction::conceal(&mut text, &self.secrets);
        cut(&mut text, bytes_max);
        text
    }

    /// Nothing that was measured while the machine slept says anything about the target. A time of day that was set
    /// disturbs no duration, but may explain what is said of a certificate.
    fn judge_clocks(&mut self, now: &Moment) -> Result<(), Failure> {
        let asleep = self.began.asleep_until(now);
        if asleep > DRIFT_MAX {
            let detail = format!("the machine slept for {:.0} s meanwhile", asleep.as_secs_f64());
            return Err(Failure::new(Phase::Internal, Reason::Cancelled, detail));
        }
        let step = self.began.step_until(now);
        if step > DRIFT_MAX {
            self.warn(Warning::ClockStep);
            self.note(format!("the time of day was set by {:.0} s meanwhile", step.as_secs_f64()));
        }
        Ok(())
    }

    /// Ends the probe. `ended` is what the clocks say now.
    pub(crate) fn finish(mut self, outcome: Result<(), Failure>, ended: &Moment) -> ProbeResult {
        let elapsed = self.started.elapsed();
        let outcome = match self.judge_clocks(ended).and(outcome) {
            Ok(()) => Outcome::Up,
            Err(failure) => {
                let detail = self.told(failure.detail, DETAIL_BYTES_MAX);
                let failure = Failure { detail, ..failure };
                if failure.phase == Phase::Internal {
                    Outcome::Fault(failure)
                } else {
                    Outcome::Down(failure)
                }
            }
        };
        let sample = |metric, value| Sample { metric, labels: Vec::new(), value };
        self.look_at_tls_end();
        self.evidence.seal(|text| redaction::conceal(text, &self.secrets));
        let mut samples = self.samples;
        #[expect(clippy::cast_precision_loss, reason = "seconds of any date fit into 53 bits")]
        samples.extend(self.expiry.map(|expiry| sample(&metric::SSL_HOPS_EXPIRY, expiry as f64)));
        samples.push(sample(&metric::DURATION, elapsed.as_secs_f64()));
        samples.push(sample(&metric::TIMEOUT, self.timeout.as_secs_f64()));
        samples.push(sample(&metric::SUCCESS, if outcome == Outcome::Up { 1.0 } else { 0.0 }));
        if let Outcome::Down(failure) = &outcome {
            let labels = vec![
                ("phase".into(), failure.phase.as_str().into()),
                ("reason".into(), failure.reason.as_str().into()),
            ];
            samples.push(Sample { metric: &metric::FAILURE, labels, value: 1.0 });
        }
        for warning in &self.evidence.warnings {
            let labels = vec![("warning".into(), warning.as_str().into())];
            samples.push(Sample { metric: &metric::WARNING, labels, value: 1.0 });
        }
        // Samples of one metric stand together, as the exposition wants them.
        samples.sort_by_key(|sample| sample.metric.name);
        ProbeResult {
            outcome,
            started: self.began.wall(),
            elapsed,
            timeout: self.timeout,
            samples,
            notes: self.notes,
            evidence: self.evidence,
        }
    }
}

#[cfg(test)]
mod tests;
