//! A connection of the HTTP library that is used for one request: polled together with what waits for it, in the probe's own task.
//!
//! Must not know what the request is for.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{HeaderValue, StatusCode, header, response::Parts};
use hyper::body::Incoming;
use notation::sync::lock;

use super::{
    cause::failure,
    wire::{HEADERS_MAX, Meter},
};
use crate::report::{Failure, Phase, Reason};

/// The connection, which has to be polled for anything to happen on it.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// What hyper wants to run beside the connection: it runs inside the probe, and ends with it.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<Vec<Task>>>);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        lock(&self.0).push(Box::pin(task));
    }
}

impl Tasks {
    /// Runs the connection together with these tasks.
    pub(super) async fn drive(
        self,
        connection: impl Future<Output = hyper::Result<()>>,
    ) -> hyper::Result<()> {
        let mut connection = pin!(connection);
        let mut ended = Poll::Pending;
        let mut running: Vec<Task> = Vec::new();
        poll_fn(|context| {
            if ended.is_pending() {
                ended = connection.as_mut().poll(context);
            }
            loop {
                let mut new = lock(&self.0);
                let is_new = !new.is_empty();
                running.append(&mut new);
                drop(new);
                running.retain_mut(|task| task.as_mut().poll(context).is_pending());
                if !is_new {
                    // The connection takes no more requests, but a body may still be on its way.
                    let all_ended = running.is_empty() && ended.is_ready();
                    return if all_ended { Poll::Ready(()) } else { Poll::Pending };
                }
            }
        })
        .await;
        match ended {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// An open connection and what is known of it.
pub(super) struct Connection {
    driver: Option<Driver>,
    meter: Arc<Meter>,
    /// How the connection ended, when it did so with an error.
    error: Option<hyper::Error>,
}

impl Connection {
    pub(super) fn new(driver: Driver, meter: Arc<Meter>) -> Self {
        Self { driver: Some(driver), meter, error: None }
    }

    /// Waits for the answer to the one request of this connection.
    pub(super) async fn send(
        mut self,
        request: impl Future<Output = hyper::Result<http::Response<Incoming>>>,
    ) -> Result<(Parts, Incoming, Self), Failure> {
        let answer = self.drive(request).await?;
        self.answer(answer)
    }

    /// Waits for something that happens on this connection, and polls the connection meanwhile. An error of what is waited
    /// for is reported as what the connection says, which knows more.
    pub(super) async fn drive<T>(
        &mut self,
        work: impl Future<Output = hyper::Result<T>>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        let outcome = poll_fn(|context| self.poll_with(context, work.as_mut())).await;
        outcome.map_err(|error| {
            let cause = self
                .error
                .as_ref()
                .filter(|_| error.is_canceled() || error.is_closed())
                .unwrap_or(&error);
            failure(cause, &self.meter, Phase::Http)
        })
    }

    fn poll_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut work: Pin<&mut impl Future<Output = hyper::Result<T>>>,
    ) -> Poll<hyper::Result<T>> {
        loop {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                return Poll::Ready(outcome);
            }
            let Some(driver) = &mut self.driver else { return Poll::Pending };
            match driver.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ended) => {
                    // What is waited for learns of the end when it is polled once more.
                    self.error = ended.err();
                    self.driver = None;
                }
            }
        }
    }

    /// What came over it.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    fn answer(self, answer: http::Response<Incoming>) -> Result<(Parts, Incoming, Self), Failure> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::new(
                Phase::Http,
                Reason::UnexpectedUpgrade,
                "the server switches protocols unasked",
            ));
        }
        // Such a body would have no end that can be recognised (RFC 9112 §6.3); HTTP/2 has none of this.
        let last_coding = answer.headers().get_all(header::TRANSFER_ENCODING).iter().next_back();
        let chunked = |coding: &HeaderValue| {
            coding.as_bytes().trim_ascii_end().to_ascii_lowercase().ends_with(b"chunked")
        };
        if answer.version() != http::Version::HTTP_2
            && last_coding.is_some_and(|coding| !chunked(coding))
        {
            return Err(Failure::new(
                Phase::Http,
                Reason::BadFraming,
                "a transfer coding without chunks",
            ));
        }
        if answer.headers().len() > HEADERS_MAX {
            let detail = format!("more than {HEADERS_MAX} headers");
            return Err(Failure::new(Phase::Http, Reason::HeaderLimit, detail));
        }
        self.meter.seen().answered = true;
        let (parts, body) = answer.into_parts();
        Ok((parts, body, self))
    }
}
