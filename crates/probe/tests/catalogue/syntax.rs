//! Heads of HTTP/1 that are wrong, odd or too large, and what is no HTTP at all: rows 35 to 53.
//!
//! Must not know bodies and their framing.

use probe::{Outcome, ProbeResult, Warning};
use testkit::{Behaviour, Step};

use crate::row::{HTTP, Row};

/// A whole answer between these header lines and the body.
fn with(headers: &str) -> Behaviour {
    Behaviour::reply(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\nok"))
}

/// Demands one warning, and no other.
pub(crate) fn warns(warning: Warning) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| match result.evidence.warnings.as_slice() {
        [found] if *found == warning => Ok(()),
        other => Err(format!("warnings {other:?}")),
    }
}

/// Demands that there is nothing to complain of.
pub(crate) fn is_clean(result: &ProbeResult) -> Result<(), String> {
    let warnings = &result.evidence.warnings;
    if warnings.is_empty() { Ok(()) } else { Err(format!("warnings {warnings:?}")) }
}

/// Demands words in the detail of a failure, and the first words of what came in the evidence.
fn says(words: &'static str, head: &'static str) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let Outcome::Down(failure) = &result.outcome else { return Err("not down".to_owned()) };
        let hop = result.evidence.hops.first().ok_or("no evidence")?;
        if failure.detail.contains(words) && hop.head.starts_with(head) {
            Ok(())
        } else {
            Err(format!("detail {:?}, evidence {:?}", failure.detail, hop.head))
        }
    }
}

/// A greeting that waits for us to speak.
fn banner(bytes: &[u8]) -> Behaviour {
    Behaviour::Script(vec![Step::Send(bytes.to_vec()), Step::Silence])
}

pub(crate) fn rows() -> Vec<Row> {
    [protocols(), statuses(), forgiven(), headers(), sizes(), informational(), odd_order()]
        .into_iter()
        .flatten()
        .collect()
}

fn protocols() -> Vec<Row> {
    let wrong = "http/malformed";
    let html = "<html><body>hello</body></html>\r\n\r\n";
    vec![
        Row::server("35a", "HTP/1.1", Behaviour::reply("HTP/1.1 200 OK\r\n\r\n"), wrong)
            .and(says("no status line", "HTP/1.1 200 OK")),
        Row::server("35b", "HTTP/2 in words", Behaviour::reply("HTTP/2 200\r\n\r\n"), wrong)
            .and(says("looks like another version", "HTTP/2 200")),
        Row::server("35c", "zeros", Behaviour::reply([0; 100]), wrong).and(says("", "\\u{0}")),
        Row::server("35d", "SSH", banner(b"SSH-2.0-OpenSSH_9.2\r\n"), wrong)
            .and(says("looks like SSH", "SSH-2.0-OpenSSH_9.2")),
        Row::server("35e", "bare HTML", Behaviour::reply(html), wrong)
            .and(says("looks like HTML", "<html>")),
        Row::server("35f", "TLS", Behaviour::fatal_alert(80), wrong)
            .and(says("looks like TLS", "\\u{15}\\u{3}")),
        Row::server("35g", "SMTP", banner(b"220 mail.example ESMTP\r\n"), wrong)
            .and(says("looks like SMTP", "220 mail.example")),
        Row::server("35h", "half a banner", Behaviour::reply("SS"), wrong).and(says("", "SS")),
        Row::server("35i", "half a version", Behaviour::reply("HTTP/1"), "http/closed"),
        Row::server("35j", "garbage", Behaviour::garbage(), wrong).and(says("no status line", "")),
        Row::server("35k", "HTTP/1.x", Behaviour::reply("HTTP/1.x 200 OK\r\n\r\n"), wrong),
    ]
}

fn statuses() -> Vec<Row> {
    let status = |number, text: &str, expected| {
        let answer = format!("HTTP/1.1 {text}\r\nContent-Length: 0\r\n\r\n");
        Row::server(number, "a status line", Behaviour::reply(answer), expected)
    };
    vec![
        status("36a", "099 Odd", "http/malformed"),
        status("36b", "20 Odd", "http/malformed"),
        status("36c", "1000 Odd", "http/malformed"),
        status("36d", "-200 Odd", "http/malformed"),
        status("37", "999 Odd", "check/status"),
        status("38a", "200", "up").and(is_clean),
        status("38b", &format!("200 {}", "x".repeat(100_000)), "up").and(is_clean),
        status("38c", "200 schön", "up").and(is_clean),
    ]
}

fn forgiven() -> Vec<Row> {
    let version = Behaviour::reply("HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let bare = Behaviour::reply("HTTP/1.1 200 OK\nContent-Length: 2\n\nok");
    vec![
        Row::server("39", "HTTP/1.2", version, "up").and(warns(Warning::HttpVersion)),
        Row::server("40", "bare line feeds", bare, "up").and(warns(Warning::BareLineFeed)),
        Row::server("41a", "a folded header", with("X: a\r\n b\r\n\tc\r\n"), "up")
            .and(warns(Warning::ObsoleteFolding)),
        Row::server("41b", "a space before the colon", with("X : a\r\n"), "up")
            .and(warns(Warning::SpaceBeforeColon)),
        Row::server("41c", "no name", with(": a\r\n"), "up").and(warns(Warning::EmptyHeaderName)),
        Row::server("43b", "a lone CR in a value", with("X: a\rb\r\n"), "up")
            .module("{ prober: http, http: { fail_if_header_not_matches: [{ header: X, regexp: '^a b$' }] } }")
            .and(warns(Warning::CarriageReturn)),
    ]
}

fn headers() -> Vec<Row> {
    let bytes = |value: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
        Behaviour::reply([head, value, b"\r\n\r\n"].concat())
    };
    let shows = |text: &'static str| {
        move |result: &ProbeResult| {
            let head = &result.evidence.hops.first().ok_or("no evidence")?.head;
            if head.contains(text) { Ok(()) } else { Err(format!("evidence {head:?}")) }
        }
    };
    vec![
        Row::server("42", "a header without a colon", with("what is this\r\n"), "http/malformed")
            .and(says("without a colon", "HTTP/1.1 200 OK\nwhat is this\nContent-Length: 2\n")),
        Row::server("43a", "a NUL in a value", bytes(b"a\0b"), "http/malformed")
            .and(says("NUL", "HTTP/1.1 200 OK")),
        Row::server("44a", "Latin-1", bytes(b"Gr\xfc\xdfe"), "up").and(shows("Gr\\xfc\\xdfe")),
        Row::server("44b", "invalid UTF-8", bytes(b"\xc3\x28"), "up").and(shows("\\xc3(")),
        Row::server("44c", "a cookie is nobody's business", with("Set-Cookie: a=b\r\n"), "up")
            .and(shows("set-cookie: <secret>\nContent-Length")),
    ]
}

fn sizes() -> Vec<Row> {
    let limit = "http/header_limit";
    let long = |bytes| with(&format!("X: {}\r\n", "x".repeat(bytes)));
    let many = |count| with(&"X: value\r\n".repeat(count));
    let endless = Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()),
        Step::Repeat(vec![b'x'; 16 * 1024]),
    ]);
    vec![
        Row::server("45a", "a header of 100 KB", long(100_000), "up").and(is_clean),
        Row::server("45b", "a header of 500 KB", long(500_000), "up").and(is_clean),
        Row::server("45e", "a header of 1 MB", long(1_000_000), "up").and(is_clean),
        Row::server("45c", "a header of 2 MB", long(2_000_000), limit),
        Row::server("45d", "a header without end", endless, limit),
        Row::server("46a", "90 headers", many(90), "up").and(is_clean),
        Row::server("46b", "150 headers", many(150), "up").and(is_clean),
        Row::server("46c", "100 000 headers", many(100_000), limit),
        Row::server("46d", "5 000 cookies", with(&"Set-Cookie: a=b\r\n".repeat(5000)), "up"),
        Row::server("46e", "headers without end", Behaviour::endless_headers(), limit),
    ]
}

fn informational() -> Vec<Row> {
    let empty_lines =
        Behaviour::Script(vec![Step::ReadRequest, Step::Repeat(b"\r\n".repeat(1000))]);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    vec![
        Row::server("47a", "empty lines without end", empty_lines, "http/malformed"),
        Row::server("47b", "an empty line", Behaviour::reply(["\r\n", answer].concat()), "up")
            .and(is_clean),
        Row::server(
            "48a",
            "informational answers without end",
            Behaviour::endless_informational(),
            "http/too_many_1xx",
        ),
        Row::server(
            "48b",
            "16 informational answers",
            Behaviour::reply([hints.repeat(16).as_str(), answer].concat()),
            "up",
        ),
        Row::server("49", "103, then 200", Behaviour::reply([hints, answer].concat()), "up")
            .and(is_clean),
        Row::server("50", "101 unasked", Behaviour::reply(upgrade), "http/unexpected_upgrade"),
        Row::server(
            "51",
            "100, then the end",
            Behaviour::reply("HTTP/1.1 100 Continue\r\n\r\n"),
            "http/closed",
        ),
    ]
}

fn odd_order() -> Vec<Row> {
    let busy = Behaviour::message(503, "", "too many connections");
    let too_large = Behaviour::message(413, "", "no more than 1 MB");
    let large = "x".repeat(8_000_000);
    let no_content = "HTTP/1.1 204 No Content\r\n\r\nbody";
    let not_modified = "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody and more";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody and more";
    let is_503 = |result: &ProbeResult| {
        let is_status = |sample: &&probe::Sample| sample.metric.name == "probe_http_status_code";
        match result.samples.iter().find(is_status) {
            Some(sample) if (sample.value - 503.0).abs() < 0.5 => Ok(()),
            other => Err(format!("status {other:?}")),
        }
    };
    let early =
        |then: Vec<Step>| Behaviour::Script([vec![Step::Send(busy.clone())], then].concat());
    vec![
        Row::server("52a", "an early answer", early(vec![Step::Silence]), "check/status")
            .and(is_503),
        Row::server("52b", "an early answer and the end", early(vec![]), "check/status")
            .and(is_503),
        Row::server(
            "52c",
            "an early answer to a large request, and a reset",
            Behaviour::Script(vec![Step::ReadSome, Step::Send(too_large), Step::Reset]),
            "check/status",
        )
        .module(format!("{{ prober: http, http: {{ method: POST, body: '{large}' }} }}")),
        Row::server("53a", "204 with a body", Behaviour::reply(no_content), "up").and(is_clean),
        Row::server("53b", "304 with a body", Behaviour::reply(not_modified), "up")
            .module("{ prober: http, http: { valid_status_codes: [304] } }")
            .and(is_clean),
        Row::server("53c", "HEAD with a body", Behaviour::reply(ok), "up")
            .module("{ prober: http, http: { method: HEAD } }")
            .and(is_clean),
        Row::server(
            "53d",
            "HTTP/1.0 up to the end",
            Behaviour::reply("HTTP/1.0 200 OK\r\n\r\nok"),
            "up",
        )
        .module(HTTP)
        .and(is_clean),
    ]
}
