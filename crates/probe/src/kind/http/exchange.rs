//! One request and the head of its answer, over a connection that is used for nothing else.
//!
//! The connection is polled together with what waits for it, in the probe's own task. What a browser forgives is forgiven;
//! what would never end is cut off. Must not know redirects or expectations.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header, response::Parts};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use url::Url;

use crate::{
    net::tls,
    result::{Failure, Phase, Reason},
    scope::{Scope, Timing},
};

/// How many headers an answer may have. Browsers limit their size, not their number; hyper's own limit of 100 would call
/// healthy sites down.
const HEADERS_MAX: usize = 2000;

/// How many bytes may come before the head of the answer is complete.
const HEAD_BYTES_MAX: u64 = 1024 * 1024;

/// The same for HTTP/2, where the limit is on the decoded list.
const HEADER_LIST_BYTES_MAX: u32 = 256 * 1024;

/// How many informational answers (1xx) may come before the real one.
const INFORMATIONAL_MAX: usize = 16;

/// A request, but for the connection.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) host: String,
    pub(super) cookies: Option<String>,
    pub(super) body: Bytes,
}

/// The connection, which has to be polled for anything to happen on it.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The head of an answer, its body still to be read, and the connection that it comes over.
pub(super) struct Answer {
    pub(super) parts: Parts,
    pub(super) body: Incoming,
    pub(super) connection: Connection,
}

/// An open connection and what is known of it.
pub(super) struct Connection {
    driver: Option<Driver>,
    meter: Arc<Meter>,
    /// How the connection ended, when it did so with an error.
    error: Option<hyper::Error>,
}

/// What came over a connection.
#[derive(Debug, Default)]
struct Meter {
    bytes_read: AtomicU64,
    informational: AtomicUsize,
    head_complete: AtomicBool,
}

/// Sends a request by HTTP/1.1.
pub(super) async fn http1<S>(
    stream: S,
    request: &Request<'_>,
    scope: &mut Scope<'_>,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let io = TokioIo::new(Metered { stream, meter: Arc::clone(&meter) });
    let mut builder = http1::Builder::new();
    builder
        .max_headers(HEADERS_MAX)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let message = request.message(false, &meter)?;
    let work = async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        let meter = Arc::clone(&meter);
        Connection { driver: Some(Box::pin(connection)), meter, error: None }
            .send(sender.send_request(message))
            .await
    };
    scope.phase(Phase::Http, Timing::Processing, work).await
}

/// Sends a request by HTTP/2.
pub(super) async fn http2<S>(
    stream: S,
    request: &Request<'_>,
    scope: &mut Scope<'_>,
) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let io = TokioIo::new(Metered { stream, meter: Arc::clone(&meter) });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(HEADER_LIST_BYTES_MAX);
    let message = request.message(true, &meter)?;
    let work = async {
        let (mut sender, connection) =
            builder.handshake(io).await.map_err(|error| failure(&error, &meter, Phase::Http))?;
        let meter = Arc::clone(&meter);
        Connection { driver: Some(Box::pin(connection)), meter, error: None }
            .send(sender.send_request(message))
            .await
    };
    scope.phase(Phase::Http, Timing::Processing, work).await
}

impl Request<'_> {
    /// The request as hyper takes it: HTTP/1.1 names the path and the host apart, HTTP/2 the whole URL.
    fn message(
        &self,
        http2: bool,
        meter: &Arc<Meter>,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let uri = if http2 { format!("{}://{}{path}", self.url.scheme(), self.host) } else { path };
        let mut builder = http::Request::builder().method(self.method).uri(uri);
        if !http2 {
            builder = builder.header(header::HOST, &self.host).header(header::CONNECTION, "close");
        }
        if let Some(cookies) = &self.cookies {
            builder = builder.header(header::COOKIE, cookies);
        }
        let invalid = |error: http::Error| {
            Failure::new(Phase::Policy, Reason::InvalidTarget, error.to_string())
        };
        let mut message = builder.body(Full::new(self.body.clone())).map_err(invalid)?;
        message.headers_mut().extend(self.headers.iter().cloned());
        let meter = Arc::clone(meter);
        hyper::ext::on_informational(&mut message, move |_| {
            meter.informational.fetch_add(1, Ordering::Relaxed);
        });
        Ok(message)
    }
}

impl Connection {
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
    pub(super) async fn drive<T>(
        &mut self,
        work: impl Future<Output = hyper::Result<T>>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        let outcome = poll_fn(|context| self.poll_with(context, work.as_mut())).await?;
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
    ) -> Poll<Result<hyper::Result<T>, Failure>> {
        loop {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(outcome));
            }
            if self.meter.informational.load(Ordering::Relaxed) > INFORMATIONAL_MAX {
                let detail = format!("more than {INFORMATIONAL_MAX} informational answers");
                return Poll::Ready(Err(Failure::new(Phase::Http, Reason::TooMany1xx, detail)));
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
        self.meter.head_complete.store(true, Ordering::Relaxed);
        let (parts, body) = answer.into_parts();
        Ok(Answer { parts, body, connection: self })
    }
}

/// What an error while reading the body says.
pub(super) fn body_failure(failure: Failure) -> Failure {
    let reason = match failure.reason {
        _ if failure.phase != Phase::Http => return failure,
        Reason::Closed | Reason::NoResponse => Reason::Truncated,
        Reason::Malformed => Reason::BadFraming,
        other => other,
    };
    Failure { phase: Phase::Body, reason, ..failure }
}

/// What an error of hyper says about the target.
fn failure(error: &hyper::Error, meter: &Meter, phase: Phase) -> Failure {
    let told = |reason| Failure::new(phase, reason, text(error));
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            if error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<HeadTooLarge>)
            {
                return told(Reason::HeaderLimit);
            }
            if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() {
                break;
            }
            // hyper tells of chunks that are none as of invalid input or data; so does the TLS library of its own troubles.
            let invalid =
                matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
            if invalid && !tls::is_from_tls(error) {
                return told(Reason::Malformed);
            }
            let failure = tls::failure(error, phase);
            return if failure.reason == Reason::Closed { closed(failure, meter) } else { failure };
        }
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return h2_failure(error, meter, phase);
        }
        cause = inner.source();
    }
    // hyper has no better way to tell these apart.
    let says = |words: &[&str]| words.iter().any(|word| error.to_string().contains(word));
    if !error.is_parse() {
        closed(told(Reason::Closed), meter)
    } else if says(&["too large"]) {
        told(Reason::HeaderLimit)
    } else if says(&["content-length", "transfer-encoding"]) {
        told(Reason::BadFraming)
    } else {
        told(Reason::Malformed)
    }
}

/// A connection that was closed: before anything came, or in the middle.
fn closed(failure: Failure, meter: &Meter) -> Failure {
    if meter.bytes_read.load(Ordering::Relaxed) == 0 {
        Failure { reason: Reason::NoResponse, ..failure }
    } else {
        failure
    }
}

fn h2_failure(error: &h2::Error, meter: &Meter, phase: Phase) -> Failure {
    if let Some(error) = error.get_io() {
        return closed(tls::failure(error, phase), meter);
    }
    let reason = if error.is_go_away() && error.is_remote() {
        Reason::H2Goaway
    } else if error.is_reset() && error.is_remote() {
        Reason::H2Reset
    } else {
        Reason::H2Violation
    };
    Failure::new(phase, reason, error.to_string())
}

/// An error with its causes, in one line.
fn text(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Says that the head of the answer does not end.
#[derive(Debug, thiserror::Error)]
#[error("the head of the answer is larger than {HEAD_BYTES_MAX} bytes")]
struct HeadTooLarge;

/// A stream that counts what is read, and refuses to read an endless head.
struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
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
