//! When each target is probed, and the probing itself.
//!
//! [`plan`] is the timetable, [`worker`] follows it. Must not know what becomes of a result: it is handed to a [`Sink`].

pub mod plan;
mod skips;
pub mod worker;

use std::sync::Arc;

use series::Timestamp;

use crate::config::Target;

pub use plan::{Plan, first_round};
pub use worker::{Scheduler, Settings};

/// Where results go. No call waits for anything: probing must not stop for whoever takes a result.
pub trait Sink: Send + Sync + 'static {
    /// Takes the result of a probe of `target` that was begun at `started`.
    fn record(&self, target: &Arc<Target>, started: Timestamp, result: probe::ProbeResult);

    /// The target was removed: its series end at `at`.
    fn forget(&self, target: &Arc<Target>, at: Timestamp);
}
