//! Servers that are broken, slow or endless: each has one phase and one reason, within the deadline.

use std::time::Duration;

use testkit::{Behaviour, Server, Step};

use crate::support::{HTTP, LONG, SHORT, Table, plain_net, run, run_plain, value, verdict};

/// Bytes of a mebibyte.
const MIB: f64 = 1024.0 * 1024.0;

/// Runs a table of name, behaviour, and expected verdict.
async fn run_table(timeout: Duration, settings: &str, rows: Vec<(&str, Behaviour, &str)>) {
    let net = plain_net();
    let mut table = Table::default();
    for (name, behaviour, expected) in rows {
        let server = Server::start(behaviour).await;
        let result = run(&net, settings, &server.url("/"), timeout).await;
        table.expect(name, &result, expected);
        table.check(name, server.connections() == 1, "a probe is one attempt");
    }
    table.finish();
}

#[tokio::test]
async fn connections_that_break() {
    let rows = vec![
        // Whether connecting or the first write sees the reset is up to the kernel.
        ("reset on accept", Behaviour::reset_on_accept(), "connect/reset or http/reset"),
        ("reset before the answer", Behaviour::reset_before_answer(), "http/reset"),
        ("closed before the answer", Behaviour::close_before_answer(), "http/no_response"),
        ("closed in the header", Behaviour::close_mid_header(), "http/closed"),
        ("closed in the body", Behaviour::close_mid_body(), "body/truncated"),
        ("closed in a chunk", Behaviour::close_mid_chunk(), "body/truncated"),
        ("reset in the body", Behaviour::reset_mid_body(), "body/reset"),
        ("100 and the end", Behaviour::reply("HTTP/1.1 100 Continue\r\n\r\n"), "http/closed"),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn servers_that_are_too_slow() {
    let interval = Duration::from_millis(20);
    let rows = vec![
        ("silence", Behaviour::silence(), "http/timeout"),
        ("stall in the header", Behaviour::stall_mid_header(), "http/timeout"),
        ("header drip by drip", Behaviour::drip_header(interval), "http/timeout"),
        ("stall in the body", Behaviour::stall_mid_body(), "body/timeout"),
        ("body drip by drip", Behaviour::drip_body(interval), "body/timeout"),
    ];
    run_table(SHORT, HTTP, rows).await;
}

#[tokio::test]
async fn answers_without_end() {
    let endless_bodies = || {
        [
            ("body", Behaviour::endless_body()),
            ("chunks", Behaviour::endless_chunks()),
            ("announced body", Behaviour::endless_announced_body()),
        ]
    };
    let looks = "{ prober: http, http: { fail_if_body_matches_regexp: [never] } }";
    let rows = endless_bodies().map(|(name, behaviour)| (name, behaviour, "body/too_large"));
    run_table(LONG, looks, rows.into()).await;
    // Who does not look at the body is content with as much as is ever read of one.
    for (name, behaviour) in endless_bodies() {
        let server = Server::start(behaviour).await;
        let result = run_plain(HTTP, &server.url("/")).await;
        assert_eq!(verdict(&result), "up", "{name}");
        let length = value(&result, "probe_http_uncompressed_body_length").unwrap();
        assert!((10.0 * MIB..11.0 * MIB).contains(&length), "{name}: {length} bytes");
    }
    let rows = vec![
        ("headers", Behaviour::endless_headers(), "http/header_limit"),
        ("informational responses", Behaviour::endless_informational(), "http/too_many_1xx"),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn a_limit_of_the_module_bounds_the_body() {
    let settings = "{ prober: http, http: { body_size_limit: 1KB } }";
    let rows = vec![
        ("at the limit", Behaviour::answer(200, "", &"x".repeat(1024)), "up"),
        ("over the limit", Behaviour::answer(200, "", &"x".repeat(1025)), "body/too_large"),
        ("without end", Behaviour::endless_body(), "body/too_large"),
    ];
    run_table(LONG, settings, rows).await;
}

#[tokio::test]
async fn what_is_not_http() {
    let rows = vec![
        ("garbage", Behaviour::garbage(), "http/malformed"),
        ("another protocol", Behaviour::reply("HTP/1.1 200 OK\r\n\r\n"), "http/malformed"),
        (
            "no status line",
            Behaviour::reply("<html><body>hello</body></html>\r\n\r\n"),
            "http/malformed",
        ),
        ("HTTP/2 in words", Behaviour::reply("HTTP/2 200\r\n\r\n"), "http/malformed"),
        ("TLS", Behaviour::fatal_alert(80), "http/malformed"),
        ("status 099", Behaviour::reply("HTTP/1.1 099 Odd\r\n\r\n"), "http/malformed"),
        ("status 20", Behaviour::reply("HTTP/1.1 20 Odd\r\n\r\n"), "http/malformed"),
        ("status 1000", Behaviour::reply("HTTP/1.1 1000 Odd\r\n\r\n"), "http/malformed"),
        (
            "NUL in a value",
            Behaviour::reply("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
            "http/malformed",
        ),
        (
            "101 unasked",
            Behaviour::reply(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            ),
            "http/unexpected_upgrade",
        ),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn broken_framing() {
    let endless = |part: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{part}");
        Behaviour::Script(vec![
            Step::ReadRequest,
            Step::Send(head.into_bytes()),
            Step::Repeat(vec![b'x'; 16 * 1024]),
        ])
    };
    let rows = vec![
        (
            "two lengths",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "length of words",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "negative length",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "length with a sign",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "length beyond 64 bits",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "coding without chunks",
            Behaviour::reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"),
            "http/bad_framing",
        ),
        (
            "chunk size of words",
            Behaviour::reply(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
            ),
            "body/bad_framing",
        ),
        (
            "chunk size beyond 64 bits",
            Behaviour::reply(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n",
            ),
            "body/bad_framing",
        ),
        ("chunk extension without end", endless("2;x="), "body/bad_framing"),
        ("trailers without end", endless("0\r\nX-Trailer: "), "body/bad_framing"),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn too_much_header() {
    let with = |fields: String| {
        Behaviour::reply(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"))
    };
    let rows = vec![
        ("150 fields", with("X-Field: value\r\n".repeat(150)), "up"),
        ("a field of 100 KB", with(format!("X-Field: {}\r\n", "x".repeat(100_000))), "up"),
        (
            "a field of 2 MB",
            with(format!("X-Field: {}\r\n", "x".repeat(2_000_000))),
            "http/header_limit",
        ),
        ("100 000 fields", with("X-Field: value\r\n".repeat(100_000)), "http/header_limit"),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn sins_that_every_browser_forgives() {
    let latin = [b"HTTP/1.1 200 OK\r\nX-Name: Gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n".as_slice()]
        .concat();
    let rows = vec![
        ("no reason phrase", Behaviour::reply("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "up"),
        ("bare line feeds", Behaviour::reply("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), "up"),
        (
            "folded field",
            Behaviour::reply("HTTP/1.1 200 OK\r\nX-Field: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
            "up",
        ),
        (
            "space before the colon",
            Behaviour::reply("HTTP/1.1 200 OK\r\nX-Field : a\r\nContent-Length: 0\r\n\r\n"),
            "up",
        ),
        (
            "empty field name",
            Behaviour::reply("HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n"),
            "up",
        ),
        ("Latin-1", Behaviour::reply(latin), "up"),
        ("HTTP/1.0 up to the end", Behaviour::reply("HTTP/1.0 200 OK\r\n\r\nhello"), "up"),
        (
            "early hints",
            Behaviour::reply(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ),
            "up",
        ),
        ("204 with a body", Behaviour::reply("HTTP/1.1 204 No Content\r\n\r\nbody"), "up"),
        (
            "more than announced",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"),
            "up",
        ),
        (
            "the same length twice",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
            "up",
        ),
        (
            "length and chunks",
            Behaviour::reply(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            ),
            "up",
        ),
        ("status 999", Behaviour::answer(999, "", ""), "check/status"),
        (
            "a challenge",
            Behaviour::answer(401, "WWW-Authenticate: Negotiate\r\n", ""),
            "check/status",
        ),
    ];
    run_table(LONG, HTTP, rows).await;
}

#[tokio::test]
async fn an_answer_before_the_request_is_an_answer() {
    let busy = Behaviour::message(503, "", "too many connections");
    let server = Server::start(Behaviour::Script(vec![Step::Send(busy), Step::ReadSome])).await;
    let result = run_plain(HTTP, &server.url("/")).await;
    assert_eq!(verdict(&result), "check/status");
    assert_eq!(value(&result, "probe_http_status_code"), Some(503.0));
}

#[tokio::test]
async fn what_the_target_says_is_cut() {
    let reason = "x".repeat(100_000);
    let server = Server::start(Behaviour::reply(format!(
        "HTTP/1.1 500 {reason}\r\nContent-Length: 0\r\n\r\n"
    )))
    .await;
    // The length of details and notes is checked for every result.
    assert_eq!(verdict(&run_plain(HTTP, &server.url("/")).await), "check/status");
}
