//! What the running program knows: the state that the pages, the API and the exposition read.
//!
//! A [`Monitor`] is shared by all tasks. It must not spawn tasks, open sockets or read files.

mod history;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use series::{Timestamp, rule::GroupState, store::Store};

pub use self::history::{History, Origin, Remembered, Trace};
use crate::{
    clock::Clock,
    config::{Config, Diagnostic, Identity, Target},
};

/// The shared state of the running program.
pub struct Monitor {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The configuration in force.
    pub config: ArcSwap<Config>,
    /// How the last reload went.
    pub reload: RwLock<ReloadStatus>,
    /// The last probe of each target.
    pub latest: Mutex<HashMap<Identity, Arc<ProbeRecord>>>,
    /// The probes that are remembered in full; bounded.
    pub history: Mutex<History>,
    /// The embedded store; absent in the exporter.
    pub store: Option<Arc<Store>>,
    /// The rule groups with their alerts.
    pub rules: Mutex<Vec<GroupState>>,
    /// What the program counts about itself.
    pub counters: Counters,
    /// The address that people reach the program by, without a slash at its end; empty while it is unknown.
    pub external_url: String,
    /// When the program started.
    pub started: Timestamp,
    /// Since when there is data: from before the start when the store had some.
    pub data_since: Timestamp,
}

/// What the program counts about itself, since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Probes that found their target up.
    pub probes_up: AtomicU64,
    /// Probes that found their target down.
    pub probes_down: AtomicU64,
    /// Probes that could not judge their target.
    pub probes_fault: AtomicU64,
    /// Requests of `/probe` for a module that does not exist.
    pub modules_unknown: AtomicU64,
    /// Evaluations of rules that failed.
    pub rule_failures: AtomicU64,
    /// Rounds of samples that could not be written to disk.
    pub sync_failures: AtomicU64,
}

impl Monitor {
    /// The state of a program that has just loaded its configuration.
    pub fn new(
        clock: Arc<dyn Clock>,
        config: Config,
        store: Option<Arc<Store>>,
        history_limit: usize,
    ) -> Self {
        let now = clock.now();
        let data_since = store.as_ref().and_then(|store| store.statistics().oldest).unwrap_or(now);
        let rules = config.rules.iter().cloned().map(GroupState::new).collect();
        Self {
            clock,
            config: ArcSwap::from_pointee(config),
            reload: RwLock::new(ReloadStatus {
                last_success: now,
                last_attempt: now,
                errors: Vec::new(),
            }),
            latest: Mutex::new(HashMap::new()),
            history: Mutex::new(History::new(history_limit)),
            store,
            rules: Mutex::new(rules),
            counters: Counters::default(),
            external_url: String::new(),
            started: now,
            data_since,
        }
    }

    /// Takes a finished probe in that somebody asked for: counts and remembers it.
    pub fn remember(
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

    /// Takes a finished probe of a watched target in, which is then that target's latest. What `/probe` is asked for is not
    /// watched, and has no bound.
    pub fn remember_watched(
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
        lock(&self.latest).insert(identity, Arc::clone(&remembered.record));
        remembered
    }

    /// Drops what is remembered of a target that is no longer watched.
    pub fn forget(&self, target: &Target) {
        let identity = target.identity();
        lock(&self.latest).remove(&identity);
        lock(&self.history).forget(&target.instance, &target.module, &identity.prober);
    }

    fn push(&self, origin: Origin, mut record: ProbeRecord) -> Remembered {
        let counter = match &record.result.outcome {
            probe::Outcome::Up => &self.counters.probes_up,
            probe::Outcome::Down(_) => &self.counters.probes_down,
            probe::Outcome::Fault(_) => &self.counters.probes_fault,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let notes = std::mem::take(&mut record.result.notes);
        let evidence = std::mem::take(&mut record.result.evidence);
        lock(&self.history).push(origin, record, Trace { notes, evidence })
    }

    /// The last reload, as it went.
    pub fn reload_status(&self) -> ReloadStatus {
        self.reload.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a reload went.
    pub fn set_reload_status(&self, status: ReloadStatus) {
        *self.reload.write().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// A monitor without configuration at a fixed time.
    #[cfg(test)]
    pub(crate) fn for_tests(store: Option<Arc<Store>>) -> Self {
        struct Fixed;
        impl Clock for Fixed {
            fn now(&self) -> Timestamp {
                1_000_000
            }
        }
        let config = Config {
            targets: Vec::new(),
            modules: probe::Module::builtin()
                .into_iter()
                .map(|(name, module)| (name, Arc::new(module)))
                .collect(),
            unsupported_modules: std::collections::BTreeMap::new(),
            rules: Vec::new(),
            files: Vec::new(),
            warnings: Vec::new(),
        };
        Self::new(Arc::new(Fixed), config, store, 10)
    }
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

/// One finished probe.
#[derive(Debug)]
pub struct ProbeRecord {
    /// A number that rises with each probe: the `id` of `/logs`.
    pub id: u64,
    /// The target as the user wrote it.
    pub instance: Arc<str>,
    /// The module's name.
    pub module: String,
    /// The place that the target's label `prober` names; empty for what was asked for.
    pub prober: String,
    /// When the probe began.
    pub started: Timestamp,
    /// What it found. Its notes and its evidence are apart, in its [`Trace`], because they are not kept for as long.
    pub result: probe::ProbeResult,
}

/// Locks a mutex; the data behind it stays usable after a panic elsewhere, because every writer leaves it whole.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
