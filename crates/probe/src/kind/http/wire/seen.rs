//! What came over a connection, and why reading ended before its time.
//!
//! Must not know how it is read.

use std::sync::{Mutex, MutexGuard};

use notation::sync::lock;

use crate::report::{Failure, HIDDEN, Phase, Reason, Warning};

/// How many informational answers (1xx) may come before the real one.
pub(super) const INFORMATIONAL_MAX: usize = 16;

/// How much of the head of an answer is kept for people, in bytes.
const EVIDENCE_BYTES_MAX: usize = 2048;

/// How much of the head of a request is looked at for people, in bytes: more than is kept of it, because secrets are hidden.
const SENT_BYTES_MAX: usize = 8 * 1024;

/// Why reading must not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Stop {
    pub(in super::super) reason: Reason,
    pub(in super::super) detail: String,
}

impl Stop {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub(super) fn too_many_informational() -> Self {
        Self::new(
            Reason::TooMany1xx,
            format!("more than {INFORMATIONAL_MAX} informational answers"),
        )
    }
}

/// What came over a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Seen {
    /// How many bytes came.
    pub(in super::super) bytes_read: u64,
    /// The beginning of the head of an HTTP/1 request as it was sent.
    pub(in super::super) sent: Vec<u8>,
    /// The beginning of the head of an HTTP/1 answer as it came, or of what came instead.
    pub(super) head: Vec<u8>,
    /// What is wrong with an answer that is accepted nevertheless.
    pub(in super::super) warnings: Vec<Warning>,
    /// Why reading ended before its time.
    pub(in super::super) stop: Option<Stop>,
    /// Whether the server sent an HTTP/2 GOAWAY.
    pub(in super::super) goaway: bool,
    /// Whether the head of the answer is complete, to hyper's mind.
    pub(in super::super) answered: bool,
    /// Whether a frame of HTTP/2 said that the answer ends with it.
    pub(in super::super) ended: bool,
    /// How large the newest header block of HTTP/2 is, as it came.
    pub(in super::super) block_bytes: u32,
}

impl Seen {
    /// Adds a warning, once.
    pub(super) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Keeps what was sent, up to the end of the head.
    pub(super) fn keep_sent(&mut self, bytes: &[u8]) {
        const END: &[u8] = b"\r\n\r\n";
        if self.sent.ends_with(END) || self.sent.len() >= SENT_BYTES_MAX {
            return;
        }
        // The end may lie across two pieces.
        let before = self.sent.len().saturating_sub(END.len());
        self.sent.extend(bytes.iter().take(SENT_BYTES_MAX.saturating_sub(self.sent.len())));
        let new = self.sent.get(before..).unwrap_or_default();
        if let Some(end) = new.windows(END.len()).position(|window| window == END) {
            self.sent.truncate(before + end + END.len());
        }
    }

    /// Keeps what was received, up to the limit.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let room = EVIDENCE_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }
}

/// What came over a connection, for those who ask while it is read.
#[derive(Debug, Default)]
pub(in super::super) struct Meter(Mutex<Seen>);

impl Meter {
    /// What came up to now.
    pub(in super::super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.0)
    }

    /// Why reading ended before its time, as a failure of the target.
    pub(in super::super) fn failure(&self, phase: Phase) -> Option<Failure> {
        let Stop { reason, detail } = self.seen().stop.clone()?;
        Some(Failure::new(phase, reason, detail))
    }

    /// The beginning of the head as it came; cookies are somebody's secrets.
    pub(in super::super) fn head_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut hidden = false;
        for line in self.seen().head.split_inclusive(|byte| *byte == b'\n') {
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            let cookie = line
                .get(.."set-cookie".len())
                .is_some_and(|name| name.eq_ignore_ascii_case(b"set-cookie"));
            hidden = if folded { hidden } else { cookie };
            if !hidden {
                text.extend_from_slice(line);
            } else if !folded {
                text.extend_from_slice(format!("set-cookie: {HIDDEN}\n").as_bytes());
            }
        }
        text
    }
}
