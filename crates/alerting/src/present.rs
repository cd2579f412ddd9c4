//! A snapshot: what the rules of this program say at one moment about every alert.
//!
//! Must not know who evaluates them, nor what becomes of it.

use std::collections::BTreeSet;

use series::Timestamp;

use crate::{event::AlertEvent, watched::Watched};

/// A snapshot of all alerts of this program's rules.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// When it was taken.
    pub at: Timestamp,
    /// The alerts that fire, each as the event that it began to fire.
    pub firing: Vec<AlertEvent>,
    /// The fingerprints of alerts that may fire soon: their disruptions are not over, and not certain to go on.
    pub pending: BTreeSet<u64>,
    /// The names of the alerts of rules that could not be evaluated: nothing is known of them.
    pub unknown: BTreeSet<String>,
    /// What is watched.
    pub watched: Watched,
}
