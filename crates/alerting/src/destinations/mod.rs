//! The list of destinations, and the settings of each.
//!
//! A new one is a file beside this one, a line in the list and its settings. Must not know how alerts come about.

mod alert_log;
mod command;
mod echo;
mod file;

use std::{path::Path, sync::Arc, time::Duration};

pub use self::{alert_log::AlertLogSettings, command::CommandSettings};
use crate::{
    delivery::Delivery,
    destination::{OpenError, Opened, Uptime},
    line::Format,
};

/// What the flags say about destinations.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The alert log.
    pub alert_log: AlertLogSettings,
    /// The program that is run for each line; `None` where none is.
    pub command: Option<CommandSettings>,
}

impl Settings {
    /// An alert log and nothing else.
    pub fn alert_log(path: impl AsRef<Path>, format: Format) -> Self {
        let path = path.as_ref().to_owned();
        Self { alert_log: AlertLogSettings { path, format, stdout: false }, command: None }
    }
}

/// Opens one destination, or `None` when the settings do not ask for it. What it needs to know of time it takes from the clock.
type Open = fn(&Settings, &Uptime) -> Result<Option<Opened>, OpenError>;

/// Every destination there is: its name in metrics, and how it is opened.
const DESTINATIONS: &[(&str, Open)] = &[
    ("alert_log", |settings, _| alert_log::open(&settings.alert_log).map(Some)),
    ("command", |settings, uptime| {
        let open = |command| command::open(command, &settings.alert_log.path, uptime);
        Ok(settings.command.as_ref().map(open))
    }),
];

/// Opens every destination that the settings ask for, each under its name.
///
/// # Errors
/// The first that cannot be opened: what the settings ask for and cannot be had is a mistake that is best seen at the start.
pub(crate) fn open_all(
    settings: &Settings,
    uptime: &Uptime,
) -> Result<Vec<(&'static str, Delivery)>, OpenError> {
    let mut opened = Vec::new();
    for (name, open) in DESTINATIONS {
        if let Some(destination) = open(settings, uptime)? {
            opened.push((*name, Delivery::new(name, destination, Arc::clone(uptime))));
        }
    }
    Ok(opened)
}

/// Opens an alert log alone, without a thread: what is handed over is written at once.
///
/// # Errors
/// When it cannot be opened.
pub fn open_alert_log(path: &Path, format: Format) -> Result<Delivery, OpenError> {
    let settings = Settings::alert_log(path, format);
    let opened = alert_log::open(&settings.alert_log)?;
    Ok(Delivery::new("alert_log", opened, Arc::new(|| Duration::ZERO)))
}
