//! Bodies without end, and limits of the module. What each broken answer is called is in the catalogue beside this.

use std::time::Duration;

use testkit::{Behaviour, Server};

use crate::support::{HTTP, LONG, Table, plain_net, run, run_plain, value, verdict};

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
async fn who_does_not_look_at_the_body_is_content_with_as_much_as_is_ever_read() {
    for (name, behaviour) in [
        ("body", Behaviour::endless_body()),
        ("chunks", Behaviour::endless_chunks()),
        ("announced body", Behaviour::endless_announced_body()),
    ] {
        let server = Server::start(behaviour).await;
        let result = run_plain(HTTP, &server.url("/")).await;
        assert_eq!(verdict(&result), "up", "{name}");
        let length = value(&result, "probe_http_uncompressed_body_length").unwrap();
        assert!((10.0 * MIB..11.0 * MIB).contains(&length), "{name}: {length} bytes");
    }
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
async fn a_broken_connection_is_not_tried_again() {
    let challenge = Behaviour::answer(401, "WWW-Authenticate: Negotiate\r\n", "");
    let rows = vec![
        ("reset before the answer", Behaviour::reset_before_answer(), "http/reset"),
        ("closed before the answer", Behaviour::close_before_answer(), "http/no_response"),
        ("a challenge", challenge, "check/status"),
    ];
    run_table(LONG, HTTP, rows).await;
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
