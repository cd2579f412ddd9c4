//! What the rules changed, on its way to the destinations: the store first, so that after a crash the alert is either known to both the
//! store and the log, or found in the store and reported again.
//!
//! Must not know when rules are evaluated.

use std::sync::Arc;

use alerting::{AlertEvent, Destinations, Present};
use tokio::sync::mpsc;

use crate::ingest::Disk;

/// How many evaluations may wait for a slow disk.
const BATCHES_MAX: usize = 64;

/// The outcome of one evaluation.
pub(super) struct Batch {
    /// What changed.
    pub(super) events: Vec<AlertEvent>,
    /// Every alert, after the change; where that is needed.
    pub(super) present: Option<Present>,
}

/// Takes batches to the destinations, one after the other.
pub(super) struct Outbox {
    disk: Arc<Disk>,
    destinations: Arc<Destinations>,
    batches: mpsc::Receiver<Batch>,
}

impl Outbox {
    /// An outbox and the sender of its channel.
    pub(super) fn new(
        disk: Arc<Disk>,
        destinations: Arc<Destinations>,
    ) -> (mpsc::Sender<Batch>, Self) {
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        (sender, Self { disk, destinations, batches })
    }

    /// Works until the channel is closed and empty. What came while the store was synced is handed over at once.
    pub(super) async fn run(mut self) {
        let mut batches = Vec::new();
        while self.batches.recv_many(&mut batches, BATCHES_MAX).await > 0 {
            // Whether the disk took it or not, people are to know.
            self.disk.sync().await;
            let mut changed = Vec::new();
            for Batch { events, present } in batches.drain(..) {
                changed.extend(events);
                if let Some(present) = present {
                    self.destinations.enqueue(std::mem::take(&mut changed));
                    self.destinations.present(present);
                }
            }
            self.destinations.enqueue(changed);
        }
    }
}
