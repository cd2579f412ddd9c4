//! A rule group with what has become of it, and its evaluation in order.
//!
//! Must not know when its turn is, nor what becomes of the changes it reports.

use std::{sync::Arc, time::Duration};

use super::{
    AlertChange, External, Group,
    alert::Change,
    carry,
    state::{Round, RuleState},
};
use crate::{Appender, Timestamp};

/// A rule group, the states of its rules, and how its last evaluation went.
#[derive(Clone, Debug)]
pub struct GroupState {
    pub(super) group: Arc<Group>,
    pub(super) rules: Vec<RuleState>,
    pub(super) last_evaluation: Option<Timestamp>,
    pub(super) evaluation_time: Duration,
}

/// What one evaluation of a group gave.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// What changed, in the order of the rules.
    pub changes: Vec<AlertChange>,
    /// The rules that failed. Their alerts stay as they were.
    pub errors: Vec<RuleError>,
    /// How many samples were written, staleness markers not counted.
    pub samples: usize,
}

/// A rule that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The name of the rule.
    pub rule: String,
    /// Its line in the rule file, from 1.
    pub line: usize,
    /// What went wrong.
    pub message: String,
}

impl GroupState {
    /// A group that has never been evaluated.
    pub fn new(group: Group) -> Self {
        let rules = group.rules.iter().cloned().map(RuleState::new).collect();
        Self {
            group: Arc::new(group),
            rules,
            last_evaluation: None,
            evaluation_time: Duration::ZERO,
        }
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The rules in order, with their states.
    pub fn rules(&self) -> &[RuleState] {
        &self.rules
    }

    /// The time of the last evaluation.
    pub fn last_evaluation(&self) -> Option<Timestamp> {
        self.last_evaluation
    }

    /// How long the last evaluation took; zero before the first.
    pub fn evaluation_time(&self) -> Duration {
        self.evaluation_time
    }

    /// Notes how long the last evaluation took: the caller has the clock.
    pub fn set_evaluation_time(&mut self, time: Duration) {
        self.evaluation_time = time;
    }

    /// Evaluates the rules one after another; each sees what those before it have written.
    pub fn evaluate(
        &mut self,
        storage: &dyn Appender,
        at: Timestamp,
        external: &External,
    ) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let mut changes: Vec<carry::Placed> = Vec::new();
        for (index, state) in self.rules.iter_mut().enumerate() {
            let round = Round { storage, at, external, group: &self.group };
            let outcome = state.evaluate(&round);
            evaluation.samples += outcome.samples;
            changes.extend(outcome.changes.into_iter().map(|change| (index, change)));
            evaluation.errors.extend(outcome.error.map(|message| RuleError {
                rule: state.rule().name.clone(),
                line: state.rule().line,
                message,
            }));
        }
        carry::between_rules(&mut self.rules, &mut changes, at);
        let changes = changes.into_iter().map(|(_, change)| to_change(&self.group, at, change));
        evaluation.changes = changes.collect();
        self.last_evaluation = Some(at);
        evaluation
    }
}

/// Makes a change of a group's alerts out of what happened to one at `at`.
pub(super) fn to_change(group: &Group, at: Timestamp, change: Change) -> AlertChange {
    let Change { transition, alert, reason } = change;
    AlertChange { transition, at, reason, alert, group: group.name.clone() }
}
