//! What became of the requests and of their alerts, counted.
//!
//! Must not know why.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::{Collect, OwnSample, names, value};

/// What became of the requests.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) held: AtomicU64,
    pub(super) truncated_alerts: AtomicU64,
    pub(super) skipped_alerts: AtomicU64,
    pub(super) held_ends: AtomicU64,
}

impl Collect for Counters {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let counters = [
            ("accepted", &self.accepted),
            ("refused", &self.refused),
            ("failed", &self.failed),
            ("held", &self.held),
        ];
        samples.extend(counters.into_iter().map(|(outcome, counter)| {
            let count = value(counter.load(Ordering::Relaxed));
            OwnSample::labelled(&names::WEBHOOKS, "outcome", outcome, count)
        }));
        let counts = [
            (&names::WEBHOOK_TRUNCATED, &self.truncated_alerts),
            (&names::WEBHOOK_SKIPPED, &self.skipped_alerts),
            (&names::WEBHOOK_HELD, &self.held_ends),
        ];
        samples.extend(counts.into_iter().map(|(metric, counter)| {
            OwnSample::new(metric, value(counter.load(Ordering::Relaxed)))
        }));
    }
}
