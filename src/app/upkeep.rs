//! The upkeep of the embedded store: opening it, writing it to disk, and dropping what is too old.
//!
//! Must not know how targets are probed or rules evaluated.

use std::{sync::Arc, time::Duration};

use series::store::{Store, StoreError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Storage;
use crate::{ingest::Disk, state::Monitor};

/// How often the samples that came in are written to disk: what a power cut may cost.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// How often samples that are too old are dropped.
const EXPIRE_INTERVAL: Duration = Duration::from_mins(1);

/// Opens the store of the all-in-one mode.
///
/// # Errors
/// When its directory cannot be used.
pub(super) fn open(storage: &Storage) -> Result<Arc<Disk>, StoreError> {
    let (store, replay) = Store::open(storage.store.clone())?;
    for path in &replay.quarantined {
        warn!(path = %path.display(), "A damaged part of the store was set aside; the samples before the damage are kept.");
    }
    info!(
        directory = %storage.store.directory.display(),
        series = replay.series,
        samples = replay.samples,
        torn_bytes = replay.torn_bytes,
        "Store opened."
    );
    Ok(Arc::new(Disk::new(Arc::new(store), storage.store.directory.clone())))
}

/// Writes the samples to disk, one round after the other, and drops those that are too old.
pub(super) async fn keep(monitor: Monitor, disk: Arc<Disk>, stop: CancellationToken) {
    let mut sync = tokio::time::interval(SYNC_INTERVAL);
    sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut expire = tokio::time::interval(EXPIRE_INTERVAL);
    expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = expire.tick() => disk.expire(monitor.now()).await,
            _ = sync.tick() => {
                disk.sync().await;
            }
        }
    }
}
