//! Files that modules name: certificates, passwords, bodies. Read once and again when they change.
//!
//! A probe costs one look at the file's metadata. A file that was readable once and is gone or unreadable now serves on with
//! what it held: a renewal that goes wrong halfway must not blind the monitor. Must not know what a file is for.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use notation::sync::lock;

/// The largest file that is read: a bundle of authorities has a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many files are remembered. Their paths come from modules, of which there are far fewer.
const FILES_MAX: usize = 1024;

/// How old a change must be before the metadata is trusted to show the next one: time stamps of file systems are coarse, and
/// two changes within one tick look the same.
const SETTLED: Duration = Duration::from_secs(2);

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) struct FileContents {
    /// The same allocation as long as the contents are the same, so that what was derived from them can be kept.
    pub(crate) bytes: Arc<[u8]>,
    /// Why these are not the contents of now, but the last ones that could be read.
    pub(crate) stale: Option<String>,
}

/// A file that cannot be read, and could not before.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}")]
pub(crate) struct FileError {
    path: String,
    cause: io::Error,
}

/// The files as they are at one time of day.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    cache: &'a FileCache,
    now: SystemTime,
}

impl Files<'_> {
    /// The contents of a file.
    ///
    /// # Errors
    /// When the file cannot be read and never could.
    pub(crate) fn read(self, path: &str) -> Result<FileContents, FileError> {
        self.cache.read(path, self.now)
    }
}

/// The files read so far, by path.
#[derive(Debug, Default)]
pub(crate) struct FileCache(Mutex<HashMap<String, Known>>);

/// A file as it was when it was read.
#[derive(Clone, Debug)]
struct Known {
    stamp: Stamp,
    /// Whether a later change is sure to change the stamp.
    settled: bool,
    bytes: Arc<[u8]>,
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.stamp == other.stamp
            && self.settled == other.settled
            && Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

/// What distinguishes the states of a file without reading it. The time of the last change of status also moves when a
/// copying tool sets the time of modification back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl FileCache {
    /// The files at this time of day.
    pub(crate) fn at(&self, now: SystemTime) -> Files<'_> {
        Files { cache: self, now }
    }

    /// The contents of a file. `now` is the time of day.
    ///
    /// # Errors
    /// When the file cannot be read and never could.
    fn read(&self, path: &str, now: SystemTime) -> Result<FileContents, FileError> {
        // The lock is not held while the file system is asked: it may be slow.
        let known = lock(&self.0).get(path).cloned();
        match Self::refresh(path, known.as_ref(), now) {
            Ok(fresh) => {
                let bytes = Arc::clone(&fresh.bytes);
                if known.as_ref() != Some(&fresh) {
                    self.remember(path, fresh);
                }
                Ok(FileContents { bytes, stale: None })
            }
            Err(cause) => {
                let error = FileError { path: path.to_owned(), cause };
                let Some(Known { bytes, .. }) = known else { return Err(error) };
                let stale = Some(format!("{error}; what it held before is used"));
                Ok(FileContents { bytes, stale })
            }
        }
    }

    /// The file as it is now; it is read only when its metadata says that it may have changed.
    fn refresh(path: &str, known: Option<&Known>, now: SystemTime) -> io::Result<Known> {
        let metadata = std::fs::metadata(path)?;
        // A pipe or a device may block or never end.
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let unchanged = |known: &&Known| known.settled && known.stamp == Stamp::of(&metadata);
        if let Some(known) = known.filter(unchanged) {
            return Ok(known.clone());
        }
        let file = File::open(path)?;
        // Of the file that was opened: the path may lead to another one by now.
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        let age = metadata.modified().map(|modified| now.duration_since(modified));
        // A time in the future comes from another machine's clock, and says nothing.
        let settled = !matches!(age, Ok(Ok(age)) if age < SETTLED);
        let bytes = match known {
            Some(known) if *known.bytes == *bytes => Arc::clone(&known.bytes),
            _ => bytes.into(),
        };
        Ok(Known { stamp: Stamp::of(&metadata), settled, bytes })
    }

    fn remember(&self, path: &str, file: Known) {
        let mut files = lock(&self.0);
        if files.len() >= FILES_MAX && !files.contains_key(path) {
            // Only reloads that name ever new files can fill it; what is in use is read again.
            files.clear();
        }
        files.insert(path.to_owned(), file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time at which no file of a test is young any more.
    fn later() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33)
    }

    #[test]
    fn a_file_is_read_again_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let text = path.to_str().unwrap();
        let files = FileCache::default();
        assert!(files.read(text, later()).unwrap_err().to_string().contains("cannot read"));
        std::fs::write(&path, "one").unwrap();
        let first = files.read(text, later()).unwrap();
        assert_eq!((&*first.bytes, first.stale), (b"one".as_slice(), None));
        let again = files.read(text, later()).unwrap();
        assert!(Arc::ptr_eq(&first.bytes, &again.bytes));
        // Another file by the same name, of the same length, as an editor or a renewal leaves it.
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(*files.read(text, later()).unwrap().bytes, *b"two");
        // Touched, but the same: what was derived from it stays.
        let second = files.read(text, later()).unwrap();
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(Arc::ptr_eq(&second.bytes, &files.read(text, later()).unwrap().bytes));
    }

    #[test]
    fn a_young_file_is_not_trusted_to_show_its_next_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let text = path.to_str().unwrap();
        let files = FileCache::default();
        for contents in ["one", "two", "six"] {
            std::fs::write(&path, contents).unwrap();
            let now = std::fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(*files.read(text, now).unwrap().bytes, *contents.as_bytes());
        }
    }

    #[test]
    fn a_file_that_is_lost_serves_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let text = path.to_str().unwrap();
        let files = FileCache::default();
        std::fs::write(&path, "one").unwrap();
        assert!(files.read(text, later()).is_ok());
        std::fs::remove_file(&path).unwrap();
        let lost = files.read(text, later()).unwrap();
        assert_eq!(*lost.bytes, *b"one");
        assert!(lost.stale.is_some_and(|note| note.contains(text)));
        // A folder, a pipe or a device is no file.
        std::fs::create_dir(&path).unwrap();
        assert!(files.read(text, later()).unwrap().stale.is_some());
        assert!(files.read("/dev/zero", later()).is_err());
    }
}
