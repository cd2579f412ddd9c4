//! Connections that break, stall or never end: rows 20 to 34.
//!
//! Must not know what is spoken over a connection that works.

use std::time::Duration;

use probe::{Hop, ProbeResult};
use testkit::{Behaviour, FullBacklog, Step};

use crate::row::{Case, HTTP_BODY, Row};

/// A pause after which a deadline has passed long before the last byte.
const DRIP: Duration = Duration::from_millis(150);

/// Demands that the evidence begins like this.
fn is_kept(result: &ProbeResult, text: fn(&Hop) -> &String, begin: &str) -> Result<(), String> {
    let found = text(result.evidence.hops.first().ok_or("no evidence")?);
    if found.starts_with(begin) { Ok(()) } else { Err(format!("evidence {found:?}")) }
}

pub(crate) fn rows() -> Vec<Row> {
    [breaks(), slow(), endless()].into_iter().flatten().collect()
}

fn breaks() -> Vec<Row> {
    vec![
        Row::new("20", "a closed port", "connect/refused", || async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            drop(listener);
            Ok(Case::with(probe::Net::for_tests(None, &[]).unwrap(), url, ()))
        }),
        // A full queue swallows packets as a firewall does that drops them.
        Row::new("21", "packets that are swallowed", "connect/timeout", || async {
            let full = FullBacklog::start().await;
            let url = format!("https://{}/", full.address());
            Ok(Case::with(probe::Net::for_tests(None, &[]).unwrap(), url, full))
        })
        .until_the_deadline(),
        Row::new("26", "a full queue of connections", "connect/timeout", || async {
            let full = FullBacklog::start().await;
            let url = format!("http://{}/", full.address());
            Ok(Case::with(probe::Net::for_tests(None, &[]).unwrap(), url, full))
        })
        .until_the_deadline(),
        Row::server(
            "23",
            "a reset at once",
            Behaviour::reset_on_accept(),
            "http/reset or connect/reset",
        ),
        Row::server(
            "24b",
            "a close before the request",
            Behaviour::Script(vec![]),
            "http/no_response",
        ),
        Row::server("24", "a close at once", Behaviour::close_before_answer(), "http/no_response"),
        Row::server(
            "23b",
            "a reset after the request",
            Behaviour::reset_before_answer(),
            "http/reset",
        ),
        Row::server(
            "27",
            "an answer of a server that stopped receiving",
            Behaviour::Script(vec![
                Step::ReadRequest,
                Step::StopReceiving,
                Step::Send(Behaviour::message(200, "", "ok")),
            ]),
            "up",
        ),
        Row::server("28a", "a reset in the body", Behaviour::reset_mid_body(), "body/reset"),
        Row::server("28b", "an end in the body", Behaviour::close_mid_body(), "body/truncated")
            .and(|result| is_kept(result, |hop| &hop.body, "start")),
        Row::server("29", "an end in the head", Behaviour::close_mid_header(), "http/closed").and(
            |result| is_kept(result, |hop| &hop.head, "HTTP/1.1 200 OK\nContent-Type: text/pl"),
        ),
    ]
}

fn slow() -> Vec<Row> {
    vec![
        Row::server("25", "silence", Behaviour::silence(), "http/timeout").until_the_deadline(),
        Row::server("31a", "a head byte by byte", Behaviour::drip_header(DRIP), "http/timeout")
            .until_the_deadline(),
        Row::server("31b", "a body byte by byte", Behaviour::drip_body(DRIP), "body/timeout")
            .until_the_deadline(),
        Row::server("31c", "a stall in the head", Behaviour::stall_mid_header(), "http/timeout")
            .until_the_deadline()
            .and(|result| is_kept(result, |hop| &hop.head, "HTTP/1.1 200 OK\nContent-Ty")),
        Row::server("31d", "a stall in the body", Behaviour::stall_mid_body(), "body/timeout")
            .until_the_deadline(),
        Row::server(
            "32",
            "a body that would end after the deadline",
            Behaviour::Script(vec![
                Step::ReadRequest,
                Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab".to_vec()),
                Step::Drip(b"cdef".to_vec(), DRIP),
            ]),
            "body/timeout",
        )
        .until_the_deadline()
        .and(|result| is_kept(result, |hop| &hop.body, "ab")),
    ]
}

fn endless() -> Vec<Row> {
    vec![
        Row::server("33a", "a body without end", Behaviour::endless_body(), "body/too_large")
            .module(HTTP_BODY),
        Row::server("33b", "chunks without end", Behaviour::endless_chunks(), "body/too_large")
            .module(HTTP_BODY),
        Row::server(
            "33c",
            "a body announced as endless that does not stall",
            Behaviour::endless_announced_body(),
            "body/too_large",
        )
        .module(HTTP_BODY),
        Row::server(
            "34",
            "a body announced as endless that stalls",
            Behaviour::Script(vec![
                Step::ReadRequest,
                Step::Send(
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nok", i64::MAX).into(),
                ),
                Step::Silence,
            ]),
            "body/timeout",
        )
        .until_the_deadline(),
    ]
}
