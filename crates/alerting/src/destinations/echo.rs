//! Lines of the alert log on standard output as well, for people and for log drivers of containers.
//!
//! A copy: who does not read it must not hold up the log. So a thread of its own prints, and what it cannot keep up with is left
//! out. Must not know what the lines say.

use std::{
    io::Write as _,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

/// How many lines wait for a slow reader; what comes then is left out.
const WAITING_MAX: usize = 1_000;
/// How long the last lines may take when the program ends.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A thread that prints.
pub(super) struct Echo {
    /// Closed first when this is dropped, so that the thread ends.
    lines: Option<SyncSender<String>>,
    ended: Receiver<()>,
}

impl Echo {
    /// Starts the thread; `None` when the system has none to give.
    pub(super) fn start() -> Option<Self> {
        let (lines, waiting) = sync_channel::<String>(WAITING_MAX);
        let (end, ended) = sync_channel::<()>(1);
        let print = move || {
            for line in waiting {
                let mut output = std::io::stdout().lock();
                let _nobody_reads = output.write_all(line.as_bytes()).and_then(|()| output.flush());
            }
            drop(end);
        };
        std::thread::Builder::new().name("echo".to_owned()).spawn(print).ok()?;
        Some(Self { lines: Some(lines), ended })
    }

    /// Hands a line over.
    pub(super) fn print(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _left_out = lines.try_send(line);
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.lines = None;
        let _in_time = self.ended.recv_timeout(END_TIMEOUT);
    }
}
