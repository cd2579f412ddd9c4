//! Rows about HTTP/2.

use testkit::{Behaviour, Frames, Leaf, Step, TlsSettings, frames::END_STREAM};

use super::row::{Row, Setup, TAKEN, row};

/// Trusts the authority of the test.
const CA: &str = "tls_config: { {ca} }";

pub(super) fn rows() -> Vec<Row> {
    [agreement(), exchanges(), frames()].into_iter().flatten().collect()
}

/// A server that speaks HTTP properly and knows these protocols.
fn server(protocols: &[&'static str]) -> Setup {
    let settings = TlsSettings { alpn: protocols.to_vec(), ..TlsSettings::default() };
    Setup::Tls(Leaf::Good, settings, Behaviour::Http { status: 200, body: "hello".to_owned() })
}

/// A server that knows HTTP/2 and HTTP/1.1.
fn both() -> Setup {
    server(&["h2", "http/1.1"])
}

fn agreement() -> Vec<Row> {
    let no_http2 = "tls_config: { {ca} }, enable_http2: false";
    vec![
        row("HTTP/2", both(), CA),
        row("HTTP/2 alone", server(&["h2"]), CA),
        row("HTTP/2 not wanted", both(), no_http2),
        row("HTTP/2 alone and not wanted", server(&["h2"]), no_http2),
        row("HTTP/2 not offered", server(&["http/1.1"]), CA),
    ]
}

fn exchanges() -> Vec<Row> {
    let settings = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let garbage = Setup::Tls(Leaf::Good, settings.clone(), Behaviour::garbage());
    let failing = Behaviour::Http { status: 503, body: String::new() };
    let empty = Behaviour::Http { status: 200, body: String::new() };
    vec![
        row("HTTP/2 valid", both(), "tls_config: { {ca} }, valid_http_versions: [HTTP/2.0]"),
        row("HTTP/2 valid in short", both(), "tls_config: { {ca} }, valid_http_versions: [HTTP/2]")
            .differs("http2-in-short", &["probe_success"]),
        row("HTTP/2 not valid", both(), "tls_config: { {ca} }, valid_http_versions: [HTTP/1.1]"),
        row(
            "HTTP/2 with a Host header",
            both(),
            "tls_config: { {ca} }, headers: { Host: a.site.test }",
        ),
        row(
            "HTTP/2 POST",
            both(),
            "tls_config: { {ca} }, method: POST, body: ping, headers: { X-A: b }",
        ),
        row("HTTP/2 HEAD", both(), "tls_config: { {ca} }, method: HEAD"),
        row(
            "HTTP/2 wanted text",
            both(),
            "tls_config: { {ca} }, fail_if_body_not_matches_regexp: [hello]",
        ),
        row(
            "HTTP/2 wanted text missing",
            both(),
            "tls_config: { {ca} }, fail_if_body_not_matches_regexp: [up]",
        ),
        row("HTTP/2 body above the limit", both(), "tls_config: { {ca} }, body_size_limit: 4B"),
        row("HTTP/2 error", Setup::Tls(Leaf::Good, settings.clone(), failing), CA),
        row("HTTP/2 empty", Setup::Tls(Leaf::Good, settings, empty), CA),
        row("HTTP/2 agreed upon and not spoken", garbage, CA),
    ]
}

/// A server that writes the frames of its answer by hand.
fn framed(name: &'static str, answer: Frames, http: &'static str) -> Row {
    let settings = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let behaviour = Frames::settings().then(answer).reply([Step::Silence]);
    row(name, Setup::Tls(Leaf::Good, settings, behaviour), http)
}

fn frames() -> Vec<Row> {
    let ok = (":status", "200");
    let head = |headers: &[(&str, &str)]| Frames::default().headers(0, headers);
    vec![
        framed(
            "HTTP/2 HEAD with body",
            head(&[ok, ("content-length", "5")]).data(END_STREAM, b"hello"),
            "tls_config: { {ca} }, method: HEAD",
        ),
        framed("HTTP/2 204 with body", head(&[(":status", "204")]).data(END_STREAM, b"hello"), CA)
            .differs(
                "no-body-of-204",
                &["probe_http_content_length", "probe_http_uncompressed_body_length"],
            ),
        framed("HTTP/2 reset in the body", head(&[ok]).data(0, b"hello").reset(2), CA),
        framed(
            "HTTP/2 reset in the body without an error",
            head(&[ok]).data(0, b"hello").reset(0),
            CA,
        ),
        framed(
            "HTTP/2 with a trailer",
            head(&[ok]).data(0, b"hello").headers(END_STREAM, &[("x-a", "1")]),
            CA,
        ),
        framed(
            "HTTP/2 with a header of the connection",
            Frames::default().headers(END_STREAM, &[ok, ("connection", "close")]),
            CA,
        )
        .differs("strict-head", &["probe_http_status_code", "probe_http_version", "probe_success"]),
        framed(
            "HTTP/2 with a length in letters",
            head(&[ok, ("content-length", "five")]).data(END_STREAM, b"hello"),
            CA,
        )
        .differs("strict-head", TAKEN),
    ]
}
