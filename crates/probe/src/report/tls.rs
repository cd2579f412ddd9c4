//! What is known of a TLS connection and its certificates, for people.
//!
//! Must not know how a handshake is made, nor how a certificate is read.

use std::sync::Arc;

use super::failure::Reason;

/// A TLS connection, for people. What is not known stays empty: a handshake that failed can have shown certificates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsSummary {
    /// As in `TLS 1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite, as IANA names it.
    pub cipher: Option<String>,
    /// The protocol that the server chose, as in `h2`.
    pub alpn: Option<String>,
    /// What became of it.
    pub verdict: TlsVerdict,
    /// What the server presented, leaf first; the first ones when there are many.
    pub certificates: Arc<[CertificateSummary]>,
}

impl TlsSummary {
    /// How many bytes of memory this takes, about, not counting that certificates may be shared.
    pub(crate) fn bytes(&self) -> usize {
        self.certificates.iter().map(CertificateSummary::bytes).sum()
    }
}

/// What became of a handshake and the verification of the certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerdict {
    /// An authority vouches for the server.
    Trusted,
    /// The certificate is one of those that the module names.
    Pinned,
    /// The module takes any certificate.
    #[default]
    Unchecked,
    /// The handshake failed, or its certificate is refused.
    Failed(Reason),
}

/// A certificate, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The alternative names, the first ones when there are many.
    pub names: Vec<String>,
    /// In hexadecimal.
    pub serial: String,
    /// In lower-case hexadecimal.
    pub fingerprint_sha256: String,
    /// In seconds since the Unix epoch.
    pub not_before: i64,
    /// In seconds since the Unix epoch.
    pub not_after: i64,
    /// The kind of its key and the size, as in `RSA 2048`.
    pub key: String,
    /// How it is signed, as in `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
}

impl CertificateSummary {
    /// How many bytes of memory this takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.len() + size_of::<String>()).sum();
        let texts = [&self.subject, &self.issuer, &self.serial, &self.fingerprint_sha256];
        names + texts.map(String::len).iter().sum::<usize>() + size_of::<Self>()
    }
}
