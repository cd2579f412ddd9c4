//! All alerts that the rules have at one moment, the rules whose alerts are not known, and which of the reported changes are certain.
//!
//! Must not know what becomes of the answers.

use std::collections::BTreeSet;

use super::{
    Alert, AlertChange, AlertState, Group, GroupView, Health, RuleView, Transition, identity,
};
use crate::Labels;

/// The alerts of all rules at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveAlerts<'a> {
    /// The alerts that fire, in the order of the rules.
    pub firing: Vec<&'a Alert>,
    /// The alerts that do not fire yet, in the order of the rules.
    pub pending: Vec<&'a Alert>,
    /// The names of all alerts that have a rule.
    pub names: BTreeSet<&'a str>,
    /// The names of the rules whose alerts are not known: they failed the last time, or were not evaluated yet.
    pub unknown: BTreeSet<&'a str>,
}

impl<'a> ActiveAlerts<'a> {
    /// The alerts of these groups; `evaluated` is whether a group was evaluated since its rules were loaded.
    pub fn of(groups: &'a [GroupView], evaluated: impl Fn(&Group) -> bool) -> Self {
        let mut active = Self { names: alert_names(groups), ..Self::default() };
        for group in groups {
            let is_new = !evaluated(group.group());
            for rule in group.rules() {
                if is_new || rule.health() == Health::Err {
                    active.unknown.insert(&rule.rule().name);
                }
                for alert in rule.alerts() {
                    match alert.state {
                        AlertState::Firing => active.firing.push(alert),
                        AlertState::Pending => active.pending.push(alert),
                        AlertState::Inactive => {}
                    }
                }
            }
        }
        active
    }
}

/// The names of all alerting rules.
pub fn alert_names(groups: &[GroupView]) -> BTreeSet<&str> {
    let rules = groups.iter().flat_map(GroupView::rules).map(RuleView::rule);
    rules.filter(|rule| rule.is_alerting()).map(|rule| rule.name.as_str()).collect()
}

/// Those of the changes that are certain, in their order, and whether an end was left out because only later evaluations show
/// whether it is one. The groups are those after the changes.
///
/// Of two rules with one name and one alert, the other may still have it: then it has not ended. An alert whose labels were edited
/// is pending again under the new ones: whether it is over is seen when that fires or not.
pub fn certain_changes<'c>(
    groups: &[GroupView],
    changes: &'c [AlertChange],
) -> (Vec<&'c AlertChange>, bool) {
    let is_end = |change: &AlertChange| change.transition == Transition::Resolved;
    let ends = changes.iter().filter(|change| is_end(change));
    let names: BTreeSet<&str> = ends.map(|change| change.alert.name()).collect();
    if names.is_empty() {
        return (changes.iter().collect(), false);
    }
    let (mut firing, mut pending): (BTreeSet<&Labels>, BTreeSet<Labels>) = Default::default();
    let alerts = groups.iter().flat_map(GroupView::rules).flat_map(RuleView::alerts);
    for alert in alerts.filter(|alert| names.contains(alert.name())) {
        match alert.state {
            AlertState::Firing => drop(firing.insert(&alert.labels)),
            AlertState::Pending => drop(pending.insert(identity(&alert.labels))),
            AlertState::Inactive => {}
        }
    }
    let mut open = false;
    let mut is_certain = |change: &AlertChange| {
        if !is_end(change) {
            return true;
        }
        let goes_on = pending.contains(&identity(&change.alert.labels));
        open |= goes_on;
        !goes_on && !firing.contains(&change.alert.labels)
    };
    let certain = changes.iter().filter(|change| is_certain(change)).collect();
    (certain, open)
}
