//! The bytes of one connection on their way to the HTTP library: counted, and cut off where they would never end.
//!
//! Must not know requests or expectations.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes may come before the head of the answer is complete.
const HEAD_BYTES_MAX: u64 = 1024 * 1024;

/// What came over a connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) bytes_read: AtomicU64,
    pub(super) informational: AtomicUsize,
    pub(super) head_complete: AtomicBool,
}

/// Says that the head of the answer does not end.
#[derive(Debug, thiserror::Error)]
#[error("the head of the answer is larger than {HEAD_BYTES_MAX} bytes")]
pub(super) struct HeadTooLarge;

/// A stream that counts what is read, and refuses to read an endless head.
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Arc<Meter>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = (buffer.filled().len() - before) as u64;
        let total = self.meter.bytes_read.fetch_add(read, Ordering::Relaxed) + read;
        if total > HEAD_BYTES_MAX && !self.meter.head_complete.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other(HeadTooLarge)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
