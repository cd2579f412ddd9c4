//! The probes that are remembered in full, for the pages and for `/logs`.
//!
//! One owner with a lock inside that is held for moments. Must not know how a probe is shown, nor which probe is the latest of a
//! target.

mod memory;

use std::sync::{Arc, Mutex};

use notation::sync::lock;

use self::memory::Memory;
use super::record::{Origin, ProbeRecord, Remembered, Trace};

/// The remembered probes, shared by all tasks.
#[derive(Debug)]
pub struct History(Mutex<Memory>);

impl History {
    /// An empty history that keeps the recent `limit` probes of all targets, and `limit` older failures, beside each target's
    /// own.
    pub fn new(limit: usize) -> Self {
        Self(Mutex::new(Memory::new(limit)))
    }

    /// Takes a finished probe in and gives it a number.
    pub(super) fn push(&self, origin: Origin, record: ProbeRecord, trace: Trace) -> Remembered {
        lock(&self.0).push(origin, record, trace)
    }

    /// Drops what is remembered of a target that is no longer watched; the recent probes of all targets keep theirs.
    pub(super) fn forget(&self, instance: &str, module: &str, prober: &str) {
        lock(&self.0).forget(instance, module, prober);
    }

    /// The newest `limit` of the recent probes of all targets and the failures before them, newest first.
    pub fn recent(&self, limit: usize) -> Vec<Arc<ProbeRecord>> {
        let memory = lock(&self.0);
        memory.iter().rev().take(limit).map(|probe| Arc::clone(&probe.record)).collect()
    }

    /// A probe by its number.
    pub fn get(&self, id: u64) -> Option<Remembered> {
        lock(&self.0).get(id).cloned()
    }

    /// The probes of a watched target, newest first: its last results, and its failures before them.
    pub fn of_watched(&self, instance: &str, module: &str, prober: &str) -> Vec<Remembered> {
        lock(&self.0).of_watched(instance, module, prober)
    }

    /// The latest probe of a target, watched or asked for; of one module or of failures only, where asked for.
    pub fn latest(&self, instance: &str, module: Option<&str>, failed: bool) -> Option<Remembered> {
        lock(&self.0).latest(instance, module, failed).cloned()
    }
}
