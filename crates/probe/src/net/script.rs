//! Connections that exist only in memory: what comes over them is known beforehand, and they end at once.
//!
//! For tests and generated input, where no redirect may lead to a real host. Must not know HTTP.

use std::{
    collections::VecDeque,
    io::{self, Cursor},
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use notation::sync::lock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What comes over each connection, in turn.
pub(crate) struct Script {
    answers: Mutex<VecDeque<Vec<u8>>>,
    /// Whether the servers speak HTTP/2.
    pub(crate) http2: bool,
}

impl Script {
    /// Connections that bring these bytes; those after the last one bring nothing.
    pub(crate) fn new(answers: Vec<Vec<u8>>, http2: bool) -> Self {
        Self { answers: Mutex::new(answers.into()), http2 }
    }

    /// Opens the next connection.
    pub(crate) fn connect(&self) -> Scripted {
        let mut answers = lock(&self.answers);
        Scripted {
            answer: Cursor::new(answers.pop_front().unwrap_or_default()),
            asked: false,
            waker: None,
        }
    }
}

/// One connection. Its bytes come as soon as anything is sent, and then it ends.
pub(crate) struct Scripted {
    answer: Cursor<Vec<u8>>,
    asked: bool,
    waker: Option<Waker>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked {
            return Pin::new(&mut self.answer).poll_read(context, buffer);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.asked = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
