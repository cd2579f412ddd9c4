//! The names of record types, classes and response codes, as miekg/dns and thus `blackbox_exporter` has them, and what the data
//! of each type consists of.
//!
//! Must not know what they are used for.

use self::Field::{
    Address4, Address6, Algorithm, Base64, CertificateType, CharacterString, Hashed, Hex, LowerHex,
    Name, Number8, Number16, Number32, Octets, Parameters, Salt, Text, Time, Type, Types, Word,
};

/// A part of a record's data. Those that take the rest come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Number8,
    Number16,
    Number32,
    Address4,
    Address6,
    /// Seconds since 1970 as `20261201172500`.
    Time,
    /// The name of a record type.
    Type,
    /// The kind of a certificate (RFC 4398 §2.1).
    CertificateType,
    /// The algorithm of a key, by its name.
    Algorithm,
    /// A text with its length, in quotes.
    CharacterString,
    /// The same without quotes.
    Word,
    /// Bytes with their length, as capital hexadecimal digits; `-` for none.
    Salt,
    /// Bytes with their length, in base 32 with the extended alphabet.
    Hashed,
    /// All the rest as texts with their lengths, in quotes.
    Text,
    /// All the rest as one text in quotes.
    Octets,
    /// All the rest as capital hexadecimal digits.
    Hex,
    /// The same in small ones.
    LowerHex,
    /// All the rest in base 64.
    Base64,
    /// All the rest as a set of record types (RFC 4034 §4.1.2).
    Types,
    /// All the rest as parameters of a service (RFC 9460 §2.2).
    Parameters,
}

/// A record type: its name, and what its data consists of where that is known.
#[derive(Debug)]
pub(super) struct RecordKind {
    pub(super) number: u16,
    pub(super) name: &'static str,
    /// `None` for data that is shown as bytes.
    pub(super) fields: Option<&'static [Field]>,
}

const fn known(number: u16, name: &'static str, fields: &'static [Field]) -> RecordKind {
    RecordKind { number, name, fields: Some(fields) }
}

const fn named(number: u16, name: &'static str) -> RecordKind {
    RecordKind { number, name, fields: None }
}

const DIGEST: &[Field] = &[Number16, Number8, Number8, Hex];
const KEY: &[Field] = &[Number16, Number8, Number8, Base64];
const SIGNATURE: &[Field] = &[Type, Number8, Number8, Number32, Time, Time, Number16, Name, Base64];
const CERTIFICATE: &[Field] = &[Number8, Number8, Number8, LowerHex];
const SERVICE: &[Field] = &[Number16, Name, Parameters];

/// Every record type that has a name (<https://www.iana.org/assignments/dns-parameters/>).
pub(super) const KINDS: &[RecordKind] = &[
    known(1, "A", &[Address4]),
    known(2, "NS", &[Name]),
    known(3, "MD", &[Name]),
    known(4, "MF", &[Name]),
    known(5, "CNAME", &[Name]),
    known(6, "SOA", &[Name, Name, Number32, Number32, Number32, Number32, Number32]),
    known(7, "MB", &[Name]),
    known(8, "MG", &[Name]),
    known(9, "MR", &[Name]),
    named(10, "NULL"),
    known(12, "PTR", &[Name]),
    known(13, "HINFO", &[CharacterString, CharacterString]),
    known(14, "MINFO", &[Name, Name]),
    known(15, "MX", &[Number16, Name]),
    known(16, "TXT", &[Text]),
    known(17, "RP", &[Name, Name]),
    known(18, "AFSDB", &[Number16, Name]),
    known(19, "X25", &[Word]),
    known(20, "ISDN", &[CharacterString, CharacterString]),
    known(21, "RT", &[Number16, Name]),
    known(23, "NSAP-PTR", &[Name]),
    known(24, "SIG", SIGNATURE),
    known(25, "KEY", KEY),
    known(26, "PX", &[Number16, Name, Name]),
    known(27, "GPOS", &[Word, Word, Word]),
    known(28, "AAAA", &[Address6]),
    named(29, "LOC"),
    known(30, "NXT", &[Name, Types]),
    known(31, "EID", &[Hex]),
    known(32, "NIMLOC", &[Hex]),
    known(33, "SRV", &[Number16, Number16, Number16, Name]),
    named(34, "ATMA"),
    known(
        35,
        "NAPTR",
        &[Number16, Number16, CharacterString, CharacterString, CharacterString, Name],
    ),
    known(36, "KX", &[Number16, Name]),
    known(37, "CERT", &[CertificateType, Number16, Algorithm, Base64]),
    known(39, "DNAME", &[Name]),
    named(41, "OPT"),
    named(42, "APL"),
    known(43, "DS", DIGEST),
    known(44, "SSHFP", &[Number8, Number8, Hex]),
    named(45, "IPSECKEY"),
    known(46, "RRSIG", SIGNATURE),
    known(47, "NSEC", &[Name, Types]),
    known(48, "DNSKEY", KEY),
    known(49, "DHCID", &[Base64]),
    known(50, "NSEC3", &[Number8, Number8, Number16, Salt, Hashed, Types]),
    known(51, "NSEC3PARAM", &[Number8, Number8, Number16, Salt]),
    known(52, "TLSA", CERTIFICATE),
    known(53, "SMIMEA", CERTIFICATE),
    named(55, "HIP"),
    known(56, "NINFO", &[Text]),
    known(57, "RKEY", KEY),
    known(58, "TALINK", &[Name, Name]),
    known(59, "CDS", DIGEST),
    known(60, "CDNSKEY", KEY),
    known(61, "OPENPGPKEY", &[Base64]),
    known(62, "CSYNC", &[Number32, Number16, Types]),
    known(63, "ZONEMD", &[Number32, Number8, Number8, LowerHex]),
    known(64, "SVCB", SERVICE),
    known(65, "HTTPS", SERVICE),
    known(99, "SPF", &[Text]),
    known(100, "UINFO", &[CharacterString]),
    known(101, "UID", &[Number32]),
    known(102, "GID", &[Number32]),
    named(103, "UNSPEC"),
    named(104, "NID"),
    known(105, "L32", &[Number16, Address4]),
    named(106, "L64"),
    known(107, "LP", &[Number16, Name]),
    named(108, "EUI48"),
    named(109, "EUI64"),
    named(128, "NXNAME"),
    named(249, "TKEY"),
    named(250, "TSIG"),
    named(251, "IXFR"),
    named(252, "AXFR"),
    named(253, "MAILB"),
    named(254, "MAILA"),
    named(255, "ANY"),
    known(256, "URI", &[Number16, Number16, Octets]),
    known(257, "CAA", &[Number8, Word, Octets]),
    known(258, "AVC", &[Text]),
    named(260, "AMTRELAY"),
    known(261, "RESINFO", &[Text]),
    known(32768, "TA", DIGEST),
    known(32769, "DLV", DIGEST),
];

/// The classes (RFC 1035 §3.2.4, RFC 2136 §1.3).
pub(super) const CLASSES: &[(u16, &str)] =
    &[(1, "IN"), (2, "CS"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")];

/// The response codes (<https://www.iana.org/assignments/dns-parameters/>, DNS RCODEs).
pub(super) const RESPONSE_CODES: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADSIG"),
    (17, "BADKEY"),
    (18, "BADTIME"),
    (19, "BADMODE"),
    (20, "BADNAME"),
    (21, "BADALG"),
    (22, "BADTRUNC"),
    (23, "BADCOOKIE"),
];

/// The record type of this number, if it has a name.
pub(super) fn kind(number: u16) -> Option<&'static RecordKind> {
    KINDS.iter().find(|kind| kind.number == number)
}

/// The name of a record type, or its number as RFC 3597 §5 writes it.
pub(super) fn type_name(number: u16) -> String {
    kind(number).map_or_else(|| format!("TYPE{number}"), |kind| kind.name.to_owned())
}

/// The name of a class, or its number.
pub(super) fn class_name(number: u16) -> String {
    find(CLASSES, number).map_or_else(|| format!("CLASS{number}"), str::to_owned)
}

/// The name of a response code, or its number.
pub(super) fn response_code_name(number: u16) -> String {
    find(RESPONSE_CODES, number).map_or_else(|| format!("RCODE{number}"), str::to_owned)
}

fn find(names: &[(u16, &'static str)], number: u16) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_there_once() {
        let kinds: Vec<(u16, &str)> = KINDS.iter().map(|kind| (kind.number, kind.name)).collect();
        for names in [&kinds, CLASSES, RESPONSE_CODES] {
            assert!(names.is_sorted_by(|one, other| one.0 < other.0), "{names:?}");
            for (index, (number, name)) in names.iter().enumerate() {
                let same = names[..index].iter().any(|(_, other)| other == name);
                assert!(!same, "{name} is there for {number} too");
            }
        }
        assert_eq!(type_name(15), "MX");
        assert_eq!(type_name(65_280), "TYPE65280");
        assert_eq!(class_name(7), "CLASS7");
        assert_eq!(response_code_name(12), "RCODE12");
    }
}
