//! The bytes of one connection on their way to the HTTP library: looked at, and cut off where they would never end.
//!
//! `head` reads the head of an HTTP/1 answer, `frames` the frame headers of HTTP/2; what both saw is in [`Meter`]. Bodies pass
//! untouched. Must not know requests or expectations.

mod frames;
mod head;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
};

use notation::sync::lock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

pub(super) use self::{
    frames::HEADER_LIST_BYTES_MAX,
    head::{HEAD_BYTES_MAX, HEADERS_MAX},
};
use self::{frames::Walker, head::Head};
use super::request::sent_text;
use crate::{
    context::ProbeContext,
    report::{Failure, HIDDEN, Phase, Reason, Warning},
};

/// How many informational answers (1xx) may come before the real one.
const INFORMATIONAL_MAX: usize = 16;

/// How much of the head of an answer is kept for people, in bytes.
const EVIDENCE_BYTES_MAX: usize = 2048;

/// How much of the head of a request is looked at for people, in bytes: more than is kept of it, because secrets are hidden.
const SENT_BYTES_MAX: usize = 8 * 1024;

/// How much is read at once as long as the head is not complete.
const HEAD_READ_BYTES: usize = 8 * 1024;

/// How much is read at once of a body. hyper's buffer, which has to have room for the largest head, grows with what one read
/// brings.
const BODY_READ_BYTES: u64 = 64 * 1024;

/// Why reading must not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Stop {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    fn too_many_informational() -> Self {
        Self::new(
            Reason::TooMany1xx,
            format!("more than {INFORMATIONAL_MAX} informational answers"),
        )
    }
}

/// What came over a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How many bytes came.
    pub(super) bytes_read: u64,
    /// The beginning of the head of an HTTP/1 request as it was sent.
    sent: Vec<u8>,
    /// The beginning of the head of an HTTP/1 answer as it came, or of what came instead.
    head: Vec<u8>,
    /// What is wrong with an answer that is accepted all the same.
    pub(super) warnings: Vec<Warning>,
    /// Why reading ended before its time.
    pub(super) stop: Option<Stop>,
    /// Whether HTTP/2 was told to go away.
    pub(super) goaway: bool,
    /// Whether the head of the answer is complete, to hyper's mind.
    pub(super) answered: bool,
    /// Whether a frame of HTTP/2 said that the answer ends with it.
    pub(super) ended: bool,
    /// How large the newest header block of HTTP/2 is, as it came.
    pub(super) block_bytes: u32,
}

impl Seen {
    fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Takes in what was sent, up to the end of the head.
    fn keep_sent(&mut self, bytes: &[u8]) {
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

    fn keep(&mut self, bytes: &[u8]) {
        let room = EVIDENCE_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }
}

/// What came over a connection, for those who ask while it is read.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Seen>);

impl Meter {
    /// What came up to now.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.0)
    }

    /// Why reading ended before its time, as a failure of the target.
    pub(super) fn failure(&self, phase: Phase) -> Option<Failure> {
        let Stop { reason, detail } = self.seen().stop.clone()?;
        Some(Failure::new(phase, reason, detail))
    }

    /// Adds what was seen to the evidence of the request.
    pub(super) fn tell(&self, context: &mut ProbeContext) {
        for warning in &self.seen().warnings {
            context.warn(*warning);
        }
        let sent = sent_text(&self.seen().sent);
        if let Some(hop) = context.hop().filter(|_| !sent.is_empty()) {
            hop.keep_request(&sent);
        }
        let head = self.head_text();
        if let Some(hop) = context.hop().filter(|_| !head.is_empty()) {
            hop.keep_head(&head);
        }
    }

    /// The beginning of the head as it came; cookies are somebody's secrets.
    fn head_text(&self) -> Vec<u8> {
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

/// A stream whose bytes are looked at on their way.
pub(super) struct Wire<S> {
    stream: Take<S>,
    meter: Arc<Meter>,
    protocol: Protocol,
    /// Who waits for an answer although nothing was asked yet.
    early: Option<Waker>,
    /// Whether something was asked.
    asked: bool,
    /// The error at which writing ended.
    write_error: Option<io::ErrorKind>,
}

enum Protocol {
    Http1(Head),
    Http2(Walker),
}

impl<S: AsyncRead> Wire<S> {
    /// A stream of HTTP/1. The answer to a HEAD has no body, whatever its head says.
    pub(super) fn http1(stream: S, meter: Arc<Meter>, head_only: bool) -> Self {
        Self::new(stream, meter, Protocol::Http1(Head::new(head_only)))
    }

    /// A stream of HTTP/2.
    pub(super) fn http2(stream: S, meter: Arc<Meter>) -> Self {
        Self::new(stream, meter, Protocol::Http2(Walker::default()))
    }

    fn new(stream: S, meter: Arc<Meter>, protocol: Protocol) -> Self {
        let stream = stream.take(BODY_READ_BYTES);
        Self { stream, meter, protocol, early: None, asked: false, write_error: None }
    }

    /// Takes in how much of these bytes was sent.
    fn keep_sent(&self, bytes: &[u8], written: usize) {
        if let Protocol::Http1(_) = self.protocol {
            self.meter.seen().keep_sent(bytes.get(..written).unwrap_or(bytes));
        }
    }

    /// Takes in that something was asked, and what became of it. A server may answer and close before it has read the request
    /// (RFC 9112 §9.6): then reading tells more than the error of writing.
    fn asked<T>(&mut self, outcome: Poll<io::Result<T>>, as_if: T) -> Poll<io::Result<T>> {
        self.asked = true;
        if let Some(waker) = self.early.take() {
            waker.wake();
        }
        match outcome {
            Poll::Ready(Err(error)) if is_gone(&error) => {
                self.write_error.get_or_insert(error.kind());
                Poll::Ready(Ok(as_if))
            }
            other => other,
        }
    }
}

/// Whether an error says only that the other side is gone.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads into a buffer and counts it.
    fn poll_stream(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        self.stream.set_limit(BODY_READ_BYTES);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if read == 0
            && buffer.remaining() > 0
            && let Some(io::ErrorKind::ConnectionReset) = self.write_error
        {
            // The system tells of a reset once, and writing has had it.
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.meter.seen().bytes_read += read as u64;
        Poll::Ready(Ok(read))
    }

    fn stop(&self, stop: Stop) -> Poll<io::Result<()>> {
        let error = io::Error::other(stop.detail.clone());
        self.meter.seen().stop.get_or_insert(stop);
        Poll::Ready(Err(error))
    }

    /// Reads until there is a head, and hands it on with what came after it; then hands on what comes.
    fn poll_http1(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked {
            // hyper would take an answer before the question for an error.
            self.early = Some(context.waker().clone());
            return Poll::Pending;
        }
        loop {
            let Protocol::Http1(head) = &mut self.protocol else { return Poll::Ready(Ok(())) };
            if let Some(bytes) = head.ready() {
                let part = bytes.get(..bytes.len().min(buffer.remaining())).unwrap_or_default();
                buffer.put_slice(part);
                let given = part.len();
                head.given(given);
                return Poll::Ready(Ok(()));
            }
            if head.is_complete() {
                let before = buffer.filled().len();
                ready!(self.poll_stream(context, buffer))?;
                let new = (buffer.filled().len() - before) as u64;
                if let Protocol::Http1(head) = &mut self.protocol
                    && head.body_bytes(new)
                {
                    self.meter.seen().warn(Warning::ExcessBody);
                }
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; HEAD_READ_BYTES];
            let mut space = ReadBuf::new(&mut space);
            let read = ready!(self.poll_stream(context, &mut space))?;
            let mut seen = self.meter.seen();
            let Protocol::Http1(head) = &mut self.protocol else { return Poll::Ready(Ok(())) };
            let taken = if read == 0 { head.end() } else { head.take(space.filled(), &mut seen) };
            drop(seen);
            match taken {
                Err(stop) => return self.stop(stop),
                Ok(()) if read == 0 => return Poll::Ready(Ok(())),
                Ok(()) => {}
            }
        }
    }

    fn poll_http2(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.poll_stream(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        let Protocol::Http2(walker) = &mut self.protocol else { return Poll::Ready(Ok(())) };
        let mut seen = self.meter.seen();
        let walked = walker.walk(new, &mut seen);
        drop(seen);
        walked.map_or_else(|stop| self.stop(stop), |()| Poll::Ready(Ok(())))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stopped = this.meter.seen().stop.clone();
        match (&this.protocol, stopped) {
            (_, Some(stop)) => this.stop(stop),
            (Protocol::Http1(_), None) => this.poll_http1(context, buffer),
            (Protocol::Http2(_), None) => this.poll_http2(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(self.stream.get_mut()).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &outcome {
            self.keep_sent(bytes, *written);
        }
        self.asked(outcome, bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(self.stream.get_mut()).poll_flush(context) {
            Poll::Ready(Err(error)) if is_gone(&error) => self.asked(Poll::Ready(Err(error)), ()),
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(self.stream.get_mut()).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(mut written)) = outcome {
            for slice in slices {
                self.keep_sent(slice, written);
                written = written.saturating_sub(slice.len());
            }
        }
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.asked(outcome, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }
}
