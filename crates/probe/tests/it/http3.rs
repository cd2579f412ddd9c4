//! HTTP/3: what a real server answers, what is no server of it, and every way in which an answer can break.

mod broken;
mod server;

use std::time::Duration;

use probe::Net;
use testkit::{Certificates, Leaf, TlsSettings};
use tokio::{net::UdpSocket, task::JoinSet};

use self::server::{Act, Server};
use crate::support::{LONG, SHORT, Table, label, phases, run, value, verdict};

const HTTP3: &str = "{ prober: http, http: { enable_http3: true, enable_http2: false } }";

fn net(certificates: &Certificates) -> Net {
    Net::for_tests(None, &[certificates.authority()]).expect("a network that trusts the authority")
}

fn with(keys: &str) -> String {
    format!("{{ prober: http, http: {{ enable_http3: true, enable_http2: false, {keys} }} }}")
}

#[tokio::test]
async fn a_server_is_asked_and_measured() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let server = Server::start(&certificates, Leaf::Good, "h3", Act::Serve);
    let result = run(&net, HTTP3, &server.url("/path?query"), LONG).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    let text = format!("GET https://{}/path?query None ", server.address);
    for (metric, expected) in [
        ("probe_http_version", 3.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_ssl", 1.0),
        ("probe_http_uncompressed_body_length", f64::from(u8::try_from(text.len()).unwrap())),
        ("probe_ip_protocol", 4.0),
        ("probe_ssl_earliest_cert_expiry", 2_493_072_000.0),
    ] {
        assert_eq!(value(&result, metric), Some(expected), "{metric}");
    }
    assert_eq!(label(&result, "probe_tls_version_info", "version").as_deref(), Some("TLS 1.3"));
    let phases = phases(&result);
    let time = |name: &str| phases.iter().find(|(phase, _)| phase == name).unwrap().1;
    assert_eq!(Some(time("connect")), Some(0.0));
    assert!(time("tls") > 0.0 && time("processing") > 0.0 && time("transfer") > 0.0, "{phases:?}");
    let [hop] = result.evidence.hops.as_slice() else { panic!("{:?}", result.evidence) };
    assert_eq!(hop.peer, Some(server.address));
    assert!(hop.head.starts_with("HTTP/3.0 200 OK\nserver: here\n"), "{}", hop.head);
    assert_eq!(hop.body, text);
}

#[tokio::test]
async fn requests_redirects_and_expectations_are_those_of_the_module() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let server = Server::start(&certificates, Leaf::Good, "h3", Act::Serve);
    let post = "method: POST, body: \"the body\", headers: { X-Name: value }, fail_if_body_not_matches_regexp: ['^POST .*/post Some\\(.value.\\) the body$']";
    let mut table = Table::default();
    for (settings, target, expected) in [
        (with(post), server.url("/post"), "up"),
        (with("method: HEAD"), server.url("/"), "up"),
        (with("fail_if_body_not_matches_regexp: ['/to None']"), server.url("/from"), "up"),
        (with("valid_status_codes: [302], follow_redirects: false"), server.url("/from"), "up"),
        (with("valid_http_versions: [HTTP/3.0]"), server.url("/"), "up"),
        (with("valid_status_codes: [404]"), server.url("/"), "check/status"),
        (with("fail_if_body_matches_regexp: [GET]"), server.url("/"), "check/regexp"),
        (with("body_size_limit: 10B"), server.url("/"), "body/too_large"),
        // There is no HTTP/3 without TLS.
        (with(""), server.url("/").replace("https", "http"), "up"),
        (with(""), server.url("/down"), "redirect/denied_scheme"),
        (with("all_addresses: true"), server.url("/"), "up"),
        (with("source_ip_address: 127.0.0.9"), server.url("/"), "up"),
        (with("source_ip_address: 192.0.2.1"), server.url("/"), "fault internal/config"),
    ] {
        table.expect(
            &format!("{target} with {settings}"),
            &run(&net, &settings, &target, LONG).await,
            expected,
        );
    }
    table.finish();
}

#[tokio::test]
async fn every_certificate_has_its_verdict_and_its_expiry() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let mut table = Table::default();
    for (leaf, expected) in [
        (Leaf::WithIntermediate, "up"),
        (Leaf::Expired, "tls/expired"),
        (Leaf::NotYetValid, "tls/not_yet_valid"),
        (Leaf::WrongName, "tls/name_mismatch"),
        (Leaf::SelfSigned, "tls/self_signed"),
        (Leaf::Untrusted, "tls/untrusted"),
        (Leaf::MissingIntermediate, "tls/incomplete_chain"),
    ] {
        let server = Server::start(&certificates, leaf, "h3", Act::Serve);
        let row = format!("{leaf:?}");
        let result = run(&net, HTTP3, &server.url("/"), LONG).await;
        table.expect(&row, &result, expected);
        let expiry = value(&result, "probe_ssl_earliest_cert_expiry");
        table.check(&row, expiry.is_some(), "no expiry");
        let unchecked = with("tls_config: { insecure_skip_verify: true }");
        table.expect(&row, &run(&net, &unchecked, &server.url("/"), LONG).await, "up");
    }
    table.finish();
}

#[tokio::test]
async fn handshakes_that_fail() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let mut table = Table::default();
    let wants_one = TlsSettings {
        alpn: vec!["h3"],
        demands_client_certificate: true,
        ..TlsSettings::default()
    };
    let h3 = TlsSettings { alpn: vec!["h3"], ..TlsSettings::default() };
    let hq = TlsSettings { alpn: vec!["hq-interop"], ..TlsSettings::default() };
    for (settings, act, timeout, expected) in [
        (&wants_one, Act::Serve, LONG, "tls/client_cert"),
        (&hq, Act::Serve, LONG, "tls/alpn"),
        (&h3, Act::Refuse, LONG, "connect/refused"),
        (&h3, Act::Ignore, SHORT, "connect/timeout"),
        (&h3, Act::Retry, LONG, "up"),
    ] {
        let server = Server::start_with(&certificates, Leaf::Good, settings, act.clone());
        let row = format!("{act:?} with {settings:?}");
        table.expect(&row, &run(&net, HTTP3, &server.url("/"), timeout).await, expected);
    }
    table.finish();
}

/// What is sent in answer to a datagram.
type Reply = fn(&[u8]) -> Vec<u8>;

/// A datagram that says that only an unknown version is spoken (RFC 9000 §17.2.1), in answer to another one.
fn version_negotiation(initial: &[u8]) -> Vec<u8> {
    let identifier = |at: usize| &initial[at..=at + usize::from(initial[at])];
    let destination = identifier(5);
    let source = identifier(5 + destination.len());
    [&[0x80, 0, 0, 0, 0], source, destination, &[0xde, 0xad, 0xbe, 0xef]].concat()
}

#[tokio::test]
async fn what_is_no_server_of_quic() {
    let net = Net::for_tests(None, &[]).unwrap();
    let mut table = Table::default();
    for (name, reply, timeout, expected) in [
        ("a server without a common version", version_negotiation as Reply, LONG, "tls/version"),
        ("garbage", |_| vec![0xff; 100], SHORT, "tls/timeout"),
        ("an echo", <[u8]>::to_vec, SHORT, "tls/timeout"),
    ] {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = format!("https://{}/", socket.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let _lost = socket.send_to(&reply(&buffer[..length]), from).await;
            }
        });
        table.expect(name, &run(&net, HTTP3, &target, timeout).await, expected);
    }
    // Nobody is there, which the system reports at once.
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = run(&net, HTTP3, &format!("https://{closed}/"), LONG).await;
    table.expect("a closed port", &result, "connect/refused");
    table.check("a closed port", result.elapsed < Duration::from_secs(5), "not reported at once");
    table.expect(
        "port 0",
        &run(&net, HTTP3, "https://127.0.0.1:0/", LONG).await,
        "connect/refused or connect/unreachable",
    );
    table.finish();
}
