//! The bytes of one connection on their way to the HTTP library: looked at, and cut off where they would never end.
//!
//! `head` reads the head of an HTTP/1 answer, `frames` the frame headers of HTTP/2; what both saw is in `seen`. Bodies pass
//! untouched. Must not know requests or expectations.

mod frames;
mod head;
mod seen;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

pub(super) use self::{
    frames::HEADER_LIST_BYTES_MAX,
    head::{HEAD_BYTES_MAX, HEADERS_MAX},
    seen::Meter,
};
use self::{frames::Walker, head::Head, seen::Stop};
use crate::report::Warning;

/// How much is read at once as long as the head is not complete.
const HEAD_READ_BYTES: usize = 8 * 1024;

/// How much is read at once of a body. hyper's buffer, which has to have room for the largest head, grows with what one read
/// brings.
const BODY_READ_BYTES: u64 = 64 * 1024;

/// A stream whose bytes are inspected as they pass.
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

    /// Notes that a request was sent, and what became of it. A server may answer and close before it has read the request
    /// (RFC 9112 §9.6): then reading says more than the error of writing.
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
            // The system reports a reset once, and writing has had it.
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
