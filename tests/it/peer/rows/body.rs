//! Rows about bodies: what they must look like, how large they may be, and how long they may take.

use std::time::Duration;

use testkit::{Behaviour, Step};

use super::row::{Row, Setup, bytes, plain, row};

pub(super) fn rows() -> Vec<Row> {
    [patterns(), dialect(), patterns_beside_others(), sizes(), slowness()]
        .into_iter()
        .flatten()
        .collect()
}

fn body(text: &str) -> Behaviour {
    Behaviour::answer(200, "Content-Type: text/plain\r\n", text)
}

fn patterns() -> Vec<Row> {
    vec![
        plain("unwanted text", body("all is down"), "fail_if_body_matches_regexp: [down]"),
        plain(
            "unwanted text and another",
            body("all is up"),
            "fail_if_body_matches_regexp: [down]",
        ),
        plain(
            "one of two unwanted texts",
            body("it is broken"),
            "fail_if_body_matches_regexp: [down, broken]",
        ),
        plain("wanted text", body("all is up"), "fail_if_body_not_matches_regexp: [up]"),
        plain("wanted text missing", body("all is well"), "fail_if_body_not_matches_regexp: [up]"),
        plain("two wanted texts", body("all is up"), "fail_if_body_not_matches_regexp: [all, up]"),
        plain(
            "one of two wanted texts",
            body("all is well"),
            "fail_if_body_not_matches_regexp: [all, up]",
        ),
        plain(
            "wanted and unwanted text",
            body("up and down"),
            "fail_if_body_not_matches_regexp: [up], fail_if_body_matches_regexp: [down]",
        ),
    ]
}

fn dialect() -> Vec<Row> {
    vec![
        plain("wanted text in capitals", body("UP"), "fail_if_body_not_matches_regexp: ['(?i)up']"),
        plain("wanted line", body("one\ntwo\n"), "fail_if_body_not_matches_regexp: ['(?m)^two$']"),
        plain(
            "wanted line without a flag",
            body("one\ntwo\n"),
            "fail_if_body_not_matches_regexp: ['^two$']",
        ),
        plain(
            "wanted text over lines",
            body("one\ntwo\n"),
            "fail_if_body_not_matches_regexp: ['one.two']",
        ),
        plain(
            "wanted text over lines with a flag",
            body("one\ntwo\n"),
            "fail_if_body_not_matches_regexp: ['(?s)one.two']",
        ),
        plain(
            "wanted text in UTF-8",
            body("größe"),
            "fail_if_body_not_matches_regexp: ['gr.{2}e']",
        ),
        plain("wanted class", body("größe"), "fail_if_body_not_matches_regexp: ['^\\w+$']"),
        plain(
            "wanted digits of other scripts",
            body("٣"),
            "fail_if_body_not_matches_regexp: ['^\\d$']",
        ),
        plain("wanted word boundary", body("éa"), "fail_if_body_not_matches_regexp: ['\\ba']"),
        plain("wanted space", body("a\u{a0}b"), "fail_if_body_not_matches_regexp: ['a\\sb']"),
        bytes(
            "wanted text among bytes",
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\xff\xfeok\x00\x01",
            "fail_if_body_not_matches_regexp: ['ok\\x00']",
        ),
        plain("empty body wanted", body(""), "fail_if_body_not_matches_regexp: ['^$']"),
        plain("wanted text in an empty body", body(""), "fail_if_body_not_matches_regexp: [up]"),
    ]
}

fn patterns_beside_others() -> Vec<Row> {
    vec![
        plain(
            "unwanted text of an error",
            Behaviour::answer(500, "", "down"),
            "fail_if_body_matches_regexp: [down]",
        ),
        plain(
            "unwanted text of a wanted error",
            Behaviour::answer(500, "", "down"),
            "valid_status_codes: [500], fail_if_body_matches_regexp: [down]",
        ),
        plain(
            "unwanted text in chunks",
            Behaviour::reply(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ndo\r\n2\r\nwn\r\n0\r\n\r\n",
            ),
            "fail_if_body_matches_regexp: [down]",
        ),
        plain(
            "unwanted text of a wrong version",
            body("down"),
            "valid_http_versions: [HTTP/2.0], fail_if_body_matches_regexp: [down]",
        )
        .differs("first-failure", &["probe_failed_due_to_regex"]),
        plain(
            "wanted text in a body that is cut off",
            Behaviour::close_mid_body(),
            "fail_if_body_not_matches_regexp: [start]",
        ),
        plain(
            "unwanted header before an unwanted text",
            body("down"),
            "fail_if_header_matches: [{ header: Content-Type, regexp: text }], fail_if_body_matches_regexp: [down]",
        ),
        plain(
            "wanted header before an unwanted text",
            body("down"),
            "fail_if_header_not_matches: [{ header: Content-Type, regexp: text }], fail_if_body_matches_regexp: [down]",
        ),
    ]
}

fn sizes() -> Vec<Row> {
    vec![
        plain("body below the limit", body("hello"), "body_size_limit: 10B"),
        plain("body at the limit", body("hello"), "body_size_limit: 5B"),
        plain("body above the limit", body("hello"), "body_size_limit: 4B"),
        plain("body above the limit in KB", body(&"x".repeat(1025)), "body_size_limit: 1KB"),
        plain("no limit", body("hello"), "body_size_limit: 0"),
        plain(
            "wanted text below the limit",
            body("hello"),
            "body_size_limit: 10B, fail_if_body_not_matches_regexp: [hello]",
        ),
        plain(
            "wanted text above the limit",
            body("hello, world"),
            "body_size_limit: 10B, fail_if_body_not_matches_regexp: [hello]",
        ),
        plain(
            "body of an error above the limit",
            Behaviour::answer(500, "", "hello"),
            "body_size_limit: 4B",
        ),
        plain("endless body above the limit", Behaviour::endless_body(), "body_size_limit: 64KB"),
        plain(
            "endless chunks above the limit",
            Behaviour::endless_chunks(),
            "body_size_limit: 64KB",
        ),
        plain(
            "wanted text missing below the limit",
            body("hello"),
            "body_size_limit: 10B, fail_if_body_not_matches_regexp: [up]",
        ),
        plain(
            "unwanted text above the limit",
            body("hello, world"),
            "body_size_limit: 10B, fail_if_body_matches_regexp: [up]",
        ),
        plain(
            "wanted text of an error above the limit",
            Behaviour::answer(500, "", "hello, world"),
            "body_size_limit: 10B, fail_if_body_not_matches_regexp: [hello]",
        ),
        plain(
            "HEAD above the limit",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
            "method: HEAD, body_size_limit: 4B",
        ),
    ]
}

fn slowness() -> Vec<Row> {
    let drip = Duration::from_millis(50);
    let https = "https://127.0.0.1:{port}/";
    vec![
        plain("silence", Behaviour::silence(), "").too_slow(),
        plain("stall in the header", Behaviour::stall_mid_header(), "").too_slow(),
        plain("stall in the body", Behaviour::stall_mid_body(), "").too_slow(),
        plain(
            "stall in the body of an error",
            Behaviour::Script(vec![
                Step::ReadRequest,
                Step::Send(b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nhell".to_vec()),
                Step::Silence,
            ]),
            "",
        )
        .too_slow(),
        plain("drip of the header", Behaviour::drip_header(drip), "").too_slow(),
        plain("drip of the body", Behaviour::drip_body(drip), "")
            .too_slow()
            .without("probe_http_uncompressed_body_length"),
        plain(
            "wanted text and a stall",
            Behaviour::stall_mid_body(),
            "fail_if_body_not_matches_regexp: [start]",
        )
        .too_slow(),
        plain("silence in the handshake", Behaviour::silence(), "")
            .without("requests")
            .target(https)
            .too_slow(),
        plain("endless body", Behaviour::endless_body(), "")
            .differs("body-of-10-mib", &["probe_success"])
            .too_slow()
            .without("probe_http_uncompressed_body_length"),
        plain("endless chunks", Behaviour::endless_chunks(), "")
            .differs("body-of-10-mib", &["probe_success"])
            .too_slow()
            .without("probe_http_uncompressed_body_length"),
        plain("endless announced body", Behaviour::endless_announced_body(), "")
            .differs("body-of-10-mib", &["probe_success"])
            .too_slow()
            .without("probe_http_uncompressed_body_length"),
        plain("endless header", Behaviour::endless_headers(), "").too_slow(),
        row(
            "slow but in time",
            Setup::Plain(Behaviour::Script(vec![
                Step::ReadRequest,
                Step::Drip(Behaviour::message(200, "", "ok"), Duration::from_millis(5)),
            ])),
            "",
        ),
    ]
}
