//! TLS inside of QUIC (RFC 9001): the same configurations and the same verification as over TCP.
//!
//! Must not know sockets.

use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use tokio_rustls::rustls::{AlertDescription, Error, pki_types::ServerName};

use super::{
    Agreed, Protocols,
    config::Connector,
    judge,
    reason::{reason, told},
    server_name,
    witness::Witness,
};
use crate::{
    context::ProbeContext,
    net::Net,
    report::{Failure, Phase, Reason},
    setting::{TlsSettings, TlsVersion},
};

/// What handshakes with a server by one name are made with.
pub(crate) struct Quic {
    connector: Arc<Connector>,
    name: ServerName<'static>,
}

/// One handshake.
pub(crate) struct Handshake {
    pub(crate) config: Arc<QuicClientConfig>,
    witness: Arc<Witness>,
}

impl Quic {
    /// Prepares handshakes with a server by the name `host`. QUIC has no older version than TLS 1.3.
    pub(crate) fn new(
        context: &mut ProbeContext<'_>,
        settings: &TlsSettings,
        protocols: Protocols,
        host: &str,
    ) -> Result<Self, Failure> {
        let newest = TlsSettings {
            min_version: Some(TlsVersion::Tls13),
            max_version: None,
            ..settings.clone()
        };
        let net = context.net;
        let connector = net.tls.connector(context, &newest, protocols)?;
        Ok(Self { connector, name: server_name(settings, host)? })
    }

    /// The name to ask for.
    pub(crate) fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// Prepares one handshake.
    pub(crate) fn begin(&self, net: &Net) -> Result<Handshake, Failure> {
        let own_certificate = self.connector.own_certificate.clone();
        let witness = Arc::new(Witness::new(Arc::clone(&net.tls.provider), own_certificate));
        let config = QuicClientConfig::try_from(self.connector.config(&witness))
            .map_err(|error| Failure::new(Phase::Internal, Reason::Bug, error.to_string()))?;
        Ok(Handshake { config: Arc::new(config), witness })
    }

    /// Verifies the certificate of a handshake that is done, and reports what was seen of it in any case. Which cipher suite
    /// was chosen, the library does not tell.
    pub(crate) fn verify(
        &self,
        context: &mut ProbeContext<'_>,
        handshake: &Handshake,
        shaken: Result<(), Failure>,
        protocol: &str,
    ) -> Result<(), Failure> {
        let agreed = Agreed { version: "TLS 1.3", cipher: None, alpn: Some(protocol.to_owned()) };
        let shaken = shaken.map(|()| agreed);
        judge(context, &self.connector, &self.name, &handshake.witness, shaken)
    }
}

impl Handshake {
    /// What an alert from the server says, by its number.
    pub(crate) fn alert(&self, number: u8) -> Failure {
        let error = Error::AlertReceived(AlertDescription::from(number));
        told(&error, reason(&error, self.witness.was_asked()))
    }
}

/// What an alert of our own says about the server, by its number.
pub(crate) fn own_alert(number: u8) -> Reason {
    match AlertDescription::from(number) {
        AlertDescription::NoApplicationProtocol => Reason::Alpn,
        AlertDescription::ProtocolVersion => Reason::Version,
        AlertDescription::HandshakeFailure => Reason::NoCommonParams,
        _ => Reason::Violation,
    }
}
