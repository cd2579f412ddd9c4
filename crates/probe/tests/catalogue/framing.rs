//! Where a body of HTTP/1 ends, announced wrongly, twice or never: rows 54 to 61.
//!
//! Must not know what is in a body.

use probe::Warning;
use testkit::{Behaviour, Step};

use crate::{
    row::{HTTP_BODY, Row},
    syntax::{is_clean, warns},
};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A body in chunks, as these bytes.
fn chunks(bytes: &str) -> Behaviour {
    Behaviour::reply([CHUNKED, bytes].concat())
}

/// An answer with these header lines and a body of two bytes.
fn with(headers: &str) -> Behaviour {
    Behaviour::reply(format!("HTTP/1.1 200 OK\r\n{headers}\r\nok"))
}

/// A body in chunks that begins like this and goes on like that.
fn endless(begin: &str, part: &str) -> Behaviour {
    Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Send([CHUNKED, begin].concat().into_bytes()),
        Step::Repeat(part.repeat(2000).into_bytes()),
    ])
}

pub(crate) fn rows() -> Vec<Row> {
    [broken_chunks(), endless_chunks(), codings(), lengths()].into_iter().flatten().collect()
}

fn broken_chunks() -> Vec<Row> {
    let wrong = "body/bad_framing";
    vec![
        Row::server("54a", "a chunk size of words", chunks("zz\r\nok\r\n0\r\n\r\n"), wrong),
        Row::server("54b", "a negative chunk size", chunks("-2\r\nok\r\n0\r\n\r\n"), wrong),
        Row::server(
            "54c",
            "a chunk size beyond 64 bits",
            chunks("10000000000000002\r\nok\r\n0\r\n\r\n"),
            wrong,
        ),
        Row::server("54d", "a chunk longer than its size", chunks("2\r\noks\r\n0\r\n\r\n"), wrong),
        Row::server("54e", "no last chunk", chunks("2\r\nok\r\n"), "body/truncated"),
        Row::server("54f", "an end in a chunk", chunks("20\r\nstart"), "body/truncated"),
        Row::server("54g", "an end in a chunk size", chunks("2\r\nok\r\n2"), "body/truncated"),
        Row::server(
            "54h",
            "an end in the last chunk",
            chunks("2\r\nok\r\n0\r\n"),
            "body/truncated",
        ),
        Row::server(
            "54i",
            "chunks in good order",
            chunks("2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n"),
            "up",
        )
        .and(is_clean),
    ]
}

fn endless_chunks() -> Vec<Row> {
    let wrong = "body/bad_framing";
    let crumbs = || endless("", "1\r\nx\r\n");
    vec![
        Row::server("55a", "a chunk extension without end", endless("2;x=", "x"), wrong),
        Row::server("55b", "a trailer without end", endless("0\r\nX: ", "x"), wrong),
        Row::server("55c", "trailers without end", endless("0\r\n", "X: y\r\n"), wrong),
        Row::server("55d", "an extension in each chunk", endless("", "1;x=y\r\nx\r\n"), wrong),
        Row::server("56a", "chunks of a byte", crumbs(), "body/too_large").module(HTTP_BODY),
        Row::server("56b", "chunks of a byte that nobody wants", crumbs(), "up"),
    ]
}

fn codings() -> Vec<Row> {
    let wrong = "http/bad_framing";
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    vec![
        Row::server("57a", "gzip without chunks", with("Transfer-Encoding: gzip\r\n"), wrong),
        Row::server("57b", "x-foo without chunks", with("Transfer-Encoding: x-foo\r\n"), wrong),
        Row::server("57c", "chunks in HTTP/1.0", Behaviour::reply(old), wrong),
        Row::server("58", "length and chunks", Behaviour::reply(both), "up")
            .and(warns(Warning::LengthAndChunks)),
    ]
}

fn lengths() -> Vec<Row> {
    let wrong = "http/bad_framing";
    let length = |number, values: &[&str], expected| {
        let lines: Vec<String> =
            values.iter().map(|value| format!("Content-Length: {value}\r\n")).collect();
        Row::server(number, "a length", with(&lines.concat()), expected)
    };
    let excess = Behaviour::answer(200, "", "ok");
    let late = Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more".to_vec()),
    ]);
    vec![
        length("59a", &["2", "2"], "up").and(is_clean),
        length("59b", &["2, 2"], "up").and(is_clean),
        length("60a", &["2", "3"], wrong),
        length("60b", &["-2"], wrong),
        length("60c", &["abc"], wrong),
        length("60d", &["99999999999999999999"], wrong),
        length("60e", &["+2"], wrong),
        length("60f", &["2, 3"], wrong),
        Row::server("61a", "more than announced", late, "up").and(warns(Warning::ExcessBody)),
        Row::server("61b", "as much as announced", excess, "up").and(is_clean),
    ]
}
