//! When each target is probed, and the probing itself.
//!
//! [`plan`] is the timetable, [`worker`] follows it. Must not know what becomes of a result: it is handed to a [`Sink`].

pub mod plan;
pub mod worker;

use series::Timestamp;

use crate::config::Target;

pub use plan::Plan;
pub use worker::{Scheduler, Settings};

/// Where results go.
pub trait Sink: Send + Sync + 'static {
    /// Takes the result of a probe of `target` that was begun at `started`.
    fn record(&self, target: &Target, started: Timestamp, result: probe::ProbeResult);

    /// The target is no longer probed as it was, as of `at`: its series end there.
    fn forget(&self, target: &Target, at: Timestamp);

    /// The target was removed: nothing of its address is watched any more.
    fn retire(&self, target: &Target);
}
