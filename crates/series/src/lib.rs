//! Samples in; query answers and alert changes out.
//!
//! ```text
//! samples ──> store (head, write-ahead log) ──> promql ──> rule ──> alert changes
//! ```
//!
//! [`model`] has the values that all of them share, [`storage`] the traits between them.
//!
//! Everything here is synchronous and takes the time as an argument: this crate must not know the network, an
//! asynchronous runtime, the wall clock or the program's configuration files. That is what lets scripts and virtual time
//! test it completely.

pub mod model;
pub mod promql;
pub mod rule;
pub mod storage;
pub mod store;

pub use model::{
    Labels, Matcher, Matching, Sample, Series, Timestamp, is_stale, labels, stale_marker,
};
pub use storage::{Appender, LOOKBACK_MS, NoSamples, Queryable, StorageError};
