//! A rule group with what has become of it: evaluation in order, and the change to new rules.
//!
//! Must not know when its turn is, nor what becomes of the changes it reports.

use std::{sync::Arc, time::Duration};

use super::{
    AlertChange, External, Group,
    alert::Change,
    carry, reload, restore,
    state::{Round, RuleState},
};
use crate::{Database, Labels, Source, Timestamp};

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

/// What a change to new rules brought about.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// The ends of the alerts whose rules are gone.
    pub changes: Vec<AlertChange>,
    /// Staleness markers for the series that nobody writes any more.
    pub ended: Vec<(Labels, f64)>,
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
        database: &dyn Database,
        at: Timestamp,
        external: &External,
    ) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let mut changes: Vec<carry::Placed> = Vec::new();
        for (index, state) in self.rules.iter_mut().enumerate() {
            let round = Round { database, at, external, group: &self.group };
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

    /// Takes up the alerts that the store knows from before the start, looking back one day from `now`, and reports those
    /// that were firing: as firing since the time when they began to. Call it once, before the first evaluation.
    ///
    /// An alert belongs to the rule of its name: of several to the one whose labels it has, and whose expression gave it last.
    /// So it is found when the expression, the labels, the group or the file of its rule were edited in between.
    ///
    /// The store has the times of activity in whole seconds; [`super::Alert::active_at`] is rounded down to them here. An alert
    /// whose series cannot be read is not taken up.
    pub fn restore(
        groups: &mut [Self],
        source: &dyn Source,
        now: Timestamp,
        external: &External,
    ) -> Vec<AlertChange> {
        restore::restore(groups, source, now, external)
    }

    /// Changes from old groups to new ones at the time `now`.
    ///
    /// As in Prometheus a rule keeps its state when the group, its own name and its labels are the same, of several such rules
    /// in their order. It also keeps it when it is found in another group or file, or, if it alerts, when its own labels
    /// were edited. The alerts of a rule that is gone are left to a rule of the same name, whose next evaluation decides, and
    /// end where there is none.
    pub fn reload(old: Vec<Self>, new: Vec<Group>, now: Timestamp) -> (Vec<Self>, Reloaded) {
        reload::reload(old, new, now)
    }
}

/// Makes a change of a group's alerts out of what happened to one at `at`.
pub(super) fn to_change(group: &Group, at: Timestamp, change: Change) -> AlertChange {
    let Change { transition, alert, reason } = change;
    AlertChange { transition, at, reason, alert, group: group.name.clone() }
}
