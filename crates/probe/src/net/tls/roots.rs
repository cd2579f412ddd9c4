//! Trusted authorities, and when the path from a certificate to one of them expires.
//!
//! Must not know whether a chain is trusted.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_rustls::rustls::{RootCertStore, pki_types::CertificateDer};

use crate::net::cert::Certificate;

/// How many certificates a path has at most when its expiry is looked for; libraries take no more than eight.
const PATH_LENGTH_MAX: usize = 10;

/// How many of the presented certificates are looked at for that.
const PRESENTED_MAX: usize = 100;

/// Trusted authorities.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    /// Their certificates by subject, as far as they are known: when each expires.
    certificates: HashMap<Box<[u8]>, Vec<Certificate>>,
    fingerprints: HashSet<String>,
}

impl Roots {
    /// What the system trusts; what Mozilla trusts where the system has nothing.
    pub(super) fn system() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = Self::empty();
        for certificate in found.certs {
            // A system's folder holds some that cannot be used.
            let _unusable = roots.add(certificate);
        }
        if roots.store.is_empty() {
            let store = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
            roots.store = Arc::new(store);
        }
        roots
    }

    pub(super) fn new(
        certificates: impl Iterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, String> {
        let mut roots = Self::empty();
        for certificate in certificates {
            roots.add(certificate)?;
        }
        Ok(roots)
    }

    fn empty() -> Self {
        Self {
            store: Arc::new(RootCertStore::empty()),
            certificates: HashMap::new(),
            fingerprints: HashSet::new(),
        }
    }

    fn add(&mut self, der: CertificateDer<'static>) -> Result<(), String> {
        if let Some(certificate) = Certificate::read(&der) {
            self.fingerprints.insert(certificate.summary.fingerprint_sha256.clone());
            self.certificates.entry(certificate.subject.clone()).or_default().push(certificate);
        }
        Arc::make_mut(&mut self.store).add(der).map_err(|error| error.to_string())
    }

    /// When the path from the leaf to one of these expires that holds for longest: a path holds as long as the first of its
    /// certificates. The chain as a whole is known to be trusted; this only distinguishes its paths, by names and key
    /// identifiers.
    pub(super) fn expiry(&self, chain: &[Certificate], now: i64) -> Option<i64> {
        let presented = chain.get(..PRESENTED_MAX.min(chain.len()))?;
        let is_valid = |certificate: &Certificate| {
            (certificate.summary.not_before..=certificate.summary.not_after).contains(&now)
        };
        // When the best path from each certificate to an authority expires; those without a path are left behind.
        let mut best: Vec<Option<i64>> = presented
            .iter()
            .map(|certificate| {
                let known = self.certificates.get(&certificate.issuer);
                let issuers = known.into_iter().flatten();
                issuers
                    .filter(|root| certificate.names_as_issuer(root))
                    .map(|root| root.summary.not_after.min(certificate.summary.not_after))
                    .chain(self.is_root(certificate).then_some(certificate.summary.not_after))
                    .max()
            })
            .collect();
        for _ in 0..PATH_LENGTH_MAX {
            let next: Vec<Option<i64>> = presented
                .iter()
                .zip(&best)
                .map(|(certificate, own)| {
                    let through = presented
                        .iter()
                        .zip(&best)
                        .filter(|(issuer, _)| {
                            certificate.names_as_issuer(issuer) && is_valid(issuer)
                        })
                        .filter_map(|(_, expiry)| *expiry);
                    let through = through.max().map(|end| end.min(certificate.summary.not_after));
                    through.max(*own)
                })
                .collect();
            if next == best {
                break;
            }
            best = next;
        }
        let leaf = presented.first()?;
        // Mozilla's authorities come without dates.
        Some(best.first().copied().flatten().unwrap_or(leaf.summary.not_after))
    }

    pub(super) fn is_root(&self, certificate: &Certificate) -> bool {
        self.fingerprints.contains(&certificate.summary.fingerprint_sha256)
    }
}
