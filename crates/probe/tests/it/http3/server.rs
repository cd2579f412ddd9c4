//! A server of QUIC that answers as HTTP/3 wants it, or breaks at a chosen point.
//!
//! Must not know what a probe makes of it.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Buf as _, Bytes};
use quinn::{Endpoint, Incoming, VarInt, crypto::rustls::QuicServerConfig};
use testkit::{Certificates, Leaf, TlsSettings};
use tokio::task::JoinSet;

/// What a server does with a connection, or with its first request.
#[derive(Clone, Debug)]
pub(super) enum Act {
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
pub(super) enum Step {
    Send(Vec<u8>),
    Finish,
    Reset(u32),
    CloseConnection(u32),
}

/// A server on the loopback address; it stops when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) fn start(
        certificates: &Certificates,
        leaf: Leaf,
        alpn: &'static str,
        act: Act,
    ) -> Self {
        let settings = TlsSettings { alpn: vec![alpn], ..TlsSettings::default() };
        Self::start_with(certificates, leaf, &settings, act)
    }

    pub(super) fn start_with(
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

    pub(super) fn url(&self, path: &str) -> String {
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
