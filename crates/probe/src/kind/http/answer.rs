//! An answer: its head, and its body still to be read.
//!
//! Must not know how the request was sent, nor what is expected of the answer.

use bytes::Bytes;
use http::{Method, StatusCode, response::Parts};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

#[cfg(feature = "http3")]
use super::http3;
use super::{cause::body_failure, connection::Connection, evidence::record};
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Reason},
};

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
    Http3(Box<http3::Body>),
}

impl Answer {
    /// An answer over HTTP/1.1 or HTTP/2.
    pub(super) fn hyper((parts, body, connection): (Parts, Incoming, Connection)) -> Self {
        Self { parts, rest: Rest::Hyper { body, connection }, bodiless: false }
    }

    /// An answer over HTTP/3.
    #[cfg(feature = "http3")]
    pub(super) fn http3(parts: Parts, body: Box<http3::Body>) -> Self {
        Self { parts, rest: Rest::Http3(body), bodiless: false }
    }

    /// Notes what was asked: such an answer may have no body at all, and what comes anyway is ignored
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

    /// Records what came over the connection up to now.
    pub(super) fn record(&self, context: &mut ProbeContext) {
        match &self.rest {
            Rest::Hyper { connection, .. } => record(connection.meter(), context),
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
                if frame.is_none() && is_http2 && !connection.meter().seen().ended {
                    // hyper takes NO_ERROR for an end, which it is only when the answer had ended (RFC 9113 §8.1).
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
