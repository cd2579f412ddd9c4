//! What a name server may be asked, and what it may say.
//!
//! Must not know how it is said.

use std::net::{IpAddr, Ipv4Addr};

use super::sections::Sections;

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
    /// These records, whatever is asked for.
    Sections(Box<Sections>),
    /// The first of these whose type and class are asked for, as in `SOA` and `TXT CH`; `""` stands for all.
    ByType(Vec<(&'static str, DnsAnswer)>),
    /// Refused, unless recursion is wanted.
    IfRecursive(Box<DnsAnswer>),
    /// The same answer with the truncation bit set, over UDP only.
    Truncated(Box<DnsAnswer>),
    /// The same answer as one that another question got: its name is `other.test`.
    OtherQuestion(Box<DnsAnswer>),
    /// The same answer with another identifier.
    OtherIdentifier(Box<DnsAnswer>),
    /// The same answer over a connection, which ends after so many bytes, its length included. Over UDP nothing.
    CutAfter(usize, Box<DnsAnswer>),
    /// Answers that look right but for one thing, all with [`FORGED`]: their identifier, their question, the port that they
    /// come from. Then the true answer, if there is one.
    Forged(Option<IpAddr>),
}

/// The address in forged answers.
pub const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 6, 6, 6));

impl DnsAnswer {
    /// These records, each as a line of a zone.
    pub fn sections(answers: &[&str], authorities: &[&str], additionals: &[&str]) -> Self {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        Self::Sections(Box::new(Sections {
            answers: lines(answers),
            authorities: lines(authorities),
            additionals: lines(additionals),
        }))
    }

    /// These addresses, written as text.
    pub fn addresses(texts: &[&str]) -> Self {
        Self::Addresses(texts.iter().map(|text| text.parse().expect("an IP address")).collect())
    }
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, in lower case and without final dot.
    pub name: String,
    /// The record type, as in `A`.
    pub kind: String,
    /// The class, as in `IN`.
    pub class: String,
    /// Whether the server is to ask others.
    pub recursion_desired: bool,
    /// Whether the question came over TCP.
    pub over_tcp: bool,
}

impl Question {
    /// A question for a record type in the class of the Internet, as most are.
    pub fn new(name: &str, kind: &str) -> Self {
        let (name, kind, class) = (name.to_owned(), kind.to_owned(), "IN".to_owned());
        Self { name, kind, class, recursion_desired: true, over_tcp: false }
    }
}
