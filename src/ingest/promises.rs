//! What is promised of a target, as samples: rules cannot compute with the text of a label.
//!
//! Must not know who made the promise.

use std::time::Duration;

use probe::{MetricDef, ProbeResult, Sample};

use crate::config::Promises;

/// The sample of a promise `alert_after`.
pub static ALERT_AFTER: MetricDef = MetricDef {
    name: "probe_target_alert_after_seconds",
    help: "How long the target may fail before that is reported, as its label alert_after says.",
};

/// The sample of a promise `max_latency`.
pub static MAX_LATENCY: MetricDef = MetricDef {
    name: "probe_target_max_latency_seconds",
    help: "Above which duration of a probe the target is slow, as its label max_latency says.",
};

/// The sample of a promise `slo`.
pub static SLO: MetricDef = MetricDef {
    name: "probe_target_slo_ratio",
    help: "The share of probes that is to succeed, as the target's label slo says in percent.",
};

/// Adds what the target was promised to what was found: rules cannot compute with the text of a label.
pub fn add_promises(result: &mut ProbeResult, promises: &Promises) {
    let found = [
        (&ALERT_AFTER, promises.alert_after.map(seconds)),
        (&MAX_LATENCY, promises.max_latency.map(seconds)),
        (&SLO, promises.slo),
    ];
    result.samples.extend(found.into_iter().filter_map(|(metric, value)| {
        value.map(|value| Sample { metric, labels: Vec::new(), value })
    }));
}

/// A duration as the number that is written for it: `0.3` for 300ms, not its nearest sum of two numbers.
fn seconds(duration: Duration) -> f64 {
    let milliseconds = u32::try_from(duration.as_millis());
    milliseconds.map_or_else(|_| duration.as_secs_f64(), |number| f64::from(number) / 1000.0)
}
