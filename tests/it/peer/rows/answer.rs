//! Rows about answers: status codes, versions, and what is no answer at all.

use testkit::{Behaviour, Step};

use super::row::{Row, TAKEN, bytes, plain};

pub(super) fn rows() -> Vec<Row> {
    [status_codes(), informational(), versions(), malformed()].into_iter().flatten().collect()
}

/// An answer without header fields but those of its framing.
fn status(code: u16) -> Behaviour {
    Behaviour::answer(code, "", "hello")
}

fn status_codes() -> Vec<Row> {
    vec![
        plain("200", status(200), ""),
        plain("201", status(201), ""),
        plain("299", status(299), ""),
        plain("300", status(300), ""),
        plain("304", status(304), ""),
        bytes("204", "HTTP/1.1 204 No Content\r\n\r\n", ""),
        bytes("205 with body", "HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nab", ""),
        plain("400", status(400), ""),
        plain("401", Behaviour::answer(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "no"), ""),
        plain("404", status(404), ""),
        plain("418", status(418), ""),
        plain("429", Behaviour::answer(429, "Retry-After: 1\r\n", ""), ""),
        plain("500", status(500), ""),
        plain("503", status(503), ""),
        plain("599", status(599), ""),
        plain("600", status(600), ""),
        plain("999", status(999), ""),
        plain("404 wanted", status(404), "valid_status_codes: [404]"),
        plain("200 not wanted", status(200), "valid_status_codes: [404, 500]"),
        plain("302 wanted without location", status(302), "valid_status_codes: [302]"),
        bytes("no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
        bytes("empty reason phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
        bytes("two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", ""),
        bytes("four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", ""),
        bytes("099", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", "")
            .differs("strict-head", &["probe_http_status_code", "probe_http_version"]),
    ]
}

/// Answers of 1xx, before another one or instead of it.
fn informational() -> Vec<Row> {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let hints = |count| "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count) + ok;
    vec![
        bytes("100 before 200", format!("HTTP/1.1 100 Continue\r\n\r\n{ok}"), ""),
        bytes("103 before 200", format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{ok}"), ""),
        bytes("four 103 before 200", hints(4), ""),
        bytes("eight 103 before 200", hints(8), ""),
        bytes(
            "101 unasked",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "",
        )
        .differs("strict-head", &["probe_http_status_code", "probe_http_version"]),
        plain("100 without end", Behaviour::endless_informational(), ""),
    ]
}

fn versions() -> Vec<Row> {
    vec![
        bytes("1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        bytes("1.0 until the end", "HTTP/1.0 200 OK\r\n\r\nhello", ""),
        bytes(
            "1.0 with keep-alive",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            "",
        ),
        bytes(
            "1.0 in chunks",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "",
        )
        .differs("strict-head", TAKEN),
        bytes(
            "1.0 wanted",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "valid_http_versions: [HTTP/1.0]",
        ),
        plain("1.1 wanted", status(200), "valid_http_versions: [HTTP/1.1]"),
        plain("1.0 or 2 wanted", status(200), "valid_http_versions: [HTTP/1.0, HTTP/2.0]"),
        plain("2 wanted without TLS", status(200), "valid_http_versions: [HTTP/2.0]"),
        bytes("0.9", "<html>hello</html>", ""),
        bytes("1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", "")
            .differs("strict-head", &["probe_http_version"]),
        bytes("2.0 in a line", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "").differs(
            "strict-head",
            &["probe_http_status_code", "probe_http_version", "probe_success"],
        ),
        bytes("3.0 in a line", "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n", "").differs(
            "strict-head",
            &["probe_http_status_code", "probe_http_version", "probe_success"],
        ),
        bytes("http in small letters", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        bytes("ICY", "ICY 200 OK\r\n\r\n", ""),
    ]
}

fn malformed() -> Vec<Row> {
    let script = Behaviour::Script;
    vec![
        plain("garbage", Behaviour::garbage(), ""),
        plain("nothing", Behaviour::close_before_answer(), ""),
        plain("close at once", script(vec![]), "").without("requests"),
        plain("reset at once", Behaviour::reset_on_accept(), ""),
        plain("reset before the answer", Behaviour::reset_before_answer(), ""),
        plain("close in the header", Behaviour::close_mid_header(), ""),
        plain("close in the body", Behaviour::close_mid_body(), ""),
        plain(
            "close in the body of an error",
            Behaviour::reply("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nhell"),
            "",
        ),
        plain("close in a chunk", Behaviour::close_mid_chunk(), ""),
        bytes(
            "chunks without end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "",
        ),
        plain("banner of SSH", Behaviour::greeting("SSH-2.0-OpenSSH_9.2\r\n"), "")
            .without("requests"),
        plain("TLS instead", Behaviour::fatal_alert(40), ""),
        bytes("lines ended by LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", ""),
        bytes("empty lines first", "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "")
            .differs("lenient-head", TAKEN),
        bytes("space first", " HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        plain(
            "HTTP/2 unasked",
            script(vec![Step::ReadRequest, Step::Send(vec![0, 0, 0, 4, 0, 0, 0, 0, 0])]),
            "",
        ),
    ]
}
