//! What the exporter's endpoints share.
//!
//! Must not know what each of them answers.

use std::{net::SocketAddr, sync::Arc};

use ::probe::Net;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    config::watch::ReloadRequest,
    http::limits::{DESCRIPTORS_PER_PROBE, PROBES_AT_ONCE},
    state::Monitor,
    telemetry::process::{affordable, descriptors_max},
};

/// What the endpoints need.
pub struct Endpoints {
    /// The state of the program.
    pub monitor: Monitor,
    /// Name resolution and trusted roots.
    pub net: Arc<Net>,
    /// Subtracted from Prometheus's scrape timeout (`--timeout-offset`), in seconds.
    pub timeout_offset_seconds: f64,
    /// Where the program listens: a target that is only a path is on this address.
    pub listen: SocketAddr,
    /// Where requests to reload go.
    pub reloads: mpsc::Sender<ReloadRequest>,
    /// The probes that may still be asked for.
    pub(super) permits: Semaphore,
}

impl Endpoints {
    /// The endpoints' state.
    pub fn new(
        monitor: Monitor,
        net: Arc<Net>,
        timeout_offset_seconds: f64,
        listen: SocketAddr,
        reloads: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        // Beyond this the answer is an internal fault at once, instead of one for want of descriptors in the middle.
        let permits =
            Semaphore::new(affordable(descriptors_max(), DESCRIPTORS_PER_PROBE, PROBES_AT_ONCE));
        Self { monitor, net, timeout_offset_seconds, listen, reloads, permits }
    }
}
