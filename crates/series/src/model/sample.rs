//! Samples, series of them, and the marker of a series' end.
//!
//! Must not know the wall clock: the present is always an argument.

use super::Labels;

/// Milliseconds since the Unix epoch.
pub type Timestamp = i64;

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
