//! What the program counts about itself, since its start.
//!
//! Must not know how the counts are shown.

use std::sync::atomic::{AtomicU64, Ordering};

use probe::Outcome;

use crate::telemetry::{Collect, OwnSample, names, value};

/// The counts, shared by all tasks.
#[derive(Debug, Default)]
pub struct Counters {
    probes_up: AtomicU64,
    probes_down: AtomicU64,
    probes_fault: AtomicU64,
    modules_unknown: AtomicU64,
    rule_failures: AtomicU64,
}

impl Counters {
    /// A probe ended.
    pub(super) fn probe(&self, outcome: &Outcome) {
        add_one(match outcome {
            Outcome::Up => &self.probes_up,
            Outcome::Down(_) => &self.probes_down,
            Outcome::Fault(_) => &self.probes_fault,
        });
    }

    /// `/probe` was asked for a module that does not exist.
    pub fn module_unknown(&self) {
        add_one(&self.modules_unknown);
    }

    /// The evaluation of a rule failed.
    pub fn rule_failed(&self) {
        add_one(&self.rule_failures);
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Collect for Counters {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let count = |counter: &AtomicU64| value(counter.load(Ordering::Relaxed));
        samples.extend([
            OwnSample::labelled(&names::PROBES, "outcome", "up", count(&self.probes_up)),
            OwnSample::labelled(&names::PROBES, "outcome", "down", count(&self.probes_down)),
            OwnSample::labelled(&names::PROBES, "outcome", "fault", count(&self.probes_fault)),
            OwnSample::new(&names::MODULES_UNKNOWN, count(&self.modules_unknown)),
            OwnSample::new(&names::RULE_FAILURES, count(&self.rule_failures)),
        ]);
    }
}
