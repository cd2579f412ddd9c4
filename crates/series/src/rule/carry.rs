//! The state of an alert goes along when its labels are edited: those of its target, or those of its rule.
//!
//! An alert that its expression no longer gives, and one about the same thing that it gives now for the first time, are one
//! alert. Must not know expressions, nor how alerts go from state to state.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    alert::{Alert, AlertState, Change, Found, Transition},
    identity::{identity, is_about_a_target},
    state::RuleState,
};
use crate::{Labels, Timestamp};

/// Gives the alerts of a rule that are not `found` any more the labels of those that are new and about the same thing.
///
/// About the same thing are alerts about one target, see [`identity`], and, when `edited` names the labels that the rule set
/// or sets, alerts that differ in nothing else. Alerts of `orphaned` stay in there unless they get new labels.
pub(super) fn relabel(
    active: &mut BTreeMap<Labels, Arc<Alert>>,
    orphaned: &mut BTreeSet<Labels>,
    found: &BTreeMap<Labels, Found>,
    edited: Option<&BTreeSet<String>>,
) {
    orphaned.retain(|labels| !found.contains_key(labels));
    move_to_new_labels(active, orphaned, found, |labels| {
        is_about_a_target(labels).then(|| identity(labels))
    });
    if let Some(names) = edited {
        let others = |labels: &Labels| Some(labels.filtered(|name| !names.contains(name)));
        move_to_new_labels(active, orphaned, found, others);
    }
}

fn move_to_new_labels(
    active: &mut BTreeMap<Labels, Arc<Alert>>,
    orphaned: &mut BTreeSet<Labels>,
    found: &BTreeMap<Labels, Found>,
    key: impl Fn(&Labels) -> Option<Labels>,
) {
    let mut lost: HashMap<Labels, Vec<Labels>> = HashMap::new();
    for labels in active.keys().filter(|labels| !found.contains_key(*labels)) {
        if let Some(key) = key(labels) {
            lost.entry(key).or_default().push(labels.clone());
        }
    }
    if lost.is_empty() {
        return;
    }
    let new: Vec<&Labels> = found.keys().filter(|labels| !active.contains_key(*labels)).collect();
    for labels in new {
        let Some(candidates) = key(labels).and_then(|key| lost.get_mut(&key)) else { continue };
        let nearest = candidates.iter().enumerate().filter_map(|(index, candidate)| {
            Some((nearness(candidate, active.get(candidate)?, labels), Reverse(index)))
        });
        let Some((_, Reverse(index))) = nearest.max() else { continue };
        let before = candidates.remove(index);
        orphaned.remove(&before);
        if let Some(mut alert) = active.remove(&before) {
            Arc::make_mut(&mut alert).labels = labels.clone();
            active.insert(labels.clone(), alert);
        }
    }
}

/// Which of several alerts about the same thing goes on: the one with the most labels in common, one that fires, the oldest.
fn nearness(before: &Labels, alert: &Alert, now: &Labels) -> (usize, bool, Reverse<Timestamp>) {
    let common = before.iter().filter(|(name, value)| now.get(name) == Some(value)).count();
    (common, alert.state == AlertState::Firing, Reverse(alert.active_at))
}

/// A change with the place of its rule in the group.
pub(super) type Placed = (usize, Change);

/// Joins what happened in different rules of a group at the time `at`: an alert that ends in one of them while another one
/// begins to give one about the same thing goes on there, and an alert that several of them give begins once and ends once.
pub(super) fn between_rules(rules: &mut [RuleState], changes: &mut Vec<Placed>, at: Timestamp) {
    let is_end = |change: &Change| change.reason.is_some();
    if !changes.iter().any(|(_, change)| is_end(change)) && !has_twins(rules) {
        return;
    }
    let mut dropped = BTreeSet::new();
    let mut began = Vec::new();
    for (ended, (rule, end)) in changes.iter().enumerate().filter(|(_, (_, change))| is_end(change))
    {
        let same = |place: &usize, (other, begun): &Placed| {
            other != rule
                && begun.reason.is_none()
                && begun.alert.active_at == at
                && !dropped.contains(place)
                && begun.alert.identity == end.alert.identity
        };
        let begun = changes.iter().enumerate().filter(|(place, placed)| same(place, placed));
        let nearest = begun.max_by_key(|(place, (_, begun))| {
            (begun.alert.labels == end.alert.labels, Reverse(*place))
        });
        let Some((place, (other, begun))) = nearest else { continue };
        let goes_on =
            rules.get_mut(*other).and_then(|rule| rule.active.get_mut(&begun.alert.labels));
        let Some(alert) = goes_on.map(Arc::make_mut) else { continue };
        dropped.insert(ended);
        began.push((place, end.alert.active_at));
        alert.active_at = end.alert.active_at;
        if end.transition == Transition::Resolved {
            alert.state = AlertState::Firing;
            alert.fired_at = end.alert.fired_at;
        }
        if end.transition == Transition::Resolved || begun.transition == Transition::Pending {
            dropped.insert(place);
        }
    }
    for (place, active_at) in began {
        if let Some((_, begun)) = changes.get_mut(place) {
            begun.alert.active_at = active_at;
        }
    }
    for (place, (rule, change)) in changes.iter().enumerate() {
        if is_repeated(rules, changes, place, *rule, change) {
            dropped.insert(place);
        }
    }
    let mut place = 0;
    changes.retain(|_| {
        place += 1;
        !dropped.contains(&(place - 1))
    });
}

/// Whether two alerting rules have one name, so that they can give the same alert.
fn has_twins(rules: &[RuleState]) -> bool {
    let alerting = rules.iter().filter(|state| state.rule().is_alerting());
    let names: Vec<&str> = alerting.map(|state| state.rule().name.as_str()).collect();
    names.iter().collect::<BTreeSet<_>>().len() < names.len()
}

/// Whether another rule has said the same of the very same alert, or says that it goes on.
fn is_repeated(
    rules: &[RuleState],
    changes: &[Placed],
    place: usize,
    rule: usize,
    change: &Change,
) -> bool {
    let labels = &change.alert.labels;
    let others = || rules.iter().enumerate().filter(|(other, _)| *other != rule);
    let firing = |state: &RuleState| {
        state.active.get(labels).filter(|alert| alert.state == AlertState::Firing).cloned()
    };
    let said_before = || {
        let before = changes.iter().take(place);
        before.into_iter().any(|(_, other)| {
            other.transition == change.transition && other.alert.labels == *labels
        })
    };
    match change.transition {
        Transition::Resolved => others().any(|(_, state)| firing(state).is_some()) || said_before(),
        Transition::Firing => {
            said_before()
                || others().filter_map(|(_, state)| firing(state)).any(|alert| {
                    alert.fired_at.is_some_and(|fired_at| {
                        fired_at < change.alert.fired_at.unwrap_or(fired_at)
                    })
                })
        }
        Transition::Pending | Transition::Cleared => false,
    }
}
