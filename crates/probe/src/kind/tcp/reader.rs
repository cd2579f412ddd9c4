//! What a service says, line by line or byte by byte, within bounds.
//!
//! All that was read and not taken stays here, so that whoever stops waiting loses nothing. Must not know what is expected.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    net::{tls, transport::Transport},
    report::{Failure, Phase, Reason},
};

/// The longest line, in bytes, its end included: that of `blackbox_exporter`.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a whole dialogue: greetings and answers are a few lines, and a service that sends more sends without end.
const BYTES_MAX: usize = 1024 * 1024;

/// The most lines of a whole dialogue, each of which is held against an expression.
const LINES_MAX: usize = 10_000;

/// How much is read at a time.
const READ_BYTES: usize = 8 * 1024;

/// How much of what came is kept for people, in bytes.
const SEEN_BYTES_MAX: usize = 4 * 1024;

/// A connection with what was read of it.
pub(super) struct Reader {
    /// `None` only while TLS begins.
    stream: Option<Transport>,
    /// What was read and not taken.
    buffer: Vec<u8>,
    /// How much of the buffer holds no end of a line.
    searched: usize,
    /// Whether the service has closed its side.
    closed: bool,
    bytes: usize,
    lines: usize,
    seen: Vec<u8>,
}

impl Reader {
    pub(super) fn new(stream: Transport) -> Self {
        Self {
            stream: Some(stream),
            buffer: Vec::new(),
            searched: 0,
            closed: false,
            bytes: 0,
            lines: 0,
            seen: Vec::new(),
        }
    }

    /// How many lines were taken.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The beginning of what came, whether it was taken or not.
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// What came and was not taken yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The next line without its end, which is LF or CR LF; the last one may lack it. `None` behind the last one.
    pub(super) async fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let found = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n');
            let end = found.map(|index| self.searched + index + 1);
            self.searched = self.buffer.len();
            if end.unwrap_or(self.buffer.len()) > LINE_BYTES_MAX {
                return Err(too_large(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
            }
            let end = match end {
                Some(end) => end,
                None if self.closed && self.buffer.is_empty() => return Ok(None),
                None if self.closed => self.buffer.len(),
                None => {
                    self.fill().await?;
                    continue;
                }
            };
            if self.lines >= LINES_MAX {
                return Err(too_large(format!("more than {LINES_MAX} lines")));
            }
            self.lines += 1;
            let mut line = self.take(end);
            line.pop_if(|byte| *byte == b'\n');
            line.pop_if(|byte| *byte == b'\r');
            return Ok(Some(line));
        }
    }

    /// The next bytes, as many as are wanted, or fewer when they are other ones already or the service closes.
    pub(super) async fn exactly(&mut self, wanted: &[u8]) -> Result<Vec<u8>, Failure> {
        loop {
            let end = wanted.len().min(self.buffer.len());
            let differs = self.buffer.iter().zip(wanted).any(|(came, wanted)| came != wanted);
            if differs || end == wanted.len() || self.closed {
                return Ok(self.take(end));
            }
            self.fill().await?;
        }
    }

    /// Sends these bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let stream = self.stream.as_mut().ok_or_else(no_stream)?;
        let sent = match stream.write_all(bytes).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| tls::failure(&error, Phase::Check))
    }

    /// Takes the connection out, to come back as another. What came before belongs to the old one: whoever put it there may
    /// not have been the service.
    pub(super) fn take_stream(&mut self) -> Result<Transport, Failure> {
        self.buffer.clear();
        self.searched = 0;
        self.stream.take().ok_or_else(no_stream)
    }

    /// Goes on with another connection.
    pub(super) fn put_stream(&mut self, stream: Transport) {
        self.stream = Some(stream);
        self.closed = false;
    }

    fn take(&mut self, end: usize) -> Vec<u8> {
        self.searched = 0;
        let rest = self.buffer.split_off(end.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Reads what there is, at least one byte unless the service has closed.
    async fn fill(&mut self) -> Result<(), Failure> {
        if self.bytes >= BYTES_MAX {
            return Err(too_large(format!("more than {BYTES_MAX} bytes")));
        }
        let stream = self.stream.as_mut().ok_or_else(no_stream)?;
        let before = self.buffer.len();
        self.buffer.reserve(READ_BYTES);
        let count = stream
            .read_buf(&mut self.buffer)
            .await
            .map_err(|error| tls::failure(&error, Phase::Check))?;
        self.bytes += count;
        self.closed = count == 0;
        let free = SEEN_BYTES_MAX.saturating_sub(self.seen.len());
        self.seen.extend(self.buffer.iter().skip(before).take(free));
        Ok(())
    }
}

fn too_large(detail: String) -> Failure {
    Failure::new(Phase::Check, Reason::TooLarge, detail)
}

fn no_stream() -> Failure {
    Failure::new(Phase::Internal, Reason::Bug, "a dialogue without a connection")
}
