//! One rule with what it has come to: health, alerts, and the series it wrote last.
//!
//! Must not know the other rules of its group.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE, External, Group, Rule, RuleKind,
    alert::{self, Alert, AlertState, Change, EndReason, Found, Holds, Step},
    relabel,
    template::Expander,
};
use crate::{Appender, Labels, Timestamp, labels::METRIC_NAME, promql::Element, stale_marker};

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
    pub(super) rule: Arc<Rule>,
    health: Health,
    pub(super) last_error: Option<Arc<str>>,
    /// Pending and firing alerts, which views share.
    pub(super) active: BTreeMap<Labels, Arc<Alert>>,
    /// Those of the active alerts whose own rule was removed, while this one of the same name stayed. The next evaluation
    /// decides whether they are this rule's as well.
    pub(super) orphaned: BTreeSet<Labels>,
    /// After an edit of the rule's labels, and after a start: the labels that it set or sets. `None` once it was evaluated.
    pub(super) edited: Option<BTreeSet<String>>,
    /// The series that the last good evaluation wrote.
    pub(super) previous: BTreeSet<Labels>,
}

/// What all rules of one evaluation of a group share.
pub(super) struct Round<'a> {
    pub(super) storage: &'a dyn Appender,
    pub(super) at: Timestamp,
    pub(super) external: &'a External,
    pub(super) group: &'a Group,
}

/// What one evaluation of a rule gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) changes: Vec<Change>,
    pub(super) samples: usize,
    pub(super) error: Option<String>,
}

impl RuleState {
    /// A rule that has never been evaluated.
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule: Arc::new(rule),
            health: Health::Unknown,
            last_error: None,
            active: BTreeMap::new(),
            orphaned: BTreeSet::new(),
            edited: None,
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
        self.active.values().map(Arc::as_ref)
    }

    /// Evaluates the rule and writes its results.
    pub(super) fn evaluate(&mut self, round: &Round<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let written = match self.rule.kind {
            RuleKind::Recording => self.record(round),
            RuleKind::Alerting { for_ms, keep_firing_for_ms } => {
                let holds = Holds { for_ms, keep_firing_for_ms };
                self.alert(round, holds, &mut outcome.changes)
            }
        };
        let stored = written.and_then(|samples| {
            outcome.samples = samples.len();
            self.write(round, samples)
        });
        self.health = if stored.is_ok() { Health::Ok } else { Health::Err };
        outcome.error = stored.err();
        self.last_error = outcome.error.as_deref().map(Arc::from);
        outcome
    }

    /// Appends the results, and the end of those series that are no longer among them.
    fn write(&mut self, round: &Round<'_>, mut samples: Vec<(Labels, f64)>) -> Result<(), String> {
        let present: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let ended = self.previous.difference(&present).cloned();
        samples.extend(ended.map(|labels| (labels, stale_marker())));
        self.previous = present;
        round.storage.append(round.moment(), &samples).map_err(|error| error.to_string())
    }

    fn record(&self, round: &Round<'_>) -> Result<Vec<(Labels, f64)>, String> {
        let mut samples = BTreeMap::new();
        let mut extra: Vec<(Arc<str>, Arc<str>)> = self.rule.labels.iter().map(pair).collect();
        extra.push((METRIC_NAME.into(), self.rule.name.as_str().into()));
        extra.sort();
        for element in self.rule.answer(round.storage, round.moment())? {
            let labels = element.labels.overlaid(&extra);
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
        changes: &mut Vec<Change>,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let found = self.found(round)?;
        relabel::relabel(&mut self.active, &mut self.orphaned, &found, self.edited.as_ref());
        self.edited = None;
        let Step { active, changes: mut changed } =
            alert::advance(&self.active, found, holds, round.at);
        let exceeded = round.limit(active.len(), "alerts").err();
        if exceeded.is_some() {
            // Prometheus forgets the alerts then. What was reported to begin must be reported to end.
            changed = std::mem::take(&mut self.active)
                .into_values()
                .map(|alert| alert::end(Arc::unwrap_or_clone(alert), round.at))
                .collect();
        } else {
            self.active = active;
        }
        changes.extend(changed.into_iter().map(|(transition, alert)| {
            let orphaned = self.orphaned.contains(&alert.labels);
            let reason = if orphaned { EndReason::RuleRemoved } else { EndReason::ConditionOver };
            let ended = alert.state == AlertState::Inactive;
            Change { transition, alert, reason: ended.then_some(reason) }
        }));
        self.orphaned.retain(|labels| self.active.contains_key(labels));
        match exceeded {
            Some(message) => Err(message),
            None => Ok(self.alerts().flat_map(alert_samples).collect()),
        }
    }

    /// The alerts that the expression gives, with their labels and annotations from the templates.
    fn found(&self, round: &Round<'_>) -> Result<BTreeMap<Labels, Found>, String> {
        let expander = Expander::new(round.storage, round.at, round.external);
        let mut found = BTreeMap::new();
        for element in self.rule.answer(round.storage, round.moment())? {
            let labels = self.rule.alert_labels(&element, &expander);
            let annotations = self.rule.annotations.iter().map(|(name, text)| {
                (name.clone(), expander.expand(text, &element.labels, element.value))
            });
            let annotations = annotations.collect();
            if found.insert(labels, Found { value: element.value, annotations }).is_some() {
                return Err(
                    "vector contains metrics with the same labelset after applying alert labels"
                        .to_owned(),
                );
            }
        }
        Ok(found)
    }
}

impl Rule {
    /// The labels of the alert that an element of the expression's answer becomes.
    pub(super) fn alert_labels(&self, element: &Element, expander: &Expander<'_>) -> Labels {
        let templated = self.labels.iter().map(|(name, text)| {
            let text = expander.expand(text, &element.labels, element.value);
            (Arc::from(name.as_str()), Arc::from(text))
        });
        let name = [(ALERT_NAME.into(), self.name.as_str().into())];
        let mut extra: Vec<(Arc<str>, Arc<str>)> = templated.chain(name).collect();
        extra.sort();
        element.labels.without_metric_name().overlaid(&extra)
    }
}

fn pair((name, text): (&String, &String)) -> (Arc<str>, Arc<str>) {
    (name.as_str().into(), text.as_str().into())
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

/// The two samples that record an active alert.
fn alert_samples(alert: &Alert) -> [(Labels, f64); 2] {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 stay far below 2^53")]
    let active_at = alert.active_at.div_euclid(1000) as f64;
    let [alerts, for_state] = alert_series(alert);
    [(alerts, 1.0), (for_state, active_at)]
}

/// The two series that record an active alert.
pub(super) fn alert_series(alert: &Alert) -> [Labels; 2] {
    [
        alert.labels.with(METRIC_NAME, ALERTS).with(ALERT_STATE, alert.state.as_str()),
        alert.labels.with(METRIC_NAME, ALERTS_FOR_STATE),
    ]
}
