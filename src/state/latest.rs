//! The last probe of each watched target.
//!
//! Must not know which other probes are remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use notation::sync::lock;

use super::record::ProbeRecord;
use crate::config::{Identity, Target};

/// The last probe of each watched target, shared by all tasks.
#[derive(Debug, Default)]
pub struct Latest(Mutex<HashMap<Identity, Arc<ProbeRecord>>>);

impl Latest {
    /// The last probe of a target; nothing before its first.
    pub fn get(&self, identity: &Identity) -> Option<Arc<ProbeRecord>> {
        lock(&self.0).get(identity).map(Arc::clone)
    }

    /// The last probes of targets, in their order.
    pub fn of<'a>(
        &self,
        targets: impl IntoIterator<Item = &'a Target>,
    ) -> Vec<Option<Arc<ProbeRecord>>> {
        let identities: Vec<Identity> = targets.into_iter().map(Target::identity).collect();
        let latest = lock(&self.0);
        identities.iter().map(|identity| latest.get(identity).map(Arc::clone)).collect()
    }

    /// How many targets have been probed.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether no target has been probed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn insert(&self, identity: Identity, record: Arc<ProbeRecord>) {
        let previous = lock(&self.0).insert(identity, record);
        // Dropped without the lock: it may be large.
        drop(previous);
    }

    pub(super) fn remove(&self, identity: &Identity) {
        let removed = lock(&self.0).remove(identity);
        drop(removed);
    }
}
