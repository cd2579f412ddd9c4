//! What the pages ask of the past, of the rules and of the alerts, in their words.
//!
//! The embedded store and the published rule groups answer it ([`Embedded`]); whatever has the same samples can. Must not know how
//! an answer is shown, nor what the running program keeps in memory.

mod alert;
mod embedded;
mod past;
mod window;

use std::collections::HashMap;

use series::Timestamp;

pub use self::{
    alert::{Alert, RuleSummary},
    embedded::Embedded,
    past::{Availability, Failures, Means, Past, ResponseTimes},
    window::{SPANS, Window},
};
use crate::config::{Identity, Target};

/// Answers what the pages ask. It may take its time: call it away from the tasks that serve and probe.
pub trait Query: Send + Sync {
    /// Whether each target was up at its last probe: those with a probe in the minutes before `now`. From it the pages know
    /// the states of targets just after a start.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn last_results(&self, now: Timestamp) -> Result<HashMap<Identity, bool>, Unreadable>;

    /// How available targets were within a window, and how they failed. Targets without a probe in it may be left out.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn past(
        &self,
        targets: &[&Target],
        window: &Window,
    ) -> Result<HashMap<Identity, Past>, Unreadable>;

    /// How long a target took to answer within a window. `phases` is the metric that says how long each phase of its probes
    /// took, for kinds that have phases.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn response_times(
        &self,
        target: &Target,
        phases: Option<&str>,
        window: &Window,
    ) -> Result<ResponseTimes, Unreadable>;

    /// Whether a failing target is not reported for now, because what fails is something bigger: what it depends on, or the place
    /// that it is probed from.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn is_waiting(&self, target: &Target, now: Timestamp) -> Result<bool, Unreadable>;

    /// When an address was probed last, whether or not it still is a target.
    ///
    /// # Errors
    /// When the answer cannot be read.
    fn last_probed(&self, instance: &str, now: Timestamp) -> Result<Option<Timestamp>, Unreadable>;

    /// All firing and pending alerts: firing ones first, then by name and age.
    fn alerts(&self) -> Vec<Alert>;

    /// All rules in the order of their files.
    fn rules(&self) -> Vec<RuleSummary>;
}

/// Why there is no answer, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);
