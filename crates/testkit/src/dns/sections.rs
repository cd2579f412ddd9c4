//! The records of an answer, written as lines of a zone.
//!
//! Must not know who asks for them.

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// The records of an answer, each as a line of a zone: `example.com. 3600 IN A 127.0.0.1`.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    /// What answers the question.
    pub answers: Vec<String>,
    /// Who is responsible.
    pub authorities: Vec<String>,
    /// What goes with it.
    pub additionals: Vec<String>,
}

impl Sections {
    pub(super) fn fill(&self, response: &mut Message) {
        response.add_answers(self.answers.iter().map(|line| record(line)));
        response.add_authorities(self.authorities.iter().map(|line| record(line)));
        response.add_additionals(self.additionals.iter().map(|line| record(line)));
    }
}

/// A record from a line of a zone; `\# 3 abcdef` stands for data of any type (RFC 3597).
fn record(line: &str) -> Record {
    let mut words = line.splitn(5, ' ');
    let mut word = || words.next().expect("five words");
    let (name, lifetime, class, kind, data) = (word(), word(), word(), word(), word());
    let kind = kind.strip_prefix("TYPE").map_or_else(
        || kind.parse::<RecordType>().expect("a record type"),
        |number| RecordType::from(number.parse::<u16>().expect("the number of a record type")),
    );
    let data = match data.strip_prefix("\\# ") {
        Some(generic) => {
            let digits = generic.split_once(' ').expect("a length and digits").1;
            let bytes = (0..digits.len() / 2)
                .map(|index| u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16))
                .collect::<Result<Vec<u8>, _>>();
            RData::Unknown { code: kind, rdata: NULL::with(bytes.expect("hexadecimal digits")) }
        }
        None => RData::try_from_str(kind, data).expect("the data of a record"),
    };
    let name = Name::from_ascii(name).expect("a name");
    let mut record = Record::from_rdata(name, lifetime.parse().expect("a number"), data);
    record.dns_class = class.parse::<DNSClass>().expect("a class");
    record
}
