//! The records of an answer as text, one line each, as miekg/dns and thus `blackbox_exporter` writes them: the name, the time to
//! live, the class and the type with tabs between them, then the data (RFC 1035 §5, RFC 3597 §5). Regular expressions are held
//! against these lines.
//!
//! Reads the bytes of the message itself, so that whatever a server sends has one text. Must not know what is expected of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::{
    rr::Name as DomainName,
    serialize::binary::{BinDecodable as _, BinDecoder, DecodeError},
};

use super::{
    names::{self, Field},
    written::{
        algorithm, base32, certificate_type, escaped, escaped_but, hex, name_text, quoted, time,
    },
};

/// How many records of a section are kept; more fit into no message of 64 KiB that carries data.
const RECORDS_MAX: usize = 6000;

/// The type of the record that carries EDNS (RFC 6891), and of the start of a zone.
const OPT: u16 = 41;
const SOA: u16 = 6;

/// Why bytes are no records.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// They end too early, or a name in them is malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A record says that it is of another length than its data.
    #[error("the data of a record is longer or shorter than it says")]
    Length,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The record in one line.
    pub(super) text: String,
    /// The serial number of the zone, in the record that starts one.
    pub(super) serial: Option<u32>,
    /// The upper bits of the response code, in the record that carries EDNS.
    pub(super) response_code_high: Option<u8>,
}

/// Reads so many records.
///
/// # Errors
/// When the bytes are no records.
pub(super) fn read_all(
    decoder: &mut BinDecoder<'_>,
    count: u16,
) -> Result<Vec<Record>, RecordError> {
    let mut records = Vec::new();
    for _ in 0..usize::from(count).min(RECORDS_MAX) {
        // A server may say that there are more than fit into the message.
        if decoder.is_empty() {
            break;
        }
        records.push(read(decoder)?);
    }
    Ok(records)
}

fn read(decoder: &mut BinDecoder<'_>) -> Result<Record, RecordError> {
    let name = DomainName::read(decoder)?;
    let number = number16(decoder)?;
    let class = number16(decoder)?;
    let lifetime = number32(decoder)?;
    let length = usize::from(number16(decoder)?);
    let begin = decoder.index();
    let bytes = decoder.read_slice(length)?.unverified(/* shown as it is */);
    // Names in the data may point into the whole message before them.
    let mut data = Data { whole: decoder.clone(0), at: begin, end: begin + length };
    let name = name_text(&name);
    if number == OPT {
        return Ok(options(&name, class, lifetime));
    }
    let class_name = names::class_name(class);
    let text = match names::kind(number) {
        // A deletion in an update of a zone has no data.
        Some(kind) if length == 0 => format!("{name}\t{lifetime}\t{class_name}\t{}\t", kind.name),
        Some(kind) => {
            let shown = match kind.fields {
                Some(fields) => data.show(fields)?,
                None => generic(bytes),
            };
            format!("{name}\t{lifetime}\t{class_name}\t{}\t{shown}", kind.name)
        }
        None => format!("{name}\t{lifetime}\tCLASS{class}\tTYPE{number}\t{}", generic(bytes)),
    };
    let serial = if number == SOA && length > 0 { serial(&data) } else { None };
    Ok(Record { text, serial, response_code_high: None })
}

/// The record in which a server speaks of EDNS: its class is a size, and its time to live holds flags.
fn options(name: &str, size: u16, flags: u32) -> Record {
    let [high, version, bits, _] = flags.to_be_bytes();
    let dnssec = if bits & 0x80 == 0 { "" } else { " do" };
    let text = format!(
        ";{name}\n;; OPT PSEUDOSECTION:\n; EDNS: version {version}; flags:{dnssec}; udp: {size}"
    );
    Record { text, serial: None, response_code_high: Some(high) }
}

/// The serial number in the data of the record that starts a zone: the third part.
fn serial(data: &Data<'_>) -> Option<u32> {
    let mut decoder = data.whole.clone(u16::try_from(data.end.checked_sub(20)?).ok()?);
    number32(&mut decoder).ok()
}

/// Data of a type that is not taken apart (RFC 3597 §5).
fn generic(bytes: &[u8]) -> String {
    format!("\\# {} {}", bytes.len(), hex(bytes))
}

/// The data of one record within its message.
struct Data<'a> {
    whole: BinDecoder<'a>,
    at: usize,
    end: usize,
}

impl Data<'_> {
    fn show(&mut self, fields: &[Field]) -> Result<String, RecordError> {
        let mut decoder = self.whole.clone(u16::try_from(self.at).unwrap_or(u16::MAX));
        let mut parts = Vec::new();
        for field in fields {
            let rest = self.end.saturating_sub(decoder.index());
            parts.extend(field.read(&mut decoder, rest)?);
        }
        if decoder.index() == self.end { Ok(parts.join(" ")) } else { Err(RecordError::Length) }
    }
}

impl Field {
    /// Reads this part, of which there are at most `rest` bytes; parts that hold several texts, or none, give several or none.
    fn read(self, decoder: &mut BinDecoder<'_>, rest: usize) -> Result<Vec<String>, RecordError> {
        let shown = match self {
            Self::Name => name_text(&DomainName::read(decoder)?),
            Self::Number8 => number8(decoder)?.to_string(),
            Self::Number16 => number16(decoder)?.to_string(),
            Self::Number32 => number32(decoder)?.to_string(),
            Self::Address4 => Ipv4Addr::from(number32(decoder)?).to_string(),
            Self::Address6 => {
                let bytes = slice(decoder, 16)?;
                let bytes: [u8; 16] = bytes.try_into().map_err(|_| RecordError::Length)?;
                Ipv6Addr::from(bytes).to_string()
            }
            Self::Time => time(number32(decoder)?),
            Self::Type => names::type_name(number16(decoder)?),
            Self::CertificateType => certificate_type(number16(decoder)?),
            Self::Algorithm => algorithm(number8(decoder)?),
            Self::CharacterString => quoted(counted(decoder)?),
            Self::Word => escaped(counted(decoder)?),
            Self::Salt => match counted(decoder)? {
                [] => "-".to_owned(),
                bytes => hex(bytes).to_uppercase(),
            },
            Self::Hashed => base32(counted(decoder)?),
            Self::Octets => quoted(slice(decoder, rest)?),
            Self::Hex => hex(slice(decoder, rest)?).to_uppercase(),
            Self::LowerHex => hex(slice(decoder, rest)?),
            Self::Base64 => STANDARD.encode(slice(decoder, rest)?),
            Self::Text => return list(decoder, rest, |inner, _| Ok(vec![quoted(counted(inner)?)])),
            Self::Types => return list(decoder, rest, types_of_window),
            Self::Parameters => return list(decoder, rest, parameter),
        };
        Ok(vec![shown])
    }
}

/// Reads parts until `rest` bytes are read.
fn list(
    decoder: &mut BinDecoder<'_>,
    rest: usize,
    part: impl Fn(&mut BinDecoder<'_>, usize) -> Result<Vec<String>, RecordError>,
) -> Result<Vec<String>, RecordError> {
    let end = decoder.index() + rest;
    let mut parts = Vec::new();
    while decoder.index() < end {
        let left = end - decoder.index();
        parts.extend(part(decoder, left)?);
    }
    Ok(parts)
}

/// The record types of one window of 256 (RFC 4034 §4.1.2).
fn types_of_window(decoder: &mut BinDecoder<'_>, _: usize) -> Result<Vec<String>, RecordError> {
    let window = number8(decoder)?;
    let bits = counted(decoder)?;
    let mut found = Vec::new();
    for (place, byte) in (0_u8..=31).zip(bits) {
        let set = (0..8_u8).filter(|bit| byte & (0x80 >> bit) != 0);
        found
            .extend(set.map(|bit| names::type_name(u16::from_be_bytes([window, place * 8 + bit]))));
    }
    Ok(found)
}

/// One parameter of a service, as in `alpn="h2,h3"`.
fn parameter(decoder: &mut BinDecoder<'_>, _: usize) -> Result<Vec<String>, RecordError> {
    const KEYS: [&str; 9] = [
        "mandatory",
        "alpn",
        "no-default-alpn",
        "port",
        "ipv4hint",
        "ech",
        "ipv6hint",
        "dohpath",
        "ohttp",
    ];
    let number = number16(decoder)?;
    let length = usize::from(number16(decoder)?);
    let bytes = slice(decoder, length)?;
    let name = |number: u16| {
        KEYS.get(usize::from(number)).map_or_else(|| format!("key{number}"), ToString::to_string)
    };
    let pairs = || bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
    let value = match number {
        0 => pairs().map(name).collect::<Vec<_>>().join(","),
        1 => protocols(bytes)?,
        3 => pairs().map(|port| port.to_string()).collect(),
        4 => addresses(bytes, |bytes: [u8; 4]| Ipv4Addr::from(bytes).to_string()),
        5 => STANDARD.encode(bytes),
        6 => addresses(bytes, |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_string()),
        _ => escaped_but(bytes, b"\"; \\"),
    };
    Ok(vec![format!("{}=\"{value}\"", name(number))])
}

fn addresses<const N: usize>(bytes: &[u8], text: impl Fn([u8; N]) -> String) -> String {
    let chunks = bytes.as_chunks::<N>().0.iter();
    chunks.map(|chunk| text(*chunk)).collect::<Vec<_>>().join(",")
}

/// A list of protocols, in which commas and backslashes are escaped twice (RFC 9460, appendix A.1).
fn protocols(mut bytes: &[u8]) -> Result<String, RecordError> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (protocol, rest) =
            rest.split_at_checked(usize::from(*length)).ok_or(RecordError::Length)?;
        let mut text = String::new();
        for byte in protocol {
            match byte {
                b',' => text.push_str("\\\\\\044"),
                b'\\' => text.push_str("\\\\\\092"),
                byte => text.push_str(&escaped_but(&[*byte], b"\"; ")),
            }
        }
        found.push(text);
        bytes = rest;
    }
    Ok(found.join(","))
}

fn number8(decoder: &mut BinDecoder<'_>) -> Result<u8, RecordError> {
    Ok(decoder.read_u8()?.unverified(/* any number is fine */))
}

pub(super) fn number16(decoder: &mut BinDecoder<'_>) -> Result<u16, RecordError> {
    Ok(decoder.read_u16()?.unverified(/* any number is fine */))
}

fn number32(decoder: &mut BinDecoder<'_>) -> Result<u32, RecordError> {
    Ok(decoder.read_u32()?.unverified(/* any number is fine */))
}

fn slice<'a>(decoder: &mut BinDecoder<'a>, length: usize) -> Result<&'a [u8], RecordError> {
    Ok(decoder.read_slice(length)?.unverified(/* shown as it is */))
}

/// Bytes behind their length.
fn counted<'a>(decoder: &mut BinDecoder<'a>) -> Result<&'a [u8], RecordError> {
    let length = usize::from(number8(decoder)?);
    slice(decoder, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of this type in a message that holds nothing else, as text.
    fn shown(number: u16, data: &[u8]) -> Result<String, RecordError> {
        let length = u16::try_from(data.len()).unwrap();
        let mut bytes = b"\x01a\x00".to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 14, 16]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(data);
        let records = read_all(&mut BinDecoder::new(&bytes), 1)?;
        Ok(records[0].text.clone())
    }

    #[test]
    #[rustfmt::skip]
    fn records_are_written_as_the_peer_writes_them() {
        for (number, data, text) in [
            (1, &b"\x7f\0\0\x01"[..], "A\t127.0.0.1"),
            (28, b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", "AAAA\t::ffff:127.0.0.1"),
            (2, b"\x02ns\x00", "NS\tns."),
            // The name of the record itself, by a pointer.
            (5, b"\x01b\xc0\x00", "CNAME\tb.a."),
            (2, b"\x05a. \xff@\x00", "NS\ta\\.\\ \\255\\@."),
            (6, b"\x00\x00\0\0\x03\xe8\0\0\0\x02\0\0\0\x03\0\0\0\x04\xff\xff\xff\xff", "SOA\t. . 1000 2 3 4 4294967295"),
            (15, b"\0\x0a\x02mx\x00", "MX\t10 mx."),
            (16, b"\x03a\"b\x02c\n\x00", "TXT\t\"a\\\"b\" \"c\\010\" \"\""),
            (13, b"\x07RFC8482\x00", "HINFO\t\"RFC8482\" \"\""),
            (33, b"\0\x01\0\x02\x00\x35\x01s\x00", "SRV\t1 2 53 s."),
            (257, b"\x00\x05issueca.example", "CAA\t0 issue \"ca.example\""),
            (43, b"\x12\x34\x08\x02\xab\xcd", "DS\t4660 8 2 ABCD"),
            (52, b"\x03\x01\x01\xab", "TLSA\t3 1 1 ab"),
            (48, b"\x01\x01\x03\x0d\xff\xee", "DNSKEY\t257 3 13 /+4="),
            (46, b"\0\x01\x0d\x02\0\0\0\x3c\x65\x92\x00\x80\x65\x92\x00\x80\x00\x07\x01a\x00\xff", "RRSIG\tA 13 2 60 20240101000000 20240101000000 7 a. /w=="),
            (47, b"\x01b\x00\x00\x06\x40\x01\0\0\0\x03", "NSEC\tb. A MX RRSIG NSEC"),
            (50, b"\x01\0\0\x0a\x01\xab\x05\0\x01\x02\x03\x04\x00\x01\x40", "NSEC3\t1 0 10 AB 000G40O4 A"),
            (51, b"\x01\0\0\x0a\x00", "NSEC3PARAM\t1 0 10 -"),
            (65, b"\0\x01\x00\0\x01\0\x06\x02h2\x02h,\0\x03\0\x02\x01\xbb\0\x04\0\x04\x7f\0\0\x01", "HTTPS\t1 . alpn=\"h2,h\\\\\\044\" port=\"443\" ipv4hint=\"127.0.0.1\""),
            (37, b"\0\x01\0\x02\x08\xff", "CERT\tPKIX 2 RSASHA256 /w=="),
            (256, b"\0\x01\0\x02ftp://a", "URI\t1 2 \"ftp://a\""),
            (29, b"\0\x01", "LOC\t\\# 2 0001"),
            (1, b"", "A\t"),
        ] {
            assert_eq!(shown(number, data).unwrap(), format!("a.\t3600\tIN\t{text}"), "{number}");
        }
        assert_eq!(shown(65_280, b"\xab\xcd").unwrap(), "a.\t3600\tCLASS1\tTYPE65280\t\\# 2 abcd");
    }

    #[test]
    fn data_of_another_length_is_refused() {
        for (number, data) in [
            (1, &b"\x7f\0\0"[..]),
            (1, b"\x7f\0\0\x01\x01"),
            (16, b"\x05ab"),
            (2, b"\xc0\x40"),
            (15, b"\0\x0a"),
            (47, b"\x01b\x00\x00\x09\x40"),
            (65, b"\0\x01\x00\0\x01\0\x06\x02h2"),
        ] {
            assert!(shown(number, data).is_err(), "{number}: {:?}", shown(number, data));
        }
    }

    #[test]
    fn a_count_that_is_too_high_ends_with_the_message() {
        let bytes = b"\x00\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01";
        assert_eq!(read_all(&mut BinDecoder::new(bytes), 100).unwrap().len(), 1);
    }
}
