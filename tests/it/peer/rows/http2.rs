//! Rows about HTTP/2.

use testkit::{Behaviour, Frames, Leaf, Step, TlsSettings, frames::END_STREAM};

use super::row::{Row, Setup, row};

/// Trusts the authority of the test.
const CA: &str = "tls_config: { {ca} }";

pub(super) fn rows() -> Vec<Row> {
    [agreement(), exchanges()].into_iter().flatten().collect()
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
            "HTTP/2 HEAD with body",
            Setup::Tls(
                Leaf::Good,
                settings.clone(),
                Frames::settings()
                    .headers(0, &[(":status", "200"), ("content-length", "5")])
                    .data(END_STREAM, b"hello")
                    .reply([Step::Silence]),
            ),
            "tls_config: { {ca} }, method: HEAD",
        ),
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
