//! The way in for finished probes: counted, remembered, and of watched targets the latest.
//!
//! Must not know what else becomes of a result.

use std::sync::Arc;

use series::Timestamp;

use super::{
    counters::Counters,
    history::History,
    latest::Latest,
    record::{Origin, ProbeRecord, Remembered, Trace},
};
use crate::config::Target;

/// Writes the latest results and the history. Clones write the same.
#[derive(Clone, Debug)]
pub struct Results {
    latest: Arc<Latest>,
    history: Arc<History>,
    counters: Arc<Counters>,
}

impl Results {
    pub(super) fn new(latest: Arc<Latest>, history: Arc<History>, counters: Arc<Counters>) -> Self {
        Self { latest, history, counters }
    }

    /// Takes in a finished probe that somebody asked for: counts and remembers it.
    pub fn asked(
        &self,
        instance: &str,
        module: &str,
        started: Timestamp,
        result: probe::ProbeResult,
    ) -> Remembered {
        let record = ProbeRecord {
            id: 0,
            instance: Arc::from(instance),
            module: module.to_owned(),
            prober: String::new(),
            started,
            result,
        };
        self.push(Origin::Asked, record)
    }

    /// Takes in a finished probe of a watched target, which is then that target's latest. What `/probe` is asked for is not
    /// watched, and has no bound.
    pub fn watched(
        &self,
        target: &Target,
        started: Timestamp,
        result: probe::ProbeResult,
    ) -> Remembered {
        let identity = target.identity();
        let record = ProbeRecord {
            id: 0,
            instance: Arc::from(target.instance.as_str()),
            module: target.module.clone(),
            prober: identity.prober.clone(),
            started,
            result,
        };
        let remembered = self.push(Origin::Watched, record);
        self.latest.insert(identity, Arc::clone(&remembered.record));
        remembered
    }

    /// Drops what is remembered of a target that is no longer watched.
    pub fn forget(&self, target: &Target) {
        let identity = target.identity();
        self.latest.remove(&identity);
        self.history.forget(&target.instance, &target.module, &identity.prober);
    }

    fn push(&self, origin: Origin, mut record: ProbeRecord) -> Remembered {
        self.counters.probe(&record.result.outcome);
        let notes = std::mem::take(&mut record.result.notes);
        let evidence = std::mem::take(&mut record.result.evidence);
        self.history.push(origin, record, Trace { notes, evidence })
    }
}
