//! One request and the head of its answer, over a connection that is used for nothing else.
//!
//! The connection is polled together with what waits for it, in the probe's own task. What a browser forgives is forgiven;
//! what would never end is cut off. Must not know redirects or expectations.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header, response::Parts};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body as _, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use notation::sync::lock;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    cause::{body_failure, failure},
    request::{Request, answer_text, show_fields},
    wire::{HEAD_BYTES_MAX, HEADER_LIST_BYTES_MAX, HEADERS_MAX, Meter, Wire},
};
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Reason, Stage},
};

/// The connection, which has to be polled for anything to happen on it.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// What hyper wants to run beside the connection: it runs inside the probe, and ends with it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<Task>>>);

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
    async fn drive(self, connection: impl Future<Output = hyper::Result<()>>) -> hyper::Result<()> {
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

/// The head of an answer, its body still to be read.
pub(super) struct Answer {
    pub(super) parts: Parts,
    rest: Rest,
    /// Whether it has no body by definition, whatever comes.
    bodiless: bool,
}

/// The body of an answer, and the connection that it comes over.
enum Rest {
    Hyper {
        body: Incoming,
        connection: Connection,
    },
    #[cfg(feature = "http3")]
    Http3(Box<super::http3::Body>),
}

impl Answer {
    /// An answer over HTTP/3.
    #[cfg(feature = "http3")]
    pub(super) fn http3(parts: Parts, body: Box<super::http3::Body>) -> Self {
        Self { parts, rest: Rest::Http3(body), bodiless: false }
    }

    /// Takes in what was asked: such an answer may have no body at all, and what comes all the same is ignored
    /// (RFC 9110 §6.4.1).
    pub(super) fn answers(&mut self, method: &Method) {
        let statuses = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        self.bodiless = *method == Method::HEAD || statuses.contains(&self.parts.status);
    }

    /// Whether it is known already that the body is empty.
    pub(super) fn is_empty(&self) -> bool {
        match &self.rest {
            _ if self.bodiless => true,
            Rest::Hyper { body, .. } => body.is_end_stream(),
            #[cfg(feature = "http3")]
            Rest::Http3(_) => false,
        }
    }

    /// How many bytes of body are announced; zero when nothing is.
    pub(super) fn announced(&self) -> u64 {
        match &self.rest {
            _ if self.bodiless => 0,
            Rest::Hyper { body, .. } => body.size_hint().lower(),
            #[cfg(feature = "http3")]
            Rest::Http3(_) => 0,
        }
    }

    /// Tells what was seen up to now.
    pub(super) fn tell(&self, context: &mut ProbeContext) {
        match &self.rest {
            Rest::Hyper { connection, .. } => connection.tell(context),
            #[cfg(feature = "http3")]
            Rest::Http3(_) => {}
        }
    }

    /// The next piece of the body, which may be empty; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        match &mut self.rest {
            _ if self.bodiless => Ok(None),
            Rest::Hyper { body, connection } => {
                let next = connection.drive(async { body.frame().await.transpose() }).await;
                let frame = next.map_err(body_failure)?;
                let is_http2 = self.parts.version == http::Version::HTTP_2;
                if frame.is_none() && is_http2 && !connection.meter.seen().ended {
                    // hyper takes NO_ERROR for an end, but it is none unless the answer had ended (RFC 9113 §8.1).
                    let detail = "NO_ERROR: the stream was reset before its end";
                    return Err(Failure::new(Phase::Body, Reason::Reset, detail));
                }
                Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
            }
            #[cfg(feature = "http3")]
            Rest::Http3(body) => body.piece().await,
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

/// Sends a request by HTTP/1.1.
pub(super) async fn http1<S>(
    stream: S,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let head_only = *request.method == Method::HEAD;
    let io = TokioIo::new(Wire::http1(stream, Arc::clone(&meter), head_only));
    let mut builder = http1::Builder::new();
    builder
        // As Go's client and thus blackbox_exporter writes every name, those of the module's headers as well: there are servers
        // that know `Host` only so. The user's own spelling cannot be had: hyper's `HeaderCaseMap` is private.
        .title_case_headers(true)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX + 1)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let message = request.message(false)?;
    let work = Box::pin(async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        Connection::new(Box::pin(connection), Arc::clone(&meter))
            .send(sender.send_request(message))
            .await
    });
    let outcome = context.stage(Phase::Http, Stage::Processing, work).await;
    meter.tell(context);
    outcome
}

/// Sends a request by HTTP/2.
pub(super) async fn http2<S>(
    stream: S,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let tasks = Tasks::default();
    let io = TokioIo::new(Wire::http2(stream, Arc::clone(&meter)));
    let mut builder = http2::Builder::new(tasks.clone());
    builder.max_header_list_size(HEADER_LIST_BYTES_MAX);
    let message = request.message(true)?;
    show_fields(context, &message);
    let work = Box::pin(async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        Connection::new(Box::pin(tasks.drive(connection)), Arc::clone(&meter))
            .send(sender.send_request(message))
            .await
    });
    let outcome = context.stage(Phase::Http, Stage::Processing, work).await;
    meter.tell(context);
    // The head of HTTP/2 is no text, unless it is no HTTP/2.
    if let (Ok(answer), Some(hop)) = (&outcome, context.hop()) {
        hop.keep_head(&answer_text(&answer.parts));
    }
    outcome
}

/// Sends a request over a connection that exists only in memory.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) async fn scripted(
    script: &crate::net::script::Script,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<Answer, Failure> {
    if script.http2 {
        http2(script.connect(), request, context).await
    } else {
        http1(script.connect(), request, context).await
    }
}

impl Connection {
    fn new(driver: Driver, meter: Arc<Meter>) -> Self {
        Self { driver: Some(driver), meter, error: None }
    }

    /// Waits for the answer to the one request of this connection.
    async fn send(
        mut self,
        request: impl Future<Output = hyper::Result<http::Response<Incoming>>>,
    ) -> Result<Answer, Failure> {
        let answer = self.drive(request).await?;
        self.answer(answer)
    }

    /// Waits for something that happens on this connection, and polls the connection meanwhile. An error of what is waited
    /// for is told as what the connection says, which knows more.
    async fn drive<T>(
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

    /// Tells what was seen up to now.
    fn tell(&self, context: &mut ProbeContext) {
        self.meter.tell(context);
    }

    fn answer(self, answer: http::Response<Incoming>) -> Result<Answer, Failure> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::new(
                Phase::Http,
                Reason::UnexpectedUpgrade,
                "the server switches protocols unasked",
            ));
        }
        // Such a body would have no end that can be told (RFC 9112 §6.3); HTTP/2 has none of this.
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
        Ok(Answer { parts, rest: Rest::Hyper { body, connection: self }, bodiless: false })
    }
}
