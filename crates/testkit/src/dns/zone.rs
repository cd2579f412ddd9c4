//! What a name server says to each question.
//!
//! Must not know how questions and answers travel.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use hickory_proto::op::{Message, Metadata, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use notation::sync::lock;

use super::answer::{DnsAnswer, FORGED, Question};

/// The names and their answers, and what was asked so far.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) answers: BTreeMap<String, DnsAnswer>,
    pub(super) questions: Mutex<Vec<Question>>,
}

/// Messages with [`FORGED`], which only one thing distinguishes from a true answer; in the last one it is where it comes from.
pub(super) struct Forged {
    pub(super) wrong_id: Vec<u8>,
    pub(super) wrong_question: Vec<u8>,
    pub(super) right: Vec<u8>,
}

impl Zone {
    /// The forged answers to a question for which there are some.
    pub(super) fn forged(&self, question: &[u8]) -> Option<Forged> {
        let request = Message::from_vec(question).ok()?;
        let query = request.queries.first()?;
        let name = key(query.name());
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
    pub(super) fn reply(&self, question: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(question).ok()?;
        let query = request.queries.first()?.clone();
        let name = key(query.name());
        self.remember(&request, &query, over_tcp);
        let mut response = Message::response(request.metadata.id, request.metadata.op_code);
        response.metadata = Metadata::response_from_request(&request.metadata);
        response.metadata.recursion_available = true;
        response.add_query(query.clone());
        let mut answer = self.answer(&name, query.query_type());
        let mut cut = false;
        loop {
            answer = match answer {
                Some(DnsAnswer::Silent | DnsAnswer::Forged(None)) => return None,
                Some(DnsAnswer::CutAfter(..)) if !over_tcp => return None,
                Some(DnsAnswer::CutAfter(_, inner)) => Some(inner),
                Some(DnsAnswer::Bytes(bytes)) => return Some([question.get(..2)?, bytes].concat()),
                Some(DnsAnswer::Malformed) => {
                    let mut bytes = question.get(..2)?.to_vec();
                    bytes.extend([0xff; 9]);
                    return Some(bytes);
                }
                Some(DnsAnswer::ByType(answers)) => {
                    let found = answers.iter().find(|(what, _)| is_asked(what, &query));
                    found.map(|(_, answer)| answer)
                }
                Some(DnsAnswer::IfRecursive(inner)) if request.metadata.recursion_desired => {
                    Some(inner)
                }
                Some(DnsAnswer::Truncated(inner)) => {
                    cut = !over_tcp;
                    Some(inner)
                }
                Some(DnsAnswer::OtherQuestion(inner)) => {
                    let other = Name::from_ascii("other.test.").ok()?;
                    response.queries = vec![Query::query(other, query.query_type())];
                    Some(inner)
                }
                Some(DnsAnswer::OtherIdentifier(inner)) => {
                    response.metadata.id ^= 1;
                    Some(inner)
                }
                answer => {
                    self.fill(&mut response, query.name(), query.query_type(), answer, 0);
                    break;
                }
            };
        }
        response.metadata.truncation = cut;
        let bytes = response.to_vec().ok()?;
        if over_tcp || bytes.len() <= usize::from(request.max_payload()) {
            Some(bytes)
        } else {
            response.truncate().to_vec().ok()
        }
    }

    /// Takes down what was asked.
    fn remember(&self, request: &Message, query: &Query, over_tcp: bool) {
        let asked = Question {
            name: key(query.name()),
            kind: query.query_type().to_string(),
            class: query.query_class().to_string(),
            recursion_desired: request.metadata.recursion_desired,
            over_tcp,
        };
        lock(&self.questions).push(asked);
    }

    /// After how many bytes a connection ends on which this was asked.
    pub(super) fn cut_after(&self, question: &[u8]) -> Option<usize> {
        let request = Message::from_vec(question).ok()?;
        let query = request.queries.first()?;
        match self.answer(&key(query.name()), query.query_type()) {
            Some(DnsAnswer::CutAfter(bytes, _)) => Some(*bytes),
            _ => None,
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
    fn fill(
        &self,
        response: &mut Message,
        name: &Name,
        kind: RecordType,
        answer: Option<&DnsAnswer>,
        depth: usize,
    ) {
        let key = key(name);
        let code = match answer {
            Some(DnsAnswer::Sections(sections)) => {
                sections.fill(response);
                return;
            }
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
                response.add_answer(alias(name, name_of(target)));
                return;
            }
            Some(DnsAnswer::Alias(target)) => {
                let target = name_of(target);
                response.add_answer(alias(name, target.clone()));
                if depth < 16 {
                    let answer = self.answer(&self::key(&target), kind);
                    self.fill(response, &target, kind, answer, depth + 1);
                }
                return;
            }
            Some(DnsAnswer::Nodata) => ResponseCode::NoError,
            Some(DnsAnswer::Servfail) => ResponseCode::ServFail,
            Some(DnsAnswer::Refused | DnsAnswer::IfRecursive(_)) => ResponseCode::Refused,
            Some(DnsAnswer::NotImplemented) => ResponseCode::NotImp,
            Some(DnsAnswer::FormatError) => ResponseCode::FormErr,
            Some(
                DnsAnswer::Nxdomain
                | DnsAnswer::InTurn(_)
                | DnsAnswer::Families(..)
                | DnsAnswer::Silent
                | DnsAnswer::Malformed
                | DnsAnswer::Bytes(_)
                | DnsAnswer::ByType(_)
                | DnsAnswer::Truncated(_)
                | DnsAnswer::OtherQuestion(_)
                | DnsAnswer::OtherIdentifier(_)
                | DnsAnswer::CutAfter(..),
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

/// A name as the table has it.
fn key(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// Whether this type, and maybe this class behind it, is asked for.
fn is_asked(what: &str, query: &Query) -> bool {
    let (kind, class) = what.split_once(' ').unwrap_or((what, ""));
    [(kind, query.query_type().to_string()), (class, query.query_class().to_string())]
        .iter()
        .all(|(wanted, asked)| wanted.is_empty() || wanted == asked)
}

/// A name of any bytes but dots.
fn name_of(text: &str) -> Name {
    Name::from_labels(text.split('.').map(str::as_bytes)).expect("a DNS name")
}

/// The record that says that a name is an alias.
fn alias(name: &Name, target: Name) -> Record {
    Record::from_rdata(name.clone(), 60, RData::CNAME(CNAME(target)))
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
