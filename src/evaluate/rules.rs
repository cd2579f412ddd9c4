//! The rule groups with their alerts.
//!
//! Must not know when they are evaluated.

use std::sync::{Mutex, MutexGuard};

use series::rule::{Group, GroupState};

use crate::state::lock;

/// The rule groups, shared by the evaluator and those who show them.
#[derive(Default)]
pub struct Rules(Mutex<Vec<GroupState>>);

impl Rules {
    /// Groups that were not evaluated yet.
    pub fn new(groups: impl IntoIterator<Item = Group>) -> Self {
        Self::with_states(groups.into_iter().map(GroupState::new).collect())
    }

    /// Groups as they are.
    pub fn with_states(states: Vec<GroupState>) -> Self {
        Self(Mutex::new(states))
    }

    /// The groups; held for as long as one is evaluated.
    pub fn lock(&self) -> MutexGuard<'_, Vec<GroupState>> {
        lock(&self.0)
    }
}
