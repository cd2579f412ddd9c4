//! Alerts from before a restart, from the series that tell of them.
//!
//! Must not know how alerts go on from there.

use std::collections::{BTreeMap, HashMap};

use super::{
    ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE, External, Rule, RuleKind,
    alert::{Alert, AlertState},
    state::{RuleState, alert_series},
    template::Expander,
};
use crate::{
    Labels, Matcher, Sample, Source, Timestamp, is_stale, labels::METRIC_NAME, promql::Element,
};

/// How far back the store is asked, in milliseconds. Alerts from before a longer stop begin anew.
const LOOKBACK_MS: i64 = 24 * 3_600_000;

/// The alerts of a rule that were active at the end of what the store has.
pub(super) fn alerts(rule: &Rule, source: &dyn Source, now: Timestamp) -> Vec<Alert> {
    if rule.kind == RuleKind::Recording {
        return Vec::new();
    }
    let select = |metric: &str, state: Option<&str>| {
        let mut matchers =
            vec![Matcher::equal(METRIC_NAME, metric), Matcher::equal(ALERT_NAME, &rule.name)];
        matchers.extend(state.map(|state| Matcher::equal(ALERT_STATE, state)));
        // Labels from templates are not known before an evaluation.
        let fixed = rule.labels.iter().filter(|(_, text)| !text.contains("{{"));
        matchers.extend(fixed.map(|(name, text)| Matcher::equal(name, text)));
        source.select(&matchers, now.saturating_sub(LOOKBACK_MS), now).unwrap_or_default()
    };
    let firing: HashMap<Labels, Vec<Sample>> = select(ALERTS, Some(AlertState::Firing.as_str()))
        .into_iter()
        .map(|series| {
            (
                series.labels.filtered(|name| name != METRIC_NAME && name != ALERT_STATE),
                series.samples,
            )
        })
        .collect();
    let mut answers: BTreeMap<Timestamp, Vec<Element>> = BTreeMap::new();
    let mut alerts: Vec<Alert> = select(ALERTS_FOR_STATE, None)
        .into_iter()
        .filter_map(|series| {
            let last = series.samples.last().filter(|sample| !is_stale(sample.value))?;
            let labels = series.labels.without_metric_name();
            let active_at = to_milliseconds(last.value)?;
            let run = firing.get(&labels).map(Vec::as_slice).unwrap_or_default();
            let fired_at = began_firing(run, active_at, last.timestamp);
            // Alerts of one rule mostly end with one evaluation: its expression is answered once for all of them.
            let elements = answers
                .entry(last.timestamp)
                .or_insert_with(|| rule.answer(source, last.timestamp).unwrap_or_default());
            let (annotations, value) = cause(rule, source, elements, &labels, last.timestamp);
            Some(Alert {
                labels,
                annotations,
                value,
                state: if fired_at.is_some() { AlertState::Firing } else { AlertState::Pending },
                active_at,
                fired_at,
                keep_firing_since: None,
                resolved_at: None,
            })
        })
        .collect();
    alerts.sort_by(|left, right| left.labels.cmp(&right.labels));
    alerts
}

/// The annotations and the value that an alert had at its last evaluation: the store has neither, but it has what they were
/// made from. While the alert only went on firing, the value is not known any more and is NaN.
fn cause(
    rule: &Rule,
    source: &dyn Source,
    elements: &[Element],
    alert: &Labels,
    at: Timestamp,
) -> (BTreeMap<String, String>, f64) {
    let gave = |element: &&Element| {
        element.labels.iter().all(|(name, value)| {
            let replaced = [METRIC_NAME, ALERT_NAME].contains(&name);
            replaced || rule.labels.contains_key(name) || alert.get(name) == Some(value)
        })
    };
    let found = elements.iter().find(gave);
    let (labels, value) = found.map_or((alert, f64::NAN), |found| (&found.labels, found.value));
    let external = External::default();
    let expander = Expander::new(source, at, &external);
    let annotations = rule.annotations.iter();
    let annotations =
        annotations.map(|(name, text)| (name.clone(), expander.expand(text, labels, value)));
    (annotations.collect(), value)
}

/// The first sample of the run of firing samples that lasts until `last`; `None` when there is no such run.
fn began_firing(samples: &[Sample], active_at: Timestamp, last: Timestamp) -> Option<Timestamp> {
    samples.last().filter(|sample| sample.timestamp == last && !is_stale(sample.value))?;
    let run = samples
        .iter()
        .rev()
        .take_while(|sample| !is_stale(sample.value) && sample.timestamp >= active_at);
    run.last().map(|sample| sample.timestamp)
}

/// Seconds as [`ALERTS_FOR_STATE`] holds them; `None` for what is not a time.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn to_milliseconds(seconds: f64) -> Option<Timestamp> {
    let sensible = seconds.is_finite() && seconds.abs() < 1e12;
    sensible.then(|| (seconds as i64).saturating_mul(1000))
}

impl RuleState {
    /// Goes on with an alert from before the start.
    pub(super) fn take_up(&mut self, alert: Alert) {
        self.previous.extend(alert_series(&alert));
        self.unconfirmed.insert(alert.labels.clone());
        self.active.insert(alert.labels.clone(), alert);
    }
}
