//! The frames of HTTP/2 (RFC 9113 §4.1), of which only the headers are read: counted, and stopped where they are a flood.
//!
//! What a frame says is up to h2. Must not know sockets.

use super::{
    head::not_http,
    seen::{INFORMATIONAL_MAX, Seen, Stop},
};
use crate::report::Reason;

/// The length of a frame's header.
const FRAME_HEADER_BYTES: usize = 9;

/// The largest frame that is announced to be taken, which is the smallest maximum of RFC 9113 §4.2.
const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// How large the header list may be, in bytes: twice what browsers take.
pub(in super::super) const HEADER_LIST_BYTES_MAX: u32 = 256 * 1024;

/// How many CONTINUATION frames a header block may have: enough for the largest list in frames that are not quite full.
const CONTINUATIONS_MAX: u32 = 20;

/// How many frames of one type may come that bring nothing of the answer: PING, SETTINGS, empty DATA and the like. One probe
/// is one request and lasts seconds; a server needs a handful.
const IDLE_FRAMES_MAX: u32 = 1000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// The names of the types of frames, by number; what has none is ignored by h2, but not free.
const TYPES: [&str; 11] = [
    "empty DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
    "unknown",
];

const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

/// Walks from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// The frame header in progress.
    header: [u8; FRAME_HEADER_BYTES],
    filled: usize,
    /// How much of the payload is still to come.
    payload: u32,
    /// Whether the next byte is the length of the padding of a DATA frame that does not end its stream.
    padding_follows: bool,
    begun: bool,
    answers: usize,
    continuations: u32,
    idle: [u32; TYPES.len()],
}

impl Walker {
    /// Reads received bytes.
    pub(super) fn walk(&mut self, mut bytes: &[u8], seen: &mut Seen) -> Result<(), Stop> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.padding_follows {
                // The length of the padding is the first byte of the payload; without data nothing else follows.
                self.padding_follows = false;
                if u32::from(*first) + 1 >= self.payload {
                    self.idle(DATA)?;
                }
            }
            if self.payload > 0 {
                let skipped = bytes.len().min(self.payload as usize);
                self.payload -= u32::try_from(skipped).unwrap_or(self.payload);
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(slot) = self.header.get_mut(self.filled) {
                *slot = *first;
            }
            self.filled += 1;
            bytes = rest;
            if self.filled == FRAME_HEADER_BYTES {
                self.filled = 0;
                self.frame(bytes, seen)?;
            }
        }
        Ok(())
    }

    /// Reads a frame whose header is complete; what follows it is needed only to recognise what is no frame.
    fn frame(&mut self, following: &[u8], seen: &mut Seen) -> Result<(), Stop> {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let begins = !std::mem::replace(&mut self.begun, true);
        if length > FRAME_BYTES_MAX {
            if begins {
                seen.keep(&self.header);
                seen.keep(following);
                return Err(not_http("no HTTP/2", &self.header));
            }
            return Err(violation(format!("a frame of {length} bytes")));
        }
        self.payload = length;
        match kind {
            DATA => {
                let ends = flags & END_STREAM != 0;
                seen.ended |= ends;
                if length == 0 && !ends {
                    return self.idle(DATA);
                }
                self.padding_follows = flags & PADDED != 0 && length > 0 && !ends;
                Ok(())
            }
            HEADERS => {
                self.continuations = 0;
                seen.block_bytes = length;
                seen.ended |= flags & END_STREAM != 0;
                // Trailers end the stream, informational answers cannot.
                self.answers += usize::from(flags & END_STREAM == 0);
                if self.answers > INFORMATIONAL_MAX + 1 {
                    return Err(Stop::too_many_informational());
                }
                Ok(())
            }
            CONTINUATION => {
                self.continuations += 1;
                seen.block_bytes += length;
                if seen.block_bytes > HEADER_LIST_BYTES_MAX {
                    let detail = format!("more than {HEADER_LIST_BYTES_MAX} bytes of headers");
                    return Err(Stop::new(Reason::HeaderLimit, detail));
                }
                if self.continuations > CONTINUATIONS_MAX {
                    let detail = format!("more than {CONTINUATIONS_MAX} CONTINUATION frames");
                    return Err(violation(detail));
                }
                Ok(())
            }
            PUSH_PROMISE => Err(violation("a PUSH_PROMISE, which is not allowed")),
            GOAWAY => {
                seen.goaway = true;
                self.idle(kind)
            }
            _ => self.idle(kind),
        }
    }

    /// Takes in a frame that brings nothing of the answer.
    fn idle(&mut self, kind: u8) -> Result<(), Stop> {
        let index = usize::from(kind).min(TYPES.len() - 1);
        let (Some(count), Some(name)) = (self.idle.get_mut(index), TYPES.get(index)) else {
            return Ok(());
        };
        *count += 1;
        if *count > IDLE_FRAMES_MAX {
            return Err(violation(format!("more than {IDLE_FRAMES_MAX} {name} frames")));
        }
        Ok(())
    }
}

fn violation(detail: impl Into<String>) -> Stop {
    Stop::new(Reason::H2Violation, detail)
}
