//! The samples of the program about itself, as a scrape of it would yield them: the rules about the exporter hold in the all-in-one mode
//! too.
//!
//! Must not know what is counted.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use crate::{
    ingest::{Recorder, own_round},
    state::Monitor,
    telemetry::Collectors,
};

/// Records the program's own metrics at an interval.
pub(super) async fn run(
    monitor: Monitor,
    recorder: Arc<Recorder>,
    collectors: Collectors,
    instance: String,
    interval: Duration,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let samples = own_round(&instance, &collectors.collect());
        recorder.record_own(monitor.now(), samples);
    }
}
