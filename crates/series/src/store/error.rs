//! Why a store cannot be used. Must not know how it works.

use std::{io, path::PathBuf};

/// Why the store cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the directory.
    #[error("{} is used by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A segment has a format that this program does not know.
    #[error("{} has format version {version}, which this program does not know; nothing was changed", path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// The version its header names.
        version: u16,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
