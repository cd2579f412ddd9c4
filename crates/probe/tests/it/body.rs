//! Bodies: their lengths, their hash, and what JSON in them is held against.
//!
//! Must not know how a body is decoded: the tests of that stand where it is done.

use testkit::{Behaviour, Server};

use crate::support::{Table, run_plain, value};

const HEALTH: &str =
    r#"{ "status": "ok", "queue": { "length": 3 }, "items": [{ "id": 1 }, { "id": 2 }] }"#;

fn http(keys: &str) -> String {
    format!("{{ prober: http, http: {{ {keys} }} }}")
}

#[tokio::test]
async fn json_is_held_against_pointers_and_expressions() {
    let mut table = Table::default();
    let health = Server::start(Behaviour::answer(200, "", HEALTH)).await;
    let page = Server::start(Behaviour::answer(200, "", "<html>ok</html>")).await;
    for (keys, expected, due_to_cel) in [
        (
            "fail_if_body_json_not_matches: [{ pointer: /status, equals: ok }, { pointer: /queue/length, max: 3 }]",
            "up",
            None,
        ),
        (
            "fail_if_body_json_not_matches: [{ pointer: /status, equals: ok }, { pointer: /queue/length, max: 2 }]",
            "check/json",
            None,
        ),
        (
            r#"fail_if_body_json_not_matches_cel: "body.status == 'ok' && body.items.all(i, i.id > 0)""#,
            "up",
            Some(0.0),
        ),
        ("fail_if_body_json_matches_cel: body.queue.length > 2.0", "check/json", Some(1.0)),
        (
            "fail_if_body_json_matches_cel: body.queue.length > 3, fail_if_body_json_not_matches_cel: body.status == 'ok'",
            "up",
            Some(0.0),
        ),
        (
            "fail_if_body_json_matches_cel: body.queue.length > 3, fail_if_body_json_not_matches_cel: body.status == 'down'",
            "check/json",
            Some(1.0),
        ),
        ("fail_if_body_json_matches_cel: body.nothing", "check/json", Some(1.0)),
        ("fail_if_body_json_matches_cel: body.status", "check/json", Some(1.0)),
        // What failed before is not for the expression to judge.
        (
            "valid_status_codes: [204], fail_if_body_json_matches_cel: 'true'",
            "check/status",
            Some(0.0),
        ),
        (
            "fail_if_body_matches_regexp: [ok], fail_if_body_json_matches_cel: 'true'",
            "check/regexp",
            Some(0.0),
        ),
    ] {
        let result = run_plain(&http(keys), &health.url("/")).await;
        table.expect(keys, &result, expected);
        let found = value(&result, "probe_failed_due_to_cel");
        table.check(keys, found == due_to_cel, &format!("failed due to CEL: {found:?}"));
    }
    for keys in [
        "fail_if_body_json_not_matches: [{ pointer: /status, exists: false }]",
        "fail_if_body_json_matches_cel: 'false'",
    ] {
        table.expect(keys, &run_plain(&http(keys), &page.url("/")).await, "check/json");
    }
    table.finish();
}

#[tokio::test]
async fn lengths_and_the_hash_are_reported() {
    let mut table = Table::default();
    let hash = "body_hash: true";
    // SHA-256 of \"abc\" begins with ba7816bf8f01 (FIPS 180-4).
    let known = Some(205_024_940_494_593.0);
    for (name, answer, method, length, content_length, expected) in [
        ("plain", Behaviour::answer(200, "", "abc"), "GET", 3.0, 3.0, known),
        (
            "chunked",
            Behaviour::reply(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            ),
            "GET",
            3.0,
            -1.0,
            known,
        ),
        ("to the end", Behaviour::reply("HTTP/1.1 200 OK\r\n\r\nabc"), "GET", 3.0, -1.0, known),
        ("no content", Behaviour::reply("HTTP/1.1 204 No Content\r\n\r\n"), "GET", 0.0, 0.0, None),
        (
            "head",
            Behaviour::reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            "HEAD",
            0.0,
            9.0,
            None,
        ),
    ] {
        let server = Server::start(answer).await;
        let keys = format!("method: {method}, {hash}");
        let result = run_plain(&http(&keys), &server.url("/")).await;
        table.expect(name, &result, "up");
        for (metric, wanted) in [
            ("probe_http_uncompressed_body_length", length),
            ("probe_http_content_length", content_length),
        ] {
            let found = value(&result, metric);
            table.check(name, found == Some(wanted), &format!("{metric} is {found:?}"));
        }
        let found = value(&result, "probe_http_body_hash");
        let right = expected.map_or(found.is_some(), |_| found == expected);
        table.check(name, right, &format!("the hash is {found:?}"));
    }
    let server = Server::start(Behaviour::close_mid_body()).await;
    let result = run_plain(&http(hash), &server.url("/")).await;
    table.expect("cut off", &result, "body/truncated");
    let found = value(&result, "probe_http_body_hash");
    table.check("cut off", found.is_none(), "a hash of half a body");
    table.finish();
}

#[tokio::test]
async fn what_cannot_be_read_is_not_what_was_wanted_and_counts_as_far_as_the_limit() {
    let mut table = Table::default();
    let hello = || Behaviour::answer(200, "", "hello, world");
    let pattern = "fail_if_body_not_matches_regexp: [hello]";
    let cel = "fail_if_body_json_not_matches_cel: body == 1";
    let until_the_end = || Behaviour::reply("HTTP/1.1 200 OK\r\n\r\nhello, world");
    for (keys, answer, expected, length, due_to) in [
        (pattern.to_owned(), Behaviour::close_mid_body(), "body/truncated", None, [true, false]),
        (cel.to_owned(), Behaviour::close_mid_body(), "body/truncated", None, [false, true]),
        (
            format!("{pattern}, {cel}"),
            Behaviour::close_mid_body(),
            "body/truncated",
            None,
            [true, false],
        ),
        (String::new(), Behaviour::close_mid_body(), "body/truncated", None, [false, false]),
        (
            format!("{pattern}, valid_status_codes: [404]"),
            Behaviour::close_mid_body(),
            "check/status",
            None,
            [false, false],
        ),
        (
            format!("{pattern}, body_size_limit: 5B"),
            hello(),
            "body/too_large",
            Some(5.0),
            [true, false],
        ),
        ("body_size_limit: 5B".to_owned(), hello(), "body/too_large", Some(5.0), [false, false]),
        (
            "body_size_limit: 5B".to_owned(),
            until_the_end(),
            "body/too_large",
            Some(5.0),
            [false, false],
        ),
        (
            "body_size_limit: 5B, valid_status_codes: [404]".to_owned(),
            hello(),
            "check/status",
            Some(5.0),
            [false, false],
        ),
        ("body_size_limit: 12B".to_owned(), hello(), "up", Some(12.0), [false, false]),
        ("body_size_limit: 12B".to_owned(), until_the_end(), "up", Some(12.0), [false, false]),
    ] {
        let server = Server::start(answer).await;
        let result = run_plain(&http(&keys), &server.url("/")).await;
        table.expect(&keys, &result, expected);
        let found = value(&result, "probe_http_uncompressed_body_length");
        table.check(&keys, length.is_none() || found == length, &format!("{found:?} bytes"));
        let metrics = ["probe_failed_due_to_regex", "probe_failed_due_to_cel"];
        let found = metrics.map(|metric| value(&result, metric) == Some(1.0));
        table.check(&keys, found == due_to, &format!("due to a pattern, to CEL: {found:?}"));
    }
    table.finish();
}
