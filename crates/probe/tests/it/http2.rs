//! HTTP/2: agreed upon by ALPN, and only when the module wants it.

use probe::Net;
use testkit::{
    Behaviour, Certificates, Frames, Leaf, Server, Step, TlsSettings, frames::END_STREAM,
};

use crate::support::{HTTP, LONG, Table, run, value};

#[tokio::test]
async fn the_version_is_what_both_sides_want() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let without = "{ prober: http, http: { enable_http2: false } }";
    let only = "{ prober: http, http: { valid_http_versions: [HTTP/2.0] } }";
    let mut table = Table::default();
    for (settings, alpn, expected, version) in [
        (HTTP, vec!["h2", "http/1.1"], "up", Some(2.0)),
        (HTTP, vec!["h2"], "up", Some(2.0)),
        (HTTP, vec!["http/1.1"], "up", Some(1.1)),
        (HTTP, vec![], "up", Some(1.1)),
        (without, vec!["h2", "http/1.1"], "up", Some(1.1)),
        (only, vec!["h2"], "up", Some(2.0)),
        (only, vec!["http/1.1"], "check/http_version", Some(1.1)),
        (HTTP, vec!["acme-tls/1"], "tls/alpn", None),
    ] {
        let row = format!("{settings} with {alpn:?}");
        let settings_of_server = TlsSettings { alpn, ..TlsSettings::default() };
        let acceptor = certificates.acceptor_with(Leaf::Good, &settings_of_server);
        let server =
            Server::start_tls(acceptor, Behaviour::Http { status: 200, body: "hello".to_owned() })
                .await;
        let result = run(&net, settings, &server.url("/"), LONG).await;
        table.expect(&row, &result, expected);
        let found = value(&result, "probe_http_version").filter(|version| *version > 0.0);
        table.check(&row, found == version, &format!("version {found:?}, not {version:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn an_answer_over_http2_is_checked_like_any_other() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let h2 = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let behaviour = Behaviour::Http { status: 503, body: "down for repair".to_owned() };
    let server = Server::start_tls(certificates.acceptor_with(Leaf::Good, &h2), behaviour).await;
    let mut table = Table::default();
    for (settings, expected) in [
        (HTTP, "check/status"),
        ("{ prober: http, http: { valid_status_codes: [503] } }", "up"),
        (
            "{ prober: http, http: { valid_status_codes: [503], fail_if_body_matches_regexp: [repair] } }",
            "check/regexp",
        ),
        (
            "{ prober: http, http: { valid_status_codes: [503], body_size_limit: 3B } }",
            "body/too_large",
        ),
    ] {
        table.expect(
            settings,
            &run(&net, settings, &server.url("/path?x=1"), LONG).await,
            expected,
        );
    }
    table.finish();
    let received = server.last_received();
    let authority = format!("127.0.0.1:{}/path?x=1", server.address().port());
    assert!(received.starts_with("GET ") && received.contains(&authority), "{received}");
}

#[tokio::test]
async fn names_are_in_lower_case_and_the_evidence_shows_them_so() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let h2 = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let behaviour = Behaviour::Http { status: 200, body: String::new() };
    let server = Server::start_tls(certificates.acceptor_with(Leaf::Good, &h2), behaviour).await;
    let settings =
        "{ prober: http, http: { method: POST, headers: { X-Api-Key: hunter2, Accept: a/b } } }";
    let result = run(&net, settings, &server.url("/path?x=1"), LONG).await;
    let expected = format!(
        ":method: POST\n:scheme: https\n:authority: {}\n:path: /path?x=1\nuser-agent: webservice-monitor/{}\n\
         content-length: 0\naccept: a/b\nx-api-key: <secret>\n",
        server.address(),
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(result.evidence.hops[0].request, expected, "{result:?}");
}

#[tokio::test]
async fn an_answer_that_has_no_body_has_none_whatever_comes() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let h2 = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let frames = |status, end| {
        let head = [(":status", status), ("content-length", "5")];
        Frames::settings().headers(end, &head)
    };
    let head = "{ prober: http, http: { method: HEAD, valid_status_codes: [200, 404] } }";
    let limited = "{ prober: http, http: { method: HEAD, body_size_limit: 2B } }";
    let get = "{ prober: http, http: { valid_status_codes: [200, 204, 304] } }";
    let mut table = Table::default();
    for (name, settings, frames, length) in [
        ("HEAD", head, frames("200", END_STREAM), 5.0),
        ("HEAD of an error", head, frames("404", END_STREAM), 5.0),
        ("HEAD above the limit", limited, frames("200", END_STREAM), 5.0),
        ("HEAD and an end", head, frames("200", 0).data(END_STREAM, b""), 5.0),
        ("HEAD and no end", head, frames("200", 0), 5.0),
        ("HEAD and a body", head, frames("200", 0).data(END_STREAM, b"hello"), 5.0),
        ("HEAD and half a body", head, frames("200", 0).data(0, b"he"), 5.0),
        ("304", get, frames("304", END_STREAM), 0.0),
        ("304 and an end", get, frames("304", 0).data(END_STREAM, b""), 0.0),
        ("204 and a body", get, frames("204", 0).data(END_STREAM, b"hello"), 0.0),
    ] {
        let acceptor = certificates.acceptor_with(Leaf::Good, &h2);
        let server = Server::start_tls(acceptor, frames.reply([Step::Silence])).await;
        let result = run(&net, settings, &server.url("/"), LONG).await;
        table.expect(name, &result, "up");
        for (metric, expected) in
            [("probe_http_content_length", length), ("probe_http_uncompressed_body_length", 0.0)]
        {
            let found = value(&result, metric);
            table.check(name, found == Some(expected), &format!("{metric} is {found:?}"));
        }
    }
    table.finish();
}

#[tokio::test]
async fn what_other_clients_send_again_is_one_attempt() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let h2 = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
    let mut table = Table::default();
    for (name, frames, expected) in [
        ("graceful GOAWAY", Frames::settings().goaway(0, 0), "http/h2_goaway"),
        ("REFUSED_STREAM", Frames::settings().reset(7), "http/h2_reset"),
    ] {
        let acceptor = certificates.acceptor_with(Leaf::Good, &h2);
        let server = Server::start_tls(acceptor, frames.reply([Step::Silence])).await;
        table.expect(name, &run(&net, HTTP, &server.url("/"), LONG).await, expected);
        table.check(name, server.connections() == 1, "a probe is one attempt");
    }
    table.finish();
}
