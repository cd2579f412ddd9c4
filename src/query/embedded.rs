//! The answers of the embedded store and of the published rule groups.
//!
//! Must not know how samples come into the store, nor when rules are evaluated.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use series::{
    Labels, Matcher, Queryable as _, Series, StorageError, Timestamp, is_stale,
    labels::METRIC_NAME,
    rule::{self, AlertState, GroupView, RuleView},
    store::Store,
};

use super::{
    Query, Unreadable,
    alert::{Alert, RuleSummary},
    past::{Past, ResponseTimes},
    window::Window,
};
use crate::{
    config::{Identity, JOB, Target},
    evaluate::Rules,
};

/// How far back a last result is looked for.
const FRESH_MS: i64 = 5 * 60_000;

/// How far back it is looked for when an address was probed last.
const REMOVED_MS: i64 = 7 * 86_400_000;

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

    /// Hands every series of a metric of the wanted targets' addresses to `take`, with the target that it is of. One address at a
    /// time, which the store finds by its index: it bounds the memory that a page with many targets takes.
    fn scan(
        &self,
        metric: &str,
        targets: &[&Target],
        window: &Window,
        mut take: impl FnMut(&Identity, &Series),
    ) -> Result<(), StorageError> {
        let instances: BTreeSet<&str> =
            targets.iter().map(|target| target.instance.as_str()).collect();
        for instance in instances {
            let matchers = of_address(metric, instance);
            for series in self.store.select(&matchers, window.start, window.end())? {
                take(&Identity::of(&series.labels), &series);
            }
        }
        Ok(())
    }
}

/// What selects a metric of an address.
fn of_address(metric: &str, instance: &str) -> [Matcher; 3] {
    [
        Matcher::equal(METRIC_NAME, metric),
        Matcher::equal("job", JOB),
        Matcher::equal("instance", instance),
    ]
}

/// The probe's own label of a series: renamed to `exported_…` when the target has a label of the same name.
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
        phases: Option<&str>,
        window: &Window,
    ) -> Result<ResponseTimes, Unreadable> {
        let own = target.identity();
        let mut times = ResponseTimes::default();
        if let Some(phases) = phases {
            self.scan(phases, &[target], window, |identity, series| {
                if *identity == own {
                    let phase = own_label(series, "phase").to_owned();
                    let means = times.phases.entry(phase).or_default();
                    series.samples.iter().for_each(|sample| means.add(window, *sample));
                }
            })?;
        }
        self.scan("probe_duration_seconds", &[target], window, |identity, series| {
            if *identity == own {
                series.samples.iter().for_each(|sample| times.whole.add(window, *sample));
            }
        })?;
        Ok(times)
    }

    fn is_waiting(&self, target: &Target, now: Timestamp) -> Result<bool, Unreadable> {
        let matchers = of_address("target:waiting", &target.instance);
        let own = target.identity();
        let found = self.store.latest(&matchers, now.saturating_sub(FRESH_MS), now, false)?;
        let of_target = |labels: &Labels| Identity::of(labels) == own;
        Ok(found.iter().any(|(labels, sample)| of_target(labels) && sample.value > 0.0))
    }

    fn last_probed(&self, instance: &str, now: Timestamp) -> Result<Option<Timestamp>, Unreadable> {
        let matchers = of_address("probe_success", instance);
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
