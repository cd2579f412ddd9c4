//! What the running program knows in memory: what the pages, the API and the exporter read.
//!
//! A [`Monitor`] bundles the parts, each with private fields and one owner that writes it: [`Results`] the latest results and the
//! history, the reloader the [`Reloads`]; whoever counts something the [`Counters`]. No lock is held for longer than it takes to
//! copy something out. Must not know the store or the rules, spawn tasks, open sockets or read files.

mod counters;
mod history;
mod latest;
mod record;
mod reloads;
mod results;

use std::sync::Arc;

use series::Timestamp;

pub use notation::sync::lock;

pub use self::{
    counters::Counters,
    history::History,
    latest::Latest,
    record::{Origin, ProbeRecord, Remembered, Trace},
    reloads::{ReloadStatus, Reloads},
    results::Results,
};
use crate::{clock::Clock, config::Config};

/// The shared state of the running program. Clones share it.
#[derive(Clone)]
pub struct Monitor {
    clock: Arc<dyn Clock>,
    about: Arc<About>,
    latest: Arc<Latest>,
    history: Arc<History>,
    reloads: Arc<Reloads>,
    counters: Arc<Counters>,
}

/// What does not change while the program runs.
#[derive(Clone, Debug)]
pub struct About {
    /// The address that people reach the program by, without a slash at its end; empty while it is unknown.
    pub external_url: String,
    /// When the program started.
    pub started: Timestamp,
    /// Since when there is data: from before the start when the store had some.
    pub data_since: Timestamp,
}

impl Monitor {
    /// The state of a program that has just loaded its configuration, with a history of so many recent probes.
    pub fn new(clock: Arc<dyn Clock>, config: Config, about: About, history_limit: usize) -> Self {
        let now = clock.now();
        Self {
            clock,
            about: Arc::new(about),
            latest: Arc::default(),
            history: Arc::new(History::new(history_limit)),
            reloads: Arc::new(Reloads::new(config, now)),
            counters: Arc::default(),
        }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What does not change while the program runs.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.reloads.config()
    }

    /// The configuration in force, and how the last reload went.
    pub fn reloads(&self) -> &Arc<Reloads> {
        &self.reloads
    }

    /// The last probe of each watched target.
    pub fn latest(&self) -> &Arc<Latest> {
        &self.latest
    }

    /// The probes that are remembered in full.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// What is counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Where finished probes go.
    pub fn results(&self) -> Results {
        Results::new(
            Arc::clone(&self.latest),
            Arc::clone(&self.history),
            Arc::clone(&self.counters),
        )
    }

    /// A monitor of a configuration with the built-in modules alone, at a fixed time.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::for_tests_of(Vec::new())
    }

    /// The same with targets.
    #[cfg(test)]
    pub(crate) fn for_tests_of(targets: Vec<Arc<crate::config::Target>>) -> Self {
        struct Fixed;
        impl Clock for Fixed {
            fn now(&self) -> Timestamp {
                1_000_000
            }
        }
        let config = Config {
            targets,
            modules: probe::Module::builtin()
                .into_iter()
                .map(|(name, module)| (name, Arc::new(module)))
                .collect(),
            unsupported_modules: std::collections::BTreeMap::new(),
            rules: Vec::new(),
            files: Vec::new(),
            warnings: Vec::new(),
        };
        let about =
            About { external_url: String::new(), started: 1_000_000, data_since: 1_000_000 };
        Self::new(Arc::new(Fixed), config, about, 10)
    }
}
