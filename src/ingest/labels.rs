//! The labels under which samples are stored, and the samples that every round has.
//!
//! Must not know how samples are stored.

use std::borrow::Cow;

use probe::Label;
use series::{Labels, labels::METRIC_NAME};

use crate::telemetry::OwnSample;

/// Whether the scrape worked, as Prometheus writes it: 0 only when the fault is internal.
pub const UP: &str = "up";

/// How long the scrape took, as Prometheus writes it.
pub const SCRAPE_DURATION_SECONDS: &str = "scrape_duration_seconds";

/// A sample without labels of its own.
pub(super) const NO_LABELS: &[Label] = &[];

/// The labels of one sample: the target's, the sample's own, and the metric's name.
///
/// A label of the sample that the target has too is renamed to `exported_…`, as Prometheus does without `honor_labels`.
pub fn sample_labels<N: AsRef<str>>(
    target: &Labels,
    metric: &str,
    own: &[(N, Cow<'static, str>)],
) -> Labels {
    let mut pairs: Vec<(String, String)> =
        target.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in own {
        let name = name.as_ref();
        let name =
            if target.get(name).is_some() { format!("exported_{name}") } else { name.to_owned() };
        pairs.push((name, value.clone().into_owned()));
    }
    pairs.push((METRIC_NAME.to_owned(), metric.to_owned()));
    Labels::new(pairs)
}

/// The `job` of the program's own metrics.
pub const OWN_JOB: &str = "webservice-monitor";

/// The samples of a scrape of the program itself, as Prometheus would write them for `job="webservice-monitor"`: the rules about the
/// exporter then hold in both modes.
pub fn own_round(instance: &str, samples: &[OwnSample]) -> Vec<(Labels, f64)> {
    let target = Labels::new([("job", OWN_JOB), ("instance", instance)]);
    let own = samples
        .iter()
        .map(|sample| (sample_labels(&target, sample.metric.name, &sample.labels), sample.value));
    own.chain(std::iter::once((sample_labels(&target, UP, NO_LABELS), 1.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::recorder::tests::target;

    #[test]
    fn a_label_of_the_target_wins_over_a_label_of_the_sample() {
        let labels = sample_labels(
            &target().labels,
            "probe_http_duration_seconds",
            &[("phase", Cow::Borrowed("tls"))],
        );
        assert_eq!(labels.get("phase"), Some("beta"));
        assert_eq!(labels.get("exported_phase"), Some("tls"));
    }
}
