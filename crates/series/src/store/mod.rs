//! The embedded store: a compressed head in memory behind a write-ahead log.
//!
//! Must not know what the samples mean, nor the wall clock: the time is an argument of retention.

mod chunk;
mod error;
mod head;
mod index;
mod record;
mod selection;
#[cfg(test)]
mod tests;
mod wal;

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Mutex, RwLock},
};

use notation::sync::{lock, read, write};

pub use self::{error::StoreError, wal::Replay};
use self::{
    head::{Expiry, Head, Totals},
    record::Round,
    wal::{Size, Wal},
};
use crate::{
    Appender, LOOKBACK_MS, Labels, Matcher, Queryable, Sample, Series, StorageError, Timestamp,
};

/// How many series retention visits at a time: well below a millisecond's work. Tests have few.
const EXPIRY_STEP: usize = if cfg!(test) { 2 } else { 1_000 };

/// Where and how long a store keeps samples.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The directory of the log; created when missing.
    pub directory: PathBuf,
    /// How long samples are kept, in milliseconds.
    pub retention_ms: i64,
    /// At most this many bytes of log and head together; the oldest samples go first. At least the segment being written
    /// stays.
    pub retention_bytes: Option<u64>,
    /// A log segment is closed at this size in bytes.
    pub segment_bytes_max: u64,
    /// How many samples wait in memory for a disk that takes none; beyond it the oldest of them are not logged any more,
    /// but stay in the head.
    pub pending_samples_max: usize,
    /// How far back instant selectors of queries look, in milliseconds.
    pub lookback_ms: i64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("data"),
            retention_ms: 15 * 24 * 3_600_000,
            retention_bytes: None,
            segment_bytes_max: 64 << 20,
            pending_samples_max: 4_000_000,
            lookback_ms: LOOKBACK_MS,
        }
    }
}

/// The size of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Series in the head.
    pub series: usize,
    /// Samples in the head.
    pub samples: u64,
    /// Chunks in the head.
    pub chunks: usize,
    /// Memory of the chunks in bytes, without labels and index.
    pub bytes: u64,
    /// Bytes of all log segments.
    pub wal_bytes: u64,
    /// Number of log segments.
    pub wal_segments: usize,
    /// Samples dropped since the start because they were not newer than the last one of their series.
    pub dropped_samples: u64,
    /// Samples since the start that never reached the log, because the disk took none for too long.
    pub unlogged_samples: u64,
    /// The time of the oldest sample.
    pub oldest: Option<Timestamp>,
    /// The time of the newest sample.
    pub newest: Option<Timestamp>,
}

/// Rounds that are not in the log yet.
#[derive(Debug, Default)]
struct Pending {
    rounds: VecDeque<Round>,
    samples: usize,
    unlogged: u64,
}

impl Pending {
    fn limit(&mut self, samples_max: usize) {
        while self.samples > samples_max {
            let Some(round) = self.rounds.pop_front() else { return };
            self.samples -= round.samples.len();
            self.unlogged += round.samples.len() as u64;
        }
    }
}

/// A thread-safe store of samples.
///
/// Locks are taken in the order log, head, pending, size of the log. Only [`Store::sync`] and [`Store::expire`] take that of
/// the log, which is held while the disk works; appending, queries and statistics never wait for a disk. Queries decode what
/// they read after they have released the lock of the head.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
    wal: Option<Mutex<Wal>>,
    head: RwLock<Head>,
    pending: Mutex<Pending>,
    // What the log measured when its lock was last released.
    wal_size: Mutex<Size>,
}

impl Store {
    /// Opens the store of a directory, which it locks, and replays its log.
    ///
    /// # Errors
    /// When another process has the directory, when it cannot be read or written, or when a segment is of a newer format.
    pub fn open(options: StoreOptions) -> Result<(Self, Replay), StoreError> {
        let mut head = Head::default();
        let mut samples = 0;
        // Retention works by whole segments, so one may not take too large a share of it.
        let bytes = options
            .retention_bytes
            .map_or(options.segment_bytes_max, |cap| options.segment_bytes_max.min(cap / 8));
        let limits = (bytes, (options.retention_ms / 8).max(1));
        let (wal, mut replay) =
            Wal::open(&options.directory, limits, |timestamp, labels, value| {
                samples += u64::from(head.append(labels, Sample { timestamp, value }).is_some());
            })?;
        replay.samples = samples;
        replay.series = head.entries.len();
        // Duplicates in the log are the traces of a repeated write, not samples that somebody lost.
        head.dropped = 0;
        let store = Self {
            options,
            wal_size: Mutex::new(wal.size()),
            wal: Some(Mutex::new(wal)),
            head: RwLock::new(head),
            pending: Mutex::default(),
        };
        Ok((store, replay))
    }

    /// A store without a log.
    pub fn in_memory() -> Self {
        Self {
            options: StoreOptions::default(),
            wal: None,
            head: RwLock::default(),
            pending: Mutex::default(),
            wal_size: Mutex::default(),
        }
    }

    /// Writes everything appended since the last call to the log, and waits until it is on the disk.
    ///
    /// # Errors
    /// When the disk does not take it. The samples stay in memory and the next call tries again, in a fresh segment.
    pub fn sync(&self) -> Result<(), StoreError> {
        let Some(wal) = &self.wal else { return Ok(()) };
        let mut wal = lock(wal);
        let (mut rounds, samples) = {
            let mut pending = lock(&self.pending);
            (std::mem::take(&mut pending.rounds), std::mem::take(&mut pending.samples))
        };
        let written = wal.write(rounds.make_contiguous());
        *lock(&self.wal_size) = wal.size();
        if written.is_err() {
            let mut pending = lock(&self.pending);
            rounds.append(&mut pending.rounds);
            pending.rounds = rounds;
            pending.samples += samples;
            pending.limit(self.options.pending_samples_max);
        }
        written
    }

    /// Drops what is older than the retention at `now`, and the oldest samples beyond the cap on bytes.
    pub fn expire(&self, now: Timestamp) {
        let cutoff = now.saturating_sub(self.options.retention_ms);
        let Some(wal) = &self.wal else {
            self.expire_head(cutoff);
            return;
        };
        let mut wal = lock(wal);
        wal.expire(cutoff);
        self.expire_head(cutoff);
        if let Some(cap) = self.options.retention_bytes {
            while wal.size().bytes.saturating_add(read(&self.head).totals.bytes) > cap {
                let Some(newest) = wal.unlink_oldest() else { break };
                self.expire_head(newest.saturating_add(1));
            }
        }
        *lock(&self.wal_size) = wal.size();
    }

    /// Drops chunks of the head. What is to be dropped is looked for under the lock that readers share, a few series at a time: to
    /// that lock a writer who waits comes first.
    fn expire_head(&self, cutoff: Timestamp) {
        if !read(&self.head).has_older(cutoff) {
            return;
        }
        let mut expiry = Expiry::new(cutoff);
        while !expiry.is_complete {
            read(&self.head).look_for_expired(&mut expiry, EXPIRY_STEP);
            if !expiry.found.is_empty() {
                write(&self.head).expire(&mut expiry);
            }
        }
        write(&self.head).finish_expiry(&expiry);
    }

    /// The store's size, from running totals: it takes the same short time whatever the store holds and the disk does.
    pub fn statistics(&self) -> Statistics {
        let (series, dropped_samples, totals) = {
            let head = read(&self.head);
            (head.entries.len(), head.dropped, head.totals)
        };
        let Totals { samples, chunks, bytes, oldest, newest } = totals;
        let wal = *lock(&self.wal_size);
        Statistics {
            series,
            samples,
            chunks,
            bytes,
            wal_bytes: wal.bytes,
            wal_segments: wal.segments,
            dropped_samples,
            unlogged_samples: lock(&self.pending).unlogged,
            oldest,
            newest,
        }
    }

    /// The label sets that satisfy the matchers and have a sample in (`after`, `until`], sorted.
    pub fn series(&self, matchers: &[Matcher], after: Timestamp, until: Timestamp) -> Vec<Labels> {
        let mut found: Vec<Labels> = self.labels(matchers, after, until).collect();
        found.sort();
        found
    }

    fn labels(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Labels> {
        let selection = read(&self.head).latest(matchers, after, until, false);
        selection.decode_latest(false).into_iter().map(|(labels, _)| labels)
    }

    /// The names of all labels of [`Store::series`], sorted.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Vec<String> {
        let found: Vec<Labels> = self.labels(matchers, after, until).collect();
        let names: BTreeSet<&str> =
            found.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The values that one label has in [`Store::series`], sorted.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Vec<String> {
        let found: Vec<Labels> = self.labels(matchers, after, until).collect();
        let values: BTreeSet<&str> = found.iter().filter_map(|labels| labels.get(name)).collect();
        values.into_iter().map(str::to_owned).collect()
    }
}

impl Queryable for Store {
    fn lookback_ms(&self) -> i64 {
        self.options.lookback_ms
    }

    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Series>, StorageError> {
        let selection = read(&self.head).select(matchers, after, until);
        Ok(selection.decode())
    }

    fn latest(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        numbers: bool,
    ) -> Result<Vec<(Labels, Sample)>, StorageError> {
        let selection = read(&self.head).latest(matchers, after, until, numbers);
        Ok(selection.decode_latest(numbers))
    }
}

impl Appender for Store {
    fn append(&self, at: Timestamp, samples: &[(Labels, f64)]) -> Result<(), StorageError> {
        let mut head = write(&self.head);
        let mut kept = Vec::new();
        for (labels, value) in samples {
            let id = head.append(labels, Sample { timestamp: at, value: *value });
            if let (Some(id), Some(_)) = (id, &self.wal) {
                kept.push((id, labels.clone(), *value));
            }
        }
        if !kept.is_empty() {
            // Still under the head's lock: the log must have the rounds in the order the head has them.
            let mut pending = lock(&self.pending);
            pending.samples += kept.len();
            pending.rounds.push_back(Round { at, samples: kept });
            pending.limit(self.options.pending_samples_max);
        }
        drop(head);
        Ok(())
    }
}
