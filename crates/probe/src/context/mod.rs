//! A probe in progress: one deadline over everything, what is recorded, which secrets are hidden, and the verdict.
//!
//! Must not know what is probed, nor how the network is used.

mod deadline;
mod recorder;
mod redaction;
mod verdict;

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, timeout_at};

use self::{
    deadline::Deadline,
    recorder::{Recorder, Records},
    redaction::Redaction,
    verdict::Verdict,
};
use crate::{
    clocks::Moment,
    report::{Failure, Hop, Label, MetricDef, Phase, ProbeResult, Stage, Warning},
};

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 512;

/// The longest detail of a failure, in bytes.
const DETAIL_BYTES_MAX: usize = 512;

/// A probe in progress.
pub(crate) struct ProbeContext {
    deadline: Deadline,
    recorder: Recorder,
    redaction: Redaction,
    verdict: Verdict,
}

impl ProbeContext {
    /// Begins a probe that must end within `timeout`. `began` is what the clocks say now.
    pub(crate) fn start(began: Moment, timeout: Duration) -> Self {
        Self {
            deadline: Deadline::start(timeout),
            recorder: Recorder::new(),
            redaction: Redaction::default(),
            verdict: Verdict::new(began),
        }
    }

    /// The wall-clock time at which the probe began.
    pub(crate) fn started_at(&self) -> SystemTime {
        self.verdict.started_at()
    }

    /// Runs one stage. When the deadline passes, this stage is what timed out.
    ///
    /// # Errors
    /// Those of the work, and the timeout.
    pub(crate) fn stage<T>(
        &mut self,
        phase: Phase,
        stage: Stage,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        self.stage_within(self.timeout(), phase, stage, work)
    }

    /// Runs one stage that must not use up all of the time: at most `budget`.
    ///
    /// # Errors
    /// As [`ProbeContext::stage`].
    pub(crate) fn stage_within<T>(
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
        let end = self.deadline.end_of_stage(budget);
        let ended = timeout_at(end, work).await;
        self.recorder.add_time(stage, begun.elapsed());
        self.deadline.judge((budget, end), phase, ended)
    }

    /// How long the probe may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.deadline.timeout()
    }

    /// How long what is running now may still take.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.time_left()
    }

    /// Does something within one of `parts` equal parts of the time that is left, so that what hangs leaves time for the
    /// others.
    pub(crate) async fn share<T>(
        &mut self,
        parts: u32,
        work: impl AsyncFnOnce(&mut Self) -> T,
    ) -> T {
        let part = self.deadline.end_of_part(parts);
        let whole = self.deadline.set_end(part);
        let outcome = work(self).await;
        self.deadline.set_end(whole);
        outcome
    }

    /// Does something with what is neither the target nor what it redirects to, such as a proxy: the target does not depend on
    /// its certificates.
    pub(crate) async fn aside<T>(&mut self, work: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let expiry = self.verdict.expiry();
        let outcome = work(self).await;
        self.verdict.restore_expiry(expiry);
        outcome
    }

    /// How long a stage took so far, all redirects together.
    pub(crate) fn time(&self, stage: Stage) -> Duration {
        self.recorder.time(stage)
    }

    /// Records a measured number.
    pub(crate) fn sample(&mut self, metric: &'static MetricDef, value: f64) {
        self.labelled(metric, Vec::<Label>::new(), value);
    }

    /// Records a measured number with labels. The number of samples is bounded.
    pub(crate) fn labelled(
        &mut self,
        metric: &'static MetricDef,
        labels: Vec<(impl Into<Cow<'static, str>>, Cow<'static, str>)>,
        value: f64,
    ) {
        self.recorder.sample(metric, labels, value);
    }

    /// Removes the numbers of a metric, for those that only the last redirect counts for.
    pub(crate) fn forget(&mut self, metrics: &[&'static MetricDef]) {
        self.recorder.forget(metrics);
    }

    /// Writes a line for people who ask what the probe did. The number of lines and their length are bounded.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        if self.recorder.takes_notes() {
            let text = self.redaction.shown(note.into(), NOTE_BYTES_MAX);
            self.recorder.note(self.deadline.elapsed(), text);
        }
    }

    /// Writes several lines.
    pub(crate) fn notes(&mut self, notes: Vec<String>) {
        for note in notes {
            self.note(note);
        }
    }

    /// Begins a request, to which all evidence belongs from now on.
    pub(crate) fn begin_hop(&mut self, hop: Hop) {
        self.recorder.begin_hop(hop);
    }

    /// The request in progress, to add what was seen of its answer.
    pub(crate) fn hop(&mut self) -> Option<&mut Hop> {
        self.recorder.hop()
    }

    /// Watches the end of another TLS connection, which is worth a warning when the flag is set: it came without `close_notify`.
    pub(crate) fn watch_tls_end(&mut self, cut_short: Arc<AtomicBool>) {
        self.recorder.watch_tls_end(cut_short);
    }

    /// Notes when the certificates of one TLS connection expire, in seconds since the Unix epoch.
    pub(crate) fn expires(&mut self, expiry: i64) {
        self.verdict.expires(expiry);
    }

    /// Records something wrong with an answer that is accepted anyway.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.recorder.warn(warning);
    }

    /// Names a secret that the probe uses: it is hidden in everything that is recorded from now on, and in all evidence.
    ///
    /// White space around it may be lost in transit, and is not part of the secret.
    pub(crate) fn conceal(&mut self, secret: &str) {
        self.redaction.conceal(secret);
    }

    /// Ends the probe. `ended` is what the clocks say now.
    pub(crate) fn finish(mut self, found: Result<(), Failure>, ended: &Moment) -> ProbeResult {
        let elapsed = self.deadline.elapsed();
        let slept = self.verdict.slept(ended);
        if slept.is_ok()
            && let Some(step) = self.verdict.clock_step(ended)
        {
            self.warn(Warning::ClockStep);
            self.note(format!("the time of day was set by {:.0} s meanwhile", step.as_secs_f64()));
        }
        let Self { deadline, recorder, redaction, verdict } = self;
        let outcome = verdict::outcome(slept.and(found).map_err(|failure| Failure {
            detail: redaction.shown(failure.detail, DETAIL_BYTES_MAX),
            ..failure
        }));
        let Records { mut samples, notes, evidence } = recorder.finish(|text| redaction.hide(text));
        let timeout = deadline.timeout();
        verdict.add_samples(&mut samples, &outcome, &evidence, elapsed, timeout);
        ProbeResult {
            outcome,
            started: verdict.started_at(),
            elapsed,
            timeout,
            samples,
            notes,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests;
