//! One target and one check in, one [`ProbeResult`] out.
//!
//! ```text
//! Module (settings) ─┐
//! Target ────────────┼──> Scope: one deadline, timed phases ──> ProbeResult: a plain value
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
pub mod evidence;
mod file;
mod kind;
pub mod kinds;
pub mod metric;
mod module;
pub mod net;
pub mod result;
mod scope;
#[cfg(test)]
mod seeds;
mod server_timing;
mod setting;
mod target;

pub use evidence::{Evidence, Hop, Warning};
pub use kinds::{Check, KINDS};
pub use metric::{Label, MetricDef, Sample};
pub use module::{Module, Modules, parse_modules};
pub use net::{
    Clocks, Net, NetError,
    cert::CertificateSummary,
    tls::{TlsSummary, TlsVerdict},
};
pub use result::{Failure, Outcome, Phase, ProbeResult, Reason};
pub use scope::{Scope, Timing};
pub use server_timing::ServerTiming;
pub use target::{Address, AddressForm, Target, TargetError};
