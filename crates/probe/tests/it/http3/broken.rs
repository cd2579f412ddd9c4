//! Every way in which an answer can break, before its head, in its body and with its connection.
//!
//! The frames are written by hand (RFC 9114 §7, RFC 9204 §4.5).

use std::time::Duration;

use testkit::{Certificates, Leaf};

use super::{
    HTTP3, net,
    server::{Act, Server, Step},
};
use crate::support::{LONG, SHORT, Table, run};

/// `:status: 200` alone in a header block, and the same with a `content-length` of 5.
const HEAD_200: &[u8] = &[1, 3, 0, 0, 0xd9];
const HEAD_200_OF_5: &[u8] = &[1, 6, 0, 0, 0xd9, 0x54, 1, b'5'];

/// The status 103 in a header block.
const HEAD_103: &[u8] = &[1, 3, 0, 0, 0xd8];

/// `hello` as a frame of data.
const HELLO: &[u8] = &[0, 5, b'h', b'e', b'l', b'l', b'o'];

/// Several parts of an answer, one after the other.
fn send(parts: &[&[u8]]) -> Step {
    Step::Send(parts.concat())
}

fn broken() -> Vec<(&'static str, Act, Duration, &'static str)> {
    let answer = |steps: &[Step]| Act::Answer(steps.to_vec());
    let informational = [HEAD_103; 20].concat();
    let long_head = [&[1, 0x80, 0x40, 0, 2, 0, 0][..], &vec![0xd9; 0x40_0000]].concat();
    let hole = [1, 5, 0, 0, 0xd9, 0x80, 0x80];
    vec![
        ("a whole answer", answer(&[send(&[HEAD_200_OF_5, HELLO]), Step::Finish]), LONG, "up"),
        ("hints first", answer(&[send(&[HEAD_103, HEAD_200, HELLO]), Step::Finish]), LONG, "up"),
        (
            "a frame of an unknown type",
            answer(&[send(&[&[0x21, 1, 0], HEAD_200]), Step::Finish]),
            LONG,
            "up",
        ),
        (
            "endless hints",
            answer(&[Step::Send(informational), Step::Finish]),
            LONG,
            "http/too_many_1xx",
        ),
        ("no head", answer(&[Step::Finish]), LONG, "http/no_response"),
        (
            "a part of a head",
            answer(&[send(&[&HEAD_200[..3]]), Step::Finish]),
            LONG,
            "http/malformed",
        ),
        ("data first", answer(&[send(&[HELLO]), Step::Finish]), LONG, "http/malformed"),
        (
            "a head that is no header block",
            answer(&[send(&[&hole]), Step::Finish]),
            LONG,
            "http/malformed",
        ),
        (
            "HTTP/1.1",
            answer(&[send(&[b"HTTP/1.1 200 OK\r\n\r\n"]), Step::Finish]),
            LONG,
            "http/malformed",
        ),
        (
            "a long head",
            answer(&[Step::Send(long_head), Step::Finish]),
            LONG,
            "http/header_limit or http/malformed",
        ),
    ]
}

fn broken_off() -> Vec<(&'static str, Act, Duration, &'static str)> {
    let answer = |steps: &[Step]| Act::Answer(steps.to_vec());
    vec![
        ("reset", answer(&[Step::Reset(0x102)]), LONG, "http/reset"),
        ("closed in good order", answer(&[Step::CloseConnection(0x100)]), LONG, "http/no_response"),
        ("closed with an error", answer(&[Step::CloseConnection(0x102)]), LONG, "http/no_response"),
        ("silent", answer(&[]), SHORT, "http/timeout"),
        ("closed before the request", Act::Close(0x102), LONG, "http/no_response"),
        ("gone", Act::Vanish, LONG, "http/reset"),
        // Streams of a server begin with their type; the first frame of the control stream has to be the settings.
        (
            "a control stream without settings",
            Act::Open(vec![0, 0x7, 1, 0]),
            LONG,
            "http/malformed",
        ),
    ]
}

fn broken_in_the_body() -> Vec<(&'static str, Act, Duration, &'static str)> {
    let answer = |steps: &[Step]| Act::Answer(steps.to_vec());
    vec![
        (
            "silent in the body",
            answer(&[send(&[HEAD_200_OF_5, &HELLO[..4]])]),
            SHORT,
            "body/timeout",
        ),
        (
            "reset in the body",
            answer(&[send(&[HEAD_200, HELLO]), Step::Reset(0x102)]),
            LONG,
            "body/reset or http/reset",
        ),
        (
            "a short body",
            answer(&[send(&[HEAD_200_OF_5, &[0, 1, b'h']]), Step::Finish]),
            LONG,
            "body/truncated",
        ),
        (
            "a long body",
            answer(&[send(&[HEAD_200_OF_5, HELLO, HELLO]), Step::Finish]),
            LONG,
            "body/bad_framing",
        ),
        (
            "half a frame of data",
            answer(&[send(&[HEAD_200, &HELLO[..4]]), Step::Finish]),
            LONG,
            "body/bad_framing or body/truncated",
        ),
        (
            "settings in the body",
            answer(&[send(&[HEAD_200, &[4, 0]]), Step::Finish]),
            LONG,
            "body/bad_framing",
        ),
        (
            "closed in the body",
            answer(&[send(&[HEAD_200_OF_5, &HELLO[..4]]), Step::CloseConnection(0x102)]),
            LONG,
            // The end may overtake the head.
            "body/truncated or http/no_response",
        ),
    ]
}

#[tokio::test]
async fn answers_that_break() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let mut table = Table::default();
    for (name, act, timeout, expected) in [broken(), broken_off(), broken_in_the_body()].concat() {
        let server = Server::start(&certificates, Leaf::Good, "h3", act);
        table.expect(name, &run(&net, HTTP3, &server.url("/"), timeout).await, expected);
    }
    table.finish();
}
