//! The head: every series with its compressed chunks, and the index over them.
//!
//! Must not know the log, nor any lock.

use std::{
    collections::{BTreeMap, HashMap},
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
        note_oldest(&mut self.oldest, at);
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

    /// The series that satisfy the matchers, with what has their latest samples, see [`crate::Queryable::latest`].
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

    /// Whether a chunk may be older than `cutoff`.
    pub(super) fn has_older(&self, cutoff: Timestamp) -> bool {
        self.totals.oldest.is_some_and(|oldest| oldest < cutoff)
    }

    /// Looks for series with chunks that are to be dropped among the next `count` ones.
    pub(super) fn look_for_expired(&self, expiry: &mut Expiry, count: usize) {
        expiry.found.clear();
        let mut visited = 0;
        for (id, entry) in self.entries.range(expiry.next..).take(count) {
            visited += 1;
            expiry.next = id.saturating_add(1);
            expiry.visit(*id, entry);
        }
        expiry.is_complete = visited < count;
    }

    /// Drops the chunks whose newest sample is too old of the series that were found, and the series that have none left.
    pub(super) fn expire(&mut self, expiry: &mut Expiry) {
        for id in expiry.found.drain(..) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let kept = entry.chunks.partition_point(|chunk| chunk.last() < expiry.cutoff);
            for chunk in entry.chunks.drain(..kept) {
                self.totals.remove(&chunk);
            }
            if let Some(oldest) = entry.chunks.first() {
                note_oldest(&mut expiry.oldest, oldest.first());
            } else if let Some(entry) = self.entries.remove(&id) {
                self.ids.remove(&entry.labels);
                expiry.gone.insert(id, entry.labels);
            }
        }
    }

    /// Ends an expiry that has visited all series.
    pub(super) fn finish_expiry(&mut self, expiry: &Expiry) {
        // Series may have come since the last step.
        let new = self.entries.range(expiry.next..).filter_map(|(_, entry)| entry.chunks.first());
        self.totals.oldest = expiry.oldest;
        for chunk in new {
            note_oldest(&mut self.totals.oldest, chunk.first());
        }
        if self.entries.is_empty() {
            self.totals.newest = None;
        }
        if !expiry.gone.is_empty() {
            self.index.remove(&expiry.gone);
        }
    }
}

/// Retention on its way through the series: in steps, so that no one waits for all of them.
#[derive(Debug)]
pub(super) struct Expiry {
    cutoff: Timestamp,
    /// The first series that was not visited yet.
    next: u32,
    /// Of the series visited last those that have something to drop.
    pub(super) found: Vec<u32>,
    /// Whether all series were visited.
    pub(super) is_complete: bool,
    /// The oldest sample that stays, of the series visited.
    oldest: Option<Timestamp>,
    /// The series that are gone, which the index still has.
    gone: BTreeMap<u32, Labels>,
}

impl Expiry {
    /// An expiry of the chunks whose newest sample is older than `cutoff`.
    pub(super) fn new(cutoff: Timestamp) -> Self {
        let (found, gone) = (Vec::new(), BTreeMap::new());
        Self { cutoff, next: 0, found, is_complete: false, oldest: None, gone }
    }

    fn visit(&mut self, id: u32, entry: &Entry) {
        match entry.chunks.first() {
            Some(oldest) if oldest.last() >= self.cutoff => {
                note_oldest(&mut self.oldest, oldest.first());
            }
            _ => self.found.push(id),
        }
    }
}

fn note_oldest(oldest: &mut Option<Timestamp>, at: Timestamp) {
    *oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
}
