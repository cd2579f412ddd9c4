//! What everything here speaks of: labels, matchers, samples and series. Values only.
//!
//! Must not know where series are stored, nor what is asked of them.

pub mod labels;
mod sample;

pub use self::{
    labels::{Labels, Matcher, Matching},
    sample::{Sample, Series, Timestamp, is_stale, stale_marker},
};
