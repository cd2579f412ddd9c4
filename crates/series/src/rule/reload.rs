//! From old rules to new ones: which new rule goes on with the state of which old one.
//!
//! Must not know expressions, nor how alerts go from state to state.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    Group, RuleKind,
    alert::{self, AlertChange, Change, EndReason},
    group::{GroupState, to_change},
    state::RuleState,
};
use crate::{Labels, Timestamp, stale_marker};

/// What a change to new rules brought about.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// The ends of the alerts whose rules are gone.
    pub changes: Vec<AlertChange>,
    /// Staleness markers for the series that nobody writes any more.
    pub ended: Vec<(Labels, f64)>,
}

/// A rule of before, until its state has gone over.
struct Old {
    /// The place of its group among the old ones.
    group: usize,
    state: RuleState,
}

/// A group of before, without its rules.
struct OldGroup {
    group: Arc<Group>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
}

/// How much of a rule must be as before. Kind and name must be in any case.
#[derive(Clone, Copy)]
struct Wanted {
    place: Place,
    labels: bool,
    expression: bool,
}

/// How much of a rule's place must be as before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The same group of the same file.
    Group,
    /// A group of the same name.
    Name,
    /// Any.
    Any,
}

/// What is tried, in this order. The first two lines are Prometheus's (`rules/group.go`, `CopyState`), but that of several
/// rules alike the expression decides before the order does.
const TRIED: [Wanted; 8] = [
    Wanted { place: Place::Group, labels: true, expression: true },
    Wanted { place: Place::Group, labels: true, expression: false },
    Wanted { place: Place::Any, labels: true, expression: true },
    Wanted { place: Place::Any, labels: true, expression: false },
    Wanted { place: Place::Any, labels: false, expression: true },
    Wanted { place: Place::Group, labels: false, expression: false },
    Wanted { place: Place::Name, labels: false, expression: false },
    Wanted { place: Place::Any, labels: false, expression: false },
];

impl Place {
    fn is_same(self, old: &Group, new: &Group) -> bool {
        match self {
            Self::Group => old.name == new.name && old.file == new.file,
            Self::Name => old.name == new.name,
            Self::Any => true,
        }
    }
}

struct Reload {
    groups: Vec<OldGroup>,
    left: Vec<Option<Old>>,
    /// The places in `left` of the rules of one kind and name.
    by_name: HashMap<(bool, String), Vec<usize>>,
    states: Vec<GroupState>,
}

impl GroupState {
    /// Changes from old groups to new ones at the time `now`.
    ///
    /// As in Prometheus a rule keeps its state when the group, its own name and its labels are the same, of several such rules
    /// in their order. It also keeps it when it is found in another group or file, or, if it alerts, when its own labels
    /// were edited. The alerts of a rule that is gone are left to a rule of the same name, whose next evaluation decides, and
    /// end where there is none.
    pub fn reload(old: Vec<Self>, new: Vec<Group>, now: Timestamp) -> (Vec<Self>, Reloaded) {
        reload(old, new, now)
    }
}

/// See [`GroupState::reload`].
fn reload(old: Vec<GroupState>, new: Vec<Group>, now: Timestamp) -> (Vec<GroupState>, Reloaded) {
    let mut reload = Reload {
        groups: Vec::new(),
        left: Vec::new(),
        by_name: HashMap::new(),
        states: new.into_iter().map(GroupState::new).collect(),
    };
    for state in old {
        reload.forget_group(state);
    }
    reload.keep_times();
    let mut open: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (group, state) in reload.states.iter().enumerate() {
        open.extend((0..state.rules.len()).map(|rule| (group, rule)));
    }
    for wanted in TRIED {
        open.retain(|(group, rule)| !reload.hand_over(wanted, *group, *rule));
    }
    reload.leave_orphans();
    reload.end(now)
}

impl Reload {
    fn forget_group(&mut self, state: GroupState) {
        let GroupState { group, rules, last_evaluation, evaluation_time } = state;
        let index = self.groups.len();
        for state in rules {
            let key = (state.rule.kind == RuleKind::Recording, state.rule.name.clone());
            self.by_name.entry(key).or_default().push(self.left.len());
            self.left.push(Some(Old { group: index, state }));
        }
        self.groups.push(OldGroup { group, last_evaluation, evaluation_time });
    }

    fn keep_times(&mut self) {
        for state in &mut self.states {
            let same = |old: &&OldGroup| Place::Group.is_same(&old.group, &state.group);
            if let Some(before) = self.groups.iter().find(same) {
                state.last_evaluation = before.last_evaluation;
                state.evaluation_time = before.evaluation_time;
            }
        }
    }

    /// Whether a new rule got the state of an old one.
    fn hand_over(&mut self, wanted: Wanted, group: usize, rule: usize) -> bool {
        let Some(GroupState { group: to, rules, last_evaluation, .. }) = self.states.get_mut(group)
        else {
            return false;
        };
        let Some(new) = rules.get_mut(rule) else { return false };
        // The series of a recording rule are known by its labels: with others it has no state to go on with.
        if !wanted.labels && !new.rule.is_alerting() {
            return false;
        }
        let key = (new.rule.kind == RuleKind::Recording, new.rule.name.clone());
        let fits = |old: &Old| {
            let group = self.groups.get(old.group);
            group.is_some_and(|from| wanted.place.is_same(&from.group, to))
                && (!wanted.labels || old.state.rule.labels == new.rule.labels)
                && (!wanted.expression || old.state.rule.query.text() == new.rule.query.text())
        };
        let mut candidates = self.by_name.get(&key).into_iter().flatten().copied();
        let found = candidates
            .find(|place| self.left.get(*place).and_then(Option::as_ref).is_some_and(fits));
        let taken = found.and_then(|place| self.left.get_mut(place)).and_then(Option::take);
        let Some(Old { group: from, state: mut old }) = taken else { return false };
        if old.rule.labels != new.rule.labels {
            note_edit(&mut old, &new.rule.labels);
        }
        old.rule = new.rule.clone();
        *new = old;
        *last_evaluation =
            last_evaluation.or(self.groups.get(from).and_then(|from| from.last_evaluation));
        true
    }

    /// Leaves the alerts of rules that are gone to a rule of the same name.
    fn leave_orphans(&mut self) {
        for place in 0..self.left.len() {
            let Some(old) = self.left.get(place).and_then(Option::as_ref) else { continue };
            let Some(from) = self.groups.get(old.group) else { continue };
            if !old.state.rule.is_alerting() {
                continue;
            }
            let mut heir = None;
            for (group, state) in self.states.iter().enumerate() {
                let rank = match () {
                    () if Place::Group.is_same(&from.group, &state.group) => 0,
                    () if Place::Name.is_same(&from.group, &state.group) => 1,
                    () => 2,
                };
                let mut rules = state.rules.iter();
                let rule = rules
                    .position(|new| new.rule.is_alerting() && new.rule.name == old.state.rule.name);
                let found = rule.map(|rule| (rank, group, rule));
                heir = heir.into_iter().chain(found).min();
            }
            let Some((_, group, rule)) = heir else { continue };
            let taken = self.left.get_mut(place).and_then(Option::take);
            let heir = self.states.get_mut(group).and_then(|state| state.rules.get_mut(rule));
            if let (Some(old), Some(heir)) = (taken, heir) {
                inherit(heir, old.state);
            }
        }
    }

    /// Ends what no new rule goes on with.
    fn end(self, now: Timestamp) -> (Vec<GroupState>, Reloaded) {
        let mut reloaded = Reloaded::default();
        let mut ended = BTreeSet::new();
        for Old { group, state } in self.left.into_iter().flatten() {
            let Some(from) = self.groups.get(group) else { continue };
            reloaded.changes.extend(state.active.into_values().map(|alert| {
                let (transition, alert) = alert::end(Arc::unwrap_or_clone(alert), now);
                let reason = Some(EndReason::RuleRemoved);
                to_change(&from.group, now, Change { transition, alert, reason })
            }));
            ended.extend(state.previous);
        }
        let rules = || self.states.iter().flat_map(|state| &state.rules);
        ended.retain(|series| !rules().any(|rule| rule.previous.contains(series)));
        reloaded.ended = ended.into_iter().map(|labels| (labels, stale_marker())).collect();
        (self.states, reloaded)
    }
}

/// Notes the labels by which the alerts of a rule may differ from before.
fn note_edit(state: &mut RuleState, labels: &BTreeMap<String, String>) {
    let names = state.rule.labels.keys().chain(labels.keys()).cloned();
    state.edited.get_or_insert_default().extend(names);
}

/// Gives the alerts of a rule that is gone to one that stays.
fn inherit(heir: &mut RuleState, mut old: RuleState) {
    note_edit(&mut old, &heir.rule.labels);
    heir.edited.get_or_insert_default().extend(old.edited.into_iter().flatten());
    heir.previous.extend(old.previous);
    for (labels, alert) in old.active {
        // What both give goes on, with the state of the rule that stays.
        if !heir.active.contains_key(&labels) {
            heir.orphaned.insert(labels.clone());
            heir.active.insert(labels, alert);
        }
    }
}
