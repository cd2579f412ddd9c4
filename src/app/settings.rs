//! What the program is to do, as the command line says it.
//!
//! Must not know how it is done.

use std::time::Duration;

use series::store::StoreOptions;

use crate::config::Sources;

/// What the program is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The files of the configuration.
    pub sources: Sources,
    /// The embedded store and the rules; `None` makes the exporter.
    pub storage: Option<Storage>,
    /// Where alerts are delivered to: those of this program's rules, and those that an Alertmanager reports. `None` for nowhere.
    pub destinations: Option<alerting::Settings>,
    /// How long the heartbeat of an Alertmanager may be missing; `None` when none is expected.
    pub heartbeat_timeout: Option<Duration>,
    /// The address under which people reach the program.
    pub external_url: String,
    /// How many recent probes are remembered.
    pub history_limit: usize,
    /// Seconds subtracted from the timeout of a scrape that asks for a probe.
    pub timeout_offset_seconds: f64,
}

/// What the all-in-one mode keeps.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Where and for how long samples are kept.
    pub store: StoreOptions,
    /// How often rule groups are evaluated that do not say so themselves.
    pub evaluation_interval: Duration,
}
