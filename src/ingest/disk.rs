//! The disk of the embedded store: samples are written to it in rounds, and a slow or failing disk is reported by name.
//!
//! Nobody else waits for it: samples count as soon as they are in memory. Must not know what the samples are.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use series::{
    Timestamp,
    store::{Store, StoreError},
};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{
    state::lock,
    telemetry::{Collect, OwnSample, names, value},
};

/// A round that takes longer than this is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// The disk of a store.
pub struct Disk {
    store: Arc<Store>,
    directory: PathBuf,
    rounds: Mutex<Rounds>,
    failures: AtomicU64,
    slow: AtomicU64,
}

/// How the rounds go.
#[derive(Debug, Default)]
struct Rounds {
    /// Since when each of the rounds that are under way is.
    begun: Vec<Instant>,
    /// How long the last one took.
    last: Duration,
    /// While the disk is slow: how long the slowest round took.
    slowest: Option<Duration>,
    /// How many rounds in a row could not be written.
    failed: u64,
}

impl Rounds {
    /// Notes that a round is slow. Returns whether that was not known yet.
    fn is_slow(&mut self) -> bool {
        let news = self.slowest.is_none();
        self.slowest.get_or_insert_default();
        news
    }

    /// Notes that a round could not be written. Returns whether that was not known yet.
    fn is_failing(&mut self) -> bool {
        self.failed += 1;
        self.failed == 1
    }

    /// Notes that a round was written. Returns how many before it could not be, if any.
    fn is_written(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.failed)).filter(|failed| *failed > 0)
    }

    /// Notes that a round is over. Returns how long the slowest one took when the disk is no longer slow.
    fn end(&mut self, begun: Instant) -> (Duration, Option<Duration>) {
        if let Some(index) = self.begun.iter().position(|other| *other == begun) {
            self.begun.swap_remove(index);
        }
        self.last = begun.elapsed();
        if self.last < SLOW {
            return (self.last, self.slowest.take());
        }
        self.slowest = self.slowest.max(Some(self.last));
        (self.last, None)
    }

    /// How long the last round took or, when it is longer, the present one has taken.
    fn duration(&self) -> Duration {
        let present = self.begun.iter().map(Instant::elapsed).max();
        present.unwrap_or_default().max(self.last)
    }
}

impl Disk {
    /// The disk that a store is on; the directory is for people.
    pub fn new(store: Arc<Store>, directory: PathBuf) -> Self {
        let (failures, slow) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { store, directory, rounds: Mutex::default(), failures, slow }
    }

    /// The store that is on it.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Writes all samples and waits until they are on the disk. Returns whether they are: what the disk does not take stays in memory,
    /// and the next round tries again.
    pub async fn sync(self: &Arc<Self>) -> bool {
        let begun = Instant::now();
        lock(&self.rounds).begun.push(begun);
        let store = Arc::clone(&self.store);
        let mut writing = tokio::task::spawn_blocking(move || store.sync());
        let written = tokio::select! {
            written = &mut writing => written,
            () = tokio::time::sleep(SLOW) => {
                self.report_slow();
                writing.await
            }
        };
        let is_written = match written {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.report_failure(&error);
                false
            }
            Err(error) => {
                error!(%error, "The store ended by a programming error.");
                false
            }
        };
        self.report_end(begun, is_written);
        is_written
    }

    /// Drops what is too old at a time. Waits for a round that is under way.
    pub async fn expire(&self, now: Timestamp) {
        let store = Arc::clone(&self.store);
        if let Err(error) = tokio::task::spawn_blocking(move || store.expire(now)).await {
            error!(%error, "The store ended by a programming error.");
        }
    }

    /// Counts a round that could not be written, and logs the first of several in a row.
    fn report_failure(&self, error: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if lock(&self.rounds).is_failing() {
            error!(%error, directory = %self.directory.display(),
                "The samples of this round are not on the disk; they are kept in memory and tried again every few seconds.");
        }
    }

    /// Logs what is over with this round: a disk that was slow, or one that took nothing.
    fn report_end(&self, begun: Instant, is_written: bool) {
        let mut rounds = lock(&self.rounds);
        let failed = is_written.then(|| rounds.is_written()).flatten();
        let (took, slowest) = rounds.end(begun);
        drop(rounds);
        if took >= SLOW {
            self.slow.fetch_add(1, Ordering::Relaxed);
        } else if let Some(slowest) = slowest {
            info!(directory = %self.directory.display(),
                "The disk is fast enough again: writing the samples took {:.1} s at most.", slowest.as_secs_f64());
        }
        if let Some(failed) = failed {
            info!(directory = %self.directory.display(), failed, "The samples are on the disk again.");
        }
    }

    fn report_slow(&self) {
        if lock(&self.rounds).is_slow() {
            warn!(directory = %self.directory.display(),
                "The disk is slow: writing the samples has taken longer than {} s; probes and rules go on, and what waits is kept in memory.",
                SLOW.as_secs());
        }
    }
}

impl Collect for Disk {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let statistics = self.store.statistics();
        let seconds = lock(&self.rounds).duration().as_secs_f64();
        let count = |counter: &AtomicU64| value(counter.load(Ordering::Relaxed));
        samples.extend([
            OwnSample::new(&names::STORE_SERIES, value(statistics.series as u64)),
            OwnSample::new(&names::STORE_SAMPLES, value(statistics.samples)),
            OwnSample::new(&names::STORE_HEAD_BYTES, value(statistics.bytes)),
            OwnSample::new(&names::STORE_WAL_BYTES, value(statistics.wal_bytes)),
            OwnSample::new(&names::STORE_DROPPED, value(statistics.dropped_samples)),
            OwnSample::new(&names::STORE_UNLOGGED, value(statistics.unlogged_samples)),
            OwnSample::new(&names::STORE_SYNC_FAILURES, count(&self.failures)),
            OwnSample::new(&names::DISK_SYNC_SECONDS, seconds),
            OwnSample::new(&names::DISK_SLOW_SYNCS, count(&self.slow)),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_time_is_reported_once_when_it_is_noticed_and_once_when_it_is_over() {
        let mut rounds = Rounds::default();
        let mut news = Vec::new();
        for seconds in [0.1, 20.0, 3.0, 0.2, 0.1, 2.0, 0.1] {
            let begun = Instant::now();
            rounds.begun.push(begun);
            let took = Duration::from_secs_f64(seconds);
            tokio::time::advance(took).await;
            assert!(rounds.duration() >= took);
            if took >= SLOW && rounds.is_slow() {
                news.push(format!("slow after {seconds}"));
            }
            if let (_, Some(slowest)) = rounds.end(begun) {
                news.push(format!("over: {:.0}", slowest.as_secs_f64()));
            }
        }
        assert_eq!(news, ["slow after 20", "over: 20", "slow after 2", "over: 2"]);
        assert_eq!(rounds.duration(), Duration::from_millis(100));
    }

    #[test]
    fn a_failing_time_is_reported_once_and_once_when_it_is_over() {
        let mut rounds = Rounds::default();
        let mut news = Vec::new();
        for is_written in [true, false, false, false, true, true, false, true] {
            if is_written {
                news.extend(rounds.is_written().map(|failed| format!("over after {failed}")));
            } else if rounds.is_failing() {
                news.push("failing".to_owned());
            }
        }
        assert_eq!(news, ["failing", "over after 3", "failing", "over after 1"]);
    }
}
