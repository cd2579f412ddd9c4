//! What the rules say, as notices: of each change, and at times of every alert there is.
//!
//! Must not know how notices are delivered.

use std::collections::BTreeSet;

use alerting::{AlertEvent as Notice, Ending, Present, Scope, fingerprint};
use series::{
    Labels, Timestamp,
    rule::{
        Alert, AlertChange, AlertState, EndReason, GroupView, Health, RuleKind, RuleView,
        Transition,
    },
};

use crate::config::Config;

/// The notices of changes, and whether an end was left out because it is not certain yet. Of a pending alert there is none.
pub(super) fn notices(
    groups: &[GroupView],
    config: &Config,
    changes: &[AlertChange],
) -> (Vec<Notice>, bool) {
    let is_end = |change: &AlertChange| change.transition == Transition::Resolved;
    if !changes.iter().any(is_end) {
        let scope = Scope::unknown();
        return (changes.iter().filter_map(|change| notice(change, &scope)).collect(), false);
    }
    let scope = scope(config, groups);
    let names: BTreeSet<&str> = changes
        .iter()
        .filter(|change| is_end(change))
        .filter_map(|change| name(&change.alert))
        .collect();
    let (mut firing, mut pending) = (BTreeSet::new(), BTreeSet::new());
    for alert in alerts(groups).filter(|alert| name(alert).is_some_and(|name| names.contains(name)))
    {
        match alert.state {
            AlertState::Firing => drop(firing.insert(&alert.labels)),
            AlertState::Pending => drop(pending.insert(fingerprint(&alert.labels))),
            AlertState::Inactive => {}
        }
    }
    let mut open = false;
    let is_over = |change: &&AlertChange| {
        // Of two rules with one name and one alert, the other may still have it. An alert whose labels were edited is pending again
        // under the new ones: whether it is over is seen when that fires or not.
        let goes_on = pending.contains(&fingerprint(&change.alert.labels));
        open |= is_end(change) && goes_on;
        !is_end(change) || !firing.contains(&change.alert.labels) && !goes_on
    };
    let notices =
        changes.iter().filter(is_over).filter_map(|change| notice(change, &scope)).collect();
    (notices, open)
}

/// Every alert of the rules at present. Nothing is certain of those of groups that were not evaluated yet.
pub(super) fn of(
    groups: &[GroupView],
    config: &Config,
    at: Timestamp,
    evaluated: &BTreeSet<String>,
) -> Present {
    let is_unknown = |view: &GroupView, rule: &RuleView| {
        rule.health() == Health::Err || !evaluated.contains(&view.group().key())
    };
    // An alert of which an earlier version left no name may be of any group.
    let is_new = |view: &GroupView| !evaluated.contains(&view.group().key());
    let nameless = groups.iter().any(is_new).then(String::new);
    let unknown = groups.iter().flat_map(|view| {
        view.rules()
            .iter()
            .filter(move |rule| is_unknown(view, rule))
            .map(|rule| rule.rule().name.clone())
    });
    Present {
        at,
        firing: alerts(groups)
            .filter(|alert| is_firing(alert) && !is_heartbeat(&alert.labels))
            .map(|alert| fires(alert, at))
            .collect(),
        pending: alerts(groups)
            .filter(|alert| alert.state == AlertState::Pending)
            .map(|alert| fingerprint(&alert.labels))
            .collect(),
        unknown: unknown.chain(nameless).collect(),
        scope: scope(config, groups),
    }
}

/// The names of all alerting rules.
pub(super) fn rule_names(groups: &[GroupView]) -> BTreeSet<String> {
    let rules = groups.iter().flat_map(GroupView::rules).map(RuleView::rule);
    rules.filter(|rule| rule.kind != RuleKind::Recording).map(|rule| rule.name.clone()).collect()
}

/// Whether an alert is a sign of life and no news.
pub(super) fn is_heartbeat(labels: &Labels) -> bool {
    Notice { labels: labels.clone(), ..Notice::default() }.is_heartbeat()
}

fn scope(config: &Config, groups: &[GroupView]) -> Scope {
    let targets = config.targets.iter();
    Scope::unknown()
        .with_rules(rule_names(groups))
        .with_targets(targets.map(|target| (target.instance.clone(), target.module.clone())))
}

fn alerts(groups: &[GroupView]) -> impl Iterator<Item = &Alert> {
    groups.iter().flat_map(GroupView::rules).flat_map(RuleView::alerts)
}

fn is_firing(alert: &Alert) -> bool {
    alert.state == AlertState::Firing
}

fn name(alert: &Alert) -> Option<&str> {
    alert.labels.get("alertname")
}

/// An alert that fires, reported later than when it began to.
pub(super) fn fires(alert: &Alert, reported_at: Timestamp) -> Notice {
    let at = alert.fired_at.unwrap_or(alert.active_at);
    Notice { reported_at, ..to_notice(alert, alerting::Transition::Firing, at) }
}

fn notice(change: &AlertChange, scope: &Scope) -> Option<Notice> {
    let transition = match change.transition {
        Transition::Firing => alerting::Transition::Firing,
        Transition::Resolved => alerting::Transition::Resolved,
        Transition::Pending | Transition::Cleared => return None,
    };
    let ending = match change.reason {
        Some(EndReason::RuleRemoved) => Ending::RuleRemoved,
        _ => scope.ending(&change.alert.labels),
    };
    Some(Notice { ending, ..to_notice(&change.alert, transition, change.at) })
}

fn to_notice(alert: &Alert, transition: alerting::Transition, at: Timestamp) -> Notice {
    let annotations = alert.annotations.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Notice {
        transition,
        at,
        reported_at: at,
        active_at: alert.active_at,
        labels: alert.labels.clone(),
        annotations: Labels::new(annotations),
        ..Notice::default()
    }
}
