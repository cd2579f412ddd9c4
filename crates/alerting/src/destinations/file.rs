//! Where lines go: a file that may be renamed, deleted or truncated by a rotation at any time, or standard output.
//!
//! Must not know what the lines say, nor in which order they wait.

use std::{
    fs::{File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The path that means standard output.
pub(super) const STANDARD_OUTPUT: &str = "-";
/// Readable by the owner and by the group that log shippers run in; the URLs inside are not for everyone.
const MODE: u32 = 0o640;
/// How much of the file's end is read on start to recognise what was written before: about 2,000 lines.
const TAIL_BYTES: u64 = 1024 * 1024;

/// Where the lines go.
pub(super) enum Place {
    /// Standard output.
    Output,
    /// A file, open unless it has to be opened again.
    File { path: PathBuf, file: Option<Opened> },
}

/// An open log file.
pub(super) struct Opened {
    file: File,
    /// Whether a half line at the end could not be taken back: the next write must begin a new line.
    torn: bool,
    /// Whether written lines still have to reach the disk.
    unsynced: bool,
    /// Whether another program has it open as its log.
    pub(super) taken: bool,
}

impl Place {
    /// The path as the user wrote it.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Output => PathBuf::from(STANDARD_OUTPUT),
            Self::File { path, .. } => path.clone(),
        }
    }

    /// Whether lines can be written without opening anything.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Output | Self::File { file: Some(_), .. })
    }

    /// The path, when it leads to a file on a disk.
    pub(super) fn regular_file(&self) -> Option<&Path> {
        let Self::File { path, file: Some(opened) } = self else { return None };
        opened.file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(path)
    }

    /// Lets go of the file, which is opened again before the next write.
    pub(super) fn close(&mut self) {
        if let Self::File { file, .. } = self {
            if let Some(opened) = file.as_ref().filter(|opened| opened.unsynced) {
                // The last chance to bring these lines to the disk; a failure was already counted when they were written.
                let _retried = opened.file.sync_data();
            }
            *file = None;
        }
    }

    /// Opens the file again when the path no longer leads to the open one; says whether it did.
    pub(super) fn follow_rotation(&mut self) -> io::Result<bool> {
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
    pub(super) fn vanished(&self) -> bool {
        let Self::File { file: Some(opened), .. } = self else { return false };
        opened.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Writes lines and syncs once; `written` counts the lines that are in the file whole.
    pub(super) fn write(&mut self, lines: &[&str], written: &mut usize) -> io::Result<()> {
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
                    // written again; where they cannot be taken back, a line that is there twice is better than none.
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
pub(super) fn open_file(path: &Path) -> io::Result<Opened> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    // Opening a pipe that no one reads would wait for ever.
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

/// The whole lines in the file's last [`TAIL_BYTES`], oldest first; none when there is no such file.
pub(super) fn read_tail(path: &Path) -> io::Result<Vec<String>> {
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
    // A first line that is cut by the window does not count. A last line without its end was torn by a crash; only JSON can prove that nothing is
    // missing.
    let whole = |line: &&str| line.ends_with('\n') || line.starts_with('{');
    let lines = text.split_inclusive('\n').skip(usize::from(start > 0));
    Ok(lines.filter(whole).map(str::to_owned).collect())
}

/// The file that the log was last renamed to: `alerts.jsonl.1`, `alerts.jsonl-20261122`, …
pub(super) fn rotated_sibling(path: &Path) -> Option<PathBuf> {
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

/// A file hidden beside the alert log, so that patterns for the log and its rotated files do not match it; `None` where the log is
/// none.
pub(super) fn file_beside(log: &Path, what: &str) -> Option<PathBuf> {
    if log == Path::new(STANDARD_OUTPUT) {
        return None;
    }
    let name = log.file_name()?.to_str()?;
    Some(log.with_file_name(format!(".{name}.{what}")))
}
