//! Alerts from before a restart, from the series that recorded them.
//!
//! Must not know how alerts go on from there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE, AlertChange, External, GroupState, Rule,
    alert::{Alert, AlertState, Change, Transition},
    group::to_change,
    identity::identity,
    state::alert_series,
    template::Expander,
};
use crate::{
    Labels, Matcher, Queryable, Sample, Timestamp, is_stale, labels::METRIC_NAME, promql::Element,
};

/// How far back the store is asked, in milliseconds. Alerts from before a longer stop begin anew.
const LOOKBACK_MS: i64 = 24 * 3_600_000;

/// A rule's place: its group, and its own in the group.
type Place = (usize, usize);

impl GroupState {
    /// Takes up the alerts that the store knows from before the start, looking back one day from `now`, and reports those
    /// that were firing: as firing since the time when they began to. Call it once, before the first evaluation.
    ///
    /// An alert belongs to the rule of its name: of several to the one whose labels it has, and whose expression gave it last.
    /// So it is found when the expression, the labels, the group or the file of its rule were edited in between.
    ///
    /// The store has the times of activity in whole seconds; [`super::Alert::active_at`] is rounded down to them here. An alert
    /// whose series cannot be read is not taken up.
    pub fn restore(
        groups: &mut [Self],
        source: &dyn Queryable,
        now: Timestamp,
        external: &External,
    ) -> Vec<AlertChange> {
        restore(groups, source, now, external)
    }
}

/// See [`GroupState::restore`].
fn restore(
    groups: &mut [GroupState],
    source: &dyn Queryable,
    now: Timestamp,
    external: &External,
) -> Vec<AlertChange> {
    let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (group, state) in groups.iter().enumerate() {
        for (index, state) in state.rules.iter().enumerate() {
            if state.rule.is_alerting() {
                places.entry(state.rule.name.clone()).or_default().push((group, index));
            }
        }
    }
    let mut restored = Vec::new();
    for (name, places) in places {
        let mut candidates: Vec<Candidate<'_>> = places
            .into_iter()
            .filter_map(|place| {
                let rule = &groups.get(place.0)?.rules.get(place.1)?.rule;
                Some(Candidate { place, rule, source, external, answers: HashMap::new() })
            })
            .collect();
        for left in left_behind(&name, source, now) {
            restored.extend(assign(left, &mut candidates));
        }
    }
    take_up_recorded(groups, source, now);
    take_up(groups, restored)
}

/// Lets recording rules know the series that they wrote before the start, so that the first evaluation ends those that it no longer
/// gives: otherwise they would be seen for as long as queries look back, such as those of a target whose labels were edited
/// meanwhile. Where several rules record one metric no one knows whose a series is.
fn take_up_recorded(groups: &mut [GroupState], source: &dyn Queryable, now: Timestamp) {
    let mut writers: HashMap<String, usize> = HashMap::new();
    let recording = |group: &GroupState| {
        let rules = group.rules.iter().filter(|state| !state.rule.is_alerting());
        rules.map(|state| state.rule.name.clone()).collect::<Vec<_>>()
    };
    for name in groups.iter().flat_map(recording) {
        *writers.entry(name).or_default() += 1;
    }
    for state in groups.iter_mut().flat_map(|group| &mut group.rules) {
        if state.rule.is_alerting() || writers.get(&state.rule.name) != Some(&1) {
            continue;
        }
        let matchers = [Matcher::equal(METRIC_NAME, &state.rule.name)];
        let after = now.saturating_sub(source.lookback_ms());
        let latest = source.latest(&matchers, after, now, false).unwrap_or_default();
        let going_on = latest.into_iter().filter(|(_, sample)| !is_stale(sample.value));
        state.previous.extend(going_on.map(|(labels, _)| labels));
    }
}

/// An alert as its series recorded it.
struct Left {
    labels: Labels,
    active_at: Timestamp,
    fired_at: Option<Timestamp>,
    /// The time of its last evaluation.
    last: Timestamp,
}

/// An alert with the rule that it belongs to, and the labels that this rule set.
struct Assigned {
    place: Place,
    alert: Alert,
    own: BTreeSet<String>,
}

/// The alerts of one name that were active at the end of what the store has, sorted by labels.
fn left_behind(name: &str, source: &dyn Queryable, now: Timestamp) -> Vec<Left> {
    let select = |metric: &str, state: Option<&str>| {
        let mut matchers =
            vec![Matcher::equal(METRIC_NAME, metric), Matcher::equal(ALERT_NAME, name)];
        matchers.extend(state.map(|state| Matcher::equal(ALERT_STATE, state)));
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
    let mut left: Vec<Left> = select(ALERTS_FOR_STATE, None)
        .into_iter()
        .filter_map(|series| {
            let last = series.samples.last().filter(|sample| !is_stale(sample.value))?;
            let labels = series.labels.without_metric_name();
            let active_at = to_milliseconds(last.value)?;
            let run = firing.get(&labels).map(Vec::as_slice).unwrap_or_default();
            let fired_at = began_firing(run, active_at, last.timestamp);
            Some(Left { labels, active_at, fired_at, last: last.timestamp })
        })
        .collect();
    left.sort_by(|left, right| left.labels.cmp(&right.labels));
    left
}

/// A rule that an alert may belong to.
struct Candidate<'a> {
    place: Place,
    rule: &'a Rule,
    source: &'a dyn Queryable,
    external: &'a External,
    /// Alerts of one rule mostly end with one evaluation: its expression is answered once for all of them.
    answers: HashMap<Timestamp, Answer>,
}

/// What the expression of a rule gave at one time.
struct Answer {
    elements: Vec<Element>,
    /// The places of the elements by the labels of the alerts that they became.
    by_alert: HashMap<Labels, usize>,
}

/// How well an alert fits to a rule; the last is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Only the name is the same.
    Name,
    /// The expression gave what the alert could be made of, but the rule's labels are others.
    Gave,
    /// The alert has the rule's labels, as far as they are no templates.
    Labels,
    /// Both.
    Both,
    /// The rule gave this very alert.
    Exact,
}

impl Candidate<'_> {
    fn answer(&mut self, at: Timestamp) -> &Answer {
        self.answers.entry(at).or_insert_with(|| {
            let elements = self.rule.answer(self.source, at).unwrap_or_default();
            let expander = Expander::new(self.source, at, self.external);
            let labels = elements.iter().map(|element| self.rule.alert_labels(element, &expander));
            let by_alert = labels.enumerate().map(|(place, labels)| (labels, place)).collect();
            Answer { elements, by_alert }
        })
    }

    /// The element that an alert was made of, and how well the alert fits to the rule.
    fn judge(&mut self, left: &Left) -> (Fit, Option<Element>) {
        let rule = self.rule;
        let answer = self.answer(left.last);
        let exact = answer.by_alert.get(&left.labels);
        if let Some(element) = exact.and_then(|place| answer.elements.get(*place)) {
            return (Fit::Exact, Some(element.clone()));
        }
        let could_be = |element: &&Element| {
            element.labels.iter().all(|(name, value)| {
                let replaced = [METRIC_NAME, ALERT_NAME].contains(&name);
                replaced || rule.labels.contains_key(name) || left.labels.get(name) == Some(value)
            })
        };
        let element = answer.elements.iter().find(could_be).cloned();
        // Labels from templates are not known without the element.
        let mut fixed = rule.labels.iter().filter(|(_, text)| !text.contains("{{"));
        let fits = fixed.all(|(name, text)| left.labels.get(name).unwrap_or("") == text);
        let fit = match (fits, element.is_some()) {
            (true, true) => Fit::Both,
            (true, false) => Fit::Labels,
            (false, true) => Fit::Gave,
            (false, false) => Fit::Name,
        };
        (fit, element)
    }
}

/// Gives an alert to the rule that it fits best; of several alike to the first.
fn assign(left: Left, candidates: &mut [Candidate<'_>]) -> Option<Assigned> {
    let mut best: Option<(Fit, usize, Option<Element>)> = None;
    for (index, candidate) in candidates.iter_mut().enumerate() {
        let (fit, element) = candidate.judge(&left);
        if best.as_ref().is_none_or(|(best, ..)| fit > *best) {
            best = Some((fit, index, element));
        }
    }
    let (_, index, element) = best?;
    let Candidate { place, rule, source, external, .. } = candidates.get(index)?;
    let mut own: BTreeSet<String> = rule.labels.keys().cloned().collect();
    if let Some(element) = &element {
        // What the expression did not give was a label of the rule then.
        let names = left.labels.iter().map(|(name, _)| name);
        let others = names.filter(|name| element.labels.get(name).is_none() && *name != ALERT_NAME);
        own.extend(others.map(str::to_owned));
    }
    // The store has neither annotations nor values, but it has what they were made from. While the alert only went on
    // firing, the value is not known any more and is NaN.
    let (labels, value) =
        element.as_ref().map_or((&left.labels, f64::NAN), |found| (&found.labels, found.value));
    let expander = Expander::new(*source, left.last, external);
    let annotations = rule.annotations.iter();
    let annotations =
        annotations.map(|(name, text)| (name.clone(), expander.expand(text, labels, value)));
    let fired = left.fired_at.is_some();
    let alert = Alert {
        identity: identity(&left.labels),
        annotations: annotations.collect(),
        labels: left.labels,
        value,
        state: if fired { AlertState::Firing } else { AlertState::Pending },
        active_at: left.active_at,
        fired_at: left.fired_at,
        keep_firing_since: None,
        resolved_at: None,
    };
    Some(Assigned { place: *place, alert, own })
}

/// Lets the rules go on with their alerts, and reports those that fire.
fn take_up(groups: &mut [GroupState], restored: Vec<Assigned>) -> Vec<AlertChange> {
    let mut changes = BTreeMap::new();
    for Assigned { place: (group, rule), alert, own } in restored {
        let Some(GroupState { group: of, rules, .. }) = groups.get_mut(group) else { continue };
        let Some(state) = rules.get_mut(rule) else { continue };
        if let Some(fired_at) = alert.fired_at {
            let firing =
                Change { transition: Transition::Firing, alert: alert.clone(), reason: None };
            changes.insert((group, alert.labels.clone()), to_change(of, fired_at, firing));
        }
        state.previous.extend(alert_series(&alert));
        state.edited.get_or_insert_default().extend(own);
        state.active.insert(alert.labels.clone(), Arc::new(alert));
    }
    changes.into_values().collect()
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
