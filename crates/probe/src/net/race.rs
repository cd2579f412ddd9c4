//! Several futures at once within the task of the probe: dropped with it, so that nothing of it runs on.
//!
//! Must not know what they do.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// Futures that run side by side. They are few, so each is polled when any of them has made progress.
pub(super) struct Race<'a, T>(Vec<Pin<Box<dyn Future<Output = T> + Send + 'a>>>);

impl<'a, T> Race<'a, T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub(super) fn add(&mut self, future: impl Future<Output = T> + Send + 'a) {
        self.0.push(Box::pin(future));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The result of the next one to end; `None` when none runs.
    pub(super) async fn next(&mut self) -> Option<T> {
        if self.0.is_empty() { None } else { Some(poll_fn(|context| self.poll(context)).await) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<T> {
        let done = self.0.iter_mut().enumerate().find_map(|(index, future)| {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => Some((index, value)),
                Poll::Pending => None,
            }
        });
        done.map_or(Poll::Pending, |(index, value)| {
            // The order of the others says which began first.
            drop(self.0.remove(index));
            Poll::Ready(value)
        })
    }
}
