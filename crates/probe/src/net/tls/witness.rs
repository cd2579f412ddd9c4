//! What is seen during one handshake: the certificates, and whether a client certificate was asked for.
//!
//! Nothing is judged here but the signature of the handshake itself. Must not know whom to trust.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use crate::net::cert::Certificate;

/// Sees one handshake.
#[derive(Debug)]
pub(super) struct Witness {
    provider: Arc<CryptoProvider>,
    own_certificate: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
    presented: OnceLock<Vec<CertificateDer<'static>>>,
    /// Whether the signature of the handshake could not be verified because the library cannot use the key.
    unverified: AtomicBool,
}

impl Witness {
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        own_certificate: Option<Arc<CertifiedKey>>,
    ) -> Self {
        Self {
            provider,
            own_certificate,
            asked: AtomicBool::new(false),
            presented: OnceLock::new(),
            unverified: AtomicBool::new(false),
        }
    }

    /// The certificates that the server presented, leaf first.
    pub(super) fn presented(&self) -> &[CertificateDer<'static>] {
        self.presented.get().map_or(&[], Vec::as_slice)
    }

    /// Whether the server has not proved that it has the key of its certificate.
    pub(super) fn is_unverified(&self) -> bool {
        self.unverified.load(Ordering::Relaxed)
    }

    /// Whether there is a client certificate.
    pub(super) fn has_certificate(&self) -> bool {
        self.own_certificate.is_some()
    }

    /// Whether the server asked for a client certificate.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Lets a key pass that the library cannot use, so that its certificate is known when it is refused, or taken where any is.
    fn tolerate(
        &self,
        certificate: &CertificateDer<'_>,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let weak = || Certificate::read(certificate).is_some_and(|read| read.weak_key.is_some());
        let unusable = match &verified {
            Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature)) => weak(),
            Err(rustls::Error::InvalidCertificate(_)) => true,
            _ => false,
        };
        if unusable {
            self.unverified.store(true, Ordering::Relaxed);
            return Ok(HandshakeSignatureValid::assertion());
        }
        verified
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Judged after the handshake, before anything is sent.
        self.presented.get_or_init(|| {
            std::iter::once(leaf).chain(others).map(|der| der.clone().into_owned()).collect()
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verified = verify_tls12_signature(message, certificate, signature, algorithms);
        self.tolerate(certificate, verified)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let verified = verify_tls13_signature(message, certificate, signature, algorithms);
        self.tolerate(certificate, verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.own_certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.own_certificate.is_some()
    }
}
