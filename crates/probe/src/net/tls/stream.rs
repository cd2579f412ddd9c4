//! The streams below and above TLS: the first bytes that came, and an end without `close_notify`.
//!
//! Must not know what is spoken.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{client::TlsStream, rustls};

use super::{facts::Agreed, head::Head, reason::is_from_tls};

/// The stream below TLS. It remembers how the answer began.
#[derive(Debug)]
pub(crate) struct Tapped<S> {
    stream: S,
    head: Head,
}

impl<S> Tapped<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, head: Head::default() }
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }
}

/// A connection with TLS. When the peer closes it without `close_notify`, it ends as if with one: whether something is missing
/// is for the protocol above to say, which knows where messages end.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    /// Boxed, because it is large and is handed on several times.
    tls: Box<TlsStream<Tapped<S>>>,
    /// Set at such an end.
    cut_short: CutShort,
}

/// A flag that is set when the connection ends without `close_notify`, for those who look later.
type CutShort = Arc<AtomicBool>;

impl<S> Stream<S> {
    pub(super) fn new(tls: Box<TlsStream<Tapped<S>>>) -> Self {
        Self { tls, cut_short: CutShort::default() }
    }

    /// Whether the server chose HTTP/2.
    pub(crate) fn chose_http2(&self) -> bool {
        self.tls.get_ref().1.alpn_protocol() == Some(b"h2")
    }

    /// Says, later, whether the connection ended without `close_notify`.
    pub(crate) fn cut_short(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cut_short)
    }

    /// What both sides agreed upon.
    pub(super) fn agreed(&self) -> Agreed {
        Agreed::from(self.tls.get_ref().1)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.head.take(buffer.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.tls).poll_read(context, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.cut_short.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
            // The library has no error of its own for more than it keeps.
            Poll::Ready(Err(error))
                if error.kind() == io::ErrorKind::InvalidData && !is_from_tls(&error) =>
            {
                let cause = rustls::Error::General(error.to_string());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, cause)))
            }
            polled => polled,
        }
    }
}

/// Writing passes through unchanged.
macro_rules! write_through {
    ($type:ident, $field:ident, $($bound:tt)+) => {
        impl<S: $($bound)+> AsyncWrite for $type<S> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.$field).poll_write(context, bytes)
            }

            fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$field).poll_flush(context)
            }

            fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$field).poll_shutdown(context)
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.$field).poll_write_vectored(context, bytes)
            }

            fn is_write_vectored(&self) -> bool {
                self.$field.is_write_vectored()
            }
        }
    };
}

write_through!(Tapped, stream, AsyncWrite + Unpin);
write_through!(Stream, tls, AsyncRead + AsyncWrite + Unpin);
