//! What a probe found: plain values that the exporter, the store, the log and the pages all read.
//!
//! Must not know how the result is used.

use std::time::{Duration, SystemTime};

use super::{evidence::Evidence, failure::Failure, metric::Sample};

/// The outcome of one probe of one target, with everything it measured.
#[derive(Clone, Debug)]
pub struct ProbeResult {
    /// Whether the target is up, is down, or could not be judged.
    pub outcome: Outcome,
    /// The wall-clock time at which the probe began.
    pub started: SystemTime,
    /// How long the probe took.
    pub elapsed: Duration,
    /// The effective timeout.
    pub timeout: Duration,
    /// All samples, `probe_success` and `probe_duration_seconds` included, grouped by metric.
    pub samples: Vec<Sample>,
    /// The trace for people (`debug=true`): offset from the start and one line each; bounded.
    pub notes: Vec<(Duration, String)>,
    /// What was seen, for people; bounded, secrets hidden.
    pub evidence: Evidence,
}

/// The judgement of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All expectations were met.
    Up,
    /// The target failed.
    Down(Failure),
    /// The probe itself failed: nothing can be said about the target, and nothing must be recorded about it.
    Fault(Failure),
}
