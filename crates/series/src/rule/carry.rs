//! Between the rules of a group the state of an alert goes along, and what several of them report of one alert is reported once.
//!
//! Must not know expressions, nor how alerts go from state to state within a rule.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use super::{
    alert::{AlertState, Change, Transition},
    state::RuleState,
};
use crate::Timestamp;

/// A change with the place of its rule in the group.
pub(super) type Placed = (usize, Change);

/// Joins what happened in different rules of a group at the time `at`: an alert that ends in one of them while another one
/// begins to give one about the same thing goes on there, and an alert that several of them give begins once and ends once.
pub(super) fn between_rules(rules: &mut [RuleState], changes: &mut Vec<Placed>, at: Timestamp) {
    let is_end = |change: &Change| change.reason.is_some();
    if !changes.iter().any(|(_, change)| is_end(change)) && !share_a_name(rules) {
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
fn share_a_name(rules: &[RuleState]) -> bool {
    let alerting = rules.iter().filter(|state| state.rule().is_alerting());
    let names: Vec<&str> = alerting.map(|state| state.rule().name.as_str()).collect();
    names.iter().collect::<BTreeSet<_>>().len() < names.len()
}

/// Whether another rule has reported the same change of the very same alert, or the alert goes on there.
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
    let reported_before = || {
        let before = changes.iter().take(place);
        before.into_iter().any(|(_, other)| {
            other.transition == change.transition && other.alert.labels == *labels
        })
    };
    match change.transition {
        Transition::Resolved => {
            others().any(|(_, state)| firing(state).is_some()) || reported_before()
        }
        Transition::Firing => {
            reported_before()
                || others().filter_map(|(_, state)| firing(state)).any(|alert| {
                    alert.fired_at.is_some_and(|fired_at| {
                        fired_at < change.alert.fired_at.unwrap_or(fired_at)
                    })
                })
        }
        Transition::Pending | Transition::Cleared => false,
    }
}
