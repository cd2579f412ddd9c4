//! Telling people: alert changes in, lines in files (later: messages) out.
//!
//! A notifier owns its delivery: what it cannot deliver now it keeps in order and tries again at the next tick. Each has a queue and
//! a thread of its own, so that a slow disk holds up neither probes nor rules. Must not know how alerts come about, nor pages, nor
//! the network of targets.

mod alert_log;
mod delivery;
mod echo;
mod ending;
mod escape;
mod file;
mod known;
mod line;
mod notice;

use std::path::PathBuf;

pub use alert_log::AlertLog;
pub use delivery::SharedNotifiers;
pub use ending::Scope;
pub use known::Present;
pub use line::{Format, MAX_FIELD_BYTES, MAX_LINE_BYTES, render};
pub use notice::{Ending, Event, Notice, Origin, Transition, fingerprint, parse_time};
use series::Timestamp;

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

    /// Brings what is written in line with what the rules of this program say: alerts that are missing are written, and those that
    /// no rule has any more end. Says whether nothing is left to be found out later.
    ///
    /// # Errors
    /// When something still waits.
    fn present(&mut self, _present: &Present) -> Result<bool, NotifyError> {
        Ok(true)
    }

    /// Keeps ends that are not believed yet until they are released, or their label sets are reported as firing. A notifier that
    /// keeps no account needs none of them.
    ///
    /// # Errors
    /// When something that was handed over before still waits.
    fn hold(&mut self, _ends: &[Notice]) -> Result<Held, NotifyError> {
        Ok(Held { kept: true, ..Held::default() })
    }

    /// Delivers ends that waited, some hundred at once, as learnt of at `now`.
    ///
    /// # Errors
    /// When something still waits. The ends are kept then.
    fn release(&mut self, _now: Timestamp) -> Result<(), NotifyError> {
        Ok(())
    }

    /// When the disruption of an alert of the receiver itself began that was written and is not over; from now on only the receiver
    /// ends it. `None` also for a notifier that keeps no account.
    fn claim(&mut self, _fingerprint: u64) -> Option<Timestamp> {
        None
    }

    /// When the rules were last evaluated, as far as a heartbeat said so before a restart.
    fn heartbeat(&self) -> Option<Timestamp> {
        None
    }

    /// Remembers when the rules were last evaluated, by a heartbeat.
    fn beat(&mut self, _evaluated_at: Timestamp) {}

    /// What the notifier did since it was opened.
    fn counters(&self) -> Counters;
}

/// What became of ends that are not believed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many of them wait; the others say nothing new.
    pub waiting: usize,
    /// How many of these did not wait before.
    pub new: usize,
    /// Whether all of those that wait are on the disk, so that no one needs to report them again.
    pub kept: bool,
}

/// What a notifier did since it was opened; totals only rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Notices delivered.
    pub delivered_total: u64,
    /// Attempts that failed.
    pub errors_total: u64,
    /// Bytes of lines delivered.
    pub bytes_total: u64,
    /// Notices given up because too many waited.
    pub dropped_total: u64,
    /// Notices skipped because they had been delivered before, possibly before a restart.
    pub duplicates_total: u64,
    /// Times that the destination was opened again after a rotation or a deletion.
    pub reopened_total: u64,
    /// Notices that wait now.
    pub queued: usize,
    /// Ends that wait until they are believed.
    pub held: usize,
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
    /// The system has no thread for a notifier.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
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

/// A text of others in one short line, whatever is in it.
pub fn harmless(text: &str, limit: usize) -> String {
    let mut line = String::new();
    escape::escape(&mut line, text, limit, false);
    line
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
