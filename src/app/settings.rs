//! What the program is to do, as the command line says it.
//!
//! Must not know how it is done.

use std::time::Duration;

use series::store::StoreOptions;

use crate::{config::Sources, notify};

/// What the program is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The files of the configuration.
    pub sources: Sources,
    /// The embedded store and the rules; `None` makes the exporter.
    pub storage: Option<Storage>,
    /// How people are notified of alerts: of internal ones, and of those that an Alertmanager reports. `None` where nobody is.
    pub notify: Option<notify::Settings>,
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
