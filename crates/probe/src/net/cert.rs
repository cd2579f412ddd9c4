//! Certificates as facts: dates, names, fingerprint. Reads what no verifier would accept.
//!
//! Must not know how a certificate was presented or whether it is trusted.

use std::{borrow::Cow, time::SystemTime};

use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

use crate::{metric, scope::Scope};

/// The longest label value that is made of a certificate, in bytes: a certificate can hold thousands of names.
const LABEL_BYTES_MAX: usize = 256;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// In seconds since the Unix epoch.
    pub(crate) not_before: i64,
    /// In seconds since the Unix epoch.
    pub(crate) not_after: i64,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    serial: String,
    fingerprint: String,
    /// Whether it says where its issuer's certificate can be had: then the issuer belongs to a public hierarchy.
    pub(crate) has_issuer_location: bool,
}

impl Certificate {
    /// Reads a certificate; `None` when it is not one.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut names = Vec::new();
        let mut has_issuer_location = false;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(alternative) => {
                    names.extend(alternative.general_names.iter().filter_map(|name| match name {
                        GeneralName::DNSName(name) => Some((*name).to_owned()),
                        GeneralName::IPAddress(bytes) => address(bytes),
                        _ => None,
                    }));
                }
                ParsedExtension::AuthorityInfoAccess(_) => has_issuer_location = true,
                _ => {}
            }
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        Some(Self {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names,
            serial: hexadecimal(certificate.raw_serial()),
            fingerprint: hexadecimal(digest.as_ref()),
            has_issuer_location,
        })
    }

    /// Whether it names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::IpAddr::from(bytes).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Reports the certificates that a server presented, leaf first. `trusted` tells whether they were verified.
pub(crate) fn report(scope: &mut Scope<'_>, chain: &[Certificate], trusted: bool) {
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar date fit into 53 bits")]
    let seconds = |seconds: i64| seconds as f64;
    let Some(leaf) = chain.first() else { return };
    let earliest =
        chain.iter().map(|certificate| certificate.not_after).min().unwrap_or(leaf.not_after);
    scope.sample(&metric::SSL_EARLIEST_EXPIRY, seconds(earliest));
    scope.sample(&metric::SSL_NOT_BEFORE, seconds(leaf.not_before));
    if trusted {
        scope.sample(
            &metric::SSL_LAST_CHAIN_EXPIRY,
            seconds(path_expiry(chain).unwrap_or(leaf.not_after)),
        );
    }
    let labels = vec![
        ("fingerprint_sha256", label(&leaf.fingerprint)),
        ("subject", label(&leaf.subject)),
        ("issuer", label(&leaf.issuer)),
        ("subjectalternative", label(&leaf.names.join(","))),
        ("serialnumber", label(&leaf.serial)),
    ];
    scope.labelled(&metric::SSL_LAST_CHAIN_INFO, labels, 1.0);
    let days = (leaf.not_after - unix_seconds(scope.started_at())) / 86_400;
    scope.note(format!(
        "certificate: subject {}, issuer {}, names {}, expires in {days} days, chain of {}",
        leaf.subject,
        leaf.issuer,
        leaf.names.join(" "),
        chain.len()
    ));
}

/// When the first certificate on the path from the leaf upwards expires. What was presented beside the path does not count.
fn path_expiry(chain: &[Certificate]) -> Option<i64> {
    let mut current = chain.first()?;
    let mut earliest = current.not_after;
    // A path is never longer than what was presented, so this ends.
    for _ in chain {
        let issuer = chain
            .iter()
            .find(|candidate| candidate.subject == current.issuer && !current.is_self_issued());
        let Some(issuer) = issuer else { break };
        earliest = earliest.min(issuer.not_after);
        current = issuer;
    }
    Some(earliest)
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

fn label(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.get(..text.floor_char_boundary(LABEL_BYTES_MAX)).unwrap_or_default().to_owned())
}
