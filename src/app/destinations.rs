//! The destinations of alerts in the program: their metrics, and how they are stopped.
//!
//! Must not know what a destination does.

use std::{sync::Arc, time::Duration};

use alerting::{Destinations, Statistics};
use tracing::error;

use crate::telemetry::{Collect, OwnMetric, OwnSample, names, value};

/// How long what waits for the destinations may take to be delivered when the program stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Delivers what waits and stops the destinations.
pub(super) async fn close(destinations: Arc<Destinations>) {
    let close = tokio::task::spawn_blocking(move || destinations.close(CLOSE_TIMEOUT));
    if let Err(error) = close.await {
        error!(%error, "The destinations of alerts ended by a programming error.");
    }
}

impl Collect for Destinations {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        type Count = fn(&Statistics) -> u64;
        let metrics: [(&'static OwnMetric, Count); 4] = [
            (&names::NOTIFICATIONS, |of| of.delivered_total),
            (&names::NOTIFICATION_ERRORS, |of| of.errors_total),
            (&names::NOTIFICATIONS_DROPPED, |of| of.dropped_total + of.given_up_total),
            (&names::NOTIFICATIONS_QUEUED, |of| of.queued as u64),
        ];
        let statistics = self.statistics();
        for (metric, count) in metrics {
            samples.extend(
                statistics.iter().map(|(name, of)| {
                    OwnSample::labelled(metric, "notifier", name, value(count(of)))
                }),
            );
        }
        let codes = statistics.iter().filter_map(|(_, of)| of.exit_code);
        samples
            .extend(codes.map(|code| OwnSample::new(&names::COMMAND_EXIT_CODE, f64::from(code))));
    }
}
