//! Which samples a result becomes, given what its target wrote before.
//!
//! Must not know where samples are stored.

use std::collections::HashMap;

use probe::{Label, MetricDef, Outcome, ProbeResult};
use series::{Labels, stale_marker};

use super::{
    earlier::Old,
    labels::{NO_LABELS, SCRAPE_DURATION_SECONDS, UP, sample_labels},
};
use crate::config::{Identity, Target};

/// A series that a target wrote in its last round.
struct Written {
    metric: &'static MetricDef,
    own: Vec<Label>,
    labels: Labels,
}

/// What a target wrote in its last round.
struct LastRound {
    /// The target's labels at that time.
    target: Labels,
    up: Labels,
    duration: Labels,
    written: Vec<Written>,
    /// What is left of it from before the start of the program.
    earlier: Vec<Labels>,
}

impl LastRound {
    fn new(target: &Target) -> Self {
        Self {
            target: target.labels.clone(),
            up: sample_labels(&target.labels, UP, NO_LABELS),
            duration: sample_labels(&target.labels, SCRAPE_DURATION_SECONDS, NO_LABELS),
            written: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// The last round before the start of the program.
    fn before(old: Old) -> Self {
        Self {
            up: sample_labels(&old.target, UP, NO_LABELS),
            duration: sample_labels(&old.target, SCRAPE_DURATION_SECONDS, NO_LABELS),
            target: old.target,
            written: Vec::new(),
            earlier: old.series,
        }
    }

    /// Staleness markers for all its series.
    fn end(self) -> impl Iterator<Item = (Labels, f64)> {
        let mut series: Vec<Labels> = self.written.into_iter().map(|entry| entry.labels).collect();
        series.extend([self.up, self.duration]);
        let earlier = self.earlier.into_iter().filter(|labels| !series.contains(labels));
        let earlier: Vec<Labels> = earlier.collect();
        series.into_iter().chain(earlier).map(|labels| (labels, stale_marker()))
    }
}

/// The last round of each target.
#[derive(Default)]
pub(super) struct Rounds(HashMap<Identity, LastRound>);

impl Rounds {
    /// With the last rounds of targets from before the start of the program whose labels have changed.
    pub(super) fn after(edited: HashMap<Identity, Old>) -> Self {
        let rounds = edited.into_iter().map(|(identity, old)| (identity, LastRound::before(old)));
        Self(rounds.collect())
    }

    /// The samples of one round: those of the probe, `up`, `scrape_duration_seconds`, and a staleness marker for each
    /// series of the previous round that is not in this one.
    ///
    /// The series of labels that were edited end here, where those of the new ones begin: in between there is no moment at which
    /// nothing is known of the target, at which its alerts would end.
    pub(super) fn round(&mut self, target: &Target, result: &ProbeResult) -> Vec<(Labels, f64)> {
        let last = self.0.entry(target.identity()).or_insert_with(|| LastRound::new(target));
        let fault = matches!(result.outcome, Outcome::Fault(_));
        let mut samples = Vec::with_capacity(result.samples.len() + 2);
        if last.target != target.labels {
            samples.extend(std::mem::replace(last, LastRound::new(target)).end());
        }
        let mut written = Vec::with_capacity(result.samples.len());
        let mut previous = std::mem::take(&mut last.written);
        // An internal fault says nothing about the target: all its series end, as after a failed scrape.
        for sample in result.samples.iter().filter(|_| !fault) {
            // Rounds are alike, so that the labels of the last one nearly always serve again.
            let known = previous
                .iter()
                .position(|entry| {
                    std::ptr::eq(entry.metric, sample.metric) && entry.own == sample.labels
                })
                .map(|index| previous.swap_remove(index));
            let entry = known.unwrap_or_else(|| Written {
                metric: sample.metric,
                own: sample.labels.clone(),
                labels: sample_labels(&target.labels, sample.metric.name, &sample.labels),
            });
            samples.push((entry.labels.clone(), sample.value));
            written.push(entry);
        }
        samples.extend(previous.into_iter().map(|gone| (gone.labels, stale_marker())));
        samples.push((last.up.clone(), if fault { 0.0 } else { 1.0 }));
        samples.push((last.duration.clone(), result.elapsed.as_secs_f64()));
        last.written = written;
        samples
    }

    /// Staleness markers for all series of a target that is no longer watched.
    pub(super) fn end(&mut self, target: &Target) -> Vec<(Labels, f64)> {
        self.0.remove(&target.identity()).map(|last| last.end().collect()).unwrap_or_default()
    }
}
