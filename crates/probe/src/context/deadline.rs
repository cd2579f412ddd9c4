//! How long a probe may take, and how much of that is left to what is running now.
//!
//! Must not know what runs, nor what is recorded of it.

use std::time::Duration;

use tokio::time::{Instant, error::Elapsed};

use crate::report::{Failure, Phase, Reason};

/// The deadline of a probe.
#[derive(Debug)]
pub(super) struct Deadline {
    started: Instant,
    timeout: Duration,
    /// When what is running now has to end: the probe's own deadline, or that of a part of it.
    until: Instant,
}

impl Deadline {
    /// The time runs from now.
    pub(super) fn start(timeout: Duration) -> Self {
        let started = Instant::now();
        Self { started, timeout, until: started + timeout }
    }

    /// How long the whole probe may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long the probe has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long what is running now may still take.
    pub(super) fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// When one of `parts` equal parts of the time that is left is over.
    pub(super) fn end_of_part(&self, parts: u32) -> Instant {
        Instant::now() + self.time_left() / parts.max(1)
    }

    /// Sets when what is running now has to end, and returns what it was.
    pub(super) fn set_end(&mut self, end: Instant) -> Instant {
        std::mem::replace(&mut self.until, end)
    }

    /// When a stage has to end that begins now and may take `budget` at most.
    pub(super) fn end_of_stage(&self, budget: Duration) -> Instant {
        (Instant::now() + budget).min(self.until)
    }

    /// What became of a stage that had to end at `end`. When the time was over, `phase` is what timed out.
    pub(super) fn judge<T>(
        &self,
        (budget, end): (Duration, Instant),
        phase: Phase,
        ended: Result<Result<T, Failure>, Elapsed>,
    ) -> Result<T, Failure> {
        let outcome = ended.unwrap_or_else(|_| {
            let detail = format!("no end within {:.3} s", budget.as_secs_f64());
            Err(Failure::new(phase, Reason::Timeout, detail))
        });
        // A timer that is so late says that nothing was run here: what failed meanwhile is not the target's fault.
        let late = end.elapsed();
        if outcome.is_err() && late > self.timeout / 2 {
            let detail = format!("nothing ran for {:.3} s after the deadline", late.as_secs_f64());
            return Err(Failure::new(Phase::Internal, Reason::Overload, detail));
        }
        outcome
    }
}
