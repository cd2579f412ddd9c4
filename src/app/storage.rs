//! The tasks of the embedded store: opening it, writing it to disk, and the samples about the program itself.
//!
//! Must not know how targets are probed or rules evaluated.

use std::{sync::Arc, time::Duration};

use series::{
    Database as _,
    store::{Store, StoreError},
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Storage;
use crate::{ingest, state::Monitor, telemetry::Collectors};

/// How often the samples that came in are written to disk: what a power cut may cost.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// How often samples that are too old are dropped.
const EXPIRE_INTERVAL: Duration = Duration::from_mins(1);

/// Opens the store of the all-in-one mode.
///
/// # Errors
/// When its directory cannot be used.
pub(super) fn open(storage: &Storage) -> Result<Arc<Store>, StoreError> {
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
    Ok(Arc::new(store))
}

/// Writes the samples to disk, one round after the other, and drops those that are too old.
pub(super) async fn keep(monitor: Monitor, store: Arc<Store>, stop: CancellationToken) {
    let mut sync = tokio::time::interval(SYNC_INTERVAL);
    sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut expire = tokio::time::interval(EXPIRE_INTERVAL);
    expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let expiring = tokio::select! {
            () = stop.cancelled() => break,
            _ = expire.tick() => true,
            _ = sync.tick() => false,
        };
        let (monitor, store) = (monitor.clone(), Arc::clone(&store));
        let work = tokio::task::spawn_blocking(move || {
            if expiring {
                store.expire(monitor.now());
            } else if let Err(error) = store.sync() {
                monitor.counters().sync_failed();
                error!(%error, "The samples of this round are not on disk; they are kept in memory and tried again.");
            }
        });
        if let Err(error) = work.await {
            error!(%error, "The store ended by a programming error.");
        }
    }
}

/// Scrapes ourselves, so that the rules about the exporter hold in the all-in-one mode too.
pub(super) async fn observe_self(
    monitor: Monitor,
    store: Arc<Store>,
    collectors: Collectors,
    instance: String,
    interval: Duration,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let samples = ingest::own_round(&instance, &collectors.collect());
        if let Err(error) = store.append(monitor.now(), &samples) {
            error!(%error, "Own samples lost: the store takes none.");
        }
    }
}
