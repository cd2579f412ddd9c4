//! What the rules had come to after an evaluation, as values to publish: who reads them holds up no evaluation, and none of them
//! holds up a reader.
//!
//! Must not know how rules are evaluated, nor who reads.

use std::{sync::Arc, time::Duration};

use super::{Alert, AlertState, Group, GroupState, Health, Rule, RuleState};
use crate::Timestamp;

/// A rule group as it was at one moment; it never changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupView {
    group: Arc<Group>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
    rules: Arc<[RuleView]>,
}

/// A rule as it was at one moment; it never changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleView {
    rule: Arc<Rule>,
    health: Health,
    last_error: Option<Arc<str>>,
    alerts: Arc<[Arc<Alert>]>,
}

impl GroupView {
    /// The group as it is now. The definitions of its rules and its alerts are shared with it, not copied.
    pub fn of(state: &GroupState) -> Self {
        Self {
            group: Arc::clone(&state.group),
            last_evaluation: state.last_evaluation,
            evaluation_time: state.evaluation_time,
            rules: state.rules.iter().map(RuleView::of).collect(),
        }
    }

    /// What the rule file says of the group: its name, its file, its interval and its limit.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The time of the last evaluation.
    pub fn last_evaluation(&self) -> Option<Timestamp> {
        self.last_evaluation
    }

    /// How long the last evaluation took; zero before the first.
    pub fn evaluation_time(&self) -> Duration {
        self.evaluation_time
    }

    /// The rules in the order of the file.
    pub fn rules(&self) -> &[RuleView] {
        &self.rules
    }
}

impl RuleView {
    fn of(state: &RuleState) -> Self {
        Self {
            rule: Arc::clone(&state.rule),
            health: state.health(),
            last_error: state.last_error.clone(),
            alerts: state.active.values().cloned().collect(),
        }
    }

    /// What the rule file says of the rule: its name, its expression, its labels and annotations before templating.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// How the last evaluation went.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Why the last evaluation failed, when it did.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The pending and firing alerts, sorted by labels.
    pub fn alerts(&self) -> impl ExactSizeIterator<Item = &Alert> {
        self.alerts.iter().map(Arc::as_ref)
    }

    /// How many alerts are in a state.
    pub fn count(&self, state: AlertState) -> usize {
        self.alerts().filter(|alert| alert.state == state).count()
    }

    /// The state of the most urgent alert; inactive when there is none.
    pub fn state(&self) -> AlertState {
        [AlertState::Firing, AlertState::Pending]
            .into_iter()
            .find(|state| self.alerts().any(|alert| alert.state == *state))
            .unwrap_or(AlertState::Inactive)
    }
}
