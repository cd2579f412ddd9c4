//! Ends that are not believed yet: kept with all that their lines need, also over a restart, until they count or the alert fires.
//!
//! Must not know when an end is believed, nor files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use series::{Labels, Timestamp};

use super::Known;
use crate::notify::notice::{Ending, Notice, Origin, Transition};

/// How many ends are kept; beyond it only their Alertmanager keeps them.
const ENDS_MAX: usize = 10_000;
/// How much memory their labels and annotations may take.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The ends that wait, by the hash of all their labels.
#[derive(Default)]
pub(super) struct HeldEnds {
    ends: BTreeMap<u64, Notice>,
    bytes: usize,
}

/// What became of an end that is not believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::notify) enum Holding {
    /// The log has it, or a later one: there is nothing to wait for.
    Needless,
    /// It waits from now on.
    New,
    /// It waited already.
    Known,
    /// Too many wait.
    Full,
}

impl HeldEnds {
    /// Adds an end, or what is known of it now.
    pub(super) fn insert(&mut self, end: Notice) {
        let key = end.label_set();
        self.remove(key);
        self.bytes += bytes(&end);
        self.ends.insert(key, end);
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

impl Known {
    /// Keeps an end until it is released, or its label set is reported as firing.
    pub(in crate::notify) fn hold(&mut self, end: &Notice) -> Holding {
        let known = self.held.ends.get(&end.label_set());
        if known.is_some_and(|known| *known == Notice { told_at: known.told_at, ..end.clone() }) {
            return Holding::Known;
        }
        let is_known = known.is_some();
        if self.follows(end).is_empty() {
            return if is_known { Holding::Known } else { Holding::Needless };
        }
        let full = self.held.ends.len() >= ENDS_MAX && !is_known;
        if full || self.held.bytes.saturating_add(bytes(end)) > BYTES_MAX {
            return Holding::Full;
        }
        self.journal.hold(&record(end));
        self.held.insert(end.clone());
        if is_known { Holding::Known } else { Holding::New }
    }

    /// Keeps the end of a label set no longer, because it is written, or none; whether it was kept.
    pub(in crate::notify) fn unhold(&mut self, label_set: u64) -> bool {
        let removed = self.held.remove(label_set);
        if removed {
            self.journal.unhold(label_set);
        }
        removed
    }

    /// Up to so many of the ends that wait, as if they were learnt of now, in the order in which they happened.
    pub(in crate::notify) fn held(&self, limit: usize, now: Timestamp) -> Vec<Notice> {
        let mut ends: Vec<_> = self.held.ends.values().collect();
        ends.sort_by_key(|end| end.at);
        let ends = ends.into_iter().take(limit);
        ends.map(|end| Notice { told_at: now, ..end.clone() }).collect()
    }

    /// How many ends wait.
    pub(in crate::notify) fn held_count(&self) -> usize {
        self.held.ends.len()
    }

    /// Whether what is known is kept in a file, so that a restart changes nothing.
    pub(in crate::notify) fn is_kept(&self) -> bool {
        self.journal.is_open()
    }
}

/// How much memory the texts take.
fn bytes(end: &Notice) -> usize {
    let pairs = end.labels.iter().chain(end.annotations.iter());
    pairs.map(|(name, text)| name.len() + text.len()).sum()
}

/// An end in the file: one JSON object.
#[derive(Serialize, Deserialize)]
struct Record {
    at: Timestamp,
    told_at: Timestamp,
    active_at: Timestamp,
    origin: String,
    ending: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn record(end: &Notice) -> String {
    let texts = |labels: &Labels| {
        labels.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let record = Record {
        at: end.at,
        told_at: end.told_at,
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
pub(super) fn parse(text: &str) -> Option<Notice> {
    let record: Record = serde_json::from_str(text).ok()?;
    Some(Notice {
        transition: Transition::Resolved,
        at: record.at,
        told_at: record.told_at,
        active_at: record.active_at,
        labels: Labels::new(record.labels),
        annotations: Labels::new(record.annotations),
        origin: Origin::of(&record.origin)?,
        ending: Ending::of(&record.ending)?,
        ..Notice::default()
    })
}
