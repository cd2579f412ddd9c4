//! Bodies of requests, read before anything else is done with them: bounded in number, in size, in sum and in time.
//!
//! A sender that stalls holds up no one but itself. Must not know what is in a body.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::{self, Bytes, HttpBody as _},
    http::{HeaderMap, header},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    is_cross_site,
    limits::{BODIES_BYTES_MAX, BODY_BYTES_FREE, BODY_TIMEOUT},
};

/// Reads bodies of one kind.
pub(crate) struct Bodies {
    slots: Semaphore,
    /// How long one may be.
    limit: usize,
    sum: Arc<AtomicUsize>,
}

/// A body that was read, counted until it is dropped.
pub(crate) struct Body {
    /// What is in it.
    pub(crate) bytes: Bytes,
    _counted: Counted,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The request is not acceptable: asking again will not help.
    #[error("the request comes from another site")]
    CrossSite,
    /// It is too long: asking again will not help.
    #[error("the body is longer than {} MiB", .limit >> 20)]
    TooLong {
        /// How long it may be, in bytes.
        limit: usize,
    },
    /// The connection broke.
    #[error("its body cannot be read: {0}")]
    Broken(axum::Error),
    /// It could not be read now: asking again will help.
    #[error("{0}")]
    Busy(&'static str),
}

/// Bytes that are counted until this is dropped.
struct Counted {
    sum: Arc<AtomicUsize>,
    bytes: usize,
}

impl Counted {
    /// Counts more; `false` when there are too many.
    fn grow(&mut self, length: usize) -> bool {
        let wanted = length.saturating_sub(BODY_BYTES_FREE);
        let more = wanted.saturating_sub(self.bytes);
        let before = self.sum.fetch_add(more, Ordering::AcqRel);
        self.bytes += more;
        more == 0 || before + more <= BODIES_BYTES_MAX
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Bodies {
    /// For so many bodies at once, each of at most so many bytes.
    pub(crate) fn new(at_once: usize, limit: usize) -> Self {
        Self { slots: Semaphore::new(at_once), limit, sum: Arc::default() }
    }

    /// Reads one. Refuses at once what announces too great a length, and what cannot be read now.
    ///
    /// # Errors
    /// When it is not read, with what to do about it.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: body::Body,
    ) -> Result<Body, BodyError> {
        if is_cross_site(headers) {
            return Err(BodyError::CrossSite);
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length
            .and_then(|length| length.parse().ok())
            .is_some_and(|length: usize| length > self.limit)
        {
            return Err(BodyError::TooLong { limit: self.limit });
        }
        let Ok(_slot) = self.slots.try_acquire() else {
            return Err(BodyError::Busy("too many requests are being read"));
        };
        match timeout(BODY_TIMEOUT, self.read_whole(body)).await {
            Ok(read) => read,
            Err(_) => Err(BodyError::Busy("the body takes too long")),
        }
    }

    async fn read_whole(&self, mut body: body::Body) -> Result<Body, BodyError> {
        let mut counted = Counted { sum: Arc::clone(&self.sum), bytes: 0 };
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame.map_err(BodyError::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.limit {
                return Err(BodyError::TooLong { limit: self.limit });
            }
            bytes.extend_from_slice(&data);
            if !counted.grow(bytes.len()) {
                return Err(BodyError::Busy("too many long requests are being worked on"));
            }
        }
        Ok(Body { bytes: bytes.into(), _counted: counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(limit: usize) -> Bodies {
        Bodies::new(1, limit)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stalls_is_given_up_and_its_place_is_free_again() {
        let bodies = bodies(100);
        let headers = HeaderMap::new();
        let (_sender, stalled) = tokio::io::duplex(8);
        let stalled = body::Body::new(Stalled(stalled));
        let (stalled, other) =
            tokio::join!(bodies.read(&headers, stalled), bodies.read(&headers, "x".into()));
        assert!(matches!(stalled, Err(BodyError::Busy(why)) if why.contains("too long")));
        assert!(matches!(other, Err(BodyError::Busy(why)) if why.contains("too many")));
        assert_eq!(
            bodies.read(&headers, "x".into()).await.ok().map(|body| body.bytes.len()),
            Some(1)
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_by_its_length_or_by_its_bytes() {
        let bodies = bodies(100);
        let mut headers = HeaderMap::new();
        let long = "x".repeat(101);
        assert!(matches!(bodies.read(&headers, long.into()).await, Err(BodyError::TooLong { .. })));
        headers.insert(header::CONTENT_LENGTH, "101".parse().unwrap());
        assert!(matches!(bodies.read(&headers, "".into()).await, Err(BodyError::TooLong { .. })));
    }

    #[test]
    fn the_sum_is_bounded_and_short_bodies_are_not_counted() {
        let sum = Arc::new(AtomicUsize::new(BODIES_BYTES_MAX - 1));
        let counted = || Counted { sum: Arc::clone(&sum), bytes: 0 };
        assert!(counted().grow(BODY_BYTES_FREE));
        let mut long = counted();
        assert!(long.grow(BODY_BYTES_FREE + 1) && !long.grow(BODY_BYTES_FREE + 2));
        drop(long);
        assert_eq!(sum.load(Ordering::Acquire), BODIES_BYTES_MAX - 1);
    }

    /// A body of which nothing arrives.
    struct Stalled(#[expect(dead_code, reason = "held open")] tokio::io::DuplexStream);

    impl body::HttpBody for Stalled {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
            std::task::Poll::Pending
        }
    }
}
