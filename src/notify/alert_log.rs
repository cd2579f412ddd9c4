//! The alert log: an append-only file with one line for each transition, never lost and never doubled.
//!
//! Lines wait in order until they are written and synced. Must not know how a line looks inside, nor how a file is opened.

use std::{collections::VecDeque, io, path::Path};

use series::Timestamp;
use tracing::warn;

use super::{
    Counters, Format, Held, Notifier, NotifyError, Settings,
    echo::Echo,
    file::{Destination, STANDARD_OUTPUT, open_file, read_tail, rotated_sibling},
    known::{Holding, Known, Present, Step},
    line::{read, render},
    notice::{Notice, Origin},
};

/// How many bytes are written before they are synced: fewer than are read again, so that a kill in the middle of many lines
/// doubles none.
const CHUNK_BYTES: usize = 512 * 1024;
/// How many lines may wait for a file that cannot be written; at 8 KB each they stay below 80 MB, commonly 8 MB. What comes then
/// is refused.
const MAX_QUEUED: usize = 10_000;
/// How many lines wait at most while the file can be written.
const FLUSHED_AT: usize = 1_000;
/// How many ends that waited are released at once, so that others wait for these and not for all.
const RELEASED_AT_ONCE: usize = 500;
/// How often a batch is written again because its file was deleted at that very moment.
const MAX_ATTEMPTS: usize = 3;

/// Opens the alert log that the settings name.
pub(super) fn open(settings: &Settings) -> Result<Option<Box<dyn Notifier>>, NotifyError> {
    let log = AlertLog::open(&settings.alert_log_path, settings.alert_log_format)?;
    Ok(Some(Box::new(log.echo(settings.alert_log_stdout))))
}

/// An append-only log of alert transitions.
pub struct AlertLog {
    destination: Destination,
    format: Format,
    echo: Option<Echo>,
    queue: VecDeque<Queued>,
    known: Known,
    /// Whether it was said that what is known cannot be kept beside the log.
    warned: bool,
    counters: Counters,
}

/// A step that waits, with its line if it has one.
struct Queued {
    line: Option<String>,
    step: Step,
    /// Whether the file beside the log has it as one that is about to be written.
    planned: bool,
}

impl Queued {
    fn line(&self) -> &str {
        self.line.as_deref().unwrap_or("")
    }
}

impl AlertLog {
    /// Opens the log at `path` (`-` is standard output), creates it and its folders where missing, and reads its end to
    /// know what need not be written again.
    ///
    /// # Errors
    /// When the file cannot be opened, created or read, or another program writes to it. Later failures never end the log:
    /// its lines wait.
    pub fn open(path: &Path, format: Format) -> Result<Self, NotifyError> {
        let mut log = Self {
            destination: Destination::Output,
            format,
            echo: None,
            queue: VecDeque::new(),
            known: Known::default(),
            warned: false,
            counters: Counters::default(),
        };
        if path != Path::new(STANDARD_OUTPUT) {
            let open_error = |source| NotifyError::Open { path: path.to_owned(), source };
            // Before the file is opened, because opening ends a torn line and would make it look whole.
            let recent = read_tail(path).map_err(open_error)?;
            // A rotation just before the start must not make old events new. What cannot be read there is not needed.
            let rotated = rotated_sibling(path)
                .and_then(|sibling| read_tail(&sibling).ok())
                .unwrap_or_default();
            let file = open_file(path).map_err(open_error)?;
            if file.taken {
                return Err(NotifyError::Taken { path: path.to_owned() });
            }
            log.known.read(path);
            let lines = rotated.iter().chain(&recent).filter_map(|line| read(line));
            lines.for_each(|line| log.known.replay(&line));
            log.destination = Destination::File { path: path.to_owned(), file: Some(file) };
            log.keep_known(0);
        }
        Ok(log)
    }

    /// Prints each line to standard output as well, unless that is where the log goes.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        let wanted = echo && matches!(self.destination, Destination::File { .. });
        self.echo = wanted.then(Echo::start).flatten();
        self
    }

    /// Takes notices in and writes what waits, now and then while there are many.
    fn take(&mut self, notices: &[Notice]) -> io::Result<()> {
        let mut result = Ok(());
        // What was learnt of at once: an alert whose labels were edited ends under the old ones and fires under the new ones, and goes
        // on.
        let ordered = notices.chunk_by(|one, next| one.told_at == next.told_at).flat_map(|same| {
            let firings = same.iter().filter(|notice| !notice.is_end());
            firings.chain(same.iter().filter(|notice| notice.is_end()))
        });
        for notice in ordered.filter(|notice| !notice.is_heartbeat()) {
            if !self.has_room(&mut result) {
                continue;
            }
            let steps = self.known.admit(notice);
            if steps.is_empty() {
                self.counters.duplicates_total += 1;
            }
            self.enqueue(steps);
        }
        result.and_then(|()| self.flush())
    }

    /// Whether one more may wait; counts it when not. It is not remembered then, so that it can be reported again.
    fn has_room(&mut self, result: &mut io::Result<()>) -> bool {
        if self.queue.len() >= FLUSHED_AT && result.is_ok() {
            *result = self.flush();
        }
        let room = self.queue.len() < MAX_QUEUED;
        self.counters.dropped_total += u64::from(!room);
        room
    }

    fn enqueue(&mut self, steps: impl IntoIterator<Item = Step>) {
        for step in steps {
            let line = step.notice.as_ref().map(|notice| render(notice, self.format));
            self.queue.push_back(Queued { line, step, planned: false });
        }
    }

    /// Writes and syncs everything that waits; on an error the lines not yet written stay, in their order.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            let before = self.counters.bytes_total;
            let result = self.flush_chunk();
            let bytes = self.counters.bytes_total.saturating_sub(before);
            self.keep_known(usize::try_from(bytes).unwrap_or(usize::MAX));
            result?;
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    fn flush_chunk(&mut self) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            self.counters.reopened_total += u64::from(self.destination.follow_rotation()?);
            let count = self.plan_chunk();
            let lines: Vec<&str> = self.queue.iter().take(count).map(Queued::line).collect();
            let mut written = 0;
            let result = self.destination.write(&lines, &mut written);
            if written > 0 && self.destination.vanished() {
                // The file was deleted under the write: what went into it is lost, so it stays in the queue.
                self.destination.close();
                continue;
            }
            for queued in self.queue.drain(..written) {
                self.counters.delivered_total += u64::from(queued.line.is_some());
                self.counters.bytes_total += queued.line().len() as u64;
                self.known.written(queued.step);
                if let (Some(echo), Some(line)) = (&self.echo, queued.line) {
                    echo.print(line);
                }
            }
            return result;
        }
        Err(io::Error::other("the file is deleted as fast as it is written"))
    }

    /// How many of those that wait fit into a chunk. They are noted as planned before: after a kill the lines then say which of them
    /// were written, and the note all that is known of them.
    fn plan_chunk(&mut self) -> usize {
        let mut bytes = 0;
        let fits = |queued: &&Queued| {
            let first = bytes == 0;
            bytes += queued.line().len();
            first || bytes <= CHUNK_BYTES
        };
        let count = self.queue.iter().take_while(fits).count();
        if self.destination.regular_file().is_some() {
            let new = self.queue.iter().take(count).filter(|queued| !queued.planned);
            let result = self.known.plan(new.map(|queued| &queued.step));
            self.queue.iter_mut().take(count).for_each(|queued| queued.planned = true);
            self.warn_once(result);
        }
        count
    }

    /// Keeps what is known beside the log, of which `bytes` more were written; whether all of it is kept.
    fn keep_known(&mut self, bytes: usize) -> bool {
        if self.destination.regular_file().is_none() {
            if self.destination.is_open() {
                self.known.keep_nothing();
            }
            return false;
        }
        let result = self.known.keep(bytes);
        let kept = result.is_ok() && self.known.is_kept();
        self.warn_once(result);
        kept
    }

    fn warn_once(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && !self.warned
        {
            self.warned = true;
            warn!(%error, alert_log = %self.destination.path().display(),
                "What was written cannot be kept in a file beside the alert log: after a restart alerts that fire for long may be written again.");
        }
    }

    /// Remembers how an attempt went.
    fn account(&mut self, result: io::Result<()>) -> Result<(), NotifyError> {
        if let Err(error) = &result {
            self.counters.errors_total += 1;
            self.counters.last_error = Some(error.to_string());
        } else {
            self.counters.last_error = None;
        }
        result.map_err(|source| NotifyError::Write { path: self.destination.path(), source })
    }
}

impl Notifier for AlertLog {
    fn notify(&mut self, notices: &[Notice]) -> Result<(), NotifyError> {
        let result = self.take(notices);
        self.account(result)
    }

    fn present(&mut self, present: &Present) -> Result<bool, NotifyError> {
        let dropped = self.counters.dropped_total;
        let mut result = self.take(&present.firing);
        let steps = self.known.keep_label_sets(present);
        self.enqueue(steps);
        let (gone, settled) = self.known.gone(present);
        for (key, ending) in gone {
            if self.has_room(&mut result) {
                let step = self.known.end(key, present.at, ending);
                self.enqueue(step);
            }
        }
        let result = result.and_then(|()| self.flush());
        let complete = self.counters.dropped_total == dropped;
        self.account(result).map(|()| settled && complete)
    }

    fn hold(&mut self, ends: &[Notice]) -> Result<Held, NotifyError> {
        // Whether an end has to wait depends on lines that have to be on the disk first.
        let result = self.flush();
        self.account(result)?;
        let (mut held, mut full) = (Held::default(), false);
        for end in ends.iter().filter(|end| !end.is_heartbeat()) {
            let holding = self.known.hold(end);
            self.counters.duplicates_total += u64::from(holding == Holding::Needless);
            held.waiting += usize::from(holding != Holding::Needless);
            held.new += usize::from(holding == Holding::New);
            full |= holding == Holding::Full;
        }
        held.kept = held.waiting == 0 || (self.keep_known(0) && !full);
        Ok(held)
    }

    fn release(&mut self, now: Timestamp) -> Result<(), NotifyError> {
        let dropped = self.counters.dropped_total;
        let ends = self.known.held(RELEASED_AT_ONCE, now);
        let result = self.take(&ends);
        // Until their lines are on the disk they are kept, which writes no line twice.
        if result.is_ok() && self.counters.dropped_total == dropped {
            for end in &ends {
                self.known.unhold(end.label_set());
            }
            self.keep_known(0);
        }
        self.account(result)
    }

    fn reopen(&mut self) {
        self.destination.close();
    }

    fn claim(&mut self, fingerprint: u64) -> Option<Timestamp> {
        self.known.claim(fingerprint, Origin::Receiver)
    }

    fn heartbeat(&self) -> Option<Timestamp> {
        self.known.heartbeat()
    }

    fn beat(&mut self, evaluated_at: Timestamp) {
        self.known.beat(evaluated_at);
        self.keep_known(0);
    }

    fn counters(&self) -> Counters {
        Counters {
            queued: self.queue.len(),
            held: self.known.held_count(),
            ..self.counters.clone()
        }
    }
}
