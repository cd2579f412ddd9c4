//! Whether a chain of certificates is trusted, and why not.
//!
//! Must not know a handshake.

use std::sync::Arc;

use tokio_rustls::rustls::{
    self, CertificateError,
    client::{
        WebPkiServerVerifier, danger::ServerCertVerifier as _,
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{roots::Roots, settings::Fingerprint};
use crate::{
    net::cert::{self, Certificate, Chain},
    report::{Failure, Phase, Reason},
};

/// Whom a module trusts.
#[derive(Debug)]
pub(super) enum Trust {
    /// Anybody.
    Anything,
    /// The certificates with these fingerprints.
    Pinned(Vec<Fingerprint>),
    /// Whoever these authorities vouch for.
    Anchors(Anchors),
}

/// How a trusted chain came to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// The module takes any certificate.
    Unchecked,
    /// By its fingerprint.
    Pinned,
    /// By an authority.
    Anchored {
        /// When the path expires that holds for longest, in seconds since the Unix epoch.
        expiry: i64,
    },
}

/// What a server presented, and when and by which name it was asked.
pub(super) struct Presented<'a> {
    pub(super) ders: &'a [CertificateDer<'static>],
    pub(super) chain: &'a Chain,
    pub(super) name: &'a ServerName<'static>,
    pub(super) now: UnixTime,
}

/// Trusted authorities with what they revoked.
#[derive(Debug)]
pub(super) struct Anchors {
    roots: Arc<Roots>,
    provider: Arc<CryptoProvider>,
    /// Where revocation is asked for.
    revocation: Option<Arc<WebPkiServerVerifier>>,
}

impl Anchors {
    pub(super) fn new(
        roots: Arc<Roots>,
        lists: Vec<CertificateRevocationListDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let revocation = if lists.is_empty() {
            None
        } else {
            // The file need not have a list of every authority in the world.
            let builder = WebPkiServerVerifier::builder_with_provider(
                Arc::clone(&roots.store),
                Arc::clone(&provider),
            );
            let verifier = builder.with_crls(lists).allow_unknown_revocation_status().build();
            Some(verifier.map_err(|error| format!("`crl_file`: {error}"))?)
        };
        Ok(Self { roots, provider, revocation })
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        presented: &Presented<'_>,
    ) -> Result<(), rustls::Error> {
        let Presented { name, now, .. } = presented;
        if let Some(verifier) = &self.revocation {
            return verifier.verify_server_cert(leaf, others, name, &[], *now).map(|_| ());
        }
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots.store,
            others,
            *now,
            algorithms,
        )?;
        verify_server_name(&parsed, name)
    }

    /// Whether a certificate that calls itself an authority is served by one that trusts exactly it: what Go and `OpenSSL`
    /// accept and `openssl req -x509` makes. Its dates and names count anyway.
    fn is_trusted_itself(&self, error: &CertificateError, leaf: &Certificate) -> bool {
        matches!(error, CertificateError::Other(_)) && leaf.is_authority && self.roots.is_root(leaf)
    }

    fn judge(&self, presented: &Presented<'_>, leaf: &Certificate) -> Result<Trusted, Failure> {
        let Some((der, others)) = presented.ders.split_first() else {
            return Err(no_certificate());
        };
        let now = i64::try_from(presented.now.as_secs()).unwrap_or(i64::MAX);
        match self.verify(der, others, presented) {
            Ok(()) => {
                let expiry = self.roots.expiry(&presented.chain.certificates, now);
                Ok(Trusted::Anchored { expiry: expiry.unwrap_or(leaf.summary.not_after) })
            }
            Err(rustls::Error::InvalidCertificate(cause))
                if self.is_trusted_itself(&cause, leaf) =>
            {
                check_dates(std::slice::from_ref(leaf), now)?;
                let parsed = ParsedCertificate::try_from(der);
                match parsed.and_then(|parsed| verify_server_name(&parsed, presented.name)) {
                    Ok(()) => Ok(Trusted::Anchored { expiry: leaf.summary.not_after }),
                    Err(error) => Err(self.distrust(&error, presented, leaf)),
                }
            }
            Err(error) => Err(self.distrust(&error, presented, leaf)),
        }
    }

    /// Why a chain is not trusted.
    fn distrust(
        &self,
        error: &rustls::Error,
        presented: &Presented<'_>,
        leaf: &Certificate,
    ) -> Failure {
        let certificates = &presented.chain.certificates;
        let failed = |reason, detail: String| Failure::new(Phase::Tls, reason, detail);
        let cause = match error {
            rustls::Error::InvalidCertificate(cause) => cause,
            rustls::Error::InvalidCertRevocationList(_) => {
                let detail = format!("the revocation lists cannot be used: {error}");
                return Failure::new(Phase::Internal, Reason::Config, detail);
            }
            other => return failed(Reason::BadCert, other.to_string()),
        };
        match cause {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                let now = i64::try_from(presented.now.as_secs()).unwrap_or(i64::MAX);
                // A trusted authority may be what expired.
                check_dates(certificates, now)
                    .err()
                    .unwrap_or_else(|| failed(Reason::Expired, cause.to_string()))
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                failed(Reason::NameMismatch, other_names(presented.name, leaf))
            }
            CertificateError::UnknownIssuer => self.unknown_issuer(presented, leaf),
            CertificateError::Revoked => failed(Reason::Revoked, cause.to_string()),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                failed(Reason::WrongPurpose, cause.to_string())
            }
            // What the library does not verify is too weak by today's rules, or unheard of.
            _ if let Some(weak) = weakness(certificates) => failed(Reason::Weak, weak),
            // An authority that was made anew has its old name and another key.
            CertificateError::BadSignature => {
                let failure = self.unknown_issuer(presented, leaf);
                let detail = format!("{}; its signature is by another key", failure.detail);
                Failure { detail, ..failure }
            }
            CertificateError::Other(_) if leaf.is_authority || leaf.is_old => {
                if self.signed_itself(presented) {
                    self_signed(leaf)
                } else if leaf.is_authority {
                    let detail =
                        format!("{} is the certificate of an authority", leaf.summary.subject);
                    failed(Reason::WrongPurpose, detail)
                } else {
                    failed(Reason::BadCert, cause.to_string())
                }
            }
            _ => failed(Reason::BadCert, cause.to_string()),
        }
    }

    fn unknown_issuer(&self, presented: &Presented<'_>, leaf: &Certificate) -> Failure {
        let others = presented.chain.certificates.get(1..).unwrap_or_default();
        let issuer = &leaf.summary.issuer;
        if self.signed_itself(presented) {
            return self_signed(leaf);
        }
        let is_there = others.iter().any(|other| leaf.names_as_issuer(other));
        if leaf.has_issuer_location && !is_there {
            let detail = format!("the certificate of its issuer {issuer} is not sent along");
            return Failure::new(Phase::Tls, Reason::IncompleteChain, detail);
        }
        let nobody = if self.roots.store.is_empty() { "; no authority is known here" } else { "" };
        let detail = format!("issued by {issuer}, whom nobody trusted vouches for{nobody}");
        Failure::new(Phase::Tls, Reason::Untrusted, detail)
    }

    /// Whether the leaf is signed by its own key.
    fn signed_itself(&self, presented: &Presented<'_>) -> bool {
        let (Some(leaf), Some(der)) =
            (presented.chain.certificates.first(), presented.ders.first())
        else {
            return false;
        };
        let algorithms = self.provider.signature_verification_algorithms.all;
        leaf.is_self_issued()
            // What is too weak to be verified is taken by its word.
            && (leaf.weak_key.is_some()
                || leaf.weak_signature.is_some()
                || cert::with_own_signature(der, |own| {
                    algorithms.iter().any(|algorithm| {
                        algorithm.verify_signature(own.key, own.message, own.signature).is_ok()
                    })
                }))
    }
}

impl Trust {
    /// The verdict on what a server presented. `is_unverified` says that it has not proved to have the key.
    pub(super) fn judge(
        &self,
        presented: &Presented<'_>,
        is_unverified: bool,
    ) -> Result<Trusted, Failure> {
        if matches!(self, Self::Anything) {
            return Ok(Trusted::Unchecked);
        }
        if presented.ders.is_empty() {
            return Err(no_certificate());
        }
        let leaf = presented.chain.certificates.first();
        // A leaf that could not be read was left out.
        let leaf = leaf.filter(|_| presented.chain.certificates.len() == presented.ders.len());
        let unreadable =
            || Failure::new(Phase::Tls, Reason::BadCert, "a certificate that cannot be read");
        let leaf = leaf.ok_or_else(unreadable)?;
        if let Some(weak) = leaf.weak_key.clone().filter(|_| is_unverified) {
            return Err(Failure::new(Phase::Tls, Reason::Weak, weak));
        }
        let trusted = match self {
            Self::Anything => Trusted::Unchecked,
            Self::Pinned(pins) => pinned(pins, leaf, presented.now)?,
            Self::Anchors(anchors) => anchors.judge(presented, leaf)?,
        };
        if is_unverified {
            // A certificate is public; without the proof of its key anybody could present it.
            let detail = "that the server has the key of its certificate cannot be verified";
            return Err(Failure::new(Phase::Tls, Reason::BadCert, detail));
        }
        Ok(trusted)
    }
}

/// A certificate that is known itself needs no issuer and no name; but it must not have expired.
fn pinned(pins: &[Fingerprint], leaf: &Certificate, now: UnixTime) -> Result<Trusted, Failure> {
    let found = &leaf.summary.fingerprint_sha256;
    if pins.iter().any(|pin| pin.0 == *found) {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        return check_dates(std::slice::from_ref(leaf), now).map(|()| Trusted::Pinned);
    }
    let detail =
        format!("its SHA-256 fingerprint is {found}, which `fingerprint_sha256` does not name");
    Err(Failure::new(Phase::Tls, Reason::Untrusted, detail))
}

/// The first certificate from the leaf upwards that is not valid now.
fn check_dates(certificates: &[Certificate], now: i64) -> Result<(), Failure> {
    let date = |seconds: i64| {
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |at| at.to_string())
    };
    for (index, certificate) in certificates.iter().enumerate() {
        let summary = &certificate.summary;
        let (reason, what) = if now > summary.not_after || summary.not_after < summary.not_before {
            (Reason::Expired, "expired")
        } else if now < summary.not_before {
            (Reason::NotYetValid, "not valid yet")
        } else {
            continue;
        };
        let which = if index == 0 { "the certificate" } else { "the intermediate certificate" };
        let (from, until) = (date(summary.not_before), date(summary.not_after));
        let detail = format!("{which} {} is {what}: valid from {from} to {until}", summary.subject);
        return Err(Failure::new(Phase::Tls, reason, detail));
    }
    Ok(())
}

fn self_signed(leaf: &Certificate) -> Failure {
    let detail = format!(
        "{} vouches for itself; SHA-256 fingerprint {}",
        leaf.summary.subject, leaf.summary.fingerprint_sha256
    );
    Failure::new(Phase::Tls, Reason::SelfSigned, detail)
}

fn weakness(certificates: &[Certificate]) -> Option<String> {
    certificates.iter().find_map(|certificate| {
        // How a root signed itself does not matter.
        let signature =
            certificate.weak_signature.as_ref().filter(|_| !certificate.is_self_issued());
        let why = signature.or(certificate.weak_key.as_ref())?;
        Some(format!("{}: {why}", certificate.summary.subject))
    })
}

fn other_names(name: &ServerName<'_>, leaf: &Certificate) -> String {
    let name = name.to_str();
    if leaf.summary.names.is_empty() {
        let subject = &leaf.summary.subject;
        format!(
            "it has no alternative names, of which {name} would have to be one; its subject is {subject}"
        )
    } else {
        format!("it is for {}, not for {name}", leaf.summary.names.join(", "))
    }
}

fn no_certificate() -> Failure {
    Failure::new(Phase::Tls, Reason::BadCert, "the server presented no certificate")
}
