//! One handshake over a stream.
//!
//! Must not know what the stream is, nor what is spoken over TLS.

use std::{pin::Pin, sync::Arc, time::SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::{
    config::{Configurations, Connector, Protocols},
    facts::TlsFacts,
    reason,
    settings::TlsSettings,
    stream::{Stream, Tapped},
    verify::{server_name, verify},
    witness::Witness,
};
use crate::{file::Files, net::cert::Chains, report::Failure};

/// One handshake with one server.
pub(crate) struct Handshake<'a> {
    chains: &'a Chains,
    connector: Arc<Connector>,
    name: ServerName<'static>,
    witness: Arc<Witness>,
}

impl<'a> Handshake<'a> {
    /// Prepares a handshake with a server by the name `host`. Notes say which files cannot be
    /// read any more.
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
        let connector = tls.connector(files, settings, protocols, notes)?;
        let name = server_name(settings, host)?;
        let own_certificate = connector.own_certificate.clone();
        let witness = Arc::new(Witness::new(Arc::clone(&tls.provider), own_certificate));
        Ok(Self { chains: &tls.chains, connector, name, witness })
    }

    /// Makes the handshake; the certificate is not verified yet.
    ///
    /// Boxed, because it is large and every probe in flight would hold one to its end.
    pub(crate) fn make<S>(
        &self,
        stream: S,
    ) -> Pin<Box<impl Future<Output = Result<Stream<S>, Failure>> + use<'_, S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaking = TlsConnector::from(self.connector.config(&self.witness))
            .connect(self.name.clone(), Tapped::new(stream))
            .into_fallible();
        Box::pin(async {
            let shaken = shaking.await.map(|tls| Stream::new(Box::new(tls)));
            shaken.map_err(|(error, tapped)| {
                reason::of_handshake(&error, tapped.head(), &self.witness)
            })
        })
    }

    /// Verifies the certificate of a handshake that is done. What was seen of it is known in any case, also when it failed
    /// or was cut off. `now` is the time of day.
    pub(crate) fn verify<S>(
        &self,
        now: SystemTime,
        shaken: Result<Stream<S>, Failure>,
    ) -> (TlsFacts, Result<Stream<S>, Failure>) {
        let (agreed, stream) = match shaken {
            Ok(stream) => (Ok(stream.agreed()), Ok(stream)),
            Err(failure) => (Err(failure.clone()), Err(failure)),
        };
        let Self { chains, connector, name, witness } = self;
        let (facts, verified) = verify(connector, chains, name, witness, now, agreed);
        (facts, verified.and(stream))
    }
}
