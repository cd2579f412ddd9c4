//! The part of the head that a query needs: taken out under the head's lock, which costs a count for each chunk, and decoded
//! without it, so that no query holds up those who append.
//!
//! Must not know the index, nor any lock.

use std::sync::Arc;

use super::chunk::Chunk;
use crate::{Labels, Sample, Series, Timestamp, is_stale};

/// Series with those of their chunks that may have samples in an interval. What is appended later is not in it.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    interval: Interval,
    series: Vec<Part>,
    /// The chunks of all series, one after the other.
    chunks: Vec<Arc<Chunk>>,
}

/// One series of a selection.
#[derive(Clone, Debug)]
struct Part {
    labels: Labels,
    /// The latest sample, where it is known without decoding.
    latest: Option<Sample>,
    /// How many chunks are this series', in ascending order of time.
    chunks: usize,
}

/// The times in (`after`, `until`].
#[derive(Clone, Copy, Debug)]
struct Interval {
    after: Timestamp,
    until: Timestamp,
}

impl Selection {
    /// A selection of no series yet, for the times in (`after`, `until`].
    pub(super) fn new(after: Timestamp, until: Timestamp) -> Self {
        Self { interval: Interval { after, until }, series: Vec::new(), chunks: Vec::new() }
    }

    /// Adds a series with its chunks in ascending order of time; nothing when none of them is in the interval.
    pub(super) fn add(&mut self, labels: &Labels, chunks: &[Arc<Chunk>]) {
        self.push(labels, self.interval.overlapping(chunks));
    }

    /// Adds a series of which only the latest sample is wanted; with `numbers` the latest that is no staleness marker.
    pub(super) fn add_latest(&mut self, labels: &Labels, chunks: &[Arc<Chunk>], numbers: bool) {
        let overlapping = self.interval.overlapping(chunks);
        let wanted = |chunk: &Arc<Chunk>| {
            chunk.last_sample().filter(|last| self.interval.wants(last, numbers))
        };
        if let Some(latest) = overlapping.last().and_then(wanted) {
            self.series.push(Part { labels: labels.clone(), latest: Some(latest), chunks: 0 });
            return;
        }
        // No chunk before one that ends with a wanted sample can have a later one.
        let begin = overlapping.iter().rposition(|chunk| wanted(chunk).is_some()).unwrap_or(0);
        self.push(labels, overlapping.get(begin..).unwrap_or_default());
    }

    fn push(&mut self, labels: &Labels, chunks: &[Arc<Chunk>]) {
        if !chunks.is_empty() {
            self.chunks.extend_from_slice(chunks);
            self.series.push(Part { labels: labels.clone(), latest: None, chunks: chunks.len() });
        }
    }

    /// Decodes the samples in the interval; series without one are left out.
    pub(super) fn decode(self) -> Vec<Series> {
        let mut rest = self.chunks.as_slice();
        let series = self.series.into_iter().map(|Part { labels, chunks, .. }| {
            let samples = split_off(&mut rest, chunks).iter().flat_map(|chunk| chunk.iter());
            let samples = samples.filter(|sample| self.interval.wants(sample, false)).collect();
            Series { labels, samples }
        });
        series.filter(|series| !series.samples.is_empty()).collect()
    }

    /// Decodes what is needed of the latest samples, `numbers` as they were added; series without one are left out.
    pub(super) fn decode_latest(self, numbers: bool) -> Vec<(Labels, Sample)> {
        let mut rest = self.chunks.as_slice();
        let in_chunk = |chunk: &Arc<Chunk>| {
            chunk.iter().filter(|sample| self.interval.wants(sample, numbers)).last()
        };
        let latest = self.series.into_iter().filter_map(|Part { labels, latest, chunks }| {
            let chunks = split_off(&mut rest, chunks);
            Some((labels, latest.or_else(|| chunks.iter().rev().find_map(in_chunk))?))
        });
        latest.collect()
    }
}

impl Interval {
    fn wants(self, sample: &Sample, numbers: bool) -> bool {
        let Sample { timestamp, value } = *sample;
        timestamp > self.after && timestamp <= self.until && (!numbers || !is_stale(value))
    }

    /// Those of a series' chunks that may have samples in the interval.
    fn overlapping(self, chunks: &[Arc<Chunk>]) -> &[Arc<Chunk>] {
        let begin = chunks.partition_point(|chunk| chunk.last() <= self.after);
        let end = chunks.partition_point(|chunk| chunk.first() <= self.until);
        chunks.get(begin..end).unwrap_or_default()
    }
}

fn split_off<'a>(rest: &mut &'a [Arc<Chunk>], count: usize) -> &'a [Arc<Chunk>] {
    let (chunks, others) = rest.split_at_checked(count).unwrap_or_default();
    *rest = others;
    chunks
}
