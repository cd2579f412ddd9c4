//! A source in memory for tests, which also knows where native histograms would be.
//!
//! Must not know the language of the test scripts.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use series::{Labels, Matcher, Queryable, Sample, Series, StorageError, Timestamp};

/// What a series holds at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// A number, or a staleness marker.
    Float(f64),
    /// A native histogram, which the engine does not support.
    Histogram,
}

/// Series in memory.
#[derive(Default)]
pub(crate) struct MemorySource {
    series: BTreeMap<Labels, BTreeMap<Timestamp, Point>>,
    touched_histogram: AtomicBool,
}

impl MemorySource {
    /// Adds one point; a later one at the same time replaces it.
    pub(crate) fn add(&mut self, labels: &Labels, time: Timestamp, point: Point) {
        self.series.entry(labels.clone()).or_default().insert(time, point);
    }

    /// Whether a histogram was in any selected interval since the last call.
    pub(crate) fn take_touched_histogram(&self) -> bool {
        self.touched_histogram.swap(false, Ordering::Relaxed)
    }
}

impl Queryable for MemorySource {
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Series>, StorageError> {
        let mut selected = Vec::new();
        if after >= until {
            return Ok(selected);
        }
        // Descending, because the order of a source is unspecified and nobody may rely on it.
        for (labels, points) in self.series.iter().rev() {
            if !matchers.iter().all(|matcher| matcher.matches(labels)) {
                continue;
            }
            let mut samples = Vec::new();
            for (timestamp, point) in points.range(after.saturating_add(1)..=until) {
                match point {
                    Point::Float(value) => {
                        samples.push(Sample { timestamp: *timestamp, value: *value });
                    }
                    Point::Histogram => self.touched_histogram.store(true, Ordering::Relaxed),
                }
            }
            if !samples.is_empty() {
                selected.push(Series { labels: labels.clone(), samples });
            }
        }
        Ok(selected)
    }
}
