//! A name server over UDP and TCP with one fixed answer, or one fault, per name.
//!
//! Must not know how the names are used.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, Metadata, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use notation::sync::lock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// What the server says about a name.
#[derive(Clone, Debug)]
pub enum DnsAnswer {
    /// These addresses, each to the question for its own family.
    Addresses(Vec<IpAddr>),
    /// The name is an alias of another one, whose own answer follows in the same message.
    Alias(String),
    /// The name is an alias, and nothing is said about the other one.
    AliasAlone(String),
    /// The first of these to the first question for its family, the next to the next one; the last for ever.
    Turns(Vec<IpAddr>),
    /// The same for any answers.
    InTurn(Vec<DnsAnswer>),
    /// One answer for IPv4 addresses, another one for IPv6 addresses.
    Families(Box<DnsAnswer>, Box<DnsAnswer>),
    /// The name does not exist.
    Nxdomain,
    /// The name exists, with records of other types only.
    Nodata,
    /// The server failed.
    Servfail,
    /// The server does not want to answer.
    Refused,
    /// The server does not know such questions.
    NotImplemented,
    /// The server could not read the question.
    FormatError,
    /// Nothing comes back.
    Silent,
    /// Bytes that are no DNS message, behind the right identifier.
    Malformed,
    /// These bytes behind the right identifier.
    Bytes(Vec<u8>),
    /// Answers that look right but for one thing, all with [`FORGED`]: their identifier, their question, the port that they
    /// come from. Then the true answer, if there is one.
    Forged(Option<IpAddr>),
}

/// The address in forged answers.
pub const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 6, 6, 6));

impl DnsAnswer {
    /// These addresses, written as text.
    pub fn addresses(texts: &[&str]) -> Self {
        Self::Addresses(texts.iter().map(|text| text.parse().expect("an IP address")).collect())
    }
}

/// A name server on the loopback address; it stops when it is dropped. What is said of `.some.test` is said of every name below
/// it that has no answer of its own; other names do not exist.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
    /// Holds the two loops, which are aborted when this is dropped.
    tasks: JoinSet<()>,
}

/// What was asked: the name without final dot, the record type as in `A`, and whether over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, in lower case and without final dot.
    pub name: String,
    /// The record type, as in `A`.
    pub kind: String,
    /// Whether the question came over TCP.
    pub over_tcp: bool,
}

#[derive(Debug)]
struct Zone {
    answers: BTreeMap<String, DnsAnswer>,
    questions: Mutex<Vec<Question>>,
}

impl DnsServer {
    /// Starts a server with these names (without final dot, in lower case) and their answers. A name that begins with a dot is
    /// a domain, and stands for the names below it; `.` stands for all.
    pub async fn start<'a>(answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>) -> Self {
        let (udp, tcp) = bind_both().await.expect("a loopback port that is free for UDP and TCP");
        Self::serve(answers, udp, Some(tcp))
    }

    /// The same at one address, as 127.0.0.1:53 in a network of its own.
    pub async fn start_on<'a>(
        address: SocketAddr,
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let udp = UdpSocket::bind(address).await.expect("a free port for UDP");
        let tcp = TcpListener::bind(address).await.expect("a free port for TCP");
        Self::serve(answers, udp, Some(tcp))
    }

    /// The same without TCP.
    pub async fn start_udp_only<'a>(
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
    ) -> Self {
        let (udp, tcp) = bind_both().await.expect("a loopback port that is free for UDP and TCP");
        drop(tcp);
        Self::serve(answers, udp, None)
    }

    fn serve<'a>(
        answers: impl IntoIterator<Item = (&'a str, DnsAnswer)>,
        udp: UdpSocket,
        tcp: Option<TcpListener>,
    ) -> Self {
        let answers = answers.into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
        let zone = Arc::new(Zone { answers, questions: Mutex::new(Vec::new()) });
        let address = udp.local_addr().expect("the address of a bound socket");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zone)));
        if let Some(tcp) = tcp {
            tasks.spawn(serve_tcp(tcp, Arc::clone(&zone)));
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
async fn bind_both() -> io::Result<(UdpSocket, TcpListener)> {
    for _ in 0..20 {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).await?;
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

async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        connections.spawn(async move { answer_stream(stream, &zone).await });
    }
}

/// Answers questions until the peer closes, which ends this with an error that means nothing.
async fn answer_stream(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        if let Some(reply) = zone.reply(&question, true) {
            stream.write_u16(u16::try_from(reply.len()).map_err(io::Error::other)?).await?;
            stream.write_all(&reply).await?;
        }
    }
}

/// Messages with [`FORGED`], which only one thing distinguishes from a true answer; in the last one it is where it comes from.
struct Forged {
    wrong_id: Vec<u8>,
    wrong_question: Vec<u8>,
    right: Vec<u8>,
}

impl Zone {
    /// The forged answers to a question for which there are some.
    fn forged(&self, question: &[u8]) -> Option<Forged> {
        let request = Message::from_vec(question).ok()?;
        let query = request.queries.first()?;
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let Some(DnsAnswer::Forged(_)) = self.answer(&name, query.query_type()) else {
            return None;
        };
        let forge = |id: u16, name: &Name| {
            let mut response = Message::response(id, request.metadata.op_code);
            response.metadata.recursion_available = true;
            response.add_query(Query::query(name.clone(), query.query_type()));
            add_addresses(&mut response, name, query.query_type(), &[FORGED]);
            response.to_vec().ok()
        };
        let id = request.metadata.id;
        Some(Forged {
            wrong_id: forge(id ^ 1, query.name())?,
            wrong_question: forge(id, &Name::from_ascii("other.test.").ok()?)?,
            right: forge(id, query.name())?,
        })
    }

    /// The bytes of the answer to a question, or nothing for silence. What is too long for UDP is truncated.
    fn reply(&self, question: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(question).ok()?;
        let query = request.queries.first()?.clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let asked = Question { name: name.clone(), kind: query.query_type().to_string(), over_tcp };
        lock(&self.questions).push(asked);
        let mut response = Message::response(request.metadata.id, request.metadata.op_code);
        response.metadata = Metadata::response_from_request(&request.metadata);
        response.metadata.recursion_available = true;
        response.add_query(query.clone());
        match self.answer(&name, query.query_type()) {
            Some(DnsAnswer::Silent | DnsAnswer::Forged(None)) => return None,
            Some(DnsAnswer::Bytes(bytes)) => return Some([question.get(..2)?, bytes].concat()),
            Some(DnsAnswer::Malformed) => {
                let mut bytes = question.get(..2)?.to_vec();
                bytes.extend([0xff; 9]);
                return Some(bytes);
            }
            _ => self.fill(&mut response, query.name(), query.query_type(), 0),
        }
        let bytes = response.to_vec().ok()?;
        if over_tcp || bytes.len() <= usize::from(request.max_payload()) {
            Some(bytes)
        } else {
            response.truncate().to_vec().ok()
        }
    }

    /// What is said about a name, or about the nearest domain that it is below, to a question of this type.
    fn answer(&self, name: &str, kind: RecordType) -> Option<&DnsAnswer> {
        let domains = name.match_indices('.').filter_map(|(dot, _)| name.get(dot..));
        let mut keys = std::iter::once(name).chain(domains).chain(["."]);
        let mut answer = keys.find_map(|key| self.answers.get(key))?;
        loop {
            answer = match answer {
                DnsAnswer::InTurn(turns) => {
                    let turn = self.times_asked(name, kind).min(turns.len()).saturating_sub(1);
                    turns.get(turn)?
                }
                DnsAnswer::Families(_, ipv6) if kind == RecordType::AAAA => ipv6,
                DnsAnswer::Families(ipv4, _) => ipv4,
                other => return Some(other),
            };
        }
    }

    /// How often a name was asked for with this record type.
    fn times_asked(&self, name: &str, kind: RecordType) -> usize {
        let questions = lock(&self.questions);
        let kind = kind.to_string();
        questions.iter().filter(|question| question.name == name && question.kind == kind).count()
    }

    /// Adds the records for a name, following aliases at most sixteen times as a name server would.
    fn fill(&self, response: &mut Message, name: &Name, kind: RecordType, depth: usize) {
        let key = name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let code = match self.answer(&key, kind) {
            Some(DnsAnswer::Addresses(addresses)) => {
                add_addresses(response, name, kind, addresses);
                ResponseCode::NoError
            }
            Some(DnsAnswer::Forged(truth)) => {
                add_addresses(response, name, kind, truth);
                ResponseCode::NoError
            }
            Some(DnsAnswer::Turns(turns)) => {
                let asked = self.times_asked(&key, kind).min(turns.len()).saturating_sub(1);
                add_addresses(response, name, kind, turns.get(asked));
                ResponseCode::NoError
            }
            Some(DnsAnswer::AliasAlone(target)) => {
                let target = name_of(target);
                let data = RData::CNAME(CNAME(target));
                response.add_answer(Record::from_rdata(name.clone(), 60, data));
                return;
            }
            Some(DnsAnswer::Alias(target)) => {
                let target = name_of(target);
                let data = RData::CNAME(CNAME(target.clone()));
                response.add_answer(Record::from_rdata(name.clone(), 60, data));
                if depth < 16 {
                    self.fill(response, &target, kind, depth + 1);
                }
                return;
            }
            Some(DnsAnswer::Nodata) => ResponseCode::NoError,
            Some(DnsAnswer::Servfail) => ResponseCode::ServFail,
            Some(DnsAnswer::Refused) => ResponseCode::Refused,
            Some(DnsAnswer::NotImplemented) => ResponseCode::NotImp,
            Some(DnsAnswer::FormatError) => ResponseCode::FormErr,
            Some(
                DnsAnswer::Nxdomain
                | DnsAnswer::InTurn(_)
                | DnsAnswer::Families(..)
                | DnsAnswer::Silent
                | DnsAnswer::Malformed
                | DnsAnswer::Bytes(_),
            )
            | None => ResponseCode::NXDomain,
        };
        response.metadata.response_code = code;
        if matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
            && response.answers.is_empty()
        {
            response.add_authority(start_of_authority());
        }
    }
}

/// A name of any bytes but dots.
fn name_of(text: &str) -> Name {
    Name::from_labels(text.split('.').map(str::as_bytes)).expect("a DNS name")
}

/// Adds those of the addresses that are of the record type's family. They may not be kept.
fn add_addresses<'a>(
    response: &mut Message,
    name: &Name,
    kind: RecordType,
    addresses: impl IntoIterator<Item = &'a IpAddr>,
) {
    let data = addresses.into_iter().map(|address| match address {
        IpAddr::V4(address) => RData::A(A(*address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
    });
    let data = data.filter(|data| data.record_type() == kind);
    response.add_answers(data.map(|data| Record::from_rdata(name.clone(), 0, data)));
}

/// The record that makes a negative answer complete (RFC 2308, section 2).
fn start_of_authority() -> Record {
    let root = Name::root();
    Record::from_rdata(
        root.clone(),
        60,
        RData::SOA(SOA::new(root.clone(), root, 1, 3600, 600, 86_400, 60)),
    )
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode};

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
        assert_eq!(
            first,
            Question { name: "two.test".to_owned(), kind: "A".to_owned(), over_tcp: false }
        );
    }
}
