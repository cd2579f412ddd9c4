//! One request over HTTP/3 (RFC 9114), over a connection that is used for nothing else.
//!
//! The HTTP layer of the connection is polled together with what waits for it, in the probe's own task. Must not know
//! redirects or expectations.

use std::{future::poll_fn, pin::pin, task::Poll};

use bytes::{Buf as _, Bytes};
use h3::{
    client::{RequestStream, SendRequest},
    error::{Code, ConnectionError, LocalError, StreamError},
};
use http::{Method, StatusCode, header, response::Parts};

use super::{
    cause::body_failure,
    evidence::{answer_text, record_fields},
    request::Request,
};
use crate::{
    context::ProbeContext,
    net::quic::Opened,
    report::{Failure, Phase, Reason, Stage},
};

/// What QUIC connections speak.
pub(super) const PROTOCOLS: &[&[u8]] = &[b"h3"];

/// How large the decoded header list may be, in bytes.
const HEADER_LIST_BYTES_MAX: u64 = 256 * 1024;

/// How many informational answers (1xx) may come before the real one.
const INFORMATIONAL_MAX: usize = 16;

/// What the library says when a server ends its answer before the head; it has no code of its own.
const NO_HEAD: &str = "without receiving response headers";

/// An answer's body, still to be read.
pub(super) struct Body {
    stream: RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>,
    link: Link,
    /// How many bytes it is to have, where that was announced.
    announced: Option<u64>,
    length: u64,
    /// Dropping it closes the connection.
    _sender: SendRequest<h3_quinn::OpenStreams, Bytes>,
}

/// The connection.
struct Link {
    driver: h3::client::Connection<h3_quinn::Connection, Bytes>,
    /// How the HTTP layer ended.
    ended: Option<ConnectionError>,
    opened: Opened,
}

/// Sends a request, and reads the head of the answer.
///
/// # Errors
/// A failure of the phases `http` and `tls`, or an internal one.
pub(super) async fn send(
    opened: Opened,
    request: &Request<'_>,
    context: &mut ProbeContext,
) -> Result<(Parts, Box<Body>), Failure> {
    let message = request.message(true)?;
    record_fields(&message, context);
    let (head, _) = message.into_parts();
    let body = request.body.clone();
    let head_only = *request.method == Method::HEAD;
    let work = async {
        let connection = h3_quinn::Connection::new(opened.connection.clone());
        let mut builder = h3::client::builder();
        builder.max_field_section_size(HEADER_LIST_BYTES_MAX).send_grease(false);
        let (driver, mut sender) =
            builder.build(connection).await.map_err(|error| connection_failure(&opened, &error))?;
        let mut link = Link { driver, ended: None, opened };
        let mut stream =
            link.drive(sender.send_request(http::Request::from_parts(head, ()))).await?;
        let sending = async {
            if !body.is_empty() {
                stream.send_data(body).await?;
            }
            stream.finish().await
        };
        let sent = link.drive(sending).await;
        let parts = match (link.head(&mut stream).await, sent) {
            (Ok(parts), _) => parts,
            // A server that does not want the rest of a request may answer anyway; one that does not is gone.
            (Err(_), Err(failure)) | (Err(failure), Ok(())) => return Err(failure),
        };
        let announced = announced(&parts, head_only);
        Ok((parts, Box::new(Body { stream, link, announced, length: 0, _sender: sender })))
    };
    let (parts, body) = context.stage(Phase::Http, Stage::Processing, work).await.map_err(early)?;
    if let Some(hop) = context.hop() {
        hop.keep_head(&answer_text(&parts));
    }
    Ok((parts, body))
}

/// A connection that ends before the answer begins has brought no response.
fn early(failure: Failure) -> Failure {
    match (failure.phase, failure.reason) {
        (Phase::Http, Reason::Closed) => Failure { reason: Reason::NoResponse, ..failure },
        _ => failure,
    }
}

/// How long the body is to be.
fn announced(parts: &Parts, head_only: bool) -> Option<u64> {
    if head_only || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return None;
    }
    parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Link {
    /// Waits for the head of the answer, past informational ones.
    async fn head(
        &mut self,
        stream: &mut RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>,
    ) -> Result<Parts, Failure> {
        for _ in 0..=INFORMATIONAL_MAX {
            let answer = self.drive(stream.recv_response()).await?;
            if !answer.status().is_informational() {
                return Ok(answer.into_parts().0);
            }
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                let detail = "the server switches protocols, which HTTP/3 cannot";
                return Err(Failure::new(Phase::Http, Reason::UnexpectedUpgrade, detail));
            }
        }
        let detail = format!("more than {INFORMATIONAL_MAX} informational answers");
        Err(Failure::new(Phase::Http, Reason::TooMany1xx, detail))
    }

    /// Waits for something that happens on the connection, and polls its HTTP layer meanwhile.
    async fn drive<T>(
        &mut self,
        work: impl Future<Output = Result<T, StreamError>>,
    ) -> Result<T, Failure> {
        let Self { driver, ended, opened } = self;
        let mut lost = pin!(opened.lost());
        let mut work = pin!(work);
        let working = poll_fn(|context| {
            loop {
                if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                    return Poll::Ready(outcome.map_err(|error| stream_failure(opened, &error)));
                }
                if let Some(error) = ended {
                    return Poll::Ready(Err(connection_failure(opened, error)));
                }
                match driver.poll_close(context) {
                    Poll::Pending => return Poll::Pending,
                    // What came before the end is still to be had.
                    Poll::Ready(error) => *ended = Some(error),
                }
            }
        });
        tokio::select! {
            biased;
            outcome = working => outcome,
            lost = &mut lost => Err(lost),
        }
    }
}

impl Body {
    /// The next piece; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let Self { stream, link, announced, length, .. } = self;
        let reading = async {
            let data = stream.recv_data().await?;
            Ok(data.map(|mut data| data.copy_to_bytes(data.remaining())))
        };
        let data = link.drive(reading).await.map_err(body_failure)?;
        *length += data.as_ref().map_or(0, |data| data.len() as u64);
        let wrong = match *announced {
            Some(announced) if *length > announced => Reason::BadFraming,
            Some(announced) if data.is_none() && *length < announced => Reason::Truncated,
            _ => return Ok(data),
        };
        let detail = format!("{length} bytes of {} came", announced.unwrap_or_default());
        Err(Failure::new(Phase::Body, wrong, detail))
    }
}

/// What an error of a stream says about the server.
fn stream_failure(opened: &Opened, error: &StreamError) -> Failure {
    let reason = match error {
        StreamError::ConnectionError { 0: error, .. } => {
            return connection_failure(opened, error);
        }
        StreamError::RemoteTerminate { .. } => Reason::Reset,
        StreamError::HeaderTooBig { .. } => Reason::HeaderLimit,
        StreamError::RemoteClosing { .. } | StreamError::Undefined { .. } => Reason::Closed,
        _ => Reason::Malformed,
    };
    Failure::new(Phase::Http, reason, error.to_string())
}

/// What an error of the connection says. The transport knows best how it ended, unless it was ended here for what came over it.
fn connection_failure(opened: &Opened, error: &ConnectionError) -> Failure {
    use quinn::ConnectionError as Transport;

    match (opened.connection.close_reason(), error) {
        (Some(Transport::ApplicationClosed(close)), _) => {
            let code = Code::from(close.error_code.into_inner());
            let reason = String::from_utf8_lossy(&close.reason);
            let detail = format!("the server closed the connection with {code}: {reason}");
            Failure::new(Phase::Http, Reason::Closed, detail)
        }
        (Some(ended), _) if ended != Transport::LocallyClosed => opened.failure(&ended),
        (_, ConnectionError::Local { error: LocalError::Application { reason, .. }, .. })
            if reason.contains(NO_HEAD) =>
        {
            Failure::new(Phase::Http, Reason::Closed, reason.clone())
        }
        _ => Failure::new(Phase::Http, Reason::Malformed, error.to_string()),
    }
}
