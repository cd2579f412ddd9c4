//! What one name server says about a name: over UDP, and over TCP when the answer is too long for that (RFC 1035, RFC 7766).
//!
//! Must not know which server is asked when, nor what the addresses are for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use tokio::net::TcpStream;

use super::{
    exchange::{Channel, ExchangeError, Question, Reply, exchange},
    fault::local_fault,
    port::Port,
};
use crate::report::{Failure, Phase, Reason};

/// How many aliases are followed from one name; resolvers have similar limits.
pub(super) const ALIASES_MAX: usize = 16;

/// How many addresses of one answer are kept: a name server must not keep the probe busy.
pub(super) const ADDRESSES_MAX: usize = 32;

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
    let query = Query::query(name.clone(), kind);
    let question = Question::new(query, true)
        .map_err(|error| failure(Reason::Malformed, error.to_string()))?;
    let over_udp = exchange(&question, Channel::Datagrams { port, server }).await;
    let mut reply = over_udp.map_err(|error| match error {
        ExchangeError::Io(error) => unreachable(&error),
        other => failure(Reason::Malformed, other.to_string()),
    })?;
    if reply.is_truncated() {
        reply = over_tcp(&question, server).await?;
    }
    let message = Message::from_vec(reply.bytes())
        .map_err(|error| failure(Reason::Malformed, error.to_string()))?;
    interpret(&message, name, kind, aliases)
}

fn failure(reason: Reason, detail: impl Into<String>) -> Failure {
    Failure::new(Phase::Resolve, reason, detail)
}

/// What an error of the socket says about the name server.
fn unreachable(error: &io::Error) -> Failure {
    local_fault(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::Other => failure(Reason::Malformed, error.to_string()),
        _ => failure(Reason::Servfail, format!("cannot be reached: {error}")),
    })
}

/// Asks the same over a connection.
async fn over_tcp(question: &Question, server: SocketAddr) -> Result<Reply, Failure> {
    let asking = async {
        let mut stream = TcpStream::connect(server).await?;
        exchange(question, Channel::Stream(&mut stream)).await
    };
    asking.await.map_err(|error| match error {
        ExchangeError::OtherQuestion => {
            failure(Reason::Malformed, "another question is answered over TCP")
        }
        ExchangeError::Malformed(error) => failure(Reason::Malformed, error.to_string()),
        ExchangeError::Io(error) => local_fault(&error).unwrap_or_else(|| none_over_tcp(&error)),
        closed @ ExchangeError::Closed(_) => none_over_tcp(&closed),
    })
}

fn none_over_tcp(error: &dyn std::error::Error) -> Failure {
    let detail = format!("the answer is truncated, and none comes over TCP: {error}");
    failure(Reason::Malformed, detail)
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
