//! Timestamps.
//!
//! Must not know the wall clock: the present is always an argument.

/// Milliseconds since the Unix epoch.
pub type Timestamp = i64;
