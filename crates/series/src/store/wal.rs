//! The write-ahead log's files: segments, their header, replay and quarantine.
//!
//! Must not know queries or the head; replayed samples go to the caller.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{
    error::StoreError,
    record::{Decoder, Encoder, Round},
};
use crate::{Labels, Timestamp};

const MAGIC: [u8; 6] = *b"WSMWAL";
const VERSION: u16 = 1;
/// Magic, version, and the CRC-32 of both, which distinguishes a newer format from a damaged header.
const HEADER_BYTES: usize = 12;
/// A record holds at most this many samples, which bounds its size.
const RECORD_SAMPLES_MAX: usize = 10_000;

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Samples read back.
    pub samples: u64,
    /// Series they belong to.
    pub series: usize,
    /// Segments read.
    pub segments: usize,
    /// Bytes of an interrupted write that were cut off the last segment.
    pub torn_bytes: u64,
    /// Copies of damaged segments, of which only the part before the damage was read.
    pub quarantined: Vec<PathBuf>,
    /// The time of the newest sample.
    pub newest: Option<Timestamp>,
}

/// What the log takes on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) segments: usize,
}

/// A segment that is no longer written to.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    bytes: u64,
    pub(super) newest: Option<Timestamp>,
}

/// The segment being written.
#[derive(Debug)]
struct Active {
    file: File,
    segment: Segment,
    oldest: Option<Timestamp>,
    encoder: Encoder,
}

/// The log of one directory.
#[derive(Debug)]
pub(super) struct Wal {
    directory: PathBuf,
    // Held for its lock.
    _lock: File,
    closed: Vec<Segment>,
    active: Option<Active>,
    next: u64,
    segment_bytes_max: u64,
    segment_span_max_ms: i64,
    // Waits until a file's bytes are on the disk; tests put a disk in its place that is slow or fails.
    pub(super) flush: fn(&File) -> io::Result<()>,
}

impl Wal {
    /// Locks the directory and replays its segments into `keep`.
    pub(super) fn open(
        directory: &Path,
        (segment_bytes_max, segment_span_max_ms): (u64, i64),
        mut keep: impl FnMut(Timestamp, &Labels, f64),
    ) -> Result<(Self, Replay), StoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let lock_path = directory.join("lock");
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = options.map_err(failed(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => StoreError::Locked { path: directory.to_owned() },
            fs::TryLockError::Error(source) => StoreError::Io { path: lock_path.clone(), source },
        })?;
        let mut found = Vec::new();
        for file in fs::read_dir(directory).map_err(failed(directory))? {
            let file = file.map_err(failed(directory))?;
            if let Some(number) = file.file_name().to_str().and_then(segment_number) {
                found.push((number, file.path()));
            }
        }
        found.sort();
        // Nothing is touched before every header has been seen.
        for (_, path) in &found {
            refuse_unknown_version(path)?;
        }
        let last = found.last().map(|(number, _)| *number);
        let mut replay = Replay::default();
        let mut closed = Vec::new();
        for (number, path) in found {
            let segment =
                replay_segment(path.clone(), Some(number) == last, &mut replay, &mut keep);
            closed.push(segment.map_err(failed(&path))?);
        }
        replay.segments = closed.len();
        let wal = Self {
            directory: directory.to_owned(),
            _lock: lock,
            closed,
            active: None,
            next: last.unwrap_or(0) + 1,
            segment_bytes_max,
            segment_span_max_ms,
            flush: File::sync_data,
        };
        Ok((wal, replay))
    }

    /// Writes rounds and waits until they are on the disk. After an error nothing of them counts as written, and the
    /// next call begins a fresh segment: a file whose fsync failed cannot be trusted again.
    pub(super) fn write(&mut self, rounds: &[Round]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) =
            (rounds.iter().map(|round| round.at).min(), rounds.iter().map(|round| round.at).max())
        else {
            return Ok(());
        };
        let full = |active: &Active| {
            active.segment.bytes >= self.segment_bytes_max
                || active
                    .oldest
                    .is_some_and(|oldest| last.saturating_sub(oldest) > self.segment_span_max_ms)
        };
        if self.active.as_ref().is_some_and(full) {
            self.rotate();
        }
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.create()?,
        };
        let mut buffer = Vec::new();
        for round in rounds {
            for part in round.samples.chunks(RECORD_SAMPLES_MAX) {
                active.encoder.encode(round.at, part, &mut buffer);
            }
        }
        let written = active.file.write_all(&buffer).and_then(|()| (self.flush)(&active.file));
        if let Err(source) = written {
            let path = active.segment.path.clone();
            // Best effort: a tail that stays is recognised as torn, and its samples as duplicates.
            let _truncated = active.file.set_len(active.segment.bytes);
            self.closed.push(active.segment);
            return Err(StoreError::Io { path, source });
        }
        active.segment.bytes += buffer.len() as u64;
        active.segment.newest = active.segment.newest.max(Some(last));
        active.oldest = Some(active.oldest.map_or(first, |oldest| oldest.min(first)));
        self.active = Some(active);
        Ok(())
    }

    /// Closes the segment being written.
    pub(super) fn rotate(&mut self) {
        self.closed.extend(self.active.take().map(|active| active.segment));
    }

    fn create(&mut self) -> Result<Active, StoreError> {
        let path = self.directory.join(format!("wal-{:08}", self.next));
        self.next += 1;
        let create = || {
            let mut file = OpenOptions::new().create_new(true).write(true).open(&path)?;
            let mut header = Vec::from(MAGIC);
            header.extend(VERSION.to_le_bytes());
            header.extend(crc32fast::hash(&header).to_le_bytes());
            file.write_all(&header)?;
            // The name must be as durable as what will be written under it.
            File::open(&self.directory)?.sync_all()?;
            Ok(file)
        };
        let file = create().map_err(|source| {
            // Without this every attempt on a full disk would leave a file behind; it holds no sample yet.
            let _removed = fs::remove_file(&path);
            StoreError::Io { path: path.clone(), source }
        })?;
        let segment = Segment { path, bytes: HEADER_BYTES as u64, newest: None };
        Ok(Active { file, segment, oldest: None, encoder: Encoder::default() })
    }

    /// Unlinks closed segments without a sample at or after `cutoff`.
    pub(super) fn expire(&mut self, cutoff: Timestamp) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.segment.newest.is_some_and(|newest| newest < cutoff))
        {
            self.rotate();
        }
        // A file that cannot be unlinked is kept in the list, so that the next round tries again.
        self.closed.retain(|segment| {
            segment.newest.is_some_and(|newest| newest >= cutoff) || !unlink(&segment.path)
        });
    }

    /// Unlinks the oldest closed segment; its newest sample's time, the earliest possible one when it
    /// has no sample; `None` when there is none to unlink.
    pub(super) fn unlink_oldest(&mut self) -> Option<Timestamp> {
        if !unlink(&self.closed.first()?.path) {
            return None;
        }
        Some(self.closed.remove(0).newest.unwrap_or(Timestamp::MIN))
    }

    /// The size of all segments together.
    pub(super) fn size(&self) -> Size {
        let all = self.closed.iter().chain(self.active.as_ref().map(|active| &active.segment));
        all.fold(Size::default(), |Size { bytes, segments }, segment| Size {
            bytes: bytes + segment.bytes,
            segments: segments + 1,
        })
    }
}

fn unlink(path: &Path) -> bool {
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// The version a sound header names.
fn header_version(bytes: &[u8]) -> Option<u16> {
    let (header, sum) = bytes.get(..HEADER_BYTES)?.split_last_chunk::<4>()?;
    let (magic, version) = header.split_last_chunk::<2>()?;
    (magic == MAGIC && crc32fast::hash(header) == u32::from_le_bytes(*sum))
        .then(|| u16::from_le_bytes(*version))
}

fn refuse_unknown_version(path: &Path) -> Result<(), StoreError> {
    use std::io::Read as _;
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut header))
        .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    match header_version(&header) {
        Some(version) if version != VERSION => {
            Err(StoreError::Version { path: path.to_owned(), version })
        }
        _ => Ok(()),
    }
}

fn replay_segment(
    path: PathBuf,
    last: bool,
    replay: &mut Replay,
    keep: &mut impl FnMut(Timestamp, &Labels, f64),
) -> io::Result<Segment> {
    let bytes = fs::read(&path)?;
    let mut newest = None;
    let mut good = 0;
    if header_version(&bytes).is_some() {
        good = HEADER_BYTES;
        let mut decoder = Decoder::default();
        while let Some(rest) = bytes.get(good..) {
            let kept = |at, labels: &Labels, value| {
                newest = newest.max(Some(at));
                keep(at, labels, value);
            };
            let Some(length) = decoder.decode(rest, kept) else { break };
            good += length;
        }
    }
    let bad = bytes.len().saturating_sub(good);
    let mut kept_bytes = bytes.len();
    if bad > 0 {
        let torn = last && is_torn(bytes.get(good..).unwrap_or_default());
        // A damaged file is first put aside; if that is impossible it stays as it is, and is only read up to the damage.
        let may_cut = torn || quarantine(&path).map(|copy| replay.quarantined.push(copy)).is_ok();
        if torn {
            replay.torn_bytes += bad as u64;
        }
        if may_cut
            && OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(good as u64))
                .is_ok()
        {
            kept_bytes = good;
        }
    }
    replay.newest = replay.newest.max(newest);
    Ok(Segment { path, bytes: kept_bytes as u64, newest })
}

/// Whether a bad tail is what an interrupted write leaves: a record that ends past the end of the file, or zeros.
fn is_torn(tail: &[u8]) -> bool {
    let Some((length, rest)) = tail.split_first_chunk::<4>() else { return true };
    tail.iter().all(|byte| *byte == 0)
        || (u32::from_le_bytes(*length) as usize).saturating_add(4) >= rest.len()
}

/// Copies a damaged segment aside without replacing an earlier copy.
fn quarantine(path: &Path) -> io::Result<PathBuf> {
    let mut copy = path.with_extension("corrupt");
    let mut number = 1_u32;
    while copy.exists() {
        number += 1;
        copy = path.with_extension(format!("{number}.corrupt"));
    }
    fs::copy(path, &copy)?;
    Ok(copy)
}
