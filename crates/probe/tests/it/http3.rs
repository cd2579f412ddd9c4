//! HTTP/3: what a real server answers, and every way in which a connection or an answer can break.
//!
//! Servers that break the protocol write its frames by hand (RFC 9114 §7, RFC 9204 §4.5).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes};
use probe::Net;
use quinn::{Endpoint, Incoming, VarInt, crypto::rustls::QuicServerConfig};
use testkit::{Certificates, Leaf, TlsSettings};
use tokio::{net::UdpSocket, task::JoinSet};

use crate::support::{LONG, SHORT, Table, label, phases, run, value, verdict};

const HTTP3: &str = "{ prober: http, http: { enable_http3: true, enable_http2: false } }";

/// `:status: 200` alone in a header block, and the same with a `content-length` of 5.
const HEAD_200: &[u8] = &[1, 3, 0, 0, 0xd9];
const HEAD_200_OF_5: &[u8] = &[1, 6, 0, 0, 0xd9, 0x54, 1, b'5'];

/// The status 103 in a header block.
const HEAD_103: &[u8] = &[1, 3, 0, 0, 0xd8];

/// `hello` as a frame of data.
const HELLO: &[u8] = &[0, 5, b'h', b'e', b'l', b'l', b'o'];

/// What a server does with a connection, or with its first request.
#[derive(Clone, Debug)]
enum Act {
    /// Sends a packet that says that connections are not wanted.
    Refuse,
    /// Never answers.
    Ignore,
    /// Wants to see that the client is where it says.
    Retry,
    /// Closes its socket once the connection is open.
    Vanish,
    /// Closes the connection, before any request, with an error of HTTP/3.
    Close(u32),
    /// Opens a stream of its own with these bytes.
    Open(Vec<u8>),
    /// Reads the request, then takes the steps.
    Answer(Vec<Step>),
    /// Answers as a server of HTTP/3 does.
    Serve,
}

/// A part of an answer.
#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Finish,
    Reset(u32),
    CloseConnection(u32),
}

/// A server on the loopback address; it stops when it is dropped.
struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    fn start(certificates: &Certificates, leaf: Leaf, alpn: &'static str, act: Act) -> Self {
        let settings = TlsSettings { alpn: vec![alpn], ..TlsSettings::default() };
        Self::start_with(certificates, leaf, &settings, act)
    }

    fn start_with(
        certificates: &Certificates,
        leaf: Leaf,
        settings: &TlsSettings,
        act: Act,
    ) -> Self {
        let acceptor = certificates.acceptor_with(leaf, settings);
        let tls = QuicServerConfig::try_from(Arc::clone(acceptor.config())).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
        let endpoint = Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = endpoint.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(incoming) = endpoint.accept().await {
                connections.spawn(serve(endpoint.clone(), incoming, act.clone()));
            }
        });
        Self { address, _tasks: tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

/// A connection that breaks is what these tests are about, so that no error is looked at.
async fn serve(endpoint: Endpoint, incoming: Incoming, act: Act) {
    match act {
        Act::Refuse => return incoming.refuse(),
        Act::Ignore => return incoming.ignore(),
        Act::Retry if !incoming.remote_address_validated() => return incoming.retry().unwrap(),
        _ => {}
    }
    let Ok(connection) = incoming.await else { return };
    let mut own = None;
    match act {
        Act::Vanish => {
            // The socket before the last one is kept for what is still on its way.
            for _ in 0..2 {
                endpoint.rebind(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
            }
        }
        Act::Close(code) => connection.close(VarInt::from_u32(code), b"said why"),
        Act::Open(bytes) => {
            let Ok(mut stream) = connection.open_uni().await else { return };
            let _gone = stream.write_all(&bytes).await;
            own = Some(stream);
        }
        Act::Answer(steps) => {
            let Ok((mut send, mut receive)) = connection.accept_bi().await else { return };
            let _request = receive.read_to_end(1 << 20).await;
            for step in steps {
                match step {
                    Step::Send(bytes) => drop(send.write_all(&bytes).await),
                    Step::Finish => drop(send.finish()),
                    Step::Reset(code) => drop(send.reset(VarInt::from_u32(code))),
                    Step::CloseConnection(code) => {
                        connection.close(VarInt::from_u32(code), b"said why");
                    }
                }
            }
            connection.closed().await;
        }
        _ => drop(answer(connection.clone()).await),
    }
    connection.closed().await;
    drop(own);
}

/// Redirects `/from` to `/to`, and answers everything else with what was asked.
async fn answer(connection: quinn::Connection) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = h3::server::Connection::new(h3_quinn::Connection::new(connection)).await?;
    while let Some(resolver) = server.accept().await? {
        let (request, mut stream) = resolver.resolve_request().await?;
        let mut body = Vec::new();
        while let Some(mut data) = stream.recv_data().await? {
            body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        let response = http::Response::builder().header("server", "here");
        let (response, text) = match request.uri().path() {
            "/from" => (response.status(302).header("location", "/to"), String::new()),
            "/down" => {
                (response.status(302).header("location", "http://127.0.0.1/"), String::new())
            }
            _ => {
                let name = request.headers().get("x-name").map(|value| value.to_str().unwrap());
                let text = format!(
                    "{} {} {name:?} {}",
                    request.method(),
                    request.uri(),
                    String::from_utf8(body)?
                );
                (response.status(200).header("content-length", text.len()), text)
            }
        };
        stream.send_response(response.body(())?).await?;
        if *request.method() != http::Method::HEAD {
            stream.send_data(Bytes::from(text)).await?;
        }
        stream.finish().await?;
    }
    Ok(())
}

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
