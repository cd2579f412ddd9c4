//! Opening a QUIC connection (RFC 9000) to the first of several addresses that answers.
//!
//! The sockets are connected, so that a closed port is known at once. Must not know what is spoken over the connection.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, Connecting, Connection, ConnectionError, Endpoint, EndpointConfig,
    TokioRuntime, TransportConfig, TransportErrorCode, UdpPoller, VarInt,
    udp::{RecvMeta, Transmit},
};
use tokio::{io::ReadBuf, net::UdpSocket, sync::watch};

use super::{
    connect::{self, Destination},
    policy::AddressClass,
    tls::{self, QuicHandshake},
};
use crate::report::{Failure, Phase, Reason};

/// The errors that TLS has in QUIC: an alert's number above this one (RFC 9001 §4.8).
const ALERTS: std::ops::Range<u64> = 0x100..0x200;

/// After so many errors in a row the socket counts as broken; each says that a datagram that was sent is refused.
const ERRORS_MAX: usize = 16;

/// How many streams a server may open: HTTP/3 has three (RFC 9114 §6.2), and some send others that must be ignored.
const UNI_STREAMS_MAX: u32 = 16;

/// How many bytes may be on their way, on one stream and on all of them.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;

/// An open connection, its certificate verified.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    peer: Peer,
}

/// The other end of a connection: its address, what it was asked in the handshake, what the socket has seen of it.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) handshake: QuicHandshake,
    seen: watch::Receiver<Seen>,
}

impl Opened {
    /// A connection whose certificate was verified.
    pub(crate) fn new(connection: Connection, peer: Peer) -> Self {
        Self { connection, peer }
    }

    /// What the end of the connection says about the server.
    pub(crate) fn failure(&self, error: &ConnectionError) -> Failure {
        failure(error, Phase::Http, &self.peer.handshake)
    }

    /// How private the other end is.
    pub(crate) fn class(&self) -> AddressClass {
        AddressClass::of(self.peer.address.ip())
    }

    /// Ends when the system says that nobody listens at the address any more.
    pub(crate) async fn lost(&self) -> Failure {
        let error = refused(&mut self.peer.seen.clone()).await;
        Failure::new(Phase::Http, Reason::Reset, format!("{}: {error}", self.peer.address))
    }
}

/// Begins handshakes with the addresses of a destination, until something comes from one of them. Notes say which ones did
/// not answer.
///
/// # Errors
/// What says most of why none answered. Waits for addresses that are silent.
pub(crate) async fn first_answer(
    destination: &Destination<'_>,
    addresses: &[SocketAddr],
    tls: &tls::Quic<'_>,
    time_left: Duration,
    notes: &mut Vec<String>,
) -> Result<Attempt, Failure> {
    let permitted = connect::permitted(addresses, destination, notes)?;
    let begin = |address| attempt(address, destination.source, tls.begin(), tls.name());
    connect::first(permitted, time_left, notes, begin).await
}

/// What a server may send before it was read, and nothing that is of no use.
fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(None)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .datagram_receive_buffer_size(None);
    config
}

/// What the end of a connection says about the server. `phase` is what it ended in.
fn failure(error: &ConnectionError, phase: Phase, handshake: &QuicHandshake) -> Failure {
    let (phase, reason) = match error {
        ConnectionError::VersionMismatch => (Phase::Tls, Reason::Version),
        ConnectionError::TransportError(error) => match alert(error.code) {
            Some(alert) => (Phase::Tls, tls::own_alert(alert)),
            None if phase == Phase::Tls => (phase, Reason::Violation),
            None => (phase, Reason::Malformed),
        },
        ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
            Some(alert) => return handshake.alert(alert),
            None if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                (Phase::Connect, Reason::Refused)
            }
            None => (phase, Reason::Closed),
        },
        ConnectionError::ApplicationClosed(_) => (phase, Reason::Closed),
        ConnectionError::Reset => (phase, Reason::Reset),
        ConnectionError::TimedOut => (phase, Reason::Timeout),
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            (Phase::Internal, Reason::Bug)
        }
    };
    Failure::new(phase, reason, error.to_string())
}

/// The alert of TLS that an error code stands for.
fn alert(code: TransportErrorCode) -> Option<u8> {
    let code = u64::from(code);
    if ALERTS.contains(&code) { u8::try_from(code - ALERTS.start).ok() } else { None }
}

/// A handshake with an address from which something came.
pub(crate) struct Attempt {
    connecting: Connecting,
    pub(crate) peer: Peer,
}

impl Attempt {
    /// The handshake in progress, and with whom it is.
    pub(crate) fn into_parts(self) -> (Connecting, Peer) {
        (self.connecting, self.peer)
    }
}

impl Peer {
    /// Waits for the end of the handshake; the certificate is not verified yet.
    ///
    /// # Errors
    /// What the end of the handshake says about the server.
    pub(crate) async fn finish(&self, connecting: Connecting) -> Result<Connection, Failure> {
        connecting.await.map_err(|error| failure(&error, Phase::Tls, &self.handshake))
    }
}

/// Begins a handshake with an address, and waits for the first datagram from there.
async fn attempt(
    address: SocketAddr,
    source: Option<IpAddr>,
    handshake: Result<QuicHandshake, Failure>,
    name: String,
) -> Result<Attempt, Failure> {
    let handshake = handshake?;
    let mut config = quinn::ClientConfig::new(Arc::clone(&handshake.config) as _);
    config.transport_config(Arc::new(transport()));
    let any = if address.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let failed = |error: io::Error| connect::failure(address, &error);
    let socket = match source {
        None => UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(failed)?,
        Some(source) => UdpSocket::bind(SocketAddr::new(source, 0))
            .await
            .map_err(|error| connect::unbound(source, &error))?,
    };
    socket.connect(address).await.map_err(failed)?;
    let (report, mut seen) = watch::channel(Seen::default());
    let socket = Arc::new(Socket { inner: socket, address, report });
    let runtime = Arc::new(TokioRuntime);
    let endpoint =
        Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, socket, runtime)
            .map_err(failed)?;
    let connecting = endpoint.connect_with(config, address, &name).map_err(|error| {
        // The name is known to be one, so that only addresses such as those with port 0 remain.
        Failure::new(Phase::Connect, Reason::Unreachable, format!("{address}: {error}"))
    })?;
    let answer = async {
        let waited = seen.wait_for(|seen| seen.answered || seen.error.is_some()).await;
        waited.ok().and_then(|seen| seen.error.clone())
    };
    match answer.await {
        Some(error) => Err(connect::failure(address, &error)),
        None => Ok(Attempt { connecting, peer: Peer { address, handshake, seen } }),
    }
}

/// Waits until the system says that datagrams are refused.
async fn refused(seen: &mut watch::Receiver<Seen>) -> Arc<io::Error> {
    let waited = seen.wait_for(|seen| seen.error.is_some()).await;
    match waited.ok().and_then(|seen| seen.error.clone()) {
        Some(error) => error,
        // Without its socket the connection ends by itself.
        None => std::future::pending().await,
    }
}

/// What a socket has seen of the other end.
#[derive(Debug, Default)]
struct Seen {
    answered: bool,
    error: Option<Arc<io::Error>>,
}

/// A connected socket. The library would send through any socket to any address, and learn nothing of one where nobody is.
#[derive(Debug)]
struct Socket {
    inner: UdpSocket,
    address: SocketAddr,
    report: watch::Sender<Seen>,
}

impl Socket {
    fn failed(&self, error: io::Error) {
        self.report.send_if_modified(|seen| seen.error.replace(Arc::new(error)).is_none());
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable(self))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.inner.try_send(transmit.contents) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            // The datagram is lost, as it could be on its way.
            Err(error) => {
                self.failed(error);
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), metas.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        for _ in 0..ERRORS_MAX {
            let mut read = ReadBuf::new(buffer);
            match ready!(self.inner.poll_recv(context, &mut read)) {
                Ok(()) => {
                    let len = read.filled().len();
                    *meta =
                        RecvMeta { addr: self.address, len, stride: len, ecn: None, dst_ip: None };
                    self.report
                        .send_if_modified(|seen| !std::mem::replace(&mut seen.answered, true));
                    return Poll::Ready(Ok(1));
                }
                Err(error) => self.failed(error),
            }
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Waits until a socket takes another datagram.
#[derive(Debug)]
struct Writable(Arc<Socket>);

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.inner.poll_send_ready(context)
    }
}
