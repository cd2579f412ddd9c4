//! What waits to be stored, between the recorders and the one writer.
//!
//! Bounded: when too much waits, the oldest samples are left out, because rules and pages live on the newest; an end of a target is
//! always kept, because without it the target would seem alive. That is why it is no channel, which could only refuse the newest.
//! Must not know what becomes of an entry.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use series::{Labels, Timestamp};
use tracing::{info, warn};

use crate::{
    config::Target,
    state::{ProbeRecord, lock},
    telemetry::{Collect, OwnSample, names, value},
};

/// How many entries may wait: 16 s of 10,000 targets that are probed every 10 s, and about 40 MB.
const WAITING_MAX: usize = 16_384;

/// Something to be stored, with its own time.
pub(super) enum Entry {
    /// A probe of a watched target ended.
    Result { target: Arc<Target>, record: Arc<ProbeRecord> },
    /// A target was removed at a time.
    Removed { target: Arc<Target>, at: Timestamp },
    /// Samples of the program about itself.
    Own { at: Timestamp, samples: Vec<(Labels, f64)> },
}

impl Entry {
    /// Whether it may be left out.
    fn is_expendable(&self) -> bool {
        !matches!(self, Self::Removed { .. })
    }
}

/// The queue. Pushing never waits.
pub(super) struct Queue {
    waiting_max: usize,
    inner: Mutex<Inner>,
    arrived: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Entry>,
    closed: bool,
    /// How many were left out since the queue was last less than half full.
    left_out: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(WAITING_MAX)
    }
}

impl Queue {
    fn new(waiting_max: usize) -> Self {
        Self {
            waiting_max,
            inner: Mutex::default(),
            arrived: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Puts an entry behind the others; when too many wait, the oldest one that may be left out goes.
    pub(super) fn push(&self, entry: Entry) {
        let mut inner = lock(&self.inner);
        inner.waiting.push_back(entry);
        let oldest = (inner.waiting.len() > self.waiting_max)
            .then(|| inner.waiting.iter().position(Entry::is_expendable))
            .flatten();
        let dropped = oldest.and_then(|oldest| inner.waiting.remove(oldest));
        let first = dropped.is_some() && inner.left_out == 0;
        inner.left_out += u64::from(dropped.is_some());
        drop(inner);
        self.arrived.notify_one();
        if dropped.is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if first {
            warn!(
                waiting = self.waiting_max,
                "Results come faster than they can be stored: the oldest that wait are left out of the store."
            );
        }
    }

    /// The oldest entry, as soon as there is one; nothing when the queue is closed and all of it was taken.
    pub(super) fn pop(&self) -> Option<Entry> {
        let inner = lock(&self.inner);
        let empty = |inner: &mut Inner| inner.waiting.is_empty() && !inner.closed;
        let mut inner =
            self.arrived.wait_while(inner, empty).unwrap_or_else(PoisonError::into_inner);
        let entry = inner.waiting.pop_front();
        if inner.left_out > 0 && inner.waiting.len() <= self.waiting_max / 2 {
            let left_out = std::mem::take(&mut inner.left_out);
            drop(inner);
            info!(left_out, "Results are stored as fast as they come again.");
        }
        entry
    }

    /// How many entries wait.
    pub(super) fn len(&self) -> usize {
        lock(&self.inner).waiting.len()
    }

    /// Closes the queue: nothing more is pushed.
    pub(super) fn close(&self) {
        lock(&self.inner).closed = true;
        self.arrived.notify_all();
    }
}

impl Collect for Queue {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        samples.extend([
            OwnSample::new(&names::RESULTS_QUEUED, value(self.len() as u64)),
            OwnSample::new(&names::RESULTS_DROPPED, value(self.dropped.load(Ordering::Relaxed))),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::recorder::tests::target;

    fn own(at: Timestamp) -> Entry {
        Entry::Own { at, samples: Vec::new() }
    }

    fn removed(at: Timestamp) -> Entry {
        Entry::Removed { target: Arc::new(target()), at }
    }

    fn drain(queue: &Queue) -> Vec<Timestamp> {
        queue.close();
        let time = |entry| match entry {
            Entry::Own { at, .. } | Entry::Removed { at, .. } => at,
            Entry::Result { record, .. } => record.started,
        };
        std::iter::from_fn(|| queue.pop()).map(time).collect()
    }

    #[test]
    fn the_oldest_results_make_room_and_the_ends_of_targets_stay() {
        let queue = Queue::new(3);
        let (first, second) = (removed(1), own(2));
        for entry in [first, second, own(3), own(4), removed(5), own(6)] {
            queue.push(entry);
        }
        let mut samples = Vec::new();
        queue.collect(&mut samples);
        assert_eq!(samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [3.0, 3.0]);
        assert_eq!(drain(&queue), [1, 5, 6]);
        // Where only ends wait, none of them is given up.
        let queue = Queue::new(2);
        (0..5).for_each(|at| queue.push(removed(at)));
        assert_eq!(drain(&queue), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn whoever_waits_gets_what_comes_and_what_was_left_when_it_is_closed() {
        let queue = Arc::new(Queue::new(10));
        let taker = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || std::iter::from_fn(|| queue.pop()).count())
        };
        (0..7).for_each(|at| queue.push(own(at)));
        queue.close();
        assert_eq!(taker.join().unwrap(), 7);
    }
}
