//! Telling people: alert changes in, lines in files (later: messages) out.
//!
//! A notifier owns its delivery: what it cannot deliver now it keeps in order and tries again at the next tick. Nothing here
//! may hold up a probe, so the caller runs these blocking calls on a thread of their own. Must not know how alerts come
//! about, nor pages, nor the network of targets.

mod alert_log;
mod echo;
mod escape;
mod known;
mod line;
mod notice;

use std::{path::PathBuf, sync::Mutex};

pub use alert_log::AlertLog;
pub use line::{Format, MAX_FIELD_BYTES, MAX_LINE_BYTES, render};
pub use notice::{Notice, Transition};
use series::Timestamp;

use crate::{
    monitor::lock,
    telemetry::{Collect, OwnSample, names, value},
};

/// Somewhere that people or their tools learn of alerts.
pub trait Notifier: Send {
    /// Takes over notices in their order and tries to deliver everything that waits.
    ///
    /// # Errors
    /// When something still waits. It is kept, so the caller must not hand it over again.
    fn notify(&mut self, notices: &[Notice]) -> Result<(), NotifyError>;

    /// Tries to deliver what still waits; to be called about once a second.
    ///
    /// # Errors
    /// When something still waits.
    fn tick(&mut self) -> Result<(), NotifyError> {
        self.notify(&[])
    }

    /// Lets go of open files at the operator's request (SIGHUP), so that rotated ones are left alone.
    fn reopen(&mut self);

    /// When the disruption of an alert began that was told and is not over; `None` also for a notifier that keeps no account.
    fn open_since(&self, _fingerprint: u64) -> Option<Timestamp> {
        None
    }

    /// What the notifier did since it was opened.
    fn counters(&self) -> Counters;
}

/// What a notifier did since it was opened; totals only rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Notices delivered.
    pub delivered_total: u64,
    /// Attempts that failed.
    pub errors_total: u64,
    /// Notices given up because too many waited.
    pub dropped_total: u64,
    /// Notices skipped because they had been delivered before, possibly before a restart.
    pub duplicates_total: u64,
    /// Times that the destination was opened again after a rotation or a deletion.
    pub reopened_total: u64,
    /// Notices that wait now.
    pub queued: usize,
    /// The last failure; `None` once everything was delivered.
    pub last_error: Option<String>,
}

/// Why notices could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The file cannot be opened, created or read.
    #[error("cannot open alert log `{}`: {source}", path.display())]
    Open {
        /// The alert log.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another program writes to the file: two would write each alert twice.
    #[error("another program writes to alert log `{}`", path.display())]
    Taken {
        /// The alert log.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write alert log `{}`: {source}", path.display())]
    Write {
        /// The alert log.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What the flags say about notifiers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where alert lines go; `-` is standard output (`--alert-log.path`).
    pub alert_log_path: PathBuf,
    /// How a line looks (`--alert-log.format`).
    pub alert_log_format: Format,
    /// Whether each line is printed to standard output as well (`--alert-log.stdout`).
    pub alert_log_stdout: bool,
}

/// Opens one notifier, or `None` when the settings do not ask for it.
type Open = fn(&Settings) -> Result<Option<Box<dyn Notifier>>, NotifyError>;

/// Every notifier there is: its name in metrics, and how it is opened. A new one is a file beside this and a line here.
const NOTIFIERS: &[(&str, Open)] = &[("alert_log", alert_log::open)];

/// The notifiers in use.
pub struct Notifiers(Vec<(&'static str, Box<dyn Notifier>)>);

impl Notifiers {
    /// Opens every notifier that the settings ask for.
    ///
    /// # Errors
    /// The first notifier that cannot be opened.
    pub fn open(settings: &Settings) -> Result<Self, NotifyError> {
        let mut opened = Vec::new();
        for (name, open) in NOTIFIERS {
            if let Some(notifier) = open(settings)? {
                opened.push((*name, notifier));
            }
        }
        Ok(Self(opened))
    }

    /// Hands notices to every notifier; an empty slice only retries what waits.
    ///
    /// # Errors
    /// The first failure; the other notifiers are served nevertheless.
    pub fn notify(&mut self, notices: &[Notice]) -> Result<(), NotifyError> {
        let results: Vec<_> =
            self.0.iter_mut().map(|(_, notifier)| notifier.notify(notices)).collect();
        results.into_iter().collect()
    }

    /// When the disruption of an alert began that was told and is not over.
    pub fn open_since(&self, fingerprint: u64) -> Option<Timestamp> {
        self.0.iter().find_map(|(_, notifier)| notifier.open_since(fingerprint))
    }

    /// Lets every notifier open its files anew.
    pub fn reopen(&mut self) {
        for (_, notifier) in &mut self.0 {
            notifier.reopen();
        }
    }

    /// What each notifier did, by name.
    pub fn counters(&self) -> Vec<(&'static str, Counters)> {
        self.0.iter().map(|(name, notifier)| (*name, notifier.counters())).collect()
    }
}

/// The notifiers, shared by all who have something to tell. Each call may take as long as a disk does, so none may be made where
/// others wait; what is counted can be had at any time.
pub struct SharedNotifiers {
    notifiers: Mutex<Notifiers>,
    counters: Mutex<Vec<(&'static str, Counters)>>,
}

impl SharedNotifiers {
    /// Shares them.
    pub fn new(notifiers: Notifiers) -> Self {
        let counters = Mutex::new(notifiers.counters());
        Self { notifiers: Mutex::new(notifiers), counters }
    }

    /// Hands notices to every notifier; an empty slice only retries what waits.
    ///
    /// # Errors
    /// The first failure; the other notifiers are served nevertheless.
    pub fn notify(&self, notices: &[Notice]) -> Result<(), NotifyError> {
        let mut notifiers = lock(&self.notifiers);
        let result = notifiers.notify(notices);
        *lock(&self.counters) = notifiers.counters();
        result
    }

    /// Lets every notifier open its files anew.
    pub fn reopen(&self) {
        lock(&self.notifiers).reopen();
    }

    /// When the disruption of an alert began that was told and is not over.
    pub fn open_since(&self, fingerprint: u64) -> Option<Timestamp> {
        lock(&self.notifiers).open_since(fingerprint)
    }
}

impl Collect for SharedNotifiers {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        type Count = fn(&Counters) -> u64;
        let metrics: [(_, Count); 4] = [
            (&names::NOTICES, |counters| counters.delivered_total),
            (&names::NOTICE_ERRORS, |counters| counters.errors_total),
            (&names::NOTICES_DROPPED, |counters| counters.dropped_total),
            (&names::NOTICES_QUEUED, |counters| counters.queued as u64),
        ];
        let counters = lock(&self.counters).clone();
        for (metric, count) in metrics {
            let sample = |(name, counters): &(&'static str, Counters)| {
                OwnSample::labelled(metric, "notifier", name, value(count(counters)))
            };
            samples.extend(counters.iter().map(sample));
        }
    }
}
