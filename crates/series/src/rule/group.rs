//! A rule group with what has become of it: evaluation in order, and the change to new rules.
//!
//! Must not know when its turn is, nor what becomes of the changes it reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    AlertChange, External, Group,
    alert::{self, Alert, EndReason, Transition},
    restore,
    state::{Round, RuleState},
};
use crate::{Database, Labels, Source, Timestamp, stale_marker};

/// A rule group, the states of its rules, and how its last evaluation went.
#[derive(Clone, Debug)]
pub struct GroupState {
    group: Group,
    rules: Vec<RuleState>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
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
        Self { group, rules, last_evaluation: None, evaluation_time: Duration::ZERO }
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
        for index in 0..self.rules.len() {
            let elsewhere = self.elsewhere(index);
            let Some(state) = self.rules.get_mut(index) else { continue };
            let round = Round { database, at, external, group: &self.group };
            let outcome = state.evaluate(&round, &elsewhere);
            evaluation.samples += outcome.samples;
            evaluation.changes.extend(outcome.changes.into_iter().map(to_change(
                &self.group,
                at,
                EndReason::ConditionOver,
            )));
            evaluation.errors.extend(outcome.error.map(|message| RuleError {
                rule: state.rule().name.clone(),
                line: state.rule().line,
                message,
            }));
        }
        self.settle();
        self.last_evaluation = Some(at);
        evaluation
    }

    /// The restored alerts of one rule that other rules of the group have too. Rules that share a name and their fixed
    /// labels cannot be told apart in the store, so all of them take such an alert up, and the evaluations decide.
    fn elsewhere(&self, index: usize) -> BTreeSet<Labels> {
        let Some(state) = self.rules.get(index) else { return BTreeSet::new() };
        let has = |labels: &&Labels| {
            let mut others = self.rules.iter().enumerate().filter(|(other, _)| *other != index);
            others.any(|(_, other)| other.active.contains_key(labels))
        };
        state.unconfirmed.iter().filter(has).cloned().collect()
    }

    /// Leaves restored alerts to the rule that has confirmed them.
    fn settle(&mut self) {
        for index in 0..self.rules.len() {
            let foreign: Vec<Labels> = self
                .elsewhere(index)
                .into_iter()
                .filter(|labels| {
                    self.rules.iter().any(|other| {
                        other.active.contains_key(labels) && !other.unconfirmed.contains(labels)
                    })
                })
                .collect();
            if let Some(state) = self.rules.get_mut(index) {
                for labels in &foreign {
                    state.forget(labels);
                }
            }
        }
    }

    /// Takes up the alerts that the store knows from before the start, looking back one day from `now`, and reports those
    /// that were firing: as firing since the time when they began to. Call it once, before the first evaluation.
    ///
    /// The store has the times of activity in whole seconds; [`Alert::active_at`] is rounded down to them here. An alert
    /// whose rule cannot read the store is not taken up.
    pub fn restore(&mut self, source: &dyn Source, now: Timestamp) -> Vec<AlertChange> {
        let moment = now.saturating_sub(self.group.query_offset_ms);
        let mut changes = BTreeMap::new();
        for state in &mut self.rules {
            for alert in restore::alerts(state.rule(), source, moment) {
                if let Some(fired_at) = alert.fired_at {
                    let change = to_change(&self.group, fired_at, EndReason::ConditionOver)((
                        Transition::Firing,
                        alert.clone(),
                    ));
                    changes.insert(alert.labels.clone(), change);
                }
                state.take_up(alert);
            }
        }
        changes.into_values().collect()
    }

    /// Changes from old groups to new ones at the time `now`. A rule keeps its state when the group's name, its own name,
    /// its expression and its labels are the same; the alerts of all other old rules end.
    pub fn reload(old: Vec<Self>, new: Vec<Group>, now: Timestamp) -> (Vec<Self>, Reloaded) {
        let mut old = old;
        let mut states = Vec::with_capacity(new.len());
        for group in new {
            let mut state = Self::new(group);
            if let Some(before) =
                old.iter_mut().find(|before| before.group.key() == state.group.key())
            {
                state.last_evaluation = before.last_evaluation;
                state.evaluation_time = before.evaluation_time;
                for rule in &mut state.rules {
                    let same =
                        before.rules.iter().position(|other| other.rule().continues(rule.rule()));
                    if let Some(index) = same {
                        let new_rule = rule.rule.clone();
                        *rule = before.rules.remove(index);
                        rule.rule = new_rule;
                    }
                }
            }
            states.push(state);
        }
        let mut reloaded = Reloaded::default();
        let mut ended = BTreeSet::new();
        for before in old {
            for rule in before.rules {
                let ends = rule.active.into_values().map(|alert| alert::end(alert, now));
                reloaded.changes.extend(ends.map(to_change(
                    &before.group,
                    now,
                    EndReason::RuleRemoved,
                )));
                ended.extend(rule.previous);
            }
        }
        let rules = || states.iter().flat_map(|state: &Self| &state.rules);
        ended.retain(|series| !rules().any(|rule| rule.previous.contains(series)));
        reloaded.ended = ended.into_iter().map(|labels| (labels, stale_marker())).collect();
        (states, reloaded)
    }
}

/// Makes changes of a group's alerts out of what happened to them at `at`; those that ended did so for `reason`.
fn to_change(
    group: &Group,
    at: Timestamp,
    reason: EndReason,
) -> impl Fn((Transition, Alert)) -> AlertChange {
    let group = group.name.clone();
    move |(transition, alert)| {
        let ended = matches!(transition, Transition::Resolved | Transition::Cleared);
        let reason = ended.then_some(reason);
        AlertChange { transition, at, reason, alert, group: group.clone() }
    }
}
