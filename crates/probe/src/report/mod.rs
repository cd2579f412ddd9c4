//! What a probe found: plain values, read by the exporter, the store, the log and the pages.
//!
//! Must not know how any of it came about: nothing here asks, waits or decides.

mod evidence;
mod failure;
pub mod metric;
mod result;
mod server_timing;
mod stage;
pub(crate) mod text;
mod tls;

pub(crate) use self::text::HIDDEN;
pub use self::{
    evidence::{Evidence, Hop, Warning},
    failure::{Failure, Phase, Reason},
    metric::{Label, MetricDef, PhaseMetric, Sample},
    result::{Outcome, ProbeResult},
    server_timing::ServerTiming,
    stage::Stage,
    tls::{CertificateSummary, TlsSummary, TlsVerdict},
};
