//! The coding `zstd` (RFC 8878), decoded block by block, with a window of no more than 8 MiB (RFC 9659).
//!
//! The library decodes a block that is there as a whole; here the bytes are cut into such blocks. Must not know what the
//! decoded bytes are for.

use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, errors::FrameDecoderError};

use super::decoder::{Decoder, cut_off};

/// The largest window: servers that speak HTTP may use no larger one.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The largest block that there is, as it is encoded.
const BLOCK_BYTES_MAX: usize = 128 * 1024;

const MAGIC: u32 = 0xFD2F_B528;

/// The magic numbers of frames that hold something else, but for their last four bits.
const SKIPPABLE: u32 = 0x184D_2A50;

/// Says that a body asks for a larger window than it may.
#[derive(Debug, thiserror::Error)]
#[error("the data wants a window of {0} bytes to be decoded, more than {WINDOW_BYTES_MAX}")]
pub(super) struct WindowTooLarge(u64);

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
    Frame,
    Block { checksum: bool },
    Skip(usize),
}

/// A decoder of zstd.
pub(super) struct Zstd<S> {
    frame: FrameDecoder,
    /// What came of the next header or block: less than one block between two calls.
    pending: Vec<u8>,
    next: Next,
    /// Whether there was a frame at all.
    begun: bool,
    sink: S,
}

impl<S: Write> Zstd<S> {
    pub(super) fn new(sink: S) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW_BYTES_MAX);
        Self { frame, pending: Vec::new(), next: Next::Frame, begun: false, sink }
    }

    /// Takes one header or block from the front of `bytes`, and says how long it was; `None` when it is not there as a whole.
    fn step(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match self.next {
            Next::Frame => self.begin_frame(bytes),
            Next::Block { checksum } => self.block(bytes, checksum),
            Next::Skip(left) => {
                let taken = left.min(bytes.len());
                self.next = if taken == left { Next::Frame } else { Next::Skip(left - taken) };
                Ok(Some(taken).filter(|taken| *taken > 0 || left == 0))
            }
        }
    }

    fn begin_frame(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(magic) = little_endian(bytes, 4) else { return Ok(None) };
        if magic & !0xF == SKIPPABLE {
            let Some(length) = little_endian(bytes.get(4..).unwrap_or_default(), 4) else {
                return Ok(None);
            };
            self.next = Next::Skip(usize::try_from(length).unwrap_or(usize::MAX));
            return Ok(Some(8));
        }
        if magic != MAGIC {
            return Err(io::Error::other("no zstd frame"));
        }
        let Some(descriptor) = bytes.get(4).copied() else { return Ok(None) };
        let length = header_length(descriptor);
        let Some(mut header) = bytes.get(..length) else { return Ok(None) };
        self.frame.init(&mut header).map_err(error)?;
        self.begun = true;
        self.next = Next::Block { checksum: descriptor & 4 != 0 };
        Ok(Some(length))
    }

    fn block(&mut self, bytes: &[u8], checksum: bool) -> io::Result<Option<usize>> {
        let Some(header) = little_endian(bytes, 3) else { return Ok(None) };
        let (last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > BLOCK_BYTES_MAX {
            return Err(io::Error::other("a block larger than any block"));
        }
        // A run is one byte and how often it comes.
        let content = if kind == 1 { 1 } else { size };
        let length = 3 + content + if last && checksum { 4 } else { 0 };
        let Some(block) = bytes.get(..length) else { return Ok(None) };
        self.frame.decode_blocks(block, BlockDecodingStrategy::UptoBlocks(1)).map_err(error)?;
        self.frame.collect_to_writer(&mut self.sink)?;
        if last {
            let declared = self.frame.get_checksum_from_data();
            if declared.is_some() && declared != self.frame.get_calculated_checksum() {
                return Err(io::Error::other("the checksum does not match"));
            }
            self.next = Next::Frame;
        }
        Ok(Some(length))
    }
}

impl<S: Write + Send> Decoder<S> for Zstd<S> {
    fn decode(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let Some(taken) = self.step(rest)? else { break };
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.pending = rest.to_vec();
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let complete = matches!(self.next, Next::Frame | Next::Skip(0));
        if complete && self.begun && self.pending.is_empty() { Ok(()) } else { Err(cut_off()) }
    }

    fn sink(&mut self) -> &mut S {
        &mut self.sink
    }
}

/// How long the header of a frame is: the magic number, the descriptor, and what the descriptor announces (RFC 8878 §3.1.1.1).
fn header_length(descriptor: u8) -> usize {
    let single_segment = descriptor & 0x20 != 0;
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 4,
    };
    let content_size = match descriptor >> 6 {
        0 => usize::from(single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    5 + usize::from(!single_segment) + dictionary + content_size
}

/// The number that the first `length` bytes are.
fn little_endian(bytes: &[u8], length: usize) -> Option<u32> {
    let bytes = bytes.get(..length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn error(error: FrameDecoderError) -> io::Error {
    match error {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => {
            io::Error::other(WindowTooLarge(requested))
        }
        other => io::Error::other(other.to_string()),
    }
}
