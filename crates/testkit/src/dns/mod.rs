//! A name server over UDP, TCP and TLS with one fixed answer, or one fault, per name.
//!
//! Must not know how the names are used.

mod answer;
mod sections;
mod zone;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use notation::sync::lock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use self::answer::{DnsAnswer, FORGED, Question};
pub use self::sections::Sections;
use self::zone::Zone;

/// A name server on the loopback address; it stops when it is dropped. What is said of `.some.test` is said of every name below
/// it that has no answer of its own; other names do not exist.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
    /// Holds the two loops, which are aborted when this is dropped.
    tasks: JoinSet<()>,
}

impl DnsServer {
    /// Starts a server with these names (without final dot, in lower case) and their answers. A name that begins with a dot is
    /// a domain, and stands for the names below it; `.` stands for all.
    pub async fn start<'a>(answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), answers).await
    }

    /// The same at another address of this machine.
    pub async fn start_at<'a>(
        ip: IpAddr,
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let (udp, tcp) = bind_both(ip).await.expect("a port that is free for UDP and TCP");
        Self::serve(answers, udp, Some(tcp), None)
    }

    /// The same with TLS on its connections.
    pub async fn start_tls<'a>(
        acceptor: TlsAcceptor,
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let (udp, tcp) = bind_both(Ipv4Addr::LOCALHOST.into())
            .await
            .expect("a loopback port that is free for UDP and TCP");
        Self::serve(answers, udp, Some(tcp), Some(acceptor))
    }

    /// The same at one address, as 127.0.0.1:53 in a network of its own.
    pub async fn start_on<'a>(
        address: SocketAddr,
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let udp = UdpSocket::bind(address).await.expect("a free port for UDP");
        let tcp = TcpListener::bind(address).await.expect("a free port for TCP");
        Self::serve(answers, udp, Some(tcp), None)
    }

    /// The same without TCP.
    pub async fn start_udp_only<'a>(
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let (udp, tcp) = bind_both(Ipv4Addr::LOCALHOST.into())
            .await
            .expect("a loopback port that is free for UDP and TCP");
        drop(tcp);
        Self::serve(answers, udp, None, None)
    }

    fn serve<'a>(
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
        udp: UdpSocket,
        tcp: Option<TcpListener>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let answers = answers.into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
        let zone = Arc::new(Zone { answers, questions: Mutex::new(Vec::new()) });
        let address = udp.local_addr().expect("the address of a bound socket");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zone)));
        if let Some(tcp) = tcp {
            tasks.spawn(serve_tcp(tcp, tls, Arc::clone(&zone)));
        }
        Self { address, zone, tasks }
    }

    /// Stops it, and waits until its port is free.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// The address of the server, the same for UDP and TCP.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The questions in the order in which they came.
    pub fn questions(&self) -> Vec<Question> {
        lock(&self.zone.questions).clone()
    }
}

/// Binds the same port for both transports. The system chooses it for UDP only, so that TCP may find it taken.
async fn bind_both(ip: IpAddr) -> io::Result<(UdpSocket, TcpListener)> {
    for _ in 0..20 {
        let udp = UdpSocket::bind((ip, 0)).await?;
        if let Ok(tcp) = TcpListener::bind(udp.local_addr()?).await {
            return Ok((udp, tcp));
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let question = buffer.get(..length).unwrap_or_default();
        // An answer that cannot be sent is like a lost datagram: the peer asks again.
        if let Some(forged) = zone.forged(question) {
            if let Ok(elsewhere) = UdpSocket::bind(("127.0.0.1", 0)).await {
                drop(elsewhere.send_to(&forged.right, peer).await);
            }
            for reply in [forged.wrong_id, forged.wrong_question] {
                drop(socket.send_to(&reply, peer).await);
            }
        }
        if let Some(reply) = zone.reply(question, false) {
            drop(socket.send_to(&reply, peer).await);
        }
    }
}

async fn serve_tcp(listener: TcpListener, tls: Option<TlsAcceptor>, zone: Arc<Zone>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                Some(tls) => answer_stream(tls.accept(stream).await?, &zone).await,
                None => answer_stream(stream, &zone).await,
            }
        });
    }
}

/// Answers questions until the peer closes, which ends this with an error that means nothing.
async fn answer_stream(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    zone: &Zone,
) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        let Some(reply) = zone.reply(&question, true) else { continue };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let reply = [&length.to_be_bytes(), reply.as_slice()].concat();
        if let Some(bytes) = zone.cut_after(&question) {
            stream.write_all(reply.get(..bytes).unwrap_or(&reply)).await?;
            return stream.shutdown().await;
        }
        stream.write_all(&reply).await?;
        stream.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
    use hickory_proto::rr::{Name, RecordType};

    use super::*;

    /// The answer to a question of this type over UDP.
    async fn ask(server: &DnsServer, name: &str, kind: RecordType) -> Message {
        let mut request = Message::new(7, MessageType::Query, OpCode::Query);
        request.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        socket.send_to(&request.to_vec().unwrap(), server.address()).await.unwrap();
        let mut buffer = [0; 4096];
        let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
        let answer = Message::from_vec(&buffer[..length]).unwrap();
        assert_eq!(answer.metadata.id, request.metadata.id);
        answer
    }

    #[tokio::test]
    async fn answers_are_those_of_the_table() {
        let server = DnsServer::start([
            ("two.test", DnsAnswer::addresses(&["127.0.0.1", "::1"])),
            ("alias.test", DnsAnswer::Alias("two.test".to_owned())),
            ("loop.test", DnsAnswer::Alias("loop.test".to_owned())),
            ("empty.test", DnsAnswer::Nodata),
            ("refusing.test", DnsAnswer::Refused),
            ("many.test", DnsAnswer::addresses(&["127.0.0.1"; 200])),
            (".below.test", DnsAnswer::Servfail),
            (
                "turns.test",
                DnsAnswer::InTurn(vec![DnsAnswer::Servfail, DnsAnswer::addresses(&["127.0.0.1"])]),
            ),
            (
                "mixed.test",
                DnsAnswer::Families(
                    Box::new(DnsAnswer::addresses(&["127.0.0.1"])),
                    Box::new(DnsAnswer::FormatError),
                ),
            ),
        ])
        .await;
        for (name, kind, code, answers, truncated) in [
            ("two.test.", RecordType::A, ResponseCode::NoError, 1, false),
            ("TWO.test.", RecordType::AAAA, ResponseCode::NoError, 1, false),
            ("alias.test.", RecordType::A, ResponseCode::NoError, 2, false),
            ("loop.test.", RecordType::A, ResponseCode::NoError, 17, false),
            ("empty.test.", RecordType::A, ResponseCode::NoError, 0, false),
            ("gone.test.", RecordType::A, ResponseCode::NXDomain, 0, false),
            ("refusing.test.", RecordType::A, ResponseCode::Refused, 0, false),
            ("many.test.", RecordType::A, ResponseCode::NoError, 0, true),
            ("a.b.below.test.", RecordType::A, ResponseCode::ServFail, 0, false),
            ("below.test.", RecordType::A, ResponseCode::NXDomain, 0, false),
            ("turns.test.", RecordType::A, ResponseCode::ServFail, 0, false),
            ("turns.test.", RecordType::AAAA, ResponseCode::ServFail, 0, false),
            ("turns.test.", RecordType::A, ResponseCode::NoError, 1, false),
            ("turns.test.", RecordType::A, ResponseCode::NoError, 1, false),
            ("mixed.test.", RecordType::A, ResponseCode::NoError, 1, false),
            ("mixed.test.", RecordType::AAAA, ResponseCode::FormErr, 0, false),
        ] {
            let answer = ask(&server, name, kind).await;
            assert_eq!(answer.metadata.response_code, code, "{name}");
            assert_eq!(
                (answer.answers.len(), answer.metadata.truncation),
                (answers, truncated),
                "{name}"
            );
        }
        let first = server.questions().remove(0);
        assert_eq!(first, Question { recursion_desired: false, ..Question::new("two.test", "A") });
    }
}
