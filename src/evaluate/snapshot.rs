//! What the rules say, as events: of each change, and now and then a snapshot of every alert.
//!
//! Must not know how events are delivered.

use std::collections::BTreeSet;

use alerting::{AlertEvent, Ending, Present, Watched, fingerprint};
use series::{
    Labels, Timestamp,
    rule::{
        ActiveAlerts, Alert, AlertChange, EndReason, Group, GroupView, Transition, alert_names,
        certain_changes,
    },
};

use crate::config::Config;

/// The events of changes, and whether an end was left out because it is not certain yet. Pending alerts have no events.
pub(super) fn events(
    groups: &[GroupView],
    config: &Config,
    changes: &[AlertChange],
) -> (Vec<AlertEvent>, bool) {
    let ends = changes.iter().any(|change| change.transition == Transition::Resolved);
    let watched = if ends { watched(config, alert_names(groups)) } else { Watched::unknown() };
    let (changes, open) = certain_changes(groups, changes);
    (changes.into_iter().filter_map(|change| event(change, &watched)).collect(), open)
}

/// Every alert of the rules at present. Nothing is certain of those of groups that were not evaluated yet.
pub(super) fn of(
    groups: &[GroupView],
    config: &Config,
    at: Timestamp,
    evaluated: &BTreeSet<String>,
) -> Present {
    let is_evaluated = |group: &Group| evaluated.contains(&group.key());
    let active = ActiveAlerts::of(groups, is_evaluated);
    // An alert of which an earlier version left no name may be of any group.
    let nameless = !groups.iter().map(GroupView::group).all(is_evaluated);
    let firing = active.firing.iter().filter(|alert| !is_heartbeat(&alert.labels));
    let unknown = active.unknown.into_iter().map(str::to_owned);
    Present {
        at,
        firing: firing.map(|alert| fires(alert, at)).collect(),
        pending: active.pending.iter().map(|alert| fingerprint(&alert.labels)).collect(),
        unknown: unknown.chain(nameless.then(String::new)).collect(),
        watched: watched(config, active.names),
    }
}

/// Whether an alert is the heartbeat.
pub(super) fn is_heartbeat(labels: &Labels) -> bool {
    AlertEvent { labels: labels.clone(), ..AlertEvent::default() }.is_heartbeat()
}

fn watched(config: &Config, names: BTreeSet<&str>) -> Watched {
    let targets = config.targets.iter();
    Watched::unknown()
        .with_rules(names.into_iter().map(str::to_owned))
        .with_targets(targets.map(|target| (target.instance.clone(), target.module.clone())))
}

/// The event of an alert that fires, which is reported later than it began.
pub(super) fn fires(alert: &Alert, reported_at: Timestamp) -> AlertEvent {
    let at = alert.fired_at.unwrap_or(alert.active_at);
    AlertEvent { reported_at, ..to_event(alert, alerting::Transition::Firing, at) }
}

fn event(change: &AlertChange, watched: &Watched) -> Option<AlertEvent> {
    let transition = match change.transition {
        Transition::Firing => alerting::Transition::Firing,
        Transition::Resolved => alerting::Transition::Resolved,
        Transition::Pending | Transition::Cleared => return None,
    };
    let ending = match change.reason {
        Some(EndReason::RuleRemoved) => Ending::RuleRemoved,
        _ => watched.ending(&change.alert.labels),
    };
    Some(AlertEvent { ending, ..to_event(&change.alert, transition, change.at) })
}

fn to_event(alert: &Alert, transition: alerting::Transition, at: Timestamp) -> AlertEvent {
    let annotations = alert.annotations.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    AlertEvent {
        transition,
        at,
        reported_at: at,
        active_at: alert.active_at,
        labels: alert.labels.clone(),
        annotations: Labels::new(annotations),
        ..AlertEvent::default()
    }
}
