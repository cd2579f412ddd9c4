//! Reading a body, no further than wanted, and undoing its coding.
//!
//! Every piece is decoded, counted and forgotten unless somebody wants it. Must not know what the body is checked for.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::{
    answer::Answer, decode::Coding, decoder::Decoder, settings::Wanted, zstd::WindowTooLarge,
};
use crate::report::{Failure, Phase, Reason};

/// How much of the body is kept for people.
const EXCERPT_BYTES_MAX: usize = 1024;

/// From this size on the ratio counts: a small body of one letter over and over is nobody's bomb.
const RATIO_FROM_BYTES: u64 = 1024 * 1024;

/// How many times larger than what comes the decoded body may be.
const RATIO_MAX: u64 = 1000;

/// After so many frames they have to hold something: each of them costs far more than its bytes.
const FRAMES_MIN: u64 = 20_000;

/// What the frames have to hold, on average.
const FRAME_BYTES_MIN: u64 = 64;

/// How much is handed to the decoder at once, and after how many decoded bytes others get their turn.
const SLICE_BYTES: usize = 4096;
const TURN_BYTES: u64 = 1024 * 1024;

/// A body as far as it was read.
pub(super) struct Reading {
    wanted: Wanted,
    decoder: Box<dyn Decoder<Sink>>,
    frames: u64,
    complete: bool,
}

/// Where the decoded bytes go.
struct Sink {
    wanted: Wanted,
    /// How many bytes came, before decoding.
    wire: u64,
    /// How many bytes they were, decoded.
    length: u64,
    bytes: Vec<u8>,
    excerpt: Vec<u8>,
    hash: Option<Context>,
    /// Why no more is taken.
    stop: Option<Stop>,
}

#[derive(Clone, Copy)]
enum Stop {
    Limit,
    Ratio,
}

fn failure(reason: Reason, detail: impl Into<String>) -> Failure {
    Failure::new(Phase::Body, reason, detail)
}

/// A body that is larger than it may be: a failure when something hangs on it; otherwise no more is read.
fn too_large(wanted: Wanted, detail: String) -> Result<bool, Failure> {
    if wanted.is_strict() { Err(failure(Reason::TooLarge, detail)) } else { Ok(false) }
}

impl Reading {
    pub(super) fn new(wanted: Wanted) -> Self {
        let sink = Sink {
            wanted,
            wire: 0,
            length: 0,
            bytes: Vec::new(),
            excerpt: Vec::new(),
            hash: wanted.hash.then(|| Context::new(&SHA256)),
            stop: None,
        };
        Self { wanted, decoder: wanted.coding.decoder(sink), frames: 0, complete: false }
    }

    /// Reads the body to its end. One that is larger than the limit is a failure when something hangs on it, and is otherwise
    /// left where the limit is.
    pub(super) async fn run(&mut self, answer: &mut Answer) -> Result<(), Failure> {
        let announced = answer.announced();
        if announced > self.wanted.wire_limit() {
            let refused = too_large(self.wanted, format!("{announced} bytes are announced"));
            if refused.is_err() && self.wanted.coding == Coding::Identity {
                // As if the expected part of it had been read.
                self.decoder.sink().length = announced;
            }
            refused?;
        }
        let mut turn = 0;
        loop {
            let Some(data) = answer.piece().await? else {
                let ended = self.decoder.end();
                if self.decoded(ended)? {
                    self.complete = true;
                }
                return Ok(());
            };
            if !self.count(&data)? {
                return Ok(());
            }
            for slice in data.chunks(SLICE_BYTES) {
                let sink = self.decoder.sink();
                sink.wire += slice.len() as u64;
                let wire = sink.wire;
                let decoded = self.decoder.decode(slice);
                if !self.decoded(decoded)? {
                    return Ok(());
                }
                if wire > self.wanted.wire_limit() {
                    let detail = format!("more than {} bytes came", wire - 1);
                    too_large(self.wanted, detail)?;
                    return Ok(());
                }
                if self.length() - turn > TURN_BYTES {
                    turn = self.length();
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Counts a frame: a body of next to empty ones would cost processor time until the deadline.
    /// Says whether to go on.
    fn count(&mut self, data: &Bytes) -> Result<bool, Failure> {
        self.frames += 1;
        let wire = self.decoder.sink().wire + data.len() as u64;
        if self.frames > FRAMES_MIN && wire < self.frames * FRAME_BYTES_MIN {
            let detail = format!("{wire} bytes came in {} pieces", self.frames);
            return too_large(self.wanted, detail);
        }
        Ok(true)
    }

    /// What the decoder's answer means: whether to go on.
    fn decoded(&mut self, outcome: io::Result<()>) -> Result<bool, Failure> {
        let Err(error) = outcome else { return Ok(true) };
        let limit = self.wanted.limit();
        let coding = self.wanted.coding;
        match self.decoder.sink().stop {
            Some(Stop::Limit) if coding == Coding::Identity || self.wanted.limit.is_some() => {
                too_large(self.wanted, format!("the body is larger than {limit} bytes"))
            }
            Some(Stop::Limit) => Err(failure(
                Reason::DecodeLimit,
                format!("the body is larger than {limit} bytes when it is decoded"),
            )),
            Some(Stop::Ratio) => Err(failure(
                Reason::DecodeLimit,
                format!("the body is over {RATIO_MAX} times as large when it is decoded"),
            )),
            None => {
                let window = error
                    .get_ref()
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<WindowTooLarge>);
                let reason = if window { Reason::DecodeLimit } else { Reason::Decode };
                Err(failure(reason, format!("the body is not {}: {error}", coding.name())))
            }
        }
    }

    /// How many bytes the body has, decoded, as far as it was read, and at most as many as the limit.
    pub(super) fn length(&mut self) -> u64 {
        let limit = self.wanted.limit();
        self.decoder.sink().length.min(limit)
    }

    /// Whether it was read to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The first bytes, decoded.
    pub(super) fn excerpt(&mut self) -> &[u8] {
        &self.decoder.sink().excerpt
    }

    /// The bytes, if they were wanted.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.decoder.sink().bytes)
    }

    /// The first 48 bits of the SHA-256 of a complete body, if they were wanted.
    pub(super) fn hash(&mut self) -> Option<f64> {
        let digest = self.decoder.sink().hash.take().filter(|_| self.complete)?.finish();
        Some(
            digest
                .as_ref()
                .iter()
                .take(6)
                .fold(0.0, |number, byte| number * 256.0 + f64::from(*byte)),
        )
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len() as u64;
        let room = EXCERPT_BYTES_MAX.saturating_sub(self.excerpt.len());
        self.excerpt.extend(bytes.iter().take(room));
        if self.length > self.wanted.limit() {
            self.stop = Some(Stop::Limit);
        } else if self.length > RATIO_FROM_BYTES && self.length / RATIO_MAX > self.wire {
            self.stop = Some(Stop::Ratio);
        }
        if self.stop.is_some() {
            return Err(io::Error::other("no more is wanted"));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if self.wanted.bytes {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
