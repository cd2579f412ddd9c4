//! What every destination has in common: somewhere that people or their tools learn of alerts.
//!
//! A destination takes lines. Which lines, in which order and how often is decided elsewhere. Must not know any single destination.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{line::Format, notification_log::NotificationLog};

/// Somewhere that people or their tools learn of alerts.
pub(crate) trait Destination: Send {
    /// Prepares to take lines.
    ///
    /// # Errors
    /// When none can be taken.
    fn prepare(&mut self) -> Result<(), DeliveryError> {
        Ok(())
    }

    /// Delivers lines in their order: how many are delivered whole, and why not the next one. Ends early when `stop` says so.
    fn deliver(&mut self, lines: &[&str], stop: &Stop) -> (usize, Result<(), DeliveryError>);

    /// Where its notification log is kept at present.
    fn memory(&self) -> Memory;

    /// How lines are handed over.
    fn manner(&self) -> Manner;

    /// Lets go of open files at the operator's request (SIGHUP), so that rotated ones are left alone.
    fn reopen(&mut self) {}

    /// How often its files were opened again after a rotation or a deletion.
    fn reopened_total(&self) -> u64 {
        0
    }

    /// The exit code of what it ran last; `None` where it runs nothing.
    fn exit_code(&self) -> Option<i32> {
        None
    }
}

/// Where a notification log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// In its file.
    Kept {
        /// Whether lines that were delivered can be read again after a kill: what is about to be delivered is noted before.
        is_planned: bool,
    },
    /// Nowhere: after a restart nothing is known.
    Lost,
    /// It is not known at present.
    Unknown,
}

/// How lines are handed over to a destination, and how failures are retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether the sender of an event waits until it is delivered here. Only for what is fast and reliable: a file.
    pub(crate) is_awaited: bool,
    /// How many bytes of lines are handed over at once; one line always is.
    pub(crate) bytes_at_once: usize,
    /// How long it is left alone after a failure. The pause doubles with each.
    pub(crate) pause: Duration,
    /// The longest pause.
    pub(crate) pause_max: Duration,
    /// How often one line is tried before it is given up; `None` for no limit.
    pub(crate) attempts_max: Option<u32>,
}

/// A destination as it is opened, with what is known of the time before.
pub(crate) struct Opened {
    pub(crate) destination: Box<dyn Destination>,
    pub(crate) log: NotificationLog,
    pub(crate) format: Format,
}

/// Time since some moment, for pauses and timeouts: a clock that is never set. Tests bring their own.
pub type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A request that a destination stops what it is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks it to stop.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked to stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Why a destination cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened, created or read.
    #[error("cannot open alert log `{}`: {source}", path.display())]
    File {
        /// The alert log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program writes to the file: two would write each alert twice.
    #[error("another program writes to alert log `{}`", path.display())]
    Taken {
        /// The alert log.
        path: PathBuf,
    },
    /// The system has no thread for a destination.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Why an event could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The file cannot be written.
    #[error("cannot write alert log `{}`: {source}", path.display())]
    Write {
        /// The alert log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program did not take the line.
    #[error("`{}` {why}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What became of it.
        why: String,
    },
}
