//! What the evidence shows of requests and answers, and which values it hides.
//!
//! Must not know connections.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, header, response::Parts};
use http_body_util::Full;

use super::wire::Meter;
use crate::{context::ProbeContext, report::HIDDEN};

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

/// Records what was received and sent over a connection so far.
pub(super) fn record(meter: &Meter, context: &mut ProbeContext) {
    for warning in &meter.seen().warnings {
        context.warn(*warning);
    }
    let sent = sent_text(&meter.seen().sent);
    if let Some(hop) = context.hop().filter(|_| !sent.is_empty()) {
        hop.keep_request(&sent);
    }
    let head = meter.head_text();
    if let Some(hop) = context.hop().filter(|_| !head.is_empty()) {
        hop.keep_head(&head);
    }
}

/// Adds to the evidence what is sent by HTTP/2 or HTTP/3, which have no text: the fields, in lower case as they are by protocol.
pub(super) fn record_fields(message: &http::Request<Full<Bytes>>, context: &mut ProbeContext) {
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
