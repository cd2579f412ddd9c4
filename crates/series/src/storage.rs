//! What queries read and what rules write: the two traits between a store and those who use it.
//!
//! Must not know how samples are stored.

use crate::model::{Labels, Matcher, Sample, Series, Timestamp, is_stale};

/// Why a storage could not answer or take samples.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StorageError(pub String);

/// How far back an instant selector looks for a sample, in milliseconds, unless a storage or a query sets another span: Prometheus's
/// own five minutes.
pub const LOOKBACK_MS: i64 = 5 * 60_000;

/// Something that queries can be put to.
pub trait Queryable: Sync {
    /// How far back an instant selector looks for a sample, in milliseconds: for queries that do not set it themselves, as
    /// those of rules and of their templates.
    fn lookback_ms(&self) -> i64 {
        LOOKBACK_MS
    }

    /// Every series that satisfies all `matchers`, with its samples in the left-open interval (`after`, `until`].
    ///
    /// Series without a sample in the interval are left out. The order of the series is unspecified.
    ///
    /// # Errors
    /// When stored data cannot be read.
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Series>, StorageError>;

    /// The latest sample of every series that satisfies all `matchers`, in the left-open interval (`after`, `until`]; with
    /// `numbers` the latest that is no staleness marker. What a single moment is answered from: a storage may know it without
    /// reading the samples before.
    ///
    /// Series without such a sample are left out. The order of the series is unspecified.
    ///
    /// # Errors
    /// When stored data cannot be read.
    fn latest(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        numbers: bool,
    ) -> Result<Vec<(Labels, Sample)>, StorageError> {
        let series = self.select(matchers, after, until)?.into_iter();
        let latest = series.filter_map(|Series { labels, samples }| {
            let wanted = |sample: &Sample| !numbers || !is_stale(sample.value);
            Some((labels, samples.into_iter().rfind(wanted)?))
        });
        Ok(latest.collect())
    }
}

/// A storage that also takes samples: what rules are evaluated against.
pub trait Appender: Queryable {
    /// Appends one sample at `at` to each of the given series. A sample that is not newer than the last one of its series
    /// is dropped.
    ///
    /// # Errors
    /// When the samples cannot be kept at all.
    fn append(&self, at: Timestamp, samples: &[(Labels, f64)]) -> Result<(), StorageError>;
}

/// A storage without series: it shows of what kind a query's answer is.
#[derive(Clone, Copy, Debug)]
pub struct NoSamples;

impl Queryable for NoSamples {
    fn select(
        &self,
        _: &[Matcher],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Series>, StorageError> {
        Ok(Vec::new())
    }
}
