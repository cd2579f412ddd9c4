//! The alert log: an append-only file with one line for each event, never lost and never doubled.
//!
//! Must not know how a line looks inside, nor how a file is opened.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    echo::Echo,
    file::{Place, STANDARD_OUTPUT, file_beside, open_file, read_tail, rotated_sibling},
};
use crate::{
    destination::{DeliveryError, Destination, Manner, Memory, OpenError, Opened, Stop},
    line::{Format, read},
    notification_log::NotificationLog,
};

/// How many bytes are written before they are synced: fewer than are read again, so that a kill in the middle of many lines
/// doubles none.
const CHUNK_BYTES: usize = 512 * 1024;
/// How often lines are written again because their file was deleted at that very moment.
const MAX_ATTEMPTS: usize = 3;

/// What the flags say about the alert log.
#[derive(Clone, Debug)]
pub struct AlertLogSettings {
    /// Where lines go; `-` is standard output (`--alert-log.path`).
    pub path: PathBuf,
    /// How a line looks (`--alert-log.format`).
    pub format: Format,
    /// Whether each line is printed to standard output as well (`--alert-log.stdout`).
    pub stdout: bool,
}

/// An append-only log of alerts.
struct AlertLog {
    place: Place,
    echo: Option<Echo>,
    reopened_total: u64,
}

/// Opens the log, creates it and its folders where missing, and reads its end to know what need not be written again.
///
/// # Errors
/// When the file cannot be opened, created or read, or another program writes to it. Later failures never end the log: its lines
/// wait.
pub(super) fn open(settings: &AlertLogSettings) -> Result<Opened, OpenError> {
    let path = &settings.path;
    let (place, log) = if path == Path::new(STANDARD_OUTPUT) {
        (Place::Output, NotificationLog::default())
    } else {
        open_place(path)?
    };
    // Unless that is where the log goes.
    let wanted = settings.stdout && matches!(place, Place::File { .. });
    let echo = wanted.then(Echo::start).flatten();
    let destination = Box::new(AlertLog { place, echo, reopened_total: 0 });
    Ok(Opened { destination, log, format: settings.format })
}

fn open_place(path: &Path) -> Result<(Place, NotificationLog), OpenError> {
    let open_error = |source| OpenError::File { path: path.to_owned(), source };
    // Before the file is opened, because opening ends a torn line and would make it look whole.
    let recent = read_tail(path).map_err(open_error)?;
    // A rotation just before the start must not make old events new. What cannot be read there is not needed.
    let rotated =
        rotated_sibling(path).and_then(|sibling| read_tail(&sibling).ok()).unwrap_or_default();
    let file = open_file(path).map_err(open_error)?;
    if file.taken {
        return Err(OpenError::Taken { path: path.to_owned() });
    }
    let mut log =
        file_beside(path, "known").map_or_else(NotificationLog::default, NotificationLog::open);
    let lines = rotated.iter().chain(&recent).filter_map(|line| read(line));
    lines.for_each(|line| log.replay(&line));
    Ok((Place::File { path: path.to_owned(), file: Some(file) }, log))
}

impl AlertLog {
    fn error(&self, source: io::Error) -> DeliveryError {
        DeliveryError::Write { path: self.place.path(), source }
    }

    fn follow_rotation(&mut self) -> io::Result<()> {
        self.reopened_total += u64::from(self.place.follow_rotation()?);
        Ok(())
    }

    fn write(&mut self, lines: &[&str], written: &mut usize) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            self.follow_rotation()?;
            let result = self.place.write(lines, written);
            if *written == 0 || !self.place.vanished() {
                return result;
            }
            // The file was deleted under the write: what went into it is lost.
            self.place.close();
            *written = 0;
        }
        Err(io::Error::other("the file is deleted as fast as it is written"))
    }
}

impl Destination for AlertLog {
    fn prepare(&mut self) -> Result<(), DeliveryError> {
        self.follow_rotation().map_err(|source| self.error(source))
    }

    fn deliver(&mut self, lines: &[&str], _stop: &Stop) -> (usize, Result<(), DeliveryError>) {
        let mut written = 0;
        let result = self.write(lines, &mut written);
        if let Some(echo) = &self.echo {
            let written = lines.iter().take(written).filter(|line| !line.is_empty());
            written.for_each(|line| echo.print((*line).to_owned()));
        }
        (written, result.map_err(|source| self.error(source)))
    }

    fn memory(&self) -> Memory {
        if self.place.regular_file().is_some() {
            Memory::Kept { is_planned: true }
        } else if self.place.is_open() {
            Memory::Lost
        } else {
            Memory::Unknown
        }
    }

    /// What is tried each second costs little, and a line is never given up.
    fn manner(&self) -> Manner {
        Manner {
            is_awaited: true,
            bytes_at_once: CHUNK_BYTES,
            pause: Duration::ZERO,
            pause_max: Duration::ZERO,
            attempts_max: None,
        }
    }

    fn reopen(&mut self) {
        self.place.close();
    }

    fn reopened_total(&self) -> u64 {
        self.reopened_total
    }
}
