//! What the API reads: the state in memory and, in the all-in-one mode, the store and the rules.
//!
//! Must not know how any of it comes about.

use std::{ops::Deref, sync::Arc};

use series::store::Store;

use crate::{evaluate::Rules, state::Monitor};

/// Everything that is answered from.
#[derive(Clone)]
pub struct Reader {
    /// The state in memory.
    pub monitor: Monitor,
    /// The embedded store; absent in the exporter.
    pub store: Option<Arc<Store>>,
    /// The rule groups with their alerts.
    pub rules: Arc<Rules>,
}

impl Deref for Reader {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}
