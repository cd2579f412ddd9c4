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
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, header},
};
use tokio::{sync::Semaphore, time::timeout};

use super::Refusal;
use crate::exporter::is_cross_site;

/// The longest body of alerts: 20,000 alerts with the annotations of the shipped rules.
const ALERTS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The longest body of a heartbeat, which is one alert.
const HEARTBEAT_BYTES_MAX: usize = 1024 * 1024;
/// How many bodies of alerts are read at once, and how many of heartbeats.
const ALERTS_AT_ONCE: usize = 512;
const HEARTBEATS_AT_ONCE: usize = 64;
/// How many bytes all bodies may have that are being read or worked on, the beginnings of each not counted.
const SUM_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How much of each body is not counted, so that a few alerts are taken however many long bodies there are.
const FREE_BYTES: usize = 64 * 1024;
/// How long a body may take to arrive: as long as an Alertmanager waits at most by default for an answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads bodies of one kind.
pub(super) struct Bodies {
    slots: Semaphore,
    /// How long one may be.
    limit: usize,
    sum: Arc<AtomicUsize>,
}

/// A body, counted until it is dropped.
pub(super) struct Held {
    /// What is in it.
    pub(super) bytes: Bytes,
    _counted: Counted,
}

/// Bytes that are counted until this is dropped.
struct Counted {
    sum: Arc<AtomicUsize>,
    bytes: usize,
}

impl Counted {
    /// Counts more; `false` when there are too many.
    fn grow(&mut self, length: usize) -> bool {
        let wanted = length.saturating_sub(FREE_BYTES);
        let more = wanted.saturating_sub(self.bytes);
        let before = self.sum.fetch_add(more, Ordering::AcqRel);
        self.bytes += more;
        more == 0 || before + more <= SUM_BYTES_MAX
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Bodies {
    /// For bodies of alerts.
    pub(super) fn alerts() -> Self {
        Self::new(ALERTS_AT_ONCE, ALERTS_BYTES_MAX)
    }

    /// For heartbeats, which never wait for alerts.
    pub(super) fn heartbeats() -> Self {
        Self::new(HEARTBEATS_AT_ONCE, HEARTBEAT_BYTES_MAX)
    }

    fn new(at_once: usize, limit: usize) -> Self {
        Self { slots: Semaphore::new(at_once), limit, sum: Arc::default() }
    }

    /// Reads one. Refuses at once what is too long by its own account, and what cannot be read now.
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Held, Refusal> {
        if is_cross_site(headers) {
            return Err(Refusal::Foreign("the request comes from another site".to_owned()));
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length
            .and_then(|length| length.parse().ok())
            .is_some_and(|length: usize| length > self.limit)
        {
            return Err(self.too_long());
        }
        let Ok(_slot) = self.slots.try_acquire() else {
            return Err(Refusal::Busy("too many requests are being read".to_owned()));
        };
        match timeout(BODY_TIMEOUT, self.read_whole(body)).await {
            Ok(read) => read,
            Err(_) => Err(Refusal::Busy("the body takes too long".to_owned())),
        }
    }

    async fn read_whole(&self, mut body: Body) -> Result<Held, Refusal> {
        let mut counted = Counted { sum: Arc::clone(&self.sum), bytes: 0 };
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let frame = frame
                .map_err(|error| Refusal::Foreign(format!("its body cannot be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.limit {
                return Err(self.too_long());
            }
            bytes.extend_from_slice(&data);
            if !counted.grow(bytes.len()) {
                return Err(Refusal::Busy("too many long requests are being worked on".to_owned()));
            }
        }
        Ok(Held { bytes: bytes.into(), _counted: counted })
    }

    fn too_long(&self) -> Refusal {
        let megabytes = self.limit / 1024 / 1024;
        Refusal::TooLong(format!(
            "the body is longer than {megabytes} MiB: send fewer alerts at once"
        ))
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
        let stalled = Body::new(Stalled(stalled));
        let (stalled, other) =
            tokio::join!(bodies.read(&headers, stalled), bodies.read(&headers, "x".into()));
        assert!(matches!(stalled, Err(Refusal::Busy(why)) if why.contains("too long")));
        assert!(matches!(other, Err(Refusal::Busy(why)) if why.contains("too many")));
        assert_eq!(
            bodies.read(&headers, "x".into()).await.ok().map(|held| held.bytes.len()),
            Some(1)
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_by_its_length_or_by_its_bytes() {
        let bodies = bodies(100);
        let mut headers = HeaderMap::new();
        let long = "x".repeat(101);
        assert!(matches!(bodies.read(&headers, long.into()).await, Err(Refusal::TooLong(_))));
        headers.insert(header::CONTENT_LENGTH, "101".parse().unwrap());
        assert!(matches!(bodies.read(&headers, "".into()).await, Err(Refusal::TooLong(_))));
    }

    #[test]
    fn the_sum_is_bounded_and_short_bodies_are_not_counted() {
        let sum = Arc::new(AtomicUsize::new(SUM_BYTES_MAX - 1));
        let counted = || Counted { sum: Arc::clone(&sum), bytes: 0 };
        assert!(counted().grow(FREE_BYTES));
        let mut long = counted();
        assert!(long.grow(FREE_BYTES + 1) && !long.grow(FREE_BYTES + 2));
        drop(long);
        assert_eq!(sum.load(Ordering::Acquire), SUM_BYTES_MAX - 1);
    }

    /// A body of which nothing arrives.
    struct Stalled(#[expect(dead_code, reason = "held open")] tokio::io::DuplexStream);

    impl axum::body::HttpBody for Stalled {
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
