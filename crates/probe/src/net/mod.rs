//! What all probes share of the network: name resolution, trusted roots, TLS configurations, the time of day.
//!
//! The files of this folder are the only ones that open sockets. Must not know HTTP or any other protocol above TLS.

pub(crate) mod cert;
pub(crate) mod connect;
pub(crate) mod resolve;
pub(crate) mod tls;

use std::{net::SocketAddr, time::SystemTime};

/// Why the network cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The system's resolver configuration cannot be read.
    #[error("cannot read the configuration of the name resolution: {0}")]
    Resolver(String),
    /// No trusted certificate could be loaded.
    #[error("cannot load trusted certificates: {0}")]
    Roots(String),
}

/// The network as probes see it; built once and shared.
pub struct Net {
    pub(crate) resolver: resolve::Resolver,
    pub(crate) tls: tls::Configurations,
}

impl Net {
    /// The network as the system is configured: its name servers and its trusted certificates. Where the system has no
    /// certificates, as in an empty container image, Mozilla's are used.
    ///
    /// # Errors
    /// When the resolver's configuration cannot be read.
    pub fn system() -> Result<Self, NetError> {
        Ok(Self { resolver: resolve::Resolver::system()?, tls: tls::Configurations::system() })
    }

    /// A network with one name server and only the given trusted certificates (DER), for tests. Without a name server no
    /// name but `localhost` resolves.
    ///
    /// # Errors
    /// When a certificate is not valid.
    pub fn for_tests(name_server: Option<SocketAddr>, roots: &[Vec<u8>]) -> Result<Self, NetError> {
        Ok(Self {
            resolver: resolve::Resolver::with_server(name_server)?,
            tls: tls::Configurations::with_roots(roots)?,
        })
    }

    /// The time of day: for certificates and for when a probe began. Durations never come from it.
    #[expect(clippy::disallowed_methods, reason = "certificates are valid by the wall clock")]
    pub fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
