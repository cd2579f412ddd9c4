//! TLS inside of QUIC (RFC 9001): the same configurations and the same verification as over TCP.
//!
//! Must not know sockets.

use std::{sync::Arc, time::SystemTime};

use quinn::crypto::rustls::QuicClientConfig;
use tokio_rustls::rustls::{
    AlertDescription, Error, crypto::CryptoProvider, pki_types::ServerName,
};

use super::{
    config::{Configurations, Connector, Protocols},
    facts::{Agreed, TlsFacts},
    reason::{reason, with_reason},
    settings::{TlsSettings, TlsVersion},
    verify::{server_name, verify},
    witness::Witness,
};
use crate::{
    file::Files,
    net::cert::Chains,
    report::{Failure, Phase, Reason},
};

/// What handshakes with a server by one name are made with.
pub(crate) struct Quic<'a> {
    chains: &'a Chains,
    provider: &'a Arc<CryptoProvider>,
    connector: Arc<Connector>,
    name: ServerName<'static>,
    protocol: String,
}

/// One handshake.
pub(crate) struct QuicHandshake {
    pub(crate) config: Arc<QuicClientConfig>,
    witness: Arc<Witness>,
}

impl<'a> Quic<'a> {
    /// Prepares handshakes with a server by the name `host`. QUIC has no older version than TLS 1.3. Notes say which files cannot be read any more.
    ///
    /// # Errors
    /// When the host is no name for TLS, or files of the settings cannot be used.
    pub(crate) fn new(
        tls: &'a Configurations,
        files: Files<'_>,
        settings: &TlsSettings,
        protocols: Protocols,
        host: &str,
        notes: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        let newest = TlsSettings {
            min_version: Some(TlsVersion::Tls13),
            max_version: None,
            ..settings.clone()
        };
        let connector = tls.connector(files, &newest, protocols, notes)?;
        let protocol = protocols.first().map(|name| String::from_utf8_lossy(name));
        Ok(Self {
            chains: &tls.chains,
            provider: &tls.provider,
            connector,
            name: server_name(settings, host)?,
            protocol: protocol.unwrap_or_default().into_owned(),
        })
    }

    /// The name to ask for.
    pub(crate) fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// Prepares one handshake.
    ///
    /// # Errors
    /// An internal failure, when the configuration cannot be used for QUIC.
    pub(crate) fn begin(&self) -> Result<QuicHandshake, Failure> {
        let own_certificate = self.connector.own_certificate.clone();
        let witness = Arc::new(Witness::new(Arc::clone(self.provider), own_certificate));
        let config = QuicClientConfig::try_from(self.connector.config(&witness))
            .map_err(|error| Failure::new(Phase::Internal, Reason::Bug, error.to_string()))?;
        Ok(QuicHandshake { config: Arc::new(config), witness })
    }

    /// Verifies the certificate of a handshake that is done. What was seen of it is known in any case. Which cipher suite was
    /// chosen, the library does not say. `now` is the time of day.
    pub(crate) fn verify(
        &self,
        handshake: &QuicHandshake,
        now: SystemTime,
        shaken: Result<(), Failure>,
    ) -> (TlsFacts, Result<(), Failure>) {
        let agreed = Agreed { version: "TLS 1.3", cipher: None, alpn: Some(self.protocol.clone()) };
        let shaken = shaken.map(|()| agreed);
        verify(&self.connector, self.chains, &self.name, &handshake.witness, now, shaken)
    }
}

impl QuicHandshake {
    /// What an alert from the server says, by its number.
    pub(crate) fn alert(&self, number: u8) -> Failure {
        let error = Error::AlertReceived(AlertDescription::from(number));
        with_reason(&error, reason(&error, self.witness.was_asked()))
    }
}

/// What an alert of the client says about the server, by its number.
pub(crate) fn own_alert(number: u8) -> Reason {
    match AlertDescription::from(number) {
        AlertDescription::NoApplicationProtocol => Reason::Alpn,
        AlertDescription::ProtocolVersion => Reason::Version,
        AlertDescription::HandshakeFailure => Reason::NoCommonParams,
        _ => Reason::Violation,
    }
}
