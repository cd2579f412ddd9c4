//! A request as it is sent: the names and the order of its header fields.
//!
//! Must not know connections.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::Full;
use url::Url;

use crate::report::{Failure, Hop, Phase, Reason};

/// A request, but for the connection.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) method: &'a Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) host: String,
    pub(super) cookies: Option<String>,
    pub(super) body: Bytes,
    /// What a proxy needs that forwards the request.
    pub(super) forward: Option<Forward>,
}

/// What a request to a forwarding proxy has beyond one to the target itself.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
}

impl Request<'_> {
    /// The beginning of the evidence. What is sent is added when it is sent.
    pub(super) fn evidence(&self, attempt: u32) -> Hop {
        Hop { attempt, title: format!("{} {}", self.method, self.url), ..Hop::default() }
    }

    /// The request as hyper takes it: HTTP/1.1 names the path and the host apart, HTTP/2 the whole URL. The fields are in the
    /// order of Go's client, and thus of `blackbox_exporter`: the host, who asks, how long the body is, the others by name.
    pub(super) fn message(&self, http2: bool) -> Result<http::Request<Full<Bytes>>, Failure> {
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let uri = if self.forward.is_some() || http2 {
            format!("{}://{}{path}", self.url.scheme(), self.host)
        } else {
            path
        };
        let mut builder = http::Request::builder().method(self.method).uri(uri);
        if !http2 {
            builder = builder.header(header::HOST, &self.host);
        }
        let agents = self.headers.iter().filter(|(name, _)| *name == header::USER_AGENT);
        for (name, value) in agents {
            builder = builder.header(name, value);
        }
        let posts = [Method::POST, Method::PUT, Method::PATCH].contains(self.method);
        if posts || !self.body.is_empty() {
            // A server may wait for a body otherwise (RFC 9110 §8.6).
            builder = builder.header(header::CONTENT_LENGTH, self.body.len());
        }
        let invalid = |error: http::Error| {
            Failure::new(Phase::Policy, Reason::InvalidTarget, error.to_string())
        };
        for (name, value) in self.others().map_err(|error| invalid(error.into()))? {
            builder = builder.header(name, value);
        }
        if !http2 {
            builder = builder.header(header::CONNECTION, "close");
        }
        builder.body(Full::new(self.body.clone())).map_err(invalid)
    }

    /// The fields that have no place of their own, by name.
    fn others(&self) -> Result<Vec<(HeaderName, HeaderValue)>, header::InvalidHeaderValue> {
        let others = self.headers.iter().filter(|(name, _)| *name != header::USER_AGENT);
        let mut fields: Vec<_> = others.cloned().collect();
        if let Some(cookies) = &self.cookies {
            // One field for all of them (RFC 6265 §5.4).
            match fields.iter_mut().find(|(name, _)| *name == header::COOKIE) {
                Some((_, own)) => {
                    let all = [own.as_bytes(), b"; ", cookies.as_bytes()].concat();
                    *own = HeaderValue::from_bytes(&all)?;
                }
                None => fields.push((header::COOKIE, HeaderValue::from_str(cookies)?)),
            }
        }
        if let Some(value) =
            self.forward.as_ref().and_then(|forward| forward.authorization.as_ref())
        {
            fields.push((header::PROXY_AUTHORIZATION, value.clone()));
        }
        // Those of one name keep their order.
        fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Ok(fields)
    }
}
