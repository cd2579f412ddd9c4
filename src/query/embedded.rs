//! The answers of the embedded store and of the published rule groups.
//!
//! One selection for each metric serves all targets, so that ten thousand of them are no harder on the store than one. Must not know
//! how samples come into the store, nor when rules are evaluated.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use regex::Regex;
use series::{
    Labels, Matcher, Matching, Queryable as _, Series, StorageError, Timestamp, is_stale,
    labels::METRIC_NAME,
    rule::{self, AlertState, GroupView, RuleView},
    store::Store,
};

use super::{
    Query, Unreadable,
    alert::{Alert, RuleSummary},
    past::{Past, ResponseTimes},
    window::{SPANS, Window},
};
use crate::{
    config::{Identity, JOB, Target},
    evaluate::Rules,
};

/// How far back a last result is looked for.
const FRESH_MS: i64 = 5 * 60_000;

/// How far back it is looked for when an address was probed last.
const REMOVED_MS: i64 = 7 * 86_400_000;

/// About how many samples are read at once: it bounds the memory that a page with many targets takes.
const SAMPLES_MAX: i64 = 2_000_000;

/// Answers from the embedded store and the published rule groups.
pub struct Embedded {
    store: Arc<Store>,
    rules: Arc<Rules>,
}

impl Embedded {
    /// Answers from a store and from rules.
    pub fn new(store: Arc<Store>, rules: Arc<Rules>) -> Self {
        Self { store, rules }
    }

    /// Hands every series of a metric of the wanted targets' addresses to `take`, with the target that it is of, in pieces of
    /// bounded size.
    fn scan(
        &self,
        metric: &str,
        targets: &[&Target],
        window: &Window,
        mut take: impl FnMut(&Identity, &Series),
    ) -> Result<(), StorageError> {
        let instances: BTreeSet<&str> =
            targets.iter().map(|target| target.instance.as_str()).collect();
        let matchers = matchers(metric, &instances);
        let interval_ms = targets.iter().map(|target| target.interval.as_millis()).min();
        let interval_ms = i64::try_from(interval_ms.unwrap_or(1)).unwrap_or(i64::MAX).max(1);
        let count = i64::try_from(instances.len()).unwrap_or(i64::MAX);
        let samples_a_span = (window.step_ms / interval_ms).saturating_mul(count).max(1);
        let stride = (SAMPLES_MAX / samples_a_span).clamp(1, SPANS);
        let mut first = 0;
        while first < SPANS {
            let until = (first + stride).min(SPANS);
            for series in self.store.select(&matchers, window.begin(first), window.begin(until))? {
                if instances.contains(series.labels.get("instance").unwrap_or("")) {
                    take(&Identity::of(&series.labels), &series);
                }
            }
            first = until;
        }
        Ok(())
    }
}

/// What selects a metric of some addresses.
fn matchers(metric: &str, instances: &BTreeSet<&str>) -> Vec<Matcher> {
    let mut matchers = vec![Matcher::equal(METRIC_NAME, metric), Matcher::equal("job", JOB)];
    let one = instances.first().filter(|name| instances.len() == 1 && !name.is_empty());
    if let Some(instance) = one {
        matchers.push(Matcher::equal("instance", instance));
        return matchers;
    }
    let names: Vec<String> = instances.iter().map(|instance| regex::escape(instance)).collect();
    // Names that are too long for one expression are picked from the whole answer instead.
    if let Ok(regex) = Regex::new(&format!("^(?s:{})$", names.join("|"))) {
        matchers.push(Matcher { name: "instance".into(), matching: Matching::Regex(regex) });
    }
    matchers
}

/// The probe's own label of a series: a target with a label of the same name has pushed it aside.
fn own_label<'a>(series: &'a Series, name: &str) -> &'a str {
    let labels = &series.labels;
    labels.get(&format!("exported_{name}")).or_else(|| labels.get(name)).unwrap_or("")
}

impl From<StorageError> for Unreadable {
    fn from(error: StorageError) -> Self {
        Self(error.to_string())
    }
}

impl Query for Embedded {
    fn last_results(&self, now: Timestamp) -> Result<HashMap<Identity, bool>, Unreadable> {
        let matchers = [Matcher::equal(METRIC_NAME, "probe_success"), Matcher::equal("job", JOB)];
        let mut last: HashMap<Identity, (Timestamp, bool)> = HashMap::new();
        let found = self.store.latest(&matchers, now.saturating_sub(FRESH_MS), now, false)?;
        for (labels, sample) in found.iter().filter(|(_, sample)| !is_stale(sample.value)) {
            let result = (sample.timestamp, sample.value > 0.0);
            let entry = last.entry(Identity::of(labels)).or_insert(result);
            if entry.0 <= result.0 {
                *entry = result;
            }
        }
        Ok(last.into_iter().map(|(identity, (_, up))| (identity, up)).collect())
    }

    fn past(
        &self,
        targets: &[&Target],
        window: &Window,
    ) -> Result<HashMap<Identity, Past>, Unreadable> {
        let mut found: HashMap<Identity, Past> =
            targets.iter().map(|target| (target.identity(), Past::default())).collect();
        if targets.is_empty() {
            return Ok(found);
        }
        self.scan("probe_success", targets, window, |identity, series| {
            if let Some(past) = found.get_mut(identity) {
                series.samples.iter().for_each(|sample| past.availability.add(window, *sample));
            }
        })?;
        self.scan("probe_failure_info", targets, window, |identity, series| {
            let seen = series.samples.iter().filter(|sample| !is_stale(sample.value));
            let last = seen.clone().map(|sample| sample.timestamp).max();
            if let (Some(past), Some(last)) = (found.get_mut(identity), last) {
                let count = u32::try_from(seen.count()).unwrap_or(u32::MAX);
                let (phase, reason) = (own_label(series, "phase"), own_label(series, "reason"));
                past.failures.add(phase, reason, count, last);
            }
        })?;
        Ok(found)
    }

    fn response_times(
        &self,
        target: &Target,
        window: &Window,
    ) -> Result<ResponseTimes, Unreadable> {
        let own = target.identity();
        let mut times = ResponseTimes::default();
        self.scan("probe_http_duration_seconds", &[target], window, |identity, series| {
            if *identity == own {
                let phase = own_label(series, "phase").to_owned();
                let means = times.phases.entry(phase).or_default();
                series.samples.iter().for_each(|sample| means.add(window, *sample));
            }
        })?;
        self.scan("probe_duration_seconds", &[target], window, |identity, series| {
            if *identity == own {
                series.samples.iter().for_each(|sample| times.whole.add(window, *sample));
            }
        })?;
        Ok(times)
    }

    fn is_waiting(&self, target: &Target, now: Timestamp) -> Result<bool, Unreadable> {
        let matchers = [
            Matcher::equal(METRIC_NAME, "target:waiting"),
            Matcher::equal("job", JOB),
            Matcher::equal("instance", &target.instance),
        ];
        let own = target.identity();
        let found = self.store.latest(&matchers, now.saturating_sub(FRESH_MS), now, false)?;
        let of_target = |labels: &Labels| Identity::of(labels) == own;
        Ok(found.iter().any(|(labels, sample)| of_target(labels) && sample.value > 0.0))
    }

    fn last_probed(&self, instance: &str, now: Timestamp) -> Result<Option<Timestamp>, Unreadable> {
        let matchers = [
            Matcher::equal(METRIC_NAME, "probe_success"),
            Matcher::equal("job", JOB),
            Matcher::equal("instance", instance),
        ];
        let found = self.store.latest(&matchers, now.saturating_sub(REMOVED_MS), now, true)?;
        Ok(found.iter().map(|(_, sample)| sample.timestamp).max())
    }

    fn alerts(&self) -> Vec<Alert> {
        let groups = self.rules.views();
        let rules = groups.iter().flat_map(GroupView::rules);
        let mut alerts: Vec<Alert> =
            rules.flat_map(RuleView::alerts).filter_map(active_alert).collect();
        alerts.sort_by(|left, right| {
            (!left.firing, left.name(), left.since, &left.labels).cmp(&(
                !right.firing,
                right.name(),
                right.since,
                &right.labels,
            ))
        });
        alerts
    }

    fn rules(&self) -> Vec<RuleSummary> {
        let groups = self.rules.views();
        let rules =
            groups.iter().flat_map(|group| group.rules().iter().map(move |rule| (group, rule)));
        rules.map(|(group, rule)| rule_summary(group, rule)).collect()
    }
}

/// An alert that is firing or pending.
fn active_alert(alert: &rule::Alert) -> Option<Alert> {
    let firing = match alert.state {
        AlertState::Firing => true,
        AlertState::Pending => false,
        AlertState::Inactive => return None,
    };
    let annotation = |name: &str| alert.annotations.get(name).cloned().unwrap_or_default();
    Some(Alert {
        labels: alert.labels.clone(),
        firing,
        since: alert.active_at,
        recovering_since: alert.keep_firing_since,
        value: alert.value,
        summary: annotation("summary"),
        description: annotation("description"),
        runbook_url: annotation("runbook_url"),
    })
}

fn rule_summary(group: &GroupView, view: &RuleView) -> RuleSummary {
    let rule = view.rule();
    RuleSummary {
        group: group.group().name.clone(),
        name: rule.name.clone(),
        expression: rule.query.text().to_owned(),
        health: view.health().as_str(),
        error: view.last_error().map(str::to_owned),
        firing: view.count(AlertState::Firing),
        pending: view.count(AlertState::Pending),
        heartbeat: RuleSummary::is_heartbeat(rule.labels.get("severity").map(String::as_str)),
    }
}
