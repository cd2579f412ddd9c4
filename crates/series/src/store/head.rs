//! The head: every series with its compressed chunks, and the index over them.
//!
//! Must not know the log, nor any lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{chunk::Chunk, index::Index, selection::Selection};
use crate::{Labels, Matcher, Sample, Timestamp};

/// A chunk is closed at this many samples or at this span in milliseconds, so that a query decodes little in vain.
const CHUNK_SAMPLES_MAX: u32 = 240;
const CHUNK_SPAN_MAX_MS: i64 = 2 * 3_600_000;

/// One series; its last chunk is the open one, and there is at least one. Selections share the chunks: one that is written to
/// while a selection has it is copied first.
#[derive(Debug)]
pub(super) struct Entry {
    labels: Labels,
    pub(super) chunks: Vec<Arc<Chunk>>,
}

/// Running totals over all chunks, so that nobody has to walk over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) samples: u64,
    pub(super) chunks: usize,
    /// The memory of the chunks.
    pub(super) bytes: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
}

impl Totals {
    /// Adds a sample to an open chunk and counts it.
    fn push(&mut self, open: &mut Arc<Chunk>, sample: Sample) {
        let before = open.bytes() as u64;
        let chunk = Arc::make_mut(open);
        chunk.push(sample);
        self.bytes = (self.bytes - before) + chunk.bytes() as u64;
        self.samples += 1;
        let at = sample.timestamp;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest = self.newest.max(Some(at));
    }

    /// Closes a chunk, which gives memory back.
    fn close(&mut self, open: &mut Arc<Chunk>) {
        let before = open.bytes() as u64;
        let chunk = Arc::make_mut(open);
        chunk.close();
        self.bytes = (self.bytes - before) + chunk.bytes() as u64;
    }

    /// Takes a chunk out that is dropped; the times are the caller's.
    fn remove(&mut self, chunk: &Chunk) {
        self.samples -= u64::from(chunk.count());
        self.chunks -= 1;
        self.bytes -= chunk.bytes() as u64;
    }
}

/// All series in memory.
#[derive(Debug, Default)]
pub(super) struct Head {
    ids: HashMap<Labels, u32>,
    pub(super) entries: BTreeMap<u32, Entry>,
    index: Index,
    next: u32,
    pub(super) totals: Totals,
    pub(super) dropped: u64,
}

impl Head {
    /// Adds a sample; the series' identifier, or `None` when the sample was not newer than the last one and was dropped.
    pub(super) fn append(&mut self, labels: &Labels, sample: Sample) -> Option<u32> {
        if let Some(id) = self.ids.get(labels).copied() {
            let entry = self.entries.get_mut(&id)?;
            let open = entry.chunks.last_mut()?;
            if sample.timestamp <= open.last() {
                self.dropped += 1;
                return None;
            }
            if open.count() >= CHUNK_SAMPLES_MAX
                || sample.timestamp.saturating_sub(open.first()) > CHUNK_SPAN_MAX_MS
            {
                self.totals.close(open);
                entry.chunks.push(Arc::default());
                self.totals.chunks += 1;
            }
            self.totals.push(entry.chunks.last_mut()?, sample);
            return Some(id);
        }
        let id = self.next;
        // Four thousand million series in one life of the process: more are refused rather than mixed up.
        self.next = id.checked_add(1)?;
        let mut chunk = Arc::default();
        self.totals.push(&mut chunk, sample);
        self.totals.chunks += 1;
        self.ids.insert(labels.clone(), id);
        self.index.insert(id, labels);
        self.entries.insert(id, Entry { labels: labels.clone(), chunks: vec![chunk] });
        Some(id)
    }

    /// The series that satisfy the matchers, with what has their samples in (`after`, `until`].
    pub(super) fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Selection {
        let mut selection = Selection::new(after, until);
        for entry in self.matching(matchers) {
            selection.add(&entry.labels, &entry.chunks);
        }
        selection
    }

    /// The series that satisfy the matchers, with what has their latest samples, see [`crate::Source::latest`].
    pub(super) fn latest(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        numbers: bool,
    ) -> Selection {
        let mut selection = Selection::new(after, until);
        for entry in self.matching(matchers) {
            selection.add_latest(&entry.labels, &entry.chunks, numbers);
        }
        selection
    }

    fn matching(&self, matchers: &[Matcher]) -> impl Iterator<Item = &Entry> {
        self.index.select(matchers).into_iter().filter_map(|id| self.entries.get(&id))
    }

    /// Drops the chunks whose newest sample is older than `cutoff`, and series that have none left.
    pub(super) fn expire(&mut self, cutoff: Timestamp) {
        if self.totals.oldest.is_none_or(|oldest| oldest >= cutoff) {
            return;
        }
        let mut oldest: Option<Timestamp> = None;
        let mut gone = BTreeSet::new();
        for (id, entry) in &mut self.entries {
            entry.chunks.retain(|chunk| {
                let kept = chunk.last() >= cutoff;
                if !kept {
                    self.totals.remove(chunk);
                }
                kept
            });
            match entry.chunks.first().map(|chunk| chunk.first()) {
                Some(first) => oldest = Some(oldest.map_or(first, |oldest| oldest.min(first))),
                None => {
                    gone.insert(*id);
                }
            }
        }
        self.totals.oldest = oldest;
        // The newest sample stays with its chunk unless every chunk is gone.
        self.totals.newest = self.totals.newest.filter(|newest| *newest >= cutoff);
        if gone.is_empty() {
            return;
        }
        for id in &gone {
            if let Some(entry) = self.entries.remove(id) {
                self.ids.remove(&entry.labels);
            }
        }
        self.index.remove(&gone);
    }
}
