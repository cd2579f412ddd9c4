//! The last line about an alert, in memory and as a record of the file beside the log.
//!
//! Must not know files, nor what follows from an entry.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use series::{
    Labels, Timestamp,
    rule::{identity, is_about_a_target},
};

use crate::{
    event::{AlertEvent, Disruption, Origin, Transition},
    line::{Written, parts},
};

/// How many label sets of one alert are remembered: probers and edits, not more.
const LABEL_SETS_MAX: usize = 32;
/// How many bytes of labels and annotations are kept for the line of the end; of more, only the labels that identify the alert.
const FACTS_BYTES_MAX: usize = 8 * 1024;
/// The annotations that the line of the end needs. Times are left out: they are those of the beginning.
const ANNOTATIONS: [&str; 4] = ["resolved", "error_type", "runbook_url", "dashboard_url"];

/// The last line about an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the line says.
    pub(super) transition: Transition,
    /// The disruption that it is about.
    pub(super) disruption: Disruption,
    /// The start of the alert under which the disruption was opened, in seconds.
    pub(super) opened: i64,
    /// When it was written.
    pub(super) reported_at: Timestamp,
    /// Who reported it.
    pub(super) origin: Origin,
    /// The label sets under which it was reported; none when they are not known any more.
    pub(super) sets: Vec<LabelSet>,
    /// What the line of the end needs; only while the alert fires.
    pub(super) facts: Option<Arc<Facts>>,
}

/// One label set of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LabelSet {
    /// The hash of all labels.
    pub(super) hash: u64,
    /// The latest start that was reported, in seconds. Alertmanager moves the start of an alert back when another Prometheus had
    /// seen it earlier, and reports a later one when it was over and began again before its group was reported.
    pub(super) latest: i64,
    /// When its end was reported; `None` while it fires.
    pub(super) over_at: Option<Timestamp>,
}

/// What is known of an alert besides its state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

impl Facts {
    /// What the end of this alert needs.
    pub(super) fn of(event: &AlertEvent) -> Self {
        let annotations = event.annotations.filtered(|name| ANNOTATIONS.contains(&name));
        let facts = Self { labels: event.labels.clone(), annotations };
        if facts.bytes() <= FACTS_BYTES_MAX {
            return facts;
        }
        let labels = if is_about_a_target(&event.labels) {
            identity(&event.labels)
        } else {
            event.labels.filtered(|name| name == "alertname")
        };
        let facts = Self { labels, annotations: Labels::default() };
        if facts.bytes() <= FACTS_BYTES_MAX { facts } else { Self::default() }
    }

    /// How much memory the texts take.
    pub(super) fn bytes(&self) -> usize {
        let pairs = self.labels.iter().chain(self.annotations.iter());
        pairs.map(|(name, text)| name.len() + text.len()).sum()
    }
}

/// Something to deliver, and what is known once it is delivered.
#[derive(Debug)]
pub(crate) struct Step {
    /// The hash of the labels that identify the alert.
    pub(super) key: u64,
    /// What is known then.
    pub(super) entry: Entry,
    /// What to deliver; none when only label sets changed.
    pub(crate) event: Option<AlertEvent>,
}

impl Entry {
    /// Whether the alert fires.
    pub(super) fn is_open(&self) -> bool {
        self.transition == Transition::Firing
    }

    /// The latest start of the alert that was reported of this disruption, in seconds.
    pub(super) fn latest(&self) -> i64 {
        self.sets.iter().map(|set| set.latest).max().unwrap_or(self.opened).max(self.opened)
    }

    /// The label set of a hash.
    pub(super) fn set(&self, hash: u64) -> Option<&LabelSet> {
        self.sets.iter().find(|set| set.hash == hash)
    }

    /// Notes that a label set fires, or its end when `over_at` is given.
    pub(super) fn note(&mut self, hash: u64, latest: i64, over_at: Option<Timestamp>) {
        if let Some(set) = self.sets.iter_mut().find(|set| set.hash == hash) {
            set.latest = set.latest.max(latest);
            set.over_at = over_at;
            return;
        }
        if self.sets.len() >= LABEL_SETS_MAX {
            // A label set that is over is dropped first; where all fire, one more makes no difference.
            let Some(index) = self.sets.iter().position(|set| set.over_at.is_some()) else {
                return;
            };
            self.sets.remove(index);
        }
        self.sets.push(LabelSet { hash, latest, over_at });
    }

    /// Whether a label set fires.
    pub(super) fn fires(&self) -> bool {
        self.sets.iter().any(|set| set.over_at.is_none())
    }

    /// Notes that none of the label sets fires any more.
    pub(super) fn close(&mut self, reported_at: Timestamp) {
        self.transition = Transition::Resolved;
        self.reported_at = reported_at;
        self.facts = None;
        for set in &mut self.sets {
            set.over_at.get_or_insert(reported_at);
        }
    }

    /// The entry of a line, where nothing else is known.
    pub(super) fn of_line(line: &Written) -> Self {
        let over_at = (line.transition == Transition::Resolved).then_some(line.reported_at);
        let latest = line.disruption.second;
        let facts = Facts { labels: line.labels.clone(), annotations: line.annotations.clone() };
        Self {
            transition: line.transition,
            disruption: line.disruption,
            opened: line.disruption.second,
            reported_at: line.reported_at,
            origin: Origin::default(),
            sets: line
                .label_set
                .map(|hash| LabelSet { hash, latest, over_at })
                .into_iter()
                .collect(),
            facts: over_at.is_none().then(|| Arc::new(facts)),
        }
    }

    /// The entry as a record under its key.
    pub(super) fn record(&self, key: u64) -> String {
        let texts = |labels: &Labels| {
            labels.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
        };
        let record = Record {
            key: hex(key),
            id: self.disruption.id(),
            action: self.transition.as_str().to_owned(),
            reported_at: self.reported_at,
            start: self.disruption.start,
            opened: self.opened,
            origin: self.origin.as_str().to_owned(),
            sets: self.sets.iter().map(|set| (hex(set.hash), set.latest, set.over_at)).collect(),
            labels: self.facts.as_ref().map(|facts| texts(&facts.labels)).unwrap_or_default(),
            annotations: self
                .facts
                .as_ref()
                .map(|facts| texts(&facts.annotations))
                .unwrap_or_default(),
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&record).unwrap_or_default()
    }

    /// Reads a record: the key and the entry.
    pub(super) fn parse(text: &str) -> Option<(u64, Self)> {
        let record: Record = serde_json::from_str(text).ok()?;
        let (hash, second) = parts(&record.id)?;
        let transition: Transition = record.action.parse().ok()?;
        let facts = Facts {
            labels: Labels::new(record.labels),
            annotations: Labels::new(record.annotations),
        };
        let set = |(hash, latest, over_at): (String, i64, Option<i64>)| {
            Some(LabelSet { hash: unhex(&hash)?, latest, over_at })
        };
        let entry = Self {
            transition,
            disruption: Disruption { hash, second, start: record.start },
            opened: record.opened,
            reported_at: record.reported_at,
            origin: Origin::of(&record.origin)?,
            sets: record.sets.into_iter().filter_map(set).take(LABEL_SETS_MAX).collect(),
            facts: Some(facts).filter(|facts| *facts != Facts::default()).map(Arc::new),
        };
        Some((unhex(&record.key)?, entry))
    }

    /// Reads a line as version 0.1 wrote it: `60ecf3e2b5165701-1795329126 firing <reported at> <latest start>`. The hash was that of all
    /// labels.
    pub(super) fn parse_old(line: &str) -> Option<(u64, Self)> {
        let mut words = line.split(' ');
        let (hash, second) = parts(words.next()?)?;
        let transition: Transition = words.next()?.parse().ok()?;
        let (reported_at, latest) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let over_at = (transition == Transition::Resolved).then_some(reported_at);
        let entry = Self {
            transition,
            disruption: Disruption { hash, second, start: second.saturating_mul(1000) },
            opened: second,
            reported_at,
            origin: Origin::default(),
            sets: vec![LabelSet { hash, latest, over_at }],
            facts: None,
        };
        Some((hash, entry))
    }
}

/// An entry in the file: one JSON object on a line.
#[derive(Serialize, Deserialize)]
struct Record {
    key: String,
    id: String,
    action: String,
    #[serde(rename = "told_at")]
    reported_at: Timestamp,
    start: Timestamp,
    opened: i64,
    origin: String,
    sets: Vec<(String, i64, Option<Timestamp>)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// A hash as text.
pub(super) fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The hash of a text.
pub(super) fn unhex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16)
}
