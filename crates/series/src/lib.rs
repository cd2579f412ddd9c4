//! Samples in; query answers and alert changes out.
//!
//! ```text
//! samples ──> store (head, write-ahead log) ──> promql ──> rule ──> alert changes
//! ```
//!
//! Everything here is synchronous and takes the time as an argument: this crate must not know the network, an
//! asynchronous runtime, the wall clock or the program's configuration files. That is what lets scripts and virtual time
//! test it completely.

pub mod labels;
pub mod promql;
pub mod rule;
pub mod source;
pub mod store;
pub mod time;

pub use labels::{Labels, Matcher, Matching};
pub use source::{
    Database, LOOKBACK_MS, NoSamples, Sample, Series, Source, SourceError, is_stale, stale_marker,
};
pub use time::Timestamp;
