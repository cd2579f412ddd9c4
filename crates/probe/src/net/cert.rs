//! Certificates as facts: dates, names, keys, fingerprints. Reads what no verifier would accept.
//!
//! Must not know how a certificate was presented or whether it is trusted.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use notation::{sync::lock, text::beginning};
use x509_parser::{
    oid_registry::Oid,
    prelude::{AlgorithmIdentifier, FromDer as _, GeneralName, ParsedExtension, X509Certificate},
    public_key::PublicKey,
    x509::{SubjectPublicKeyInfo, X509Version},
};

use crate::report::{CertificateSummary, text::printable};

/// The longest text that is kept of a certificate, in bytes: it can hold thousands of names, and any character.
const TEXT_BYTES_MAX: usize = 256;

/// How many alternative names are kept.
const NAMES_MAX: usize = 16;

/// How many certificates of one chain are kept in a summary.
const SUMMARIES_MAX: usize = 8;

/// How many chains are remembered, so that those which targets present again and again are read once.
const CHAINS_MAX: usize = 1024;

/// RSA keys with fewer bits, and keys on curves with fewer than [`CURVE_BITS_MIN`], are too weak by today's rules.
const RSA_BITS_MIN: usize = 2048;
const CURVE_BITS_MIN: usize = 256;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) summary: CertificateSummary,
    /// All alternative names in one text, cut.
    pub(crate) host_names: String,
    /// The names in DER, to compare them exactly.
    pub(crate) subject: Box<[u8]>,
    pub(crate) issuer: Box<[u8]>,
    /// The identifiers of its own key and of its issuer's (RFC 5280 §4.2.1.1 and §4.2.1.2).
    key_identifier: Option<Box<[u8]>>,
    issuer_key_identifier: Option<Box<[u8]>>,
    /// Whether it says where its issuer's certificate can be had: then the issuer belongs to a public hierarchy.
    pub(crate) has_issuer_location: bool,
    /// Whether it says that it may sign others.
    pub(crate) is_authority: bool,
    /// Whether it is older than extensions are.
    pub(crate) is_old: bool,
    /// Why its key is too weak.
    pub(crate) weak_key: Option<String>,
    /// Why its signature is too weak.
    pub(crate) weak_signature: Option<String>,
}

/// The certificates that a server presented, leaf first.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) summaries: Arc<[CertificateSummary]>,
}

/// The chains that were read before: servers rarely present another one.
#[derive(Debug, Default)]
pub(crate) struct Chains(Mutex<HashMap<[u8; 32], Arc<Chain>>>);

impl Chains {
    /// Reads certificates in DER, leaf first. What is no certificate is left out.
    pub(crate) fn read<'a>(&self, presented: impl Iterator<Item = &'a [u8]> + Clone) -> Arc<Chain> {
        let mut context = Context::new(&SHA256);
        for der in presented.clone() {
            context.update(&der.len().to_le_bytes());
            context.update(der);
        }
        let key: [u8; 32] = context.finish().as_ref().try_into().unwrap_or_default();
        let known = lock(&self.0).get(&key).cloned();
        if let Some(chain) = known {
            return chain;
        }
        let certificates: Vec<_> = presented.filter_map(Certificate::read).collect();
        let summaries = certificates.iter().take(SUMMARIES_MAX);
        let summaries = summaries.map(|certificate| certificate.summary.clone()).collect();
        let chain = Arc::new(Chain { certificates, summaries });
        let mut chains = lock(&self.0);
        if chains.len() >= CHAINS_MAX {
            // What is still presented is read again.
            chains.clear();
        }
        chains.insert(key, Arc::clone(&chain));
        chain
    }
}

impl Certificate {
    /// Reads a certificate; `None` when it is not one.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let mut certificate = Self::without_extensions(der, &parsed);
        let mut names = Vec::new();
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(alternative) => {
                    let general = &alternative.general_names;
                    names.extend(general.iter().filter_map(name));
                    // The label has the names of hosts alone, as in blackbox_exporter.
                    let hosts: Vec<&str> = general.iter().filter_map(host_name).collect();
                    certificate.host_names = cut(&hosts.join(","));
                }
                ParsedExtension::AuthorityInfoAccess(access) => {
                    let issuers = |method: &Oid<'_>| method.to_id_string() == "1.3.6.1.5.5.7.48.2";
                    certificate.has_issuer_location =
                        access.iter().any(|description| issuers(&description.access_method));
                }
                ParsedExtension::BasicConstraints(constraints) => {
                    certificate.is_authority = constraints.ca;
                }
                ParsedExtension::SubjectKeyIdentifier(identifier) => {
                    certificate.key_identifier = Some(identifier.0.into());
                }
                ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                    let key = identifier.key_identifier.as_ref();
                    certificate.issuer_key_identifier = key.map(|key| key.0.into());
                }
                _ => {}
            }
        }
        names.truncate(NAMES_MAX);
        certificate.summary.names = names.iter().map(|name| cut(name)).collect();
        Some(certificate)
    }

    fn without_extensions(der: &[u8], parsed: &X509Certificate<'_>) -> Self {
        let (key, weak_key) = key(parsed.public_key());
        let (signature_algorithm, weak_hash) = signature_algorithm(&parsed.signature_algorithm);
        // The issuer's key is as long as its signature.
        let bits = parsed.signature_value.data.len() * 8;
        let short = signature_algorithm.contains("RSA") && bits < RSA_BITS_MIN;
        let weak_signature = if weak_hash {
            Some(format!("it is signed with {signature_algorithm}"))
        } else {
            short.then(|| format!("it is signed with a key of {bits} bits"))
        };
        Self {
            summary: CertificateSummary {
                subject: cut(&parsed.subject().to_string()),
                issuer: cut(&parsed.issuer().to_string()),
                names: Vec::new(),
                serial: cut(&serial(parsed.raw_serial())),
                fingerprint_sha256: hexadecimal(digest(&SHA256, der).as_ref()),
                not_before: parsed.validity().not_before.timestamp(),
                not_after: parsed.validity().not_after.timestamp(),
                key,
                signature_algorithm,
            },
            host_names: String::new(),
            subject: parsed.subject().as_raw().into(),
            issuer: parsed.issuer().as_raw().into(),
            key_identifier: None,
            issuer_key_identifier: None,
            has_issuer_location: false,
            is_authority: false,
            is_old: parsed.version() != X509Version::V3,
            weak_key,
            weak_signature,
        }
    }

    /// Whether it names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.names_as_issuer(self)
    }

    /// Whether it names the other one as its issuer.
    pub(crate) fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer == other.subject
            && match (&self.issuer_key_identifier, &other.key_identifier) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            }
    }
}

/// What a signature is checked with: the key, what is signed, the signature.
pub(crate) struct OwnSignature<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) message: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// Hands the parts of a certificate to a check of its signature by its own key.
pub(crate) fn with_own_signature(
    der: &[u8],
    check: impl FnOnce(&OwnSignature<'_>) -> bool,
) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return false };
    check(&OwnSignature {
        key: &parsed.public_key().subject_public_key.data,
        message: parsed.tbs_certificate.as_ref(),
        signature: &parsed.signature_value.data,
    })
}

fn host_name<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::DNSName(name) = name { Some(name) } else { None }
}

/// An alternative name that a server can have.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let short = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let long = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            short.or_else(|_| long()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The kind and the size of a key, and why it is too weak.
fn key(info: &SubjectPublicKeyInfo<'_>) -> (String, Option<String>) {
    let weak = |name: &str, bits, bits_min| {
        (bits < bits_min).then(|| format!("its key is {name} with {bits} bits"))
    };
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let bits = key.key_size();
            (format!("RSA {bits}"), weak("RSA", bits, RSA_BITS_MIN))
        }
        Ok(PublicKey::EC(point)) => {
            let bits = point.key_size();
            let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            let curve = curve.map_or_else(String::new, |curve| curve.to_id_string());
            let name = match curve.as_str() {
                "1.2.840.10045.3.1.7" => "ECDSA P-256".to_owned(),
                "1.3.132.0.34" => "ECDSA P-384".to_owned(),
                "1.3.132.0.35" => "ECDSA P-521".to_owned(),
                other => format!("ECDSA {other}"),
            };
            (name, weak("ECDSA", bits, CURVE_BITS_MIN))
        }
        Ok(PublicKey::DSA(_)) => ("DSA".to_owned(), Some("its key is DSA".to_owned())),
        _ => match info.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => ("Ed25519".to_owned(), None),
            "1.3.101.113" => ("Ed448".to_owned(), None),
            other => (cut(other), None),
        },
    }
}

/// The name of a signature's algorithm as RFC 8017, 3279, 5758 and 8410 have it, and whether its hash is broken.
fn signature_algorithm(algorithm: &AlgorithmIdentifier<'_>) -> (String, bool) {
    let identifier = algorithm.algorithm.to_id_string();
    let (name, weak) = match identifier.as_str() {
        "1.2.840.113549.1.1.2" => ("md2WithRSAEncryption", true),
        "1.2.840.113549.1.1.4" => ("md5WithRSAEncryption", true),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("sha1WithRSAEncryption", true),
        "1.2.840.10040.4.3" => ("dsa-with-SHA1", true),
        "1.2.840.10045.4.1" => ("ecdsa-with-SHA1", true),
        "1.2.840.113549.1.1.10" => ("RSASSA-PSS", false),
        "1.2.840.113549.1.1.11" => ("sha256WithRSAEncryption", false),
        "1.2.840.113549.1.1.12" => ("sha384WithRSAEncryption", false),
        "1.2.840.113549.1.1.13" => ("sha512WithRSAEncryption", false),
        "1.2.840.10045.4.3.2" => ("ecdsa-with-SHA256", false),
        "1.2.840.10045.4.3.3" => ("ecdsa-with-SHA384", false),
        "1.2.840.10045.4.3.4" => ("ecdsa-with-SHA512", false),
        "1.3.101.112" => ("Ed25519", false),
        "1.3.101.113" => ("Ed448", false),
        other => return (cut(other), false),
    };
    (name.to_owned(), weak)
}

/// A serial number without the leading zeros of its encoding, as `blackbox_exporter` writes it.
fn serial(bytes: &[u8]) -> String {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    hexadecimal(bytes.get(first..).unwrap_or_default())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// A text of a certificate as it may be shown, in one line.
fn cut(text: &str) -> String {
    let text = printable(text.as_bytes(), TEXT_BYTES_MAX).replace('\n', " ");
    beginning(&text, TEXT_BYTES_MAX).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_written_without_leading_zeros() {
        for (bytes, text) in
            [(&[0, 0xc8, 0x3c][..], "c83c"), (&[0x07, 0, 1], "070001"), (&[0], ""), (&[], "")]
        {
            assert_eq!(serial(bytes), text);
        }
    }
}
