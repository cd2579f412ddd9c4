//! Alerts and how they change: the state machine, as in `rules/alerting.go` of Prometheus.
//!
//! Must not know expressions, templates or the store.

use std::{collections::BTreeMap, sync::Arc};

use super::{ALERT_NAME, identity::identity};
use crate::{Labels, Timestamp};

/// One alert of an alerting rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The labels after templating, `alertname` included: the identity of the alert within its rule.
    pub labels: Labels,
    /// What identifies the alert for as long as it lasts: [`identity`] of its labels when it began, whatever has become of the
    /// labels since by an edit of its target's or its rule's.
    pub identity: Labels,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// The latest value of the expression.
    pub value: f64,
    /// What the alert is at present.
    pub state: AlertState,
    /// From when on the expression has given this alert.
    pub active_at: Timestamp,
    /// When it began to fire.
    pub fired_at: Option<Timestamp>,
    /// From when on it fires only because of `keep_firing_for`.
    pub keep_firing_since: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
}

impl Alert {
    /// The name of its rule; empty when the alert has none.
    pub fn name(&self) -> &str {
        self.labels.get(ALERT_NAME).unwrap_or("")
    }
}

/// What an alert is at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// The expression gives the alert, but not for long enough.
    Pending,
    /// People should know.
    Firing,
    /// It is over.
    Inactive,
}

impl AlertState {
    /// Prometheus's word for the state, also the value of the label `alertstate`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Inactive => "inactive",
        }
    }
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It became active, but does not fire yet.
    Pending,
    /// It began to fire.
    Firing,
    /// It fired and is over.
    Resolved,
    /// It was pending, never fired, and is over.
    Cleared,
}

/// Why an alert ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its expression no longer gives it.
    ConditionOver,
    /// Its rule is gone.
    RuleRemoved,
}

/// A change of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChange {
    /// What happened.
    pub transition: Transition,
    /// When it happened.
    pub at: Timestamp,
    /// Why it ended; `None` while it goes on.
    pub reason: Option<EndReason>,
    /// The alert after the change.
    pub alert: Alert,
    /// The name of the rule group.
    pub group: String,
}

/// What happened to an alert of a rule, and why it ended; `None` while it goes on.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) transition: Transition,
    pub(super) alert: Alert,
    pub(super) reason: Option<EndReason>,
}

/// An alert that the expression gives now.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) value: f64,
    pub(super) annotations: BTreeMap<String, String>,
}

/// The active alerts of a rule after a step, and what changed.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) active: BTreeMap<Labels, Arc<Alert>>,
    pub(super) changes: Vec<(Transition, Alert)>,
}

/// The durations of an alerting rule in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holds {
    pub(super) for_ms: i64,
    pub(super) keep_firing_for_ms: i64,
}

/// Moves the alerts of a rule on to the time `at`, when the expression gives the alerts `found`.
pub(super) fn advance(
    active: &BTreeMap<Labels, Arc<Alert>>,
    found: BTreeMap<Labels, Found>,
    holds: Holds,
    at: Timestamp,
) -> Step {
    let mut step = Step::default();
    for alert in active.values().filter(|alert| !found.contains_key(&alert.labels)) {
        let mut alert = alert.as_ref().clone();
        if alert.state == AlertState::Firing && holds.keep_firing_for_ms > 0 {
            let since = *alert.keep_firing_since.get_or_insert(at);
            if at.saturating_sub(since) < holds.keep_firing_for_ms {
                step.active.insert(alert.labels.clone(), Arc::new(alert));
                continue;
            }
        }
        step.changes.push(end(alert, at));
    }
    for (labels, found) in found {
        let known = active.get(&labels);
        let mut alert = renewed(known.map(Arc::as_ref), labels.clone(), found, at);
        if alert.state == AlertState::Pending && at.saturating_sub(alert.active_at) >= holds.for_ms
        {
            alert.state = AlertState::Firing;
            alert.fired_at = Some(at);
            step.changes.push((Transition::Firing, alert.clone()));
        } else if known.is_none() {
            step.changes.push((Transition::Pending, alert.clone()));
        }
        step.active.insert(labels, Arc::new(alert));
    }
    step
}

/// An alert that the expression gives now: what it was before with the new value and texts, or a new one.
fn renewed(known: Option<&Alert>, labels: Labels, found: Found, at: Timestamp) -> Alert {
    Alert {
        identity: known.map_or_else(|| identity(&labels), |alert| alert.identity.clone()),
        labels,
        annotations: found.annotations,
        value: found.value,
        state: known.map_or(AlertState::Pending, |alert| alert.state),
        active_at: known.map_or(at, |alert| alert.active_at),
        fired_at: known.and_then(|alert| alert.fired_at),
        keep_firing_since: None,
        resolved_at: None,
    }
}

/// Ends an alert.
pub(super) fn end(mut alert: Alert, at: Timestamp) -> (Transition, Alert) {
    let transition = match alert.state {
        AlertState::Firing => Transition::Resolved,
        AlertState::Pending | AlertState::Inactive => Transition::Cleared,
    };
    alert.state = AlertState::Inactive;
    alert.resolved_at = Some(at);
    (transition, alert)
}
