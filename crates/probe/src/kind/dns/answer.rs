//! The answer of a name server: its response code, its flags and the records of its three sections.
//!
//! Must not know what is expected of it.

use std::fmt::Write as _;

use hickory_proto::{
    rr::Name,
    serialize::binary::{BinDecodable as _, BinDecoder},
};

use super::{
    names,
    record::{self, Record, RecordError},
};

/// The flags of a message, in the order in which they are shown (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
const FLAGS: [(u16, &str); 7] = [
    (0x8000, "qr"),
    (0x0400, "aa"),
    (0x0200, "tc"),
    (0x0100, "rd"),
    (0x0080, "ra"),
    (0x0020, "ad"),
    (0x0010, "cd"),
];

/// The bit that says that the answer was cut to the length of a datagram.
const TRUNCATED: u16 = 0x0200;

/// What a name server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response_code: u16,
    flags: u16,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

impl Answer {
    /// Reads a whole message.
    ///
    /// # Errors
    /// When the bytes are none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut decoder = BinDecoder::new(bytes);
        let mut number = || record::number16(&mut decoder);
        let (_id, flags) = (number()?, number()?);
        let (questions, answers, authorities, additionals) =
            (number()?, number()?, number()?, number()?);
        for _ in 0..questions {
            if decoder.is_empty() {
                break;
            }
            Name::read(&mut decoder)?;
            record::number16(&mut decoder)?;
            record::number16(&mut decoder)?;
        }
        let answers = record::read_all(&mut decoder, answers)?;
        let authorities = record::read_all(&mut decoder, authorities)?;
        let additionals = record::read_all(&mut decoder, additionals)?;
        let high = additionals.iter().find_map(|record| record.response_code_high);
        let response_code = u16::from(high.unwrap_or(0)) << 4 | flags & 0x000f;
        Ok(Self { response_code, flags, answers, authorities, additionals })
    }

    /// Whether the server says that there is more than fits.
    pub(super) fn is_truncated(&self) -> bool {
        self.flags & TRUNCATED != 0
    }

    /// The serial number of the zone; of several the last one counts, as in `blackbox_exporter`.
    pub(super) fn serial(&self) -> Option<u32> {
        self.answers.iter().rev().find_map(|record| record.serial)
    }

    /// The response code and the flags.
    fn status(&self) -> String {
        let flags = FLAGS.iter().filter(|(bit, _)| self.flags & bit != 0);
        let flags: Vec<&str> = flags.map(|(_, name)| *name).collect();
        let code = names::response_code_name(self.response_code);
        format!("{code}, flags: {}", flags.join(" "))
    }

    /// The answer in a few words.
    pub(super) fn summary(&self) -> String {
        let [answers, authorities, additionals] =
            [&self.answers, &self.authorities, &self.additionals].map(Vec::len);
        let status = self.status();
        format!(
            "{status}, {answers} answer, {authorities} authority and {additionals} additional records"
        )
    }

    /// Everything as text, in the manner of `dig`, cut somewhere behind so many bytes.
    pub(super) fn shown(&self, bytes_max: usize) -> String {
        let mut text = format!(";; status: {}\n", self.status());
        for (title, records) in [
            ("ANSWER", &self.answers),
            ("AUTHORITY", &self.authorities),
            ("ADDITIONAL", &self.additionals),
        ] {
            if records.is_empty() {
                continue;
            }
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, ";; {title}: {}", records.len());
            for record in records {
                if text.len() > bytes_max {
                    return text;
                }
                text.push_str(&record.text);
                text.push('\n');
            }
        }
        text
    }
}
