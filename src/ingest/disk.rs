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

use series::{Timestamp, store::Store};
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
}

impl Rounds {
    /// Notes that a round is slow. Returns whether that was not known yet.
    fn is_slow(&mut self) -> bool {
        let news = self.slowest.is_none();
        self.slowest.get_or_insert_default();
        news
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

    /// Writes all samples and waits until they are on the disk. What the disk does not take stays in memory, and the next
    /// round tries again.
    pub async fn sync(self: &Arc<Self>) {
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
        let (took, slowest) = lock(&self.rounds).end(begun);
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                error!(%error, "The samples of this round are not on disk; they are kept in memory and tried again.");
            }
            Err(error) => error!(%error, "The store ended by a programming error."),
        }
        if took >= SLOW {
            self.slow.fetch_add(1, Ordering::Relaxed);
        } else if let Some(slowest) = slowest {
            info!(directory = %self.directory.display(),
                "The disk is fast enough again: writing the samples took {:.1} s at most.", slowest.as_secs_f64());
        }
    }

    /// Drops what is too old at a time. Waits for a round that is under way.
    pub async fn expire(&self, now: Timestamp) {
        let store = Arc::clone(&self.store);
        if let Err(error) = tokio::task::spawn_blocking(move || store.expire(now)).await {
            error!(%error, "The store ended by a programming error.");
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
}
