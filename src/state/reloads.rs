//! The configuration in force, and how the last reload went.
//!
//! Written by the reloader alone. Must not know how a configuration is read.

use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use notation::sync::{read, write};
use series::Timestamp;

use crate::{
    config::{Config, Diagnostic},
    telemetry::{Collect, OwnSample, names, seconds, value},
};

/// The configuration in force and the last reload, shared by all tasks.
#[derive(Debug)]
pub struct Reloads {
    config: ArcSwap<Config>,
    status: RwLock<ReloadStatus>,
}

/// How the last reload of the configuration went.
#[derive(Clone, Debug)]
pub struct ReloadStatus {
    /// When the configuration in force was loaded.
    pub last_success: Timestamp,
    /// When the last attempt was made.
    pub last_attempt: Timestamp,
    /// The mistakes of the last attempt; empty when it succeeded.
    pub errors: Vec<Diagnostic>,
}

impl Reloads {
    /// The first configuration, loaded at `now`.
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        let status = ReloadStatus { last_success: now, last_attempt: now, errors: Vec::new() };
        Self { config: ArcSwap::from_pointee(config), status: RwLock::new(status) }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// How the last reload went.
    pub fn status(&self) -> ReloadStatus {
        read(&self.status).clone()
    }

    /// A reload succeeded: the configuration is in force.
    pub fn succeeded(&self, config: Arc<Config>, now: Timestamp) {
        self.config.store(config);
        self.set(ReloadStatus { last_success: now, last_attempt: now, errors: Vec::new() });
    }

    /// A reload failed: the previous configuration stays in force.
    pub fn failed(&self, errors: Vec<Diagnostic>, now: Timestamp) {
        let last_success = self.status().last_success;
        self.set(ReloadStatus { last_success, last_attempt: now, errors });
    }

    fn set(&self, status: ReloadStatus) {
        *write(&self.status) = status;
    }
}

impl Collect for Reloads {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let status = self.status();
        let successful = if status.errors.is_empty() { 1.0 } else { 0.0 };
        samples.extend([
            OwnSample::new(&names::CONFIG_RELOAD_SUCCESSFUL, successful),
            OwnSample::new(&names::CONFIG_RELOAD_TIME, seconds(status.last_success)),
            OwnSample::new(&names::TARGETS, value(self.config().targets.len() as u64)),
        ]);
    }
}
