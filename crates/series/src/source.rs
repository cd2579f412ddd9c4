//! What a query reads and what a rule writes: the two traits between the store and those who use it.
//!
//! Must not know how samples are stored.

use crate::{Labels, Matcher, Timestamp};

/// One measured value at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub timestamp: Timestamp,
    /// The value; a staleness marker is a NaN with a bit pattern of its own, see [`is_stale`].
    pub value: f64,
}

/// A labelled sequence of samples in ascending order of time, without two samples at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The identity of the series, `__name__` included.
    pub labels: Labels,
    /// The samples, staleness markers included.
    pub samples: Vec<Sample>,
}

/// Why a source could not answer or take samples.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// How far back an instant selector looks for a sample, in milliseconds, unless a source or a query says otherwise: Prometheus's
/// own five minutes.
pub const LOOKBACK_MS: i64 = 5 * 60_000;

/// Something that queries can be put to.
pub trait Source: Sync {
    /// How far back an instant selector looks for a sample, in milliseconds: for queries that do not say so themselves, as
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
    ) -> Result<Vec<Series>, SourceError>;

    /// The latest sample of every series that satisfies all `matchers`, in the left-open interval (`after`, `until`]; with
    /// `numbers` the latest that is no staleness marker. What a single moment is answered from: a source may know it without
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
    ) -> Result<Vec<(Labels, Sample)>, SourceError> {
        let series = self.select(matchers, after, until)?.into_iter();
        let latest = series.filter_map(|Series { labels, samples }| {
            let wanted = |sample: &Sample| !numbers || !is_stale(sample.value);
            Some((labels, samples.into_iter().rfind(wanted)?))
        });
        Ok(latest.collect())
    }
}

/// A source that also takes samples: what rules are evaluated against.
pub trait Database: Source {
    /// Appends one sample at `at` to each of the given series. A sample that is not newer than the last one of its series
    /// is dropped.
    ///
    /// # Errors
    /// When the samples cannot be kept at all.
    fn append(&self, at: Timestamp, samples: &[(Labels, f64)]) -> Result<(), SourceError>;
}

/// A source without series: it shows of what kind a query's answer is.
#[derive(Clone, Copy, Debug)]
pub struct NoSamples;

impl Source for NoSamples {
    fn select(
        &self,
        _: &[Matcher],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Series>, SourceError> {
        Ok(Vec::new())
    }
}

/// The bits of Prometheus's staleness marker (`model/value` of Prometheus, `StaleNaN`).
const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that says "this series ended here".
pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether a value is the staleness marker; ordinary NaNs are not.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}
