//! How the parts of a record are written: names, texts, bytes, times, and the numbers that have names.
//!
//! Must not know which parts a record has.

use std::fmt::Write as _;

use hickory_proto::rr::Name as DomainName;

/// A name with its final dot, with the characters escaped that are special in a zone file.
pub(super) fn name_text(name: &DomainName) -> String {
    let mut text = String::new();
    for label in name {
        text.push_str(&escaped_but(label, b". '@;()\"\\"));
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// A text in quotes.
pub(super) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", escaped_but(bytes, b"\"\\"))
}

/// A text without quotes.
pub(super) fn escaped(bytes: &[u8]) -> String {
    escaped_but(bytes, b"\"\\")
}

/// A text in which these characters have a backslash before them, and whatever is not printable is a number of three digits.
pub(super) fn escaped_but(bytes: &[u8], special: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            byte if special.contains(byte) => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            byte => {
                // Writing to a string cannot fail.
                let _infallible = write!(text, "\\{byte:03}");
            }
        }
    }
    text
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Base 32 with the extended alphabet and without padding (RFC 4648 §7), as NSEC3 has it.
pub(super) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

    let mut digits = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            digits.push((buffer >> bits) & 31);
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        digits.push((buffer << (5 - bits)) & 31);
    }
    let digit = |value: u32| ALPHABET.get(usize::try_from(value).ok()?).copied().map(char::from);
    digits.into_iter().filter_map(digit).collect()
}

/// A time in seconds since 1970, in UTC.
pub(super) fn time(seconds: u32) -> String {
    jiff::Timestamp::from_second(i64::from(seconds))
        .map_or_else(|_| seconds.to_string(), |at| at.strftime("%Y%m%d%H%M%S").to_string())
}

pub(super) fn certificate_type(number: u16) -> String {
    let name = match number {
        1 => "PKIX",
        2 => "SPKI",
        3 => "PGP",
        4 => "IPIX",
        5 => "ISPKI",
        6 => "IPGP",
        7 => "ACPKIX",
        8 => "IACPKIX",
        253 => "URI",
        254 => "OID",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// The algorithm of a key (<https://www.iana.org/assignments/dns-sec-alg-numbers/>).
pub(super) fn algorithm(number: u8) -> String {
    let name = match number {
        1 => "RSAMD5",
        2 => "DH",
        3 => "DSA",
        5 => "RSASHA1",
        6 => "DSA-NSEC3-SHA1",
        7 => "RSASHA1-NSEC3-SHA1",
        8 => "RSASHA256",
        10 => "RSASHA512",
        12 => "ECC-GOST",
        13 => "ECDSAP256SHA256",
        14 => "ECDSAP384SHA384",
        15 => "ED25519",
        16 => "ED448",
        252 => "INDIRECT",
        253 => "PRIVATEDNS",
        254 => "PRIVATEOID",
        other => return other.to_string(),
    };
    name.to_owned()
}
