//! The verdict on one probe: what the clocks say about it, when the certificates expire that it depends on, and the outcome.
//!
//! Must not know what was probed.

use std::time::{Duration, SystemTime};

use crate::{
    clocks::{DRIFT_MAX, Moment},
    report::{Evidence, Failure, Outcome, Phase, Reason, Sample, metric},
};

/// What the verdict is based on, besides the outcome of the kind.
pub(super) struct Verdict {
    began: Moment,
    /// When the first certificate expires of those that the target and what it redirects to depend on, in Unix seconds.
    expiry: Option<i64>,
}

impl Verdict {
    /// For a probe that begins now.
    pub(super) fn new(began: Moment) -> Self {
        Self { began, expiry: None }
    }

    /// The time of day at which the probe began.
    pub(super) fn started_at(&self) -> SystemTime {
        self.began.wall()
    }

    /// Notes when the certificates of one TLS connection expire, in seconds since the Unix epoch.
    pub(super) fn expires(&mut self, expiry: i64) {
        self.expiry = Some(self.expiry.map_or(expiry, |known| known.min(expiry)));
    }

    /// When the first certificate so far expires.
    pub(super) fn expiry(&self) -> Option<i64> {
        self.expiry
    }

    /// Restores an earlier value.
    pub(super) fn restore_expiry(&mut self, expiry: Option<i64>) {
        self.expiry = expiry;
    }

    /// Nothing that was measured while the machine slept says anything about the target.
    pub(super) fn slept(&self, ended: &Moment) -> Result<(), Failure> {
        let asleep = self.began.asleep_until(ended);
        if asleep > DRIFT_MAX {
            let detail = format!("the machine slept for {:.0} s meanwhile", asleep.as_secs_f64());
            return Err(Failure::new(Phase::Internal, Reason::Cancelled, detail));
        }
        Ok(())
    }

    /// By how much the time of day was set meanwhile. It disturbs no duration, but may explain what is said of a certificate.
    pub(super) fn clock_step(&self, ended: &Moment) -> Option<Duration> {
        Some(self.began.step_until(ended)).filter(|step| *step > DRIFT_MAX)
    }

    /// The samples that every probe yields. `elapsed` is how long it took.
    pub(super) fn add_samples(
        &self,
        samples: &mut Vec<Sample>,
        outcome: &Outcome,
        evidence: &Evidence,
        elapsed: Duration,
        timeout: Duration,
    ) {
        let sample = |metric, value| Sample { metric, labels: Vec::new(), value };
        #[expect(clippy::cast_precision_loss, reason = "seconds of any date fit into 53 bits")]
        samples.extend(self.expiry.map(|expiry| sample(&metric::SSL_HOPS_EXPIRY, expiry as f64)));
        samples.push(sample(&metric::DURATION, elapsed.as_secs_f64()));
        samples.push(sample(&metric::TIMEOUT, timeout.as_secs_f64()));
        samples.push(sample(&metric::SUCCESS, if *outcome == Outcome::Up { 1.0 } else { 0.0 }));
        if let Outcome::Down(failure) = outcome {
            let labels = vec![
                ("phase".into(), failure.phase.as_str().into()),
                ("reason".into(), failure.reason.as_str().into()),
            ];
            samples.push(Sample { metric: &metric::FAILURE, labels, value: 1.0 });
        }
        for warning in &evidence.warnings {
            let labels = vec![("warning".into(), warning.as_str().into())];
            samples.push(Sample { metric: &metric::WARNING, labels, value: 1.0 });
        }
        // Samples of one metric are adjacent, as the text format requires.
        samples.sort_by_key(|sample| sample.metric.name);
    }
}

/// The outcome of a probe, by what its kind found. An internal failure says nothing about the target.
pub(super) fn outcome(found: Result<(), Failure>) -> Outcome {
    match found {
        Ok(()) => Outcome::Up,
        Err(failure) if failure.phase == Phase::Internal => Outcome::Fault(failure),
        Err(failure) => Outcome::Down(failure),
    }
}
