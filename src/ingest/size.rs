//! The size of the embedded store and its mishaps, as own metrics.
//!
//! Must not know what is written to the store.

use std::sync::Arc;

use series::store::Store;

use crate::{
    state::Counters,
    telemetry::{Collect, OwnSample, names, value},
};

/// Measures a store.
pub struct StoreSize {
    /// The store.
    pub store: Arc<Store>,
    /// Where its mishaps are counted.
    pub counters: Arc<Counters>,
}

impl Collect for StoreSize {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let statistics = self.store.statistics();
        samples.extend([
            OwnSample::new(&names::STORE_SERIES, value(statistics.series as u64)),
            OwnSample::new(&names::STORE_SAMPLES, value(statistics.samples)),
            OwnSample::new(&names::STORE_HEAD_BYTES, value(statistics.bytes)),
            OwnSample::new(&names::STORE_WAL_BYTES, value(statistics.wal_bytes)),
            OwnSample::new(&names::STORE_DROPPED, value(statistics.dropped_samples)),
            OwnSample::new(&names::STORE_SYNC_FAILURES, value(self.counters.sync_failures())),
        ]);
    }
}
