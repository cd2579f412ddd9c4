//! One rule with what it has come to: health, alerts, and the series it wrote last.
//!
//! Must not know the other rules of its group.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE, External, Group, Rule, RuleKind,
    alert::{self, Alert, Found, Holds, Step, Transition},
    template::Expander,
};
use crate::{Database, Labels, Timestamp, labels::METRIC_NAME, stale_marker};

/// How the last evaluation of a rule went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// There was none yet.
    #[default]
    Unknown,
    /// Well.
    Ok,
    /// It failed.
    Err,
}

impl Health {
    /// Prometheus's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Err => "err",
        }
    }
}

/// A rule and what has become of it.
#[derive(Clone, Debug)]
pub struct RuleState {
    pub(super) rule: Rule,
    health: Health,
    last_error: Option<String>,
    /// Pending and firing alerts.
    pub(super) active: BTreeMap<Labels, Alert>,
    /// Alerts that were restored from the store and that no evaluation has confirmed yet.
    pub(super) unconfirmed: BTreeSet<Labels>,
    /// The series that the last good evaluation wrote.
    pub(super) previous: BTreeSet<Labels>,
}

/// What all rules of one evaluation of a group share.
pub(super) struct Round<'a> {
    pub(super) database: &'a dyn Database,
    pub(super) at: Timestamp,
    pub(super) external: &'a External,
    pub(super) group: &'a Group,
}

/// What one evaluation of a rule gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) changes: Vec<(Transition, Alert)>,
    pub(super) samples: usize,
    pub(super) error: Option<String>,
}

impl RuleState {
    /// A rule that has never been evaluated.
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            health: Health::Unknown,
            last_error: None,
            active: BTreeMap::new(),
            unconfirmed: BTreeSet::new(),
            previous: BTreeSet::new(),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// How the last evaluation went.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Why the last evaluation failed, when it did.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The pending and firing alerts, sorted by labels.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.active.values()
    }

    /// Evaluates the rule and writes its results. `elsewhere` holds the restored alerts that another rule of the group has
    /// too: when this rule does not give them, they were never its own.
    pub(super) fn evaluate(&mut self, round: &Round<'_>, elsewhere: &BTreeSet<Labels>) -> Outcome {
        let mut outcome = Outcome::default();
        let written = match self.rule.kind {
            RuleKind::Recording => self.record(round),
            RuleKind::Alerting { for_ms, keep_firing_for_ms } => {
                let holds = Holds { for_ms, keep_firing_for_ms };
                self.alert(round, holds, elsewhere, &mut outcome.changes)
            }
        };
        let stored = written.and_then(|samples| {
            outcome.samples = samples.len();
            self.write(round, samples)
        });
        self.health = if stored.is_ok() { Health::Ok } else { Health::Err };
        self.last_error = stored.err();
        outcome.error.clone_from(&self.last_error);
        outcome
    }

    /// Appends the results, and the end of those series that are no longer among them.
    fn write(&mut self, round: &Round<'_>, mut samples: Vec<(Labels, f64)>) -> Result<(), String> {
        let present: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let ended = self.previous.difference(&present).cloned();
        samples.extend(ended.map(|labels| (labels, stale_marker())));
        self.previous = present;
        round.database.append(round.moment(), &samples).map_err(|error| error.to_string())
    }

    fn record(&self, round: &Round<'_>) -> Result<Vec<(Labels, f64)>, String> {
        let mut samples = BTreeMap::new();
        let extra = self.rule.labels.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let extra: Vec<(&str, &str)> =
            extra.chain([(METRIC_NAME, self.rule.name.as_str())]).collect();
        for element in self.rule.answer(round.database, round.moment())? {
            let labels = Labels::new(element.labels.iter().chain(extra.iter().copied()));
            if samples.insert(labels, element.value).is_some() {
                return Err(
                    "vector contains metrics with the same labelset after applying rule labels"
                        .to_owned(),
                );
            }
        }
        round.limit(samples.len(), "series")?;
        Ok(samples.into_iter().collect())
    }

    fn alert(
        &mut self,
        round: &Round<'_>,
        holds: Holds,
        elsewhere: &BTreeSet<Labels>,
        changes: &mut Vec<(Transition, Alert)>,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let found = self.found(round)?;
        self.unconfirmed.retain(|labels| !found.contains_key(labels));
        let Step { active, changes: mut changed } =
            alert::advance(&self.active, found, holds, round.at);
        if let Err(message) = round.limit(active.len(), "alerts") {
            // Prometheus forgets the alerts then. Whoever heard of them must hear their end.
            let ended = std::mem::take(&mut self.active).into_values();
            changes.extend(ended.map(|alert| alert::end(alert, round.at)));
            self.unconfirmed.clear();
            return Err(message);
        }
        changed.retain(|(_, alert)| {
            let foreign = !active.contains_key(&alert.labels) && elsewhere.contains(&alert.labels);
            if foreign {
                self.previous.retain(|series| !is_series_of(series, &alert.labels));
            }
            !foreign
        });
        self.unconfirmed.retain(|labels| active.contains_key(labels));
        self.active = active;
        changes.append(&mut changed);
        Ok(self.active.values().flat_map(alert_samples).collect())
    }

    /// The alerts that the expression gives, with their labels and annotations from the templates.
    fn found(&self, round: &Round<'_>) -> Result<BTreeMap<Labels, Found>, String> {
        let expander = Expander::new(round.database, round.at, round.external);
        let mut found = BTreeMap::new();
        for element in self.rule.answer(round.database, round.moment())? {
            let own = element.labels.without_metric_name();
            let expand = |(name, text): (&String, &String)| {
                (name.clone(), expander.expand(text, &element.labels, element.value))
            };
            let templated: Vec<(String, String)> = self.rule.labels.iter().map(expand).collect();
            let templated = templated.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            let name = [(ALERT_NAME, self.rule.name.as_str())];
            let labels = Labels::new(own.iter().chain(templated).chain(name));
            let annotations = self.rule.annotations.iter().map(expand).collect();
            if found.insert(labels, Found { value: element.value, annotations }).is_some() {
                return Err(
                    "vector contains metrics with the same labelset after applying alert labels"
                        .to_owned(),
                );
            }
        }
        Ok(found)
    }

    /// Forgets an alert without a word: another rule has it.
    pub(super) fn forget(&mut self, labels: &Labels) {
        self.active.remove(labels);
        self.unconfirmed.remove(labels);
        self.previous.retain(|series| !is_series_of(series, labels));
    }
}

impl Round<'_> {
    /// The time that the expressions see and that the results get.
    fn moment(&self) -> Timestamp {
        self.at.saturating_sub(self.group.query_offset_ms)
    }

    fn limit(&self, count: usize, what: &str) -> Result<(), String> {
        let limit = self.group.limit;
        if limit > 0 && count > limit {
            return Err(format!("exceeded limit of {limit} with {count} {what}"));
        }
        Ok(())
    }
}

/// The two samples that tell of an active alert.
fn alert_samples(alert: &Alert) -> [(Labels, f64); 2] {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 stay far below 2^53")]
    let active_at = alert.active_at.div_euclid(1000) as f64;
    let [alerts, for_state] = alert_series(alert);
    [(alerts, 1.0), (for_state, active_at)]
}

/// The two series that tell of an active alert.
pub(super) fn alert_series(alert: &Alert) -> [Labels; 2] {
    let state = [(METRIC_NAME, ALERTS), (ALERT_STATE, alert.state.as_str())];
    [
        Labels::new(alert.labels.iter().chain(state)),
        Labels::new(alert.labels.iter().chain([(METRIC_NAME, ALERTS_FOR_STATE)])),
    ]
}

/// Whether a series tells of the alert with these labels.
fn is_series_of(series: &Labels, alert: &Labels) -> bool {
    let extra: &[&str] = match series.metric_name() {
        ALERTS => &[METRIC_NAME, ALERT_STATE],
        ALERTS_FOR_STATE => &[METRIC_NAME],
        _ => return false,
    };
    series.filtered(|name| !extra.contains(&name)) == *alert
}
