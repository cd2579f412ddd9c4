//! Ends that are not believed yet: kept with all that their lines need, also over a restart, until they count or the alert fires.
//!
//! Must not know when an end is believed, nor files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use series::{Labels, Timestamp};

use crate::event::{AlertEvent, Ending, Origin, Transition};

/// How many ends are kept; beyond it only their Alertmanager keeps them.
const ENDS_MAX: usize = 10_000;
/// How much memory their labels and annotations may take.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The ends that wait, by the hash of all their labels.
#[derive(Default)]
pub(super) struct HeldEnds {
    ends: BTreeMap<u64, AlertEvent>,
    bytes: usize,
}

/// What happened to an end that is not believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// The log has it, or a later one: there is nothing to wait for.
    Needless,
    /// It waits from now on.
    New,
    /// It waited already.
    Waiting,
    /// Too many wait.
    Full,
}

impl HeldEnds {
    /// Adds an end, or what is known of it now.
    pub(super) fn insert(&mut self, end: AlertEvent) {
        let key = end.label_set();
        self.remove(key);
        self.bytes += bytes(&end);
        self.ends.insert(key, end);
    }

    /// What is known of the end of a label set.
    pub(super) fn get(&self, label_set: u64) -> Option<&AlertEvent> {
        self.ends.get(&label_set)
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is room for an end; one that waits already needs none.
    pub(super) fn has_room(&self, end: &AlertEvent) -> bool {
        let full = self.ends.len() >= ENDS_MAX && !self.ends.contains_key(&end.label_set());
        !full && self.bytes.saturating_add(bytes(end)) <= BYTES_MAX
    }

    /// Up to so many of them, in the order in which they happened.
    pub(super) fn earliest(&self, limit: usize) -> impl Iterator<Item = &AlertEvent> {
        let mut ends: Vec<_> = self.ends.values().collect();
        ends.sort_by_key(|end| end.at);
        ends.into_iter().take(limit)
    }

    /// Removes an end; whether it was there.
    pub(super) fn remove(&mut self, label_set: u64) -> bool {
        let removed = self.ends.remove(&label_set);
        self.bytes = self.bytes.saturating_sub(removed.as_ref().map_or(0, bytes));
        removed.is_some()
    }

    /// The records of all of them.
    pub(super) fn records(&self) -> impl Iterator<Item = String> {
        self.ends.values().map(record)
    }
}

/// How much memory the texts take.
fn bytes(end: &AlertEvent) -> usize {
    let pairs = end.labels.iter().chain(end.annotations.iter());
    pairs.map(|(name, text)| name.len() + text.len()).sum()
}

/// An end in the file: one JSON object.
#[derive(Serialize, Deserialize)]
struct Record {
    at: Timestamp,
    #[serde(rename = "told_at")]
    reported_at: Timestamp,
    active_at: Timestamp,
    origin: String,
    ending: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// An end as a record of the file.
pub(super) fn record(end: &AlertEvent) -> String {
    let texts = |labels: &Labels| {
        labels.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let record = Record {
        at: end.at,
        reported_at: end.reported_at,
        active_at: end.active_at,
        origin: end.origin.as_str().to_owned(),
        ending: end.ending.as_str().to_owned(),
        labels: texts(&end.labels),
        annotations: texts(&end.annotations),
    };
    // Texts and numbers can always be written.
    serde_json::to_string(&record).unwrap_or_default()
}

/// Reads a record.
pub(super) fn parse(text: &str) -> Option<AlertEvent> {
    let record: Record = serde_json::from_str(text).ok()?;
    Some(AlertEvent {
        transition: Transition::Resolved,
        at: record.at,
        reported_at: record.reported_at,
        active_at: record.active_at,
        labels: Labels::new(record.labels),
        annotations: Labels::new(record.annotations),
        origin: Origin::of(&record.origin)?,
        ending: Ending::of(&record.ending)?,
        ..AlertEvent::default()
    })
}
