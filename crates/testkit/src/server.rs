//! A TCP server, with or without TLS, that runs a [`Behaviour`] on each connection and records what it received.
//!
//! Must not know what a request means, apart from where it ends and which path it asks for.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use notation::sync::lock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::behaviour::{Behaviour, Step};

/// A server on the loopback address; it stops, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    records: Arc<Records>,
    /// Holds the accept loop, which is aborted when this is dropped.
    _tasks: JoinSet<()>,
}

/// What each connection sent us, in the order in which they were accepted, and how many are open.
#[derive(Debug, Default)]
struct Records {
    received: Mutex<Vec<Vec<u8>>>,
    open: watch::Sender<usize>,
}

/// The record of one connection, which counts as open as long as this lives.
struct Record {
    records: Arc<Records>,
    index: usize,
}

impl Records {
    fn open(self: &Arc<Self>) -> Record {
        let mut all = lock(&self.received);
        all.push(Vec::new());
        self.open.send_modify(|open| *open += 1);
        Record { records: Arc::clone(self), index: all.len() - 1 }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.records.open.send_modify(|open| *open -= 1);
    }
}

impl Record {
    fn append(&self, bytes: &[u8]) {
        if let Some(record) = lock(&self.records.received).get_mut(self.index) {
            record.extend_from_slice(bytes);
        }
    }

    /// What the connection sent so far.
    fn text(&self) -> String {
        let records = lock(&self.records.received);
        let bytes = records.get(self.index).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// A loopback port that the system chooses.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Server {
    /// Starts a server that speaks the behaviour right on TCP.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_with(|_| behaviour).await
    }

    /// Like [`Server::start`], for a behaviour that must know the address of its own server.
    pub async fn start_with(behaviour: impl FnOnce(SocketAddr) -> Behaviour) -> Self {
        Self::listen(LOOPBACK, "http", None, behaviour).await
    }

    /// Like [`Server::start`], on another address than the loopback one.
    pub async fn start_on(address: SocketAddr, behaviour: Behaviour) -> Self {
        Self::listen(address, "http", None, |_| behaviour).await
    }

    /// Starts a server that speaks the behaviour inside TLS. A failed handshake ends its connection.
    pub async fn start_tls(acceptor: TlsAcceptor, behaviour: Behaviour) -> Self {
        Self::start_tls_after(Vec::new(), acceptor, behaviour).await
    }

    /// Starts a server that runs these steps in the clear, then speaks the behaviour inside TLS: `STARTTLS` and its like.
    pub async fn start_tls_after(
        clear: Vec<Step>,
        acceptor: TlsAcceptor,
        behaviour: Behaviour,
    ) -> Self {
        Self::listen(LOOPBACK, "https", Some((clear, acceptor)), |_| behaviour).await
    }

    async fn listen(
        address: SocketAddr,
        scheme: &'static str,
        tls: Option<(Vec<Step>, TlsAcceptor)>,
        behaviour: impl FnOnce(SocketAddr) -> Behaviour,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let behaviour = Arc::new(behaviour(address));
        let records = Arc::new(Records::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept_all(listener, tls.map(Arc::new), behaviour, Arc::clone(&records)));
        Self { address, scheme, records, _tasks: tasks }
    }

    /// The address on which the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path (with its leading slash) on this server, by its IP address.
    pub fn url(&self, path: &str) -> String {
        self.url_as(self.scheme, "127.0.0.1", path)
    }

    /// The URL of a path on this server's port under another scheme or host name.
    pub fn url_as(&self, scheme: &str, host: &str, path: &str) -> String {
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        lock(&self.records.received).len()
    }

    /// Waits until no connection is open any more.
    pub async fn all_closed(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let mut open = self.records.open.subscribe();
        drop(open.wait_for(|open| *open == 0).await);
    }

    /// What each connection sent, in the order of acceptance; bytes that are not UTF-8 are replaced.
    pub fn received(&self) -> Vec<String> {
        lock(&self.records.received)
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// What the newest connection sent; empty if there was none.
    pub fn last_received(&self) -> String {
        self.received().pop().unwrap_or_default()
    }
}

/// A byte stream that can be ended by a reset.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The TCP connection below.
    fn tcp(&self) -> &TcpStream;
    /// Whether HTTP/2 was agreed upon.
    fn is_http2(&self) -> bool;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn is_http2(&self) -> bool {
        false
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn is_http2(&self) -> bool {
        self.get_ref().1.alpn_protocol() == Some(b"h2")
    }
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<Arc<(Vec<Step>, TlsAcceptor)>>,
    behaviour: Arc<Behaviour>,
    records: Arc<Records>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let record = records.open();
        let (tls, behaviour) = (tls.clone(), Arc::clone(&behaviour));
        // A failure is the end of its connection; the test sees it at the other side.
        connections.spawn(async move {
            let Some(tls) = tls else { return run(stream, &behaviour, &record).await };
            let (clear, acceptor) = &*tls;
            for step in clear {
                perform(&mut stream, step, &record).await?;
            }
            match acceptor.accept(stream).into_fallible().await {
                Ok(stream) => run(stream, &behaviour, &record).await,
                Err((_, mut stream)) => finish(&mut stream, &record).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn run(
    mut stream: impl Connection,
    behaviour: &Behaviour,
    record: &Record,
) -> io::Result<()> {
    match behaviour.of_connection(record.index) {
        // Only an empty sequence is left here: nothing is said.
        Behaviour::Sequence(_) => {}
        Behaviour::Http { status, body } => return serve(stream, *status, body, record).await,
        Behaviour::Echo(status) => {
            read_request(&mut stream, record).await?;
            stream.write_all(&echo(*status, &record.text())).await?;
        }
        Behaviour::Tunnel => return tunnel(&mut stream, record).await,
        Behaviour::Paths(replies) => {
            let head = read_request(&mut stream, record).await?;
            let path = head.split(' ').nth(1).unwrap_or_default();
            let reply = replies
                .get(path)
                .cloned()
                .unwrap_or_else(|| Behaviour::message(404, "", "no such path"));
            stream.write_all(&reply).await?;
        }
        Behaviour::Script(steps) => {
            for step in steps {
                if matches!(step, Step::Reset) {
                    return stream.tcp().set_zero_linger();
                }
                perform(&mut stream, step, record).await?;
            }
        }
    }
    finish(&mut stream, record).await
}

/// An answer that repeats a request.
fn echo(status: u16, request: &str) -> Vec<u8> {
    let line = request.split(char::is_control).collect::<Vec<_>>().join(" ");
    Behaviour::message(status, &format!("X-Echo: {line}\r\n"), request)
}

/// Opens the tunnel that a CONNECT request asks for (RFC 9110, section 9.3.6), and relays until both sides are done.
async fn tunnel(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    let head = read_request(stream, record).await?;
    let authority = head.split(' ').nth(1).unwrap_or_default();
    let mut target = TcpStream::connect(authority).await?;
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    tokio::io::copy_bidirectional(stream, &mut target).await.map(drop)
}

/// Ends a connection in good order: closing with unread bytes would send a reset.
async fn finish(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    stream.shutdown().await?;
    drain(stream, record).await
}

async fn perform(stream: &mut impl Connection, step: &Step, record: &Record) -> io::Result<()> {
    match step {
        Step::ReadRequest => read_request(stream, record).await.map(drop),
        Step::ReadHttp2Request => read_http2_request(stream, record).await,
        Step::StopReceiving => stop_receiving(stream.tcp()),
        Step::ReadSome => read_some(stream, record).await.map(drop),
        Step::Send(bytes) => {
            stream.write_all(bytes).await?;
            stream.flush().await
        }
        Step::Drip(bytes, interval) => {
            for byte in bytes {
                tokio::time::sleep(*interval).await;
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
            }
            Ok(())
        }
        Step::Repeat(bytes) => loop {
            stream.write_all(bytes).await?;
        },
        Step::Silence => drain(stream, record).await,
        // The caller ends the connection at this step.
        Step::Reset => Ok(()),
    }
}

async fn read_some(stream: &mut impl Connection, record: &Record) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    if stream.read_buf(&mut buffer).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    record.append(&buffer);
    Ok(buffer)
}

async fn drain(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    loop {
        match read_some(stream, record).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Reads a request with its body, and returns its head.
async fn read_request(stream: &mut impl Connection, record: &Record) -> io::Result<String> {
    let mut received = Vec::new();
    loop {
        received.extend(read_some(stream, record).await?);
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Ok(head.to_owned());
        }
    }
}

/// Reads frames (RFC 9113 §4.1) behind the preface of 24 bytes, until one has the type HEADERS.
async fn read_http2_request(stream: &mut impl Connection, record: &Record) -> io::Result<()> {
    let mut received = Vec::new();
    let mut position = 24;
    loop {
        received.extend(read_some(stream, record).await?);
        while let Some([high, middle, low, kind]) = received.get(position..position + 4) {
            if *kind == crate::frames::kind::HEADERS {
                return Ok(());
            }
            position += 9 + u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        }
    }
}

fn stop_receiving(stream: &TcpStream) -> io::Result<()> {
    let descriptor = stream.as_fd().try_clone_to_owned()?;
    std::net::TcpStream::from(descriptor).shutdown(std::net::Shutdown::Read)
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// Serves correct HTTP until the peer closes; records one line of method, URI and version and the fields of each request.
fn serve(
    stream: impl Connection,
    status: u16,
    body: &str,
    record: &Record,
) -> impl Future<Output = io::Result<()>> + Send {
    let http2 = stream.is_http2();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut line =
            format!("{} {} {:?}\r\n", request.method(), request.uri(), request.version())
                .into_bytes();
        for (name, value) in request.headers() {
            line.extend_from_slice(name.as_str().as_bytes());
            line.extend_from_slice(b": ");
            line.extend_from_slice(value.as_bytes());
            line.extend_from_slice(b"\r\n");
        }
        record.append(&line);
        // Over HTTP/2 the library leaves it to us that HEAD has no body.
        let sent = if request.method() == http::Method::HEAD { "" } else { body };
        let response = http::Response::builder()
            .status(status)
            .header(http::header::CONTENT_LENGTH, body.len())
            .body(Full::new(Bytes::from(sent.to_owned())));
        std::future::ready(response)
    });
    async move {
        let io = TokioIo::new(stream);
        if http2 {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            connection.serve_connection(io, service).await.map_err(io::Error::other)
        } else {
            let connection = hyper::server::conn::http1::Builder::new();
            connection.serve_connection(io, service).await.map_err(io::Error::other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client gets that sends this request, up to the end of the connection.
    async fn exchange(server: &Server, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_server_answers_by_path_and_remembers_what_it_got() {
        let server =
            Server::start(Behaviour::paths([("/a", Behaviour::message(200, "X: y\r\n", "hello"))]))
                .await;
        let request = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
        let answer = exchange(&server, request).await.unwrap();
        assert_eq!(answer, "HTTP/1.1 200 Some reason\r\nX: y\r\nContent-Length: 5\r\n\r\nhello");
        assert!(
            exchange(&server, "GET /b HTTP/1.1\r\n\r\n")
                .await
                .unwrap()
                .starts_with("HTTP/1.1 404 ")
        );
        assert_eq!(server.received(), [request, "GET /b HTTP/1.1\r\n\r\n"]);
        server.all_closed().await;
    }

    #[tokio::test]
    async fn an_echo_repeats_the_request() {
        let server = Server::start(Behaviour::Echo(203)).await;
        let request = "PUT /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
        let answer = exchange(&server, request).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 203 "), "{answer}");
        assert!(
            answer.contains("X-Echo: PUT /a HTTP/1.1  Content-Length: 4    body\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with(request), "{answer}");
    }

    #[tokio::test]
    async fn each_connection_has_its_part_of_a_sequence() {
        let parts = ["one", "two"].map(|body| Behaviour::answer(200, "", body));
        let server = Server::start(Behaviour::Sequence(
            [vec![Behaviour::reset_before_answer()], parts.into()].concat(),
        ))
        .await;
        let request = "GET / HTTP/1.1\r\n\r\n";
        assert_eq!(
            exchange(&server, request).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
        for expected in ["one", "two", "two"] {
            assert!(exchange(&server, request).await.unwrap().ends_with(expected));
        }
        assert_eq!(server.connections(), 4);
    }

    #[tokio::test]
    async fn a_dropped_server_ends_its_connections() {
        let server = Server::start(Behaviour::silence()).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        drop(server);
        // An end or a reset, but not for ever silent.
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
        assert!(rest.is_empty());
    }
}
