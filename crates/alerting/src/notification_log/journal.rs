//! The file beside a log: a record for each step, appended, and now and then rewritten.
//!
//! | record | meaning |
//! |---|---|
//! | `p {…}` | a line is about to be written; counts only if the log has it |
//! | `w <key> <id> <action>` | that line is on the disk |
//! | `s {…}` | an entry as it is, without a line |
//! | `d <key>` | an entry is gone |
//! | `e {…}` | the end of a label set waits until it is believed |
//! | `f <label set>` | that end is written, or none after all |
//! | `h <milliseconds>` | when the rules were last evaluated, by the heartbeat |
//!
//! What cannot be read is left out. Must not know what follows from an entry.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use series::Timestamp;

use super::{
    entry::{Entry, hex, unhex},
    held::{self, HeldEnds},
};
use crate::event::Transition;

/// Below this size the file is never rewritten.
const REWRITTEN_BYTES_MIN: u64 = 1024 * 1024;
/// How many times its size after the last rewrite the file may have, so that rewriting costs little on average.
const GROWTH_MAX: u64 = 4;
/// After how many bytes of lines the file is synced: fewer than are read again from the end of the log.
const SYNCED_BYTES: usize = 256 * 1024;
/// As the log: the labels of alerts are in it.
const MODE: u32 = 0o640;

/// The file beside a log.
#[derive(Default)]
pub(super) struct Journal {
    /// Where it is; `None` where there is none.
    path: Option<PathBuf>,
    /// The file, open for appending; `None` before it was written anew, and after a failure.
    file: Option<File>,
    /// Records that are not in the file yet.
    pending: String,
    /// Of which lines it is not known whether they were written.
    planned: BTreeMap<(String, &'static str), (u64, Entry)>,
    /// The size of the file now, and when it was last written anew.
    bytes: u64,
    base: u64,
    /// How many bytes of lines the log has that the synced part of the file does not know of.
    unsynced: usize,
    /// Whether what comes next has to be synced: an Alertmanager does not report it again.
    sync_due: bool,
}

/// What was in the file.
#[derive(Default)]
pub(super) struct Read {
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) held: HeldEnds,
    pub(super) heartbeat: Option<Timestamp>,
    pub(super) journal: Journal,
}

impl Journal {
    /// Reads the file at a path; where there is none, nothing.
    pub(super) fn read(path: PathBuf) -> Read {
        let mut read = Read::default();
        let file = Some(&path).filter(|path| path.is_file()).and_then(|path| File::open(path).ok());
        read.journal.path = Some(path);
        let mut lines = file.into_iter().map(BufReader::new);
        if let Some(mut reader) = lines.next() {
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                read.take(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        }
        read
    }

    /// The entry that a line of the log was planned with.
    pub(super) fn take_planned(
        &mut self,
        id: &str,
        transition: Transition,
    ) -> Option<(u64, Entry)> {
        self.planned.remove(&(id.to_owned(), transition.as_str()))
    }

    /// Notes a line that is about to be written.
    pub(super) fn plan(&mut self, key: u64, entry: &Entry) {
        self.push(|| format!("p {}", entry.record(key)));
    }

    /// Notes that a planned line is on the disk, or an entry for which there is no line.
    pub(super) fn written(&mut self, key: u64, entry: &Entry, has_line: bool) {
        self.push(|| {
            if has_line {
                let action = entry.transition.as_str();
                format!("w {} {} {action}", hex(key), entry.disruption.id())
            } else {
                format!("s {}", entry.record(key))
            }
        });
    }

    /// Notes that an entry has another key now.
    pub(super) fn moved(&mut self, old: u64, key: u64, entry: Option<&Entry>) {
        self.push(|| format!("d {}", hex(old)));
        if let Some(entry) = entry {
            self.push(|| format!("s {}", entry.record(key)));
        }
    }

    /// Notes an end that waits, with its record.
    pub(super) fn hold(&mut self, record: &str) {
        self.push(|| format!("e {record}"));
        self.sync_due = true;
    }

    /// Notes that the end of a label set waits no longer.
    pub(super) fn unhold(&mut self, label_set: u64) {
        self.push(|| format!("f {}", hex(label_set)));
        self.sync_due = true;
    }

    /// Whether there is a file that has all that was flushed.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Notes when the rules were last evaluated.
    pub(super) fn beat(&mut self, evaluated_at: Timestamp) {
        self.push(|| format!("h {evaluated_at}"));
    }

    fn push(&mut self, record: impl FnOnce() -> String) {
        if self.path.is_some() {
            self.pending.push_str(&record());
            self.pending.push('\n');
        }
    }

    /// Keeps no file, because the log itself is none.
    pub(super) fn disable(&mut self) {
        *self = Self::default();
    }

    /// Whether the file has to be written anew: it has grown, or is not the one that is open.
    pub(super) fn is_due(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let limit = (self.base.saturating_mul(GROWTH_MAX)).max(REWRITTEN_BYTES_MIN);
        !self.file.as_ref().is_some_and(|file| leads_to(path, file)) || self.bytes > limit
    }

    /// Rewrites the file.
    pub(super) fn rewrite<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a u64, &'a Entry)>,
        held: &HeldEnds,
        heartbeat: Option<Timestamp>,
    ) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Whatever fails, the next call begins here again, with all that is known by then.
        self.file = None;
        self.pending.clear();
        let new = path.with_extension("new");
        // A file left over from a kill would keep its mode.
        let _none_there = fs::remove_file(&new);
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(&new)?;
        let mut writer = io::BufWriter::new(file);
        for (key, entry) in entries {
            writeln!(writer, "s {}", entry.record(*key))?;
        }
        for record in held.records() {
            writeln!(writer, "e {record}")?;
        }
        if let Some(heartbeat) = heartbeat {
            writeln!(writer, "h {heartbeat}")?;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        fs::rename(&new, path)?;
        // The name as well: an Alertmanager that was answered does not report again what is in it.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        self.bytes = file.metadata()?.len();
        self.base = self.bytes;
        self.unsynced = 0;
        self.sync_due = false;
        self.planned.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Appends what is not in the file yet. `bytes` is how many were written to the log since the last call; after enough of them
    /// the file is synced.
    pub(super) fn flush(&mut self, bytes: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let pending = std::mem::take(&mut self.pending);
        self.unsynced += bytes;
        let mut result = file.write_all(pending.as_bytes());
        self.bytes += pending.len() as u64;
        if result.is_ok() && (self.sync_due || self.unsynced >= SYNCED_BYTES) {
            result = file.sync_data();
            self.unsynced = 0;
            self.sync_due = false;
        }
        if result.is_err() {
            // Half a record may be in it: the file is written anew next time.
            self.file = None;
        }
        result
    }
}

impl Read {
    /// Applies a record.
    fn take(&mut self, line: &str) {
        let planned = &mut self.journal.planned;
        match line.split_once(' ') {
            Some(("p", record)) => {
                if let Some((key, entry)) = Entry::parse(record) {
                    planned
                        .insert((entry.disruption.id(), entry.transition.as_str()), (key, entry));
                }
            }
            Some(("w", words)) => {
                let mut words = words.split(' ');
                let (_key, id, action) = (words.next(), words.next(), words.next());
                let action = action.and_then(|action| action.parse::<Transition>().ok());
                let (Some(id), Some(action)) = (id, action) else { return };
                if let Some((key, entry)) = planned.remove(&(id.to_owned(), action.as_str())) {
                    self.entries.insert(key, entry);
                }
            }
            Some(("s", record)) => self.entries.extend(Entry::parse(record)),
            Some(("d", key)) => {
                if let Some(key) = unhex(key) {
                    self.entries.remove(&key);
                }
            }
            Some(("e", record)) => {
                if let Some(end) = held::parse(record) {
                    self.held.insert(end);
                }
            }
            Some(("f", label_set)) => {
                if let Some(label_set) = unhex(label_set) {
                    self.held.remove(label_set);
                }
            }
            Some(("h", time)) => self.heartbeat = time.parse().ok().or(self.heartbeat),
            _ => self.entries.extend(Entry::parse_old(line)),
        }
    }
}

/// Whether a path leads to the open file.
fn leads_to(path: &Path, file: &File) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(open)) => identity(there) == identity(open),
        _ => false,
    }
}
