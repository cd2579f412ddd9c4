//! What the program counts about itself, for `GET /metrics`.
//!
//! Nothing here is per target: that is what `/probe` and the store are for.

use std::sync::atomic::Ordering;

use crate::{
    state::Monitor,
    telemetry::{Collect, OwnSample, names, value},
};

impl Collect for Monitor {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let status = self.reload_status();
        let counters = &self.counters;
        let count = |counter: &std::sync::atomic::AtomicU64| value(counter.load(Ordering::Relaxed));
        samples.extend([
            OwnSample::new(
                &names::CONFIG_RELOAD_SUCCESSFUL,
                if status.errors.is_empty() { 1.0 } else { 0.0 },
            ),
            OwnSample::new(&names::CONFIG_RELOAD_TIME, seconds(status.last_success)),
            OwnSample::new(&names::TARGETS, value(self.config.load().targets.len() as u64)),
            OwnSample::labelled(&names::PROBES, "outcome", "up", count(&counters.probes_up)),
            OwnSample::labelled(&names::PROBES, "outcome", "down", count(&counters.probes_down)),
            OwnSample::labelled(&names::PROBES, "outcome", "fault", count(&counters.probes_fault)),
            OwnSample::new(&names::MODULES_UNKNOWN, count(&counters.modules_unknown)),
            OwnSample::new(&names::RULE_FAILURES, count(&counters.rule_failures)),
        ]);
        let Some(store) = &self.store else { return };
        let statistics = store.statistics();
        samples.extend([
            OwnSample::new(&names::STORE_SERIES, value(statistics.series as u64)),
            OwnSample::new(&names::STORE_SAMPLES, value(statistics.samples)),
            OwnSample::new(&names::STORE_HEAD_BYTES, value(statistics.bytes)),
            OwnSample::new(&names::STORE_WAL_BYTES, value(statistics.wal_bytes)),
            OwnSample::new(&names::STORE_DROPPED, value(statistics.dropped_samples)),
            OwnSample::new(&names::STORE_SYNC_FAILURES, count(&counters.sync_failures)),
        ]);
    }
}

/// Milliseconds since the Unix epoch as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit into 53 bits for 285,000 years"
)]
pub(crate) fn seconds(timestamp: series::Timestamp) -> f64 {
    timestamp as f64 / 1000.0
}
