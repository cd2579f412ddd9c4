//! What an answer is compared with: status, version, body, headers; and what is measured of it.

use testkit::{Behaviour, Server};

use crate::support::{HTTP, Table, run_plain, value, verdict};

#[tokio::test]
async fn status_codes() {
    let mut table = Table::default();
    for (wanted, status, expected) in [
        ("[]", 200, "up"),
        ("[]", 299, "up"),
        ("[]", 300, "check/status"),
        ("[]", 404, "check/status"),
        ("[404]", 404, "up"),
        ("[404]", 200, "check/status"),
        ("[200, 401]", 401, "up"),
        ("[2xx, 401]", 204, "up"),
        ("[2xx, 401]", 402, "check/status"),
        ("[500-503]", 503, "up"),
        ("[500-503]", 504, "check/status"),
    ] {
        let server = Server::start(Behaviour::answer(status, "", "")).await;
        let settings = format!("{{ prober: http, http: {{ valid_status_codes: {wanted} }} }}");
        let row = format!("{status} for {wanted}");
        let result = run_plain(&settings, &server.url("/")).await;
        table.expect(&row, &result, expected);
        table.check(
            &row,
            value(&result, "probe_http_status_code") == Some(f64::from(status)),
            "another status code",
        );
    }
    table.finish();
}

#[tokio::test]
async fn bodies_and_headers() {
    let headers = "Content-Type: text/plain\r\nX-Multi: one\r\nX-Multi: two\r\n";
    let server =
        Server::start(Behaviour::answer(200, headers, "all systems\nnominal: 100%\n")).await;
    let mut table = Table::default();
    for (check, expected) in [
        ("fail_if_body_matches_regexp: [error]", "up"),
        ("fail_if_body_matches_regexp: [error, nominal]", "check/regexp"),
        ("fail_if_body_not_matches_regexp: ['^all', '(?i)NOMINAL: \\d+%']", "up"),
        ("fail_if_body_not_matches_regexp: [all, missing]", "check/regexp"),
        ("fail_if_header_matches: [{ header: content-type, regexp: plain }]", "check/header"),
        ("fail_if_header_matches: [{ header: Content-Type, regexp: html }]", "up"),
        ("fail_if_header_matches: [{ header: X-Multi, regexp: two }]", "check/header"),
        ("fail_if_header_matches: [{ header: X-None, regexp: '.*' }]", "check/header"),
        ("fail_if_header_matches: [{ header: X-None, regexp: '.*', allow_missing: true }]", "up"),
        ("fail_if_header_not_matches: [{ header: Content-Type, regexp: plain }]", "up"),
        ("fail_if_header_not_matches: [{ header: Content-Type, regexp: html }]", "check/header"),
        ("fail_if_header_not_matches: [{ header: X-Multi, regexp: two }]", "up"),
        ("fail_if_header_not_matches: [{ header: X-None, regexp: x }]", "check/header"),
        ("fail_if_header_not_matches: [{ header: X-None, regexp: x, allow_missing: true }]", "up"),
        ("fail_if_ssl: true", "up"),
        ("fail_if_not_ssl: true", "check/not_ssl"),
        ("valid_http_versions: [HTTP/1.1]", "up"),
        ("valid_http_versions: [HTTP/1.0, HTTP/2.0]", "check/http_version"),
    ] {
        let settings = format!("{{ prober: http, http: {{ {check} }} }}");
        let result = run_plain(&settings, &server.url("/")).await;
        table.expect(check, &result, expected);
        let by_regex = value(&result, "probe_failed_due_to_regex").unwrap_or(0.0) > 0.0;
        let wanted = matches!(expected, "check/regexp" | "check/header");
        table.check(check, by_regex == wanted, "probe_failed_due_to_regex is wrong");
    }
    table.finish();
}

#[tokio::test]
async fn bodies_are_bytes() {
    let body = [b"\xff\xfe needle \0 \xc3".as_slice()].concat();
    let mut reply =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend(body);
    let server = Server::start(Behaviour::reply(reply)).await;
    let settings = "{ prober: http, http: { fail_if_body_not_matches_regexp: [needle] } }";
    assert_eq!(verdict(&run_plain(settings, &server.url("/")).await), "up");
}

#[tokio::test]
async fn what_is_measured_of_an_answer() {
    let headers = "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    let server = Server::start(Behaviour::answer(200, headers, "hello")).await;
    let result = run_plain(HTTP, &server.url("/")).await;
    for (metric, expected) in [
        ("probe_http_status_code", 200.0),
        ("probe_http_version", 1.1),
        ("probe_http_redirects", 0.0),
        ("probe_http_ssl", 0.0),
        ("probe_http_content_length", 5.0),
        ("probe_http_uncompressed_body_length", 5.0),
        ("probe_http_last_modified_timestamp_seconds", 1_445_412_480.0),
        ("probe_ip_protocol", 4.0),
    ] {
        assert_eq!(value(&result, metric), Some(expected), "{metric}");
    }
    for metric in
        ["probe_ssl_earliest_cert_expiry", "probe_ssl_not_before", "probe_tls_version_info"]
    {
        assert_eq!(value(&result, metric), None, "{metric}");
    }

    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLast-Modified: soon\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let server = Server::start(Behaviour::reply(chunks)).await;
    let result = run_plain(HTTP, &server.url("/")).await;
    assert_eq!(verdict(&result), "up");
    assert_eq!(value(&result, "probe_http_content_length"), Some(-1.0));
    assert_eq!(value(&result, "probe_http_uncompressed_body_length"), Some(7.0));
    assert_eq!(value(&result, "probe_http_last_modified_timestamp_seconds"), None);
}

#[tokio::test]
async fn a_failed_answer_is_measured_too() {
    let server = Server::start(Behaviour::close_mid_body()).await;
    let result = run_plain(HTTP, &server.url("/")).await;
    assert_eq!(verdict(&result), "body/truncated");
    assert_eq!(value(&result, "probe_http_status_code"), Some(200.0));
    assert_eq!(value(&result, "probe_http_content_length"), Some(1000.0));
}
