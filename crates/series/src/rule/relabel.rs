//! Within a rule the state of an alert goes along when its labels are edited: those of its target, or those of the rule.
//!
//! An alert that the expression no longer gives, and one about the same thing that it gives now for the first time, are one
//! alert. Must not know expressions, nor how alerts go from state to state.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    alert::{Alert, AlertState, Found},
    identity::{identity, is_about_a_target},
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
