//! From a probe's result to labelled samples, and into the embedded store: the only bridge between `probe` and `series`.
//!
//! The text of `/probe` and the samples of the embedded store come from the same [`probe::ProbeResult`], so that a rule
//! that works in one mode works in the other.
//!
//! ```text
//! scheduler ──> Recorder ──> queue ──> Writer ──> store <── Disk
//!                  └──> state (pages, API)
//! ```
//!
//! Must not know when targets are probed, nor how samples are kept.

mod disk;
mod earlier;
mod labels;
mod promises;
mod queue;
mod recorder;
mod rounds;

pub use self::{
    disk::Disk,
    labels::{OWN_JOB, SCRAPE_DURATION_SECONDS, UP, own_round, sample_labels},
    promises::{ALERT_AFTER, MAX_LATENCY, SLO, add_promises},
    recorder::{Recorder, Writer, channel},
};
