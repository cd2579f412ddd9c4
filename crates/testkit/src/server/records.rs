//! What each connection of a server sent, and how many are open.
//!
//! Must not know what the bytes mean.

use std::sync::{Arc, Mutex};

use notation::sync::lock;
use tokio::sync::watch;

/// What each connection sent, in the order in which they were accepted, and how many are open.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) received: Mutex<Vec<Vec<u8>>>,
    pub(super) open: watch::Sender<usize>,
}

/// The record of one connection, which counts as open as long as this lives.
pub(super) struct Record {
    records: Arc<Records>,
    pub(super) index: usize,
}

impl Records {
    pub(super) fn open(self: &Arc<Self>) -> Record {
        let mut all = lock(&self.received);
        all.push(Vec::new());
        self.open.send_modify(|open| *open += 1);
        Record { records: Arc::clone(self), index: all.len() - 1 }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.records.open.send_modify(|open| *open -= 1);
    }
}

impl Record {
    pub(super) fn append(&self, bytes: &[u8]) {
        if let Some(record) = lock(&self.records.received).get_mut(self.index) {
            record.extend_from_slice(bytes);
        }
    }

    /// What the connection sent so far.
    pub(super) fn text(&self) -> String {
        let records = lock(&self.records.received);
        let bytes = records.get(self.index).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }
}
