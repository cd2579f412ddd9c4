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
    /// When the bytes are no message.
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

    /// Everything as text, in the manner of `dig`, cut shortly after so many bytes.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole answer with a record of each kind of data that needs care: names by pointers, texts, types and parameters.
    const ANSWER: &[u8] = b"\0\x07\x85\x80\0\x01\0\x03\0\x01\0\x02\x01a\x00\0\xff\0\x01\
        \xc0\x0c\0\x06\0\x01\0\0\0\x3c\0\x18\xc0\x0c\xc0\x0c\0\0\x03\xe8\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05\
        \xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x05\x01a\x02bc\
        \xc0\x0c\0\x41\0\x01\0\0\0\x3c\0\x0a\0\x01\0\0\x01\0\x03\x02h2\
        \xc0\x0c\0\x2f\0\x01\0\0\0\x3c\0\x05\xc0\x0c\0\x01\x40\
        \xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01\
        \0\0\x29\x04\xd0\x01\0\x80\0\0\0";

    #[test]
    fn a_whole_answer_is_read() {
        let answer = Answer::read(ANSWER).unwrap();
        // The upper bits are in the record about EDNS.
        assert_eq!((answer.response_code, answer.serial()), (16, Some(1000)));
        assert!(!answer.is_truncated());
        let shown = answer.shown(usize::MAX).replace('\t', " ");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines,
            [
                ";; status: BADSIG, flags: qr aa rd ra",
                ";; ANSWER: 3",
                "a. 60 IN SOA a. a. 1000 2 3 4 5",
                "a. 60 IN TXT \"a\" \"bc\"",
                "a. 60 IN HTTPS 1 . alpn=\"h2\"",
                ";; AUTHORITY: 1",
                "a. 60 IN NSEC a. A",
                ";; ADDITIONAL: 2",
                "a. 60 IN A 127.0.0.1",
                ";.",
                ";; OPT PSEUDOSECTION:",
                "; EDNS: version 0; flags: do; udp: 1232",
            ]
        );
    }

    #[test]
    fn whatever_comes_is_read_or_refused() {
        let mut refused = 0;
        for end in 0..ANSWER.len() {
            refused += usize::from(Answer::read(&ANSWER[..end]).is_err());
        }
        for (index, value) in
            (0..ANSWER.len()).flat_map(|index| (0..=255).map(move |value| (index, value)))
        {
            let mut bytes = ANSWER.to_vec();
            bytes[index] = value;
            match Answer::read(&bytes) {
                Ok(answer) => assert!(answer.shown(100).len() < 100_000),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}
