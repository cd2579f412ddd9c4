//! A finished probe as it is remembered: values only.
//!
//! Must not know how it is remembered.

use std::{sync::Arc, time::Duration};

use probe::{Evidence, Outcome};
use series::Timestamp;

/// One finished probe.
#[derive(Debug)]
pub struct ProbeRecord {
    /// A number that rises with each probe: the `id` of `/logs`.
    pub id: u64,
    /// The target as the user wrote it.
    pub instance: Arc<str>,
    /// The module's name.
    pub module: String,
    /// The place that the target's label `prober` names; empty for what was asked for.
    pub prober: String,
    /// When the probe began.
    pub started: Timestamp,
    /// What it found. Its notes and its evidence are apart, in its [`Trace`], because they are not kept for as long.
    pub result: probe::ProbeResult,
}

/// Why a target was probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is one of the targets of the configuration.
    Watched,
    /// Somebody asked for it with `/probe`.
    Asked,
}

/// What a probe noted and saw: the bulk of what is remembered of it.
#[derive(Debug, Default)]
pub struct Trace {
    /// What it did: offset from the start and one line each.
    pub notes: Vec<(Duration, String)>,
    /// What it saw.
    pub evidence: Evidence,
}

/// A probe that is remembered in full.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// What it found.
    pub record: Arc<ProbeRecord>,
    /// What it noted and saw.
    pub trace: Arc<Trace>,
}

impl Remembered {
    /// Whether the probe found its target up.
    pub fn is_up(&self) -> bool {
        self.record.result.outcome == Outcome::Up
    }
}
