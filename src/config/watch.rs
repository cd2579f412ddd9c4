//! Sees that a file of the configuration changed, however the editor saved it, and asks for a reload.
//!
//! Only polling: events of single files miss renames, bind mounts and the `..data` swap of a `ConfigMap`. Must not know what the
//! files say, nor whether the reload succeeds.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Diagnostic, Sources, files};

/// How often the files are looked at; with the second look an edit is applied well within 5 s.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// How long content must stay the same before it counts: editors truncate before they write.
pub const SETTLE: Duration = Duration::from_millis(500);

/// A request to reload the configuration, with the way back for the outcome.
pub type ReloadRequest = oneshot::Sender<Result<(), Vec<Diagnostic>>>;

/// The content of all files at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Reads all files, with the patterns expanded anew. A file that cannot be read counts as its error.
    pub fn of(sources: &Sources) -> Self {
        let mut hasher = DefaultHasher::new();
        let modules = Ok(vec![sources.modules.clone()]);
        let patterns = sources.targets.iter().chain(&sources.rules);
        for found in patterns.map(|pattern| files::expand(pattern)).chain([modules]) {
            let paths = found.unwrap_or_else(|error| {
                error.message.hash(&mut hasher);
                Vec::new()
            });
            for path in paths {
                path.hash(&mut hasher);
                match files::read_bytes(&path) {
                    Ok(bytes) => bytes.hash(&mut hasher),
                    Err(error) => error.message.hash(&mut hasher),
                }
            }
        }
        Self(hasher.finish())
    }
}

/// Asks for a reload after each change of the files since `applied`, until `stop`.
///
/// The files are small and local, and are read on the calling task: a blocking pool would make the order of looks and time
/// undetermined under a paused clock. A slow network file system delays one worker thread for one read.
pub async fn watch(
    sources: Sources,
    mut applied: Fingerprint,
    reloads: mpsc::Sender<ReloadRequest>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let mut seen = Fingerprint::of(&sources);
        // Files that never rest are applied anyway after a few looks: one reload in about 4 s at most.
        for _ in 0..4 {
            if seen == applied {
                break;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SETTLE) => {}
            }
            let again = Fingerprint::of(&sources);
            if again == seen {
                break;
            }
            seen = again;
        }
        if seen != applied {
            applied = seen;
            let (answer, _) = oneshot::channel();
            if reloads.send(answer).await.is_err() {
                return;
            }
        }
    }
}
