//! Connections that break, stall or never end: rows 20 to 34.
//!
//! Must not know what is spoken over a connection that works.

use std::time::Duration;

use testkit::{Behaviour, Step};

use crate::row::{Case, HTTP_BODY, Row};

/// A pause after which a deadline has passed long before the last byte.
const DRIP: Duration = Duration::from_millis(150);

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("20", "a closed port", "connect/refused", || async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            drop(listener);
            Ok(Case::with(probe::Net::for_tests(None, &[]).unwrap(), url, ()))
        }),
        Row::server(
            "23",
            "a reset at once",
            Behaviour::reset_on_accept(),
            "http/reset or connect/reset",
        ),
        Row::server("24", "a close at once", Behaviour::close_before_answer(), "http/no_response"),
        Row::server("25", "silence", Behaviour::silence(), "http/timeout").until_the_deadline(),
        Row::server("28a", "a reset in the body", Behaviour::reset_mid_body(), "body/reset"),
        Row::server("28b", "an end in the body", Behaviour::close_mid_body(), "body/truncated")
            .and(|result| {
                let hop = result.evidence.hops.first().ok_or("no evidence")?;
                if hop.body == "start" {
                    Ok(())
                } else {
                    Err(format!("evidence of {:?}", hop.body))
                }
            }),
        Row::server("29", "an end in the head", Behaviour::close_mid_header(), "http/closed"),
        Row::server("31a", "a head byte by byte", Behaviour::drip_header(DRIP), "http/timeout")
            .until_the_deadline(),
        Row::server("31b", "a body byte by byte", Behaviour::drip_body(DRIP), "body/timeout")
            .until_the_deadline(),
        Row::server("33a", "a body without end", Behaviour::endless_body(), "body/too_large")
            .module(HTTP_BODY),
        Row::server("33b", "chunks without end", Behaviour::endless_chunks(), "body/too_large")
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
