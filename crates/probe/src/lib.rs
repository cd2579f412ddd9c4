//! One target and one check in, one [`ProbeResult`] out.
//!
//! ```text
//! Module (settings) ─┐
//! Target ────────────┼──> ProbeContext: one deadline, timed stages ──> ProbeResult: a plain value
//! Net (DNS, roots) ──┘
//! ```
//!
//! This crate uses the network. It must not know files other than those named by a module, storage, schedules or a
//! metrics registry.

// The checks of generated input name this crate from outside.
#[cfg(test)]
extern crate self as probe;

#[macro_use]
mod closed_set;
mod clocks;
mod context;
mod file;
mod kind;
pub mod kinds;
mod module;
pub mod net;
pub mod report;
#[cfg(test)]
mod seeds;
mod setting;
mod target;

pub use clocks::Clocks;
pub use kinds::{Check, KINDS};
pub use module::{Module, Modules, parse_modules};
pub use net::{Net, NetError};
pub use report::{
    CertificateSummary, Evidence, Failure, Hop, Label, MetricDef, Outcome, Phase, PhaseMetric,
    ProbeResult, Reason, Sample, ServerTiming, Stage, TlsSummary, TlsVerdict, Warning, metric,
};
pub use target::{Address, AddressForm, HostPort, Target};
