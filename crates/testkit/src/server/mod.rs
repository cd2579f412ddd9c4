//! A TCP server, with or without TLS, that runs a [`Behaviour`] on each connection and records what it received.
//!
//! Must not know what a behaviour does with a connection.

mod connection;
mod records;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use notation::sync::lock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::connection::{finish, perform, run};
use self::records::Records;
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

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

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
