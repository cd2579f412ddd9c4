//! The alert log: an append-only file with one line for each transition, never lost and never doubled.
//!
//! Lines wait in order until they are written and synced. The file may be renamed, deleted or truncated by a rotation at
//! any time. Must not know how a line looks inside.

use std::{
    collections::VecDeque,
    fs::{File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use series::Timestamp;
use tracing::warn;

use super::{
    Counters, Format, Notifier, NotifyError, Settings,
    echo::Echo,
    known::{Entry, Known, Written},
    line::{read, render},
    notice::Notice,
};

/// The path that means standard output.
const STANDARD_OUTPUT: &str = "-";
/// Readable by the owner and by the group that log shippers run in; the URLs inside are nobody else's business.
const MODE: u32 = 0o640;
/// How much of the file's end is read on start to recognise what was written before: about 2,000 lines.
const TAIL_BYTES: u64 = 1024 * 1024;
/// How many bytes are written before they are synced: fewer than are read again, so that a kill in the middle of many lines
/// doubles none.
const CHUNK_BYTES: usize = 512 * 1024;
/// How many lines may wait for a file that cannot be written; at 8 KB each they stay below 80 MB, commonly 8 MB. What comes then
/// is refused.
const MAX_QUEUED: usize = 10_000;
/// How many lines wait at most while the file can be written.
const FLUSHED_AT: usize = 1_000;
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

/// A line that waits, and what is known once it is written.
struct Queued {
    line: String,
    entry: Entry,
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
            log.known.read(path);
            rotated.iter().chain(&recent).for_each(|line| log.known.replay(line));
            let file = open_file(path).map_err(open_error)?;
            if file.taken {
                return Err(NotifyError::Taken { path: path.to_owned() });
            }
            log.destination = Destination::File { path: path.to_owned(), file: Some(file) };
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

    fn enqueue(&mut self, notice: &Notice) {
        if self.queue.len() >= MAX_QUEUED {
            // It is not remembered either, so that it can be told again.
            self.counters.dropped_total += 1;
        } else if let Some((notice, entry)) = self.known.admit(notice) {
            self.queue.push_back(Queued { line: render(&notice, self.format), entry });
        } else {
            self.counters.duplicates_total += 1;
        }
    }

    /// Writes and syncs everything that waits; on an error the lines not yet written stay, in their order.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            self.flush_chunk()?;
            self.keep_known();
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    fn flush_chunk(&mut self) -> io::Result<()> {
        let mut bytes = 0;
        let fits = |queued: &&Queued| {
            let first = bytes == 0;
            bytes += queued.line.len();
            first || bytes <= CHUNK_BYTES
        };
        let lines: Vec<&str> =
            self.queue.iter().take_while(fits).map(|queued| queued.line.as_str()).collect();
        for _ in 0..MAX_ATTEMPTS {
            self.counters.reopened_total += u64::from(self.destination.follow_rotation()?);
            let mut written = 0;
            let result = self.destination.write(&lines, &mut written);
            if written > 0 && self.destination.vanished() {
                // The file was deleted under the write: what went into it is lost, so it stays in the queue.
                self.destination.close();
                continue;
            }
            for queued in self.queue.drain(..written) {
                self.known.written(queued.entry);
                if let Some(echo) = &self.echo {
                    echo.print(queued.line);
                }
            }
            self.counters.delivered_total += u64::try_from(written).unwrap_or(u64::MAX);
            return result;
        }
        Err(io::Error::other("the file is deleted as fast as it is written"))
    }

    /// Keeps what is known beside the log.
    fn keep_known(&mut self) {
        let Some(path) = self.destination.regular_file() else { return };
        if let Err(error) = self.known.keep(path)
            && !self.warned
        {
            self.warned = true;
            warn!(%error, alert_log = %path.display(),
                "What was written cannot be kept in a file beside the alert log: after a restart alerts that fire for long may be written again.");
        }
    }
}

impl Notifier for AlertLog {
    fn notify(&mut self, notices: &[Notice]) -> Result<(), NotifyError> {
        let mut result = Ok(());
        for notice in notices {
            if self.queue.len() >= FLUSHED_AT && result.is_ok() {
                result = self.flush();
            }
            self.enqueue(notice);
        }
        let result = result.and_then(|()| self.flush());
        if let Err(error) = &result {
            self.counters.errors_total += 1;
            self.counters.last_error = Some(error.to_string());
        } else {
            self.counters.last_error = None;
        }
        result.map_err(|source| NotifyError::Write { path: self.destination.path(), source })
    }

    fn reopen(&mut self) {
        self.destination.close();
    }

    fn open_since(&self, fingerprint: u64) -> Option<Timestamp> {
        self.known.open_since(fingerprint)
    }

    fn counters(&self) -> Counters {
        Counters { queued: self.queue.len(), ..self.counters.clone() }
    }
}

/// Where the lines go.
enum Destination {
    /// Standard output.
    Output,
    /// A file, open unless it has to be opened again.
    File { path: PathBuf, file: Option<Opened> },
}

/// An open log file.
struct Opened {
    file: File,
    /// Whether a half line at the end could not be taken back: the next write must begin a new line.
    torn: bool,
    /// Whether written lines still have to reach the disk.
    unsynced: bool,
    /// Whether another program has it open as its log.
    taken: bool,
}

impl Destination {
    fn path(&self) -> PathBuf {
        match self {
            Self::Output => PathBuf::from(STANDARD_OUTPUT),
            Self::File { path, .. } => path.clone(),
        }
    }

    /// The path, when it leads to a file on a disk.
    fn regular_file(&self) -> Option<&Path> {
        let Self::File { path, file: Some(opened) } = self else { return None };
        opened.file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(path)
    }

    fn close(&mut self) {
        if let Self::File { file, .. } = self {
            if let Some(opened) = file.as_ref().filter(|opened| opened.unsynced) {
                // The last chance to bring these lines to the disk; a failure was already counted when they were written.
                let _retried = opened.file.sync_data();
            }
            *file = None;
        }
    }

    /// Opens the file again when the path no longer leads to the open one; tells whether it did.
    fn follow_rotation(&mut self) -> io::Result<bool> {
        let Self::File { path, file } = self else { return Ok(false) };
        let same = match file {
            Some(opened) => std::fs::metadata(&*path)
                .and_then(|now| Ok(identity(&now) == identity(&opened.file.metadata()?)))
                .unwrap_or(false),
            None => false,
        };
        if same {
            return Ok(false);
        }
        self.close();
        let Self::File { path, file } = self else { return Ok(false) };
        *file = Some(open_file(path)?);
        Ok(true)
    }

    /// Whether the open file has lost its last name.
    fn vanished(&self) -> bool {
        let Self::File { file: Some(opened), .. } = self else { return false };
        opened.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Writes lines and syncs once; `written` counts the lines that are in the file whole.
    fn write(&mut self, lines: &[&str], written: &mut usize) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut output = io::stdout().lock();
                for line in lines {
                    output.write_all(line.as_bytes())?;
                    *written += 1;
                }
                output.flush()
            }
            Self::File { file: Some(opened), .. } => {
                let (before, torn) = (opened.file.metadata()?.len(), opened.torn);
                let result = lines.iter().try_for_each(|line| {
                    opened.write_line(line)?;
                    *written += 1;
                    Ok(())
                });
                // Also after a failure: the lines before it are in the file.
                let synced = opened.sync();
                if synced.is_err() {
                    // The system may have forgotten what it could not write, and says so only once. So they are taken back and
                    // written again; where they cannot be taken back, a line that stands there twice is better than none.
                    *written = 0;
                    opened.torn = torn || opened.file.set_len(before).is_err();
                }
                result.and(synced)
            }
            // `follow_rotation` runs before every write and opens the file or fails.
            Self::File { file: None, .. } => Err(io::Error::other("the file is not open")),
        }
    }
}

impl Opened {
    /// Writes one line by one `write` call, so that a crash or another writer cannot interleave with it.
    fn write_line(&mut self, line: &str) -> io::Result<()> {
        if self.torn {
            write_whole(&mut self.file, b"\n")?;
            self.torn = false;
        }
        let before = self.file.metadata()?.len();
        self.unsynced = true;
        let Err((error, part)) = write_counted(&mut self.file, line.as_bytes()) else {
            return Ok(());
        };
        if part > 0 {
            // A full disk took half a line. Take it back, unless something else was appended meanwhile.
            let end = before + u64::try_from(part).unwrap_or(u64::MAX);
            let alone = self.file.metadata().is_ok_and(|metadata| metadata.len() == end);
            self.torn = !alone || self.file.set_len(before).is_err();
        }
        Err(error)
    }

    fn sync(&mut self) -> io::Result<()> {
        // Devices such as `/dev/stderr` cannot be synced and need not be.
        if self.unsynced && self.file.metadata()?.is_file() {
            self.file.sync_data()?;
        }
        self.unsynced = false;
        Ok(())
    }
}

fn write_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    write_counted(file, bytes).map_err(|(error, _)| error)
}

/// Writes bytes; the error comes with the count of those that were written nevertheless.
fn write_counted(file: &mut File, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), done)),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, done)),
        }
    }
    Ok(())
}

/// What makes a file the same file whatever its name.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a file for appending, creates it and its folders where missing, and ends a line that a crash left open.
fn open_file(path: &Path) -> io::Result<Opened> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    // Opening a pipe that nobody reads would wait for ever.
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is a named pipe; name a file, or `-` for standard output",
        ));
    }
    let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    let mut opened = Opened { torn: false, unsynced: false, taken, file };
    let metadata = opened.file.metadata()?;
    if metadata.is_file() {
        if metadata.len() == 0 {
            sync_folder(path);
        } else {
            opened.torn = last_byte(path)? != Some(b'\n');
        }
    }
    if opened.torn {
        // A full disk can refuse even this byte; then it is written before the next line.
        opened.torn = write_whole(&mut opened.file, b"\n").is_err();
    }
    Ok(opened)
}

/// Makes a new file's name durable; where folders cannot be synced, the next crash may lose the name, as for any program.
fn sync_folder(path: &Path) {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _best_effort = File::open(folder).and_then(|folder| folder.sync_all());
}

fn last_byte(path: &Path) -> io::Result<Option<u8>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(Some(byte[0]))
}

/// What the whole lines tell in the file's last [`TAIL_BYTES`], oldest first; none when there is no such file.
fn read_tail(path: &Path) -> io::Result<Vec<Written>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // A first line cut by the window is no valid line of ours and falls out by itself. A last line without its end was
    // torn by a crash; only JSON can prove that nothing is missing.
    let whole = |line: &&str| line.ends_with('\n') || line.starts_with('{');
    Ok(text.split_inclusive('\n').filter(whole).filter_map(read).collect())
}

/// The file that the log was last renamed to: `alerts.jsonl.1`, `alerts.jsonl-20261122`, …
fn rotated_sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let rotated =
        |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '-']));
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(rotated))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .max()
        .map(|(_, path)| path)
}
