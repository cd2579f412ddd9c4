//! One question to one name server: over UDP, and over TCP when the answer is too long for that (RFC 1035, RFC 7766).
//!
//! Must not know which server is asked when, nor what the addresses are for.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{IpAddr, SocketAddr},
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{fault::local_fault, port::Port};
use crate::report::{Failure, Phase, Reason};

/// How many aliases are followed from one name; resolvers have similar limits.
pub(super) const ALIASES_MAX: usize = 16;

/// How many addresses of one answer are kept: a name server must not keep the probe busy.
pub(super) const ADDRESSES_MAX: usize = 32;

/// The bits in a message's third byte that say "answer" and "truncated" (RFC 1035 §4.1.1).
const IS_ANSWER: u8 = 0x80;
const IS_TRUNCATED: u8 = 0x02;

/// What a name server says about a name, after this many aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// These are its addresses of the family asked for; at least one.
    Addresses(Vec<IpAddr>),
    /// It exists, without an address of this family.
    Nodata,
    /// It does not exist.
    Nxdomain,
    /// It is an alias of a name about which nothing is said: that has to be asked for.
    Alias { name: Name, aliases: usize },
}

/// Asks one server for the addresses of a name, of the family of the record type.
///
/// # Errors
/// What the server did instead of answering, or an internal failure. Waits for ever for a server that is silent.
pub(super) async fn ask(
    port: &Port,
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    aliases: usize,
) -> Result<Answer, Failure> {
    let question = Question::new(name.clone(), kind)?;
    let over_udp = question.ask_udp(port, server).await?;
    let message = match over_udp {
        Some(message) => message,
        None => question.ask_tcp(server).await?,
    };
    interpret(&message, name, kind, aliases)
}

fn failure(reason: Reason, detail: impl Into<String>) -> Failure {
    Failure::new(Phase::Resolve, reason, detail)
}

/// A question as it is sent.
struct Question {
    query: Query,
    id: u16,
    bytes: Vec<u8>,
}

impl Question {
    fn new(name: Name, kind: RecordType) -> Result<Self, Failure> {
        let query = Query::query(name, kind);
        // The standard library's hash maps are keyed with random numbers that nobody outside can foresee.
        let [low, high, ..] = RandomState::new().build_hasher().finish().to_ne_bytes();
        let id = u16::from_ne_bytes([low, high]);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(query.clone());
        let bytes =
            message.to_vec().map_err(|error| failure(Reason::Malformed, error.to_string()))?;
        Ok(Self { query, id, bytes })
    }

    /// The answer; `None` when it was truncated.
    async fn ask_udp(&self, port: &Port, server: SocketAddr) -> Result<Option<Message>, Failure> {
        let unreachable = |error: io::Error| {
            local_fault(&error).unwrap_or_else(|| match error.kind() {
                io::ErrorKind::Other => failure(Reason::Malformed, error.to_string()),
                _ => failure(Reason::Servfail, format!("cannot be reached: {error}")),
            })
        };
        let asked = port.ask(server, &self.bytes).await.map_err(unreachable)?;
        loop {
            let bytes = asked.receive().await.map_err(unreachable)?;
            if !self.is_answered_by(&bytes) {
                continue;
            }
            if bytes.get(2).is_some_and(|flags| flags & IS_TRUNCATED != 0) {
                return Ok(None);
            }
            if let Some(message) = self.read(&bytes)? {
                return Ok(Some(message));
            }
        }
    }

    async fn ask_tcp(&self, server: SocketAddr) -> Result<Message, Failure> {
        let bytes = self.exchange(server).await.map_err(|error| {
            local_fault(&error).unwrap_or_else(|| {
                let detail = format!("the answer is truncated, and none comes over TCP: {error}");
                failure(Reason::Malformed, detail)
            })
        })?;
        let message = if self.is_answered_by(&bytes) { self.read(&bytes)? } else { None };
        message.ok_or_else(|| failure(Reason::Malformed, "another question is answered over TCP"))
    }

    /// One message each way, both behind their lengths (RFC 7766 §8).
    async fn exchange(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(self.bytes.len()).map_err(io::Error::other)?;
        // In one piece, because some servers read no more than that.
        let question = [&length.to_be_bytes(), self.bytes.as_slice()].concat();
        stream.write_all(&question).await?;
        let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Whether these bytes claim to be the answer.
    fn is_answered_by(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.id.to_be_bytes())
            && bytes.get(2).is_some_and(|flags| flags & IS_ANSWER != 0)
    }

    /// The message; `None` when it is about another question. A server that could not read the question need not repeat it.
    fn read(&self, bytes: &[u8]) -> Result<Option<Message>, Failure> {
        let message = Message::from_vec(bytes)
            .map_err(|error| failure(Reason::Malformed, error.to_string()))?;
        let is_answer = match message.queries.as_slice() {
            [] => message.metadata.response_code != ResponseCode::NoError,
            [query] => {
                query.name() == self.query.name() && query.query_type() == self.query.query_type()
            }
            _ => false,
        };
        Ok(is_answer.then_some(message))
    }
}

/// What a message says about a name, following the aliases in it.
fn interpret(
    message: &Message,
    name: &Name,
    kind: RecordType,
    mut aliases: usize,
) -> Result<Answer, Failure> {
    let code = message.metadata.response_code;
    match code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        ResponseCode::Refused | ResponseCode::NotImp | ResponseCode::NotAuth => {
            return Err(failure(Reason::Refused, format!("refuses to answer ({code})")));
        }
        code => return Err(failure(Reason::Servfail, format!("answers {code}"))),
    }
    let mut current = name;
    loop {
        let records = message.answers.iter().filter(|record| record.name == *current);
        let mut alias = None;
        let mut addresses = Vec::new();
        for record in records {
            match &record.data {
                RData::A(address) if kind == RecordType::A => addresses.push(IpAddr::V4(address.0)),
                RData::AAAA(address) if kind == RecordType::AAAA => {
                    addresses.push(IpAddr::V6(address.0));
                }
                RData::CNAME(target) => alias = Some(&target.0),
                _ => {}
            }
        }
        if !addresses.is_empty() {
            addresses.truncate(ADDRESSES_MAX);
            return Ok(Answer::Addresses(addresses));
        }
        let Some(target) = alias else { break };
        // No host has such a name, however legal it is in the protocol (RFC 1123 §2.1).
        if !target.iter().all(|label| label.iter().all(u8::is_ascii_graphic)) {
            return Err(failure(Reason::Malformed, "an alias of a name that no host can have"));
        }
        aliases += 1;
        if aliases > ALIASES_MAX {
            let detail = format!("more than {ALIASES_MAX} aliases, or aliases of each other");
            return Err(failure(Reason::CnameLoop, detail));
        }
        current = target;
    }
    let is_complete =
        message.authorities.iter().any(|record| record.record_type() == RecordType::SOA);
    Ok(match code {
        ResponseCode::NXDomain => Answer::Nxdomain,
        _ if current == name || is_complete => Answer::Nodata,
        _ => Answer::Alias { name: current.clone(), aliases },
    })
}
