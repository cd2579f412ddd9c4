//! When each target is probed, and the probing itself.
//!
//! [`plan`] is the timetable, [`worker`] follows it. Must not know what becomes of a result: it is handed to a [`Sink`].

pub mod plan;
pub mod worker;

use series::Timestamp;

use crate::config::Target;

pub use plan::{Plan, first_round};
pub use worker::{Scheduler, Settings};

/// Where results go.
pub trait Sink: Send + Sync + 'static {
    /// Takes the result of a probe of `target` that was begun at `started`.
    fn record(&self, target: &Target, started: Timestamp, result: probe::ProbeResult);

    /// The target was removed: its series end at `at`.
    fn forget(&self, target: &Target, at: Timestamp);
}
