//! A request as it is sent, and as the evidence shows it: the names and the order of its header fields, and which values are shown.
//!
//! Must not know connections.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header, response::Parts};
use http_body_util::Full;
use url::Url;

use super::route::Forward;
use crate::{
    context::ProbeContext,
    report::{Failure, HIDDEN, Hop, Phase, Reason},
};

/// How much of a head is kept for people, in bytes.
const HEAD_TEXT_BYTES_MAX: usize = 2048;

/// The fields of a request whose values are shown. Any other can be secret.
const SHOWN: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

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

impl Request<'_> {
    /// The beginning of the evidence. What is sent is added when it is sent.
    pub(super) fn evidence(&self, attempt: u32) -> Hop {
        Hop { attempt, title: format!("{} {}", self.method, self.url), ..Hop::default() }
    }

    /// The request as hyper takes it: HTTP/1.1 names the path and the host apart, HTTP/2 the whole URL. The fields stand in the
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

/// Adds to the evidence what is sent by HTTP/2 or HTTP/3, which have no text: the fields, in lower case as they are by protocol.
pub(super) fn show_fields(context: &mut ProbeContext, message: &http::Request<Full<Bytes>>) {
    let Some(hop) = context.hop() else { return };
    let uri = message.uri();
    let mut text = String::with_capacity(256);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    for (name, value) in [
        (":method", message.method().as_str()),
        (":scheme", uri.scheme_str().unwrap_or_default()),
        (":authority", uri.authority().map_or("", http::uri::Authority::as_str)),
        (":path", path),
    ] {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{name}: {value}");
    }
    for (name, value) in message.headers() {
        let _infallible = writeln!(text, "{name}: {}", shown(name.as_str(), value.as_bytes()));
    }
    hop.keep_request(text.as_bytes());
}

/// The head of a request by HTTP/1.1 as it was sent, but for values that can be secret. The last line may be cut.
pub(super) fn sent_text(sent: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(sent.len());
    for (index, line) in sent.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii_end();
        let mut parts = line.splitn(2, |byte| *byte == b':');
        match (index, parts.next(), parts.next()) {
            (1.., Some(name), Some(value)) => {
                text.extend_from_slice(name);
                text.extend_from_slice(b": ");
                let name = String::from_utf8_lossy(name);
                text.extend_from_slice(shown(&name, value.trim_ascii_start()).as_bytes());
            }
            _ => text.extend_from_slice(line),
        }
        if !line.is_empty() {
            text.push(b'\n');
        }
    }
    text
}

/// The value of a field as it may be shown.
fn shown(name: &str, value: &[u8]) -> String {
    let is_shown = SHOWN.iter().any(|known| name.eq_ignore_ascii_case(known.as_str()));
    match std::str::from_utf8(value) {
        Ok(value) if is_shown => value.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// The status line and headers of an answer as text, up to what is kept of it; cookies are somebody's secrets.
pub(super) fn answer_text(head: &Parts) -> Vec<u8> {
    let mut text = format!("{:?} {}\n", head.version, head.status).into_bytes();
    for (name, value) in &head.headers {
        if text.len() > HEAD_TEXT_BYTES_MAX {
            break;
        }
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        let shown = if *name == header::SET_COOKIE { HIDDEN.as_bytes() } else { value.as_bytes() };
        text.extend_from_slice(shown);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_shown_without_secrets() {
        for (sent, shown) in [
            (
                "GET /a:b HTTP/1.1\r\nHost: a.test:1\r\nX-Api-Key: hunter2\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                "GET /a:b HTTP/1.1\nHost: a.test:1\nX-Api-Key: <secret>\nAccept: */*\nConnection: close\n",
            ),
            (
                "POST / HTTP/1.1\r\nhOST: a\r\nX-Cut: hun",
                "POST / HTTP/1.1\nhOST: a\nX-Cut: <secret>\n",
            ),
            ("GET / HTTP/1.1\r\nX-Empty: \r\nX-Cu", "GET / HTTP/1.1\nX-Empty: <secret>\nX-Cu\n"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&sent_text(sent.as_bytes())), shown, "{sent:?}");
        }
    }
}
