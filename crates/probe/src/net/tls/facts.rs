//! What is known of a TLS connection, whatever became of it.
//!
//! Must not know how a handshake is made, nor who reads the facts.

use std::sync::Arc;

use tokio_rustls::rustls::{ClientConnection, ProtocolVersion};

use super::trust::Trusted;
use crate::{
    net::cert::Chain,
    report::{Failure, TlsSummary, TlsVerdict},
};

/// What is known of a TLS connection. A handshake that failed can have shown certificates.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// What people read.
    pub(crate) summary: TlsSummary,
    /// What the server presented; empty when nothing was.
    pub(crate) chain: Arc<Chain>,
    /// When the path to the authority that vouches for the server expires, in seconds since the Unix epoch.
    pub(crate) path_expiry: Option<i64>,
    /// Whether the server asked for a certificate of the client's.
    pub(crate) asks_for_certificate: bool,
}

/// What both sides of a connection agreed upon.
pub(super) struct Agreed {
    pub(super) version: &'static str,
    pub(super) cipher: Option<String>,
    pub(super) alpn: Option<String>,
}

impl From<&ClientConnection> for Agreed {
    fn from(connection: &ClientConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "unknown",
        };
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let cipher = suite.unwrap_or("unknown").replace("TLS13_", "TLS_");
        // One of those that were offered, thus harmless.
        let alpn = connection.alpn_protocol();
        let alpn = alpn.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
        Self { version, cipher: Some(cipher), alpn }
    }
}

impl TlsFacts {
    pub(super) fn new(
        chain: Arc<Chain>,
        agreed: Option<Agreed>,
        verdict: Result<&Trusted, &Failure>,
        asks_for_certificate: bool,
    ) -> Self {
        let mut summary = TlsSummary {
            verdict: match verdict {
                Ok(Trusted::Anchored { .. }) => TlsVerdict::Trusted,
                Ok(Trusted::Pinned) => TlsVerdict::Pinned,
                Ok(Trusted::Unchecked) => TlsVerdict::Unchecked,
                Err(failure) => TlsVerdict::Failed(failure.reason),
            },
            certificates: Arc::clone(&chain.summaries),
            ..TlsSummary::default()
        };
        if let Some(Agreed { version, cipher, alpn }) = agreed {
            summary.version = Some(version);
            summary.cipher = cipher;
            summary.alpn = alpn;
        }
        let path_expiry = match verdict {
            Ok(Trusted::Anchored { expiry }) => Some(*expiry),
            _ => None,
        };
        Self { summary, chain, path_expiry, asks_for_certificate }
    }

    /// When the first of the presented certificates expires, in seconds since the Unix epoch.
    pub(crate) fn earliest_expiry(&self) -> Option<i64> {
        self.chain.certificates.iter().map(|certificate| certificate.summary.not_after).min()
    }

    /// When the first certificate expires that the connection depends on, in seconds since the Unix epoch.
    pub(crate) fn expiry(&self) -> Option<i64> {
        let leaf = self.chain.certificates.first()?;
        match self.summary.verdict {
            // What else was presented does not matter, such as a cross-signature that has expired.
            TlsVerdict::Trusted => self.path_expiry,
            TlsVerdict::Pinned => Some(leaf.summary.not_after),
            TlsVerdict::Unchecked | TlsVerdict::Failed(_) => self.earliest_expiry(),
        }
    }
}
