//! Handshakes that break, stall or never end, and what comes after them: rows 92 to 100.
//!
//! Must not know certificates with faults.

use std::{future::Future, sync::Arc, time::Duration};

use probe::{Net, ProbeResult, Warning};
use testkit::{Behaviour, Certificates, Leaf, Server, Step, TlsSettings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::server::TlsStream;

use crate::row::{Case, Row};

/// A whole answer, and one without an announced length.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OPEN_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nok";

/// How often servers do what they may do once.
const FLOOD: usize = 1000;

pub(crate) fn rows() -> Vec<Row> {
    let certificates = Arc::new(Certificates::new());
    let mut rows = bare();
    rows.extend(refusals());
    rows.extend(agreements(&certificates));
    rows.extend(afterwards(&certificates));
    rows
}

/// A server of bare bytes where a TLS server is expected.
fn raw(number: &'static str, name: &'static str, steps: Vec<Step>, expected: &'static str) -> Row {
    Row::new(number, name, expected, move || {
        let behaviour = Behaviour::Script(steps.clone());
        async move {
            let server = Server::start(behaviour).await;
            let net = Net::for_tests(None, &[]).expect("a network for tests");
            Ok(Case::with(net, server.url_as("https", "127.0.0.1", "/"), server))
        }
    })
}

/// Reads the greeting and answers with these bytes.
fn answers(bytes: &[u8]) -> Vec<Step> {
    vec![Step::ReadSome, Step::Send(bytes.to_vec()), Step::ReadSome]
}

/// Reads the greeting and answers with this record for ever.
fn repeats(record: &[u8]) -> Vec<Step> {
    vec![Step::ReadSome, Step::Repeat(record.repeat(100))]
}

fn alert(description: u8) -> Vec<Step> {
    answers(&[0x15, 3, 3, 0, 2, 2, description])
}

/// Whether the outcome says these words.
fn says(words: &'static str) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let text = format!("{:?}", result.outcome);
        if text.contains(words) { Ok(()) } else { Err(format!("{words:?} is not in {text}")) }
    }
}

fn bare() -> Vec<Row> {
    let hello = vec![0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3];
    let drip =
        Step::Drip(vec![0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3, 3], Duration::from_millis(100));
    vec![
        raw("91a", "an unknown name", alert(112), "tls/unrecognized_name"),
        raw("94a", "silence", vec![Step::Silence], "tls/timeout").until_the_deadline(),
        raw(
            "94b",
            "silence after the beginning of an answer",
            vec![Step::ReadSome, Step::Send(hello.clone()), Step::Silence],
            "tls/timeout",
        )
        .until_the_deadline(),
        raw("94c", "a byte each 100 ms", vec![Step::ReadSome, drip, Step::Silence], "tls/timeout")
            .until_the_deadline(),
        raw("95a", "a close after the greeting", vec![Step::ReadSome], "tls/closed"),
        raw(
            "95b",
            "a close within a record",
            vec![Step::ReadSome, Step::Send(hello)],
            "tls/closed",
        ),
        raw("95c", "a reset after the greeting", vec![Step::ReadSome, Step::Reset], "tls/reset"),
        raw(
            "96a",
            "HTTP",
            answers(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            "tls/not_tls",
        )
        .and(says("HTTP/1.1")),
        raw("96b", "garbage", answers(&[0xde, 0xad, 0xbe, 0xef]), "tls/not_tls"),
        raw("96c", "SSH", answers(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "tls/not_tls")
            .and(says("SSH-2.0")),
    ]
}

/// Alerts, and records that break the rules.
fn refusals() -> Vec<Row> {
    // A handshake message of 16 MiB in records of 16 KiB (RFC 8446 §4 and §5.1).
    let mut giant = vec![0x16, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff];
    giant.resize(5 + 0x4000, 0);
    let part = [vec![0x16, 3, 3, 0x40, 0], vec![0; 0x4000]].concat();
    vec![
        raw("97a", "handshake_failure", alert(40), "tls/no_common_params")
            .and(says("handshake_failure (40)")),
        raw("97b", "protocol_version", alert(70), "tls/version").and(says("protocol_version (70)")),
        raw("97c", "internal_error", alert(80), "tls/alert").and(says("internal_error (80)")),
        raw("97d", "an alert that nobody knows", alert(200), "tls/alert").and(says("(200)")),
        raw("97e", "no_application_protocol", alert(120), "tls/alpn"),
        raw("97f", "bad_certificate, unasked", alert(42), "tls/alert"),
        raw(
            "98a",
            "warnings without end",
            repeats(&[0x15, 3, 3, 0, 2, 1, 90]),
            "tls/violation or tls/alert",
        ),
        raw("98b", "empty records without end", repeats(&[0x16, 3, 3, 0, 0]), "tls/violation"),
        raw(
            "98c",
            "ChangeCipherSpec without end",
            repeats(&[0x14, 3, 3, 0, 1, 1]),
            "tls/violation",
        ),
        raw(
            "98d",
            "a handshake message of 16 MiB",
            vec![Step::ReadSome, Step::Send(giant), Step::Repeat(part)],
            "tls/violation",
        ),
        raw(
            "98e",
            "an empty ServerHello",
            answers(&[0x16, 3, 3, 0, 4, 2, 0, 0, 0]),
            "tls/violation",
        ),
    ]
}

/// What the two sides do not agree upon.
fn agreements(certificates: &Arc<Certificates>) -> Vec<Row> {
    let row = |number, name, expected, settings: TlsSettings| {
        let certificates = Arc::clone(certificates);
        Row::new(number, name, expected, move || {
            let (certificates, settings) = (Arc::clone(&certificates), settings.clone());
            async move {
                let acceptor = certificates.acceptor_with(Leaf::Good, &settings);
                let server = Server::start_tls(acceptor, Behaviour::answer(200, "", "ok")).await;
                let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
                Ok(Case::with(net, server.url("/"), server))
            }
        })
    };
    let demanding = |only_tls12| TlsSettings {
        demands_client_certificate: true,
        only_tls12,
        ..TlsSettings::default()
    };
    let (certificate, key) = (certificates.file("client.pem"), certificates.file("client.key"));
    let own = format!(
        "{{ prober: http, http: {{ tls_config: {{ cert_file: \"{}\", key_file: \"{}\" }} }} }}",
        certificate.display(),
        key.display()
    );
    vec![
        row("92a", "a client certificate", "tls/client_cert", demanding(false)),
        row("92b", "a client certificate, TLS 1.2", "tls/client_cert", demanding(true)),
        row("92e", "a client certificate that we have", "up", demanding(false)).module(own),
        row(
            "93",
            "other protocols",
            "tls/alpn",
            TlsSettings { alpn: vec!["imap"], ..TlsSettings::default() },
        ),
        row(
            "100a",
            "100 tickets",
            "up",
            TlsSettings { tickets: Some(100), ..TlsSettings::default() },
        ),
        row(
            "100b",
            "tickets without end",
            "up or tls/violation",
            TlsSettings { tickets: Some(FLOOD), ..TlsSettings::default() },
        ),
    ]
}

/// A TLS server that does this after the handshake.
fn talking<F>(
    number: &'static str,
    name: &'static str,
    expected: &'static str,
    certificates: &Arc<Certificates>,
    talk: fn(TlsStream<TcpStream>) -> F,
) -> Row
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let certificates = Arc::clone(certificates);
    Row::new(number, name, expected, move || {
        let certificates = Arc::clone(&certificates);
        async move {
            let acceptor = certificates.acceptor(Leaf::Good);
            let listener =
                TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
            let url = format!("https://{}/", listener.local_addr().unwrap());
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // The peer may go away at any time.
                        let _gone = talk(stream).await;
                    }
                }
            });
            let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
            Ok(Case::with(net, url, tasks))
        }
    })
}

/// Reads a request, sends these bytes, and closes without `close_notify`.
async fn end_abruptly(mut stream: TlsStream<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _length = stream.read(&mut request).await?;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    stream.get_mut().0.shutdown().await
}

fn afterwards(certificates: &Arc<Certificates>) -> Vec<Row> {
    let warned = |result: &ProbeResult| {
        let found = &result.evidence.warnings;
        if found.contains(&Warning::NoCloseNotify) { Ok(()) } else { Err(format!("{found:?}")) }
    };
    vec![
        talking("99a", "no close_notify, length announced", "up", certificates, |stream| {
            end_abruptly(stream, ANSWER)
        }),
        talking("99b", "no close_notify, no length", "up", certificates, |stream| {
            end_abruptly(stream, OPEN_ANSWER)
        })
        .and(warned),
        talking("99c", "no close_notify, body cut", "body/truncated", certificates, |stream| {
            end_abruptly(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
        }),
        talking("99d", "no close_notify, chunks cut", "body/truncated", certificates, |stream| {
            end_abruptly(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok")
        }),
        talking("99e", "no close_notify, no answer", "http/no_response", certificates, |stream| {
            end_abruptly(stream, b"")
        }),
        talking(
            "100c",
            "new keys without end",
            "up or tls/violation",
            certificates,
            |mut stream| async move {
                let mut request = [0; 4096];
                let _length = stream.read(&mut request).await?;
                for _ in 0..FLOOD {
                    let refreshed = stream.get_mut().1.refresh_traffic_keys();
                    refreshed.map_err(std::io::Error::other)?;
                }
                stream.write_all(ANSWER).await?;
                stream.shutdown().await
            },
        ),
        talking(
            "100d",
            "a record that cannot be decrypted",
            "tls/violation",
            certificates,
            |mut stream| async move {
                let mut request = [0; 4096];
                let _length = stream.read(&mut request).await?;
                let (tcp, _) = stream.get_mut();
                tcp.write_all(&[&[0x17, 3, 3, 0, 32][..], &[7; 32]].concat()).await?;
                // What is sent after it does not matter.
                let _end = tcp.read(&mut request).await?;
                Ok(())
            },
        ),
    ]
}
