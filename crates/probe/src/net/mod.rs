//! What all probes share of the world: name resolution, trusted roots, TLS configurations, files, the time of day.
//!
//! The files of this folder are the only ones that open sockets. Must not know HTTP or any other protocol above TLS.

pub(crate) mod cert;
pub(crate) mod connect;
mod dns;
pub(crate) mod exchange;
mod fault;
mod names;
pub(crate) mod policy;
pub(crate) mod port;
pub(crate) mod proxies;
#[cfg(feature = "http3")]
pub(crate) mod quic;
mod race;
pub(crate) mod resolve;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod script;
mod search;
pub(crate) mod tls;
pub(crate) mod trace;
pub(crate) mod transport;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, RwLock},
    time::SystemTime,
};

use notation::sync::{read, write};

use self::{
    resolve::{Resolver, Wanted},
    tls::{Handshake, Protocols, TlsSettings},
    trace::LookupTrace,
};
use crate::{
    clocks::{Clocks, Moment, SystemClocks},
    file::{FileCache, Files},
    report::Failure,
};

/// Why the network cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No trusted certificate could be loaded.
    #[error("cannot load trusted certificates: {0}")]
    Roots(String),
}

/// The network as probes see it; built once and shared.
pub struct Net {
    resolver: Resolver,
    tls: tls::Configurations,
    files: FileCache,
    pub(crate) environment: proxies::Environment,
    /// Where this program itself listens.
    own: RwLock<Vec<SocketAddr>>,
    clocks: Arc<dyn Clocks>,
    /// What stands for every connection over HTTP.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) script: Option<script::Script>,
}

impl Net {
    /// The network as the system is configured: its name servers and its trusted certificates. Where the system has no
    /// certificates, as in an empty container image, Mozilla's are used.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment of the network is"
    )]
    pub fn system() -> Self {
        let net = Self::new(Resolver::system(), tls::Configurations::system());
        net.with_environment(|name| std::env::var(name).ok())
    }

    /// A network with one name server and only the given trusted certificates (DER), for tests. Without a name server no
    /// name but `localhost` resolves.
    ///
    /// # Errors
    /// When a certificate is not valid.
    pub fn for_tests(name_server: Option<SocketAddr>, roots: &[Vec<u8>]) -> Result<Self, NetError> {
        let resolver = Resolver::Servers(name_server.into_iter().collect());
        let tls = tls::Configurations::with_roots(roots).map_err(NetError::Roots)?;
        Ok(Self::new(resolver, tls))
    }

    fn new(resolver: Resolver, tls: tls::Configurations) -> Self {
        Self {
            resolver,
            tls,
            files: FileCache::default(),
            environment: proxies::Environment::default(),
            own: RwLock::default(),
            clocks: Arc::new(SystemClocks),
            #[cfg(any(test, feature = "fuzzing"))]
            script: None,
        }
    }

    /// The same network with the proxies of this environment, for the modules that want them.
    #[must_use]
    pub fn with_environment(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        Self { environment: proxies::Environment::read(variable), ..self }
    }

    /// The same network with other name servers, in the order in which they are asked, for tests.
    #[must_use]
    pub fn with_name_servers(self, servers: Vec<SocketAddr>) -> Self {
        Self { resolver: Resolver::Servers(servers), ..self }
    }

    /// The same network with other files than `/etc/resolv.conf` and `/etc/hosts`, for tests.
    #[must_use]
    pub fn with_resolver_files(self, resolv_conf: String, hosts: String) -> Self {
        let hostname = String::new();
        Self { resolver: Resolver::Files { resolv_conf, hosts, hostname }, ..self }
    }

    /// A network in memory: each connection of an HTTP check, to whatever host, brings the next of `answers` and ends. There
    /// is no TLS on it, nor does a name have to resolve.
    ///
    /// # Errors
    /// As [`Net::for_tests`].
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn scripted(answers: Vec<Vec<u8>>, http2: bool) -> Result<Self, NetError> {
        let net = Self::for_tests(None, &[])?;
        Ok(Self { script: Some(script::Script::new(answers, http2)), ..net })
    }

    /// The same network with other clocks, for tests.
    #[must_use]
    pub fn with_clocks(self, clocks: Arc<dyn Clocks>) -> Self {
        Self { clocks, ..self }
    }

    /// The time of day: for certificates and for when a probe began. Durations never come from it.
    pub fn now(&self) -> SystemTime {
        self.clocks.wall()
    }

    /// The files that modules name, as they are now.
    pub(crate) fn files(&self) -> Files<'_> {
        self.files.at(self.now())
    }

    /// Looks a host up: its addresses, those of the preferred family first and then by turns; at least one.
    ///
    /// # Errors
    /// Why there is none, or an internal failure. Waits for name servers that are silent.
    pub(crate) fn resolve(
        &self,
        wanted: Wanted<'_>,
        trace: &LookupTrace,
    ) -> impl Future<Output = Result<Vec<IpAddr>, Failure>> {
        self.resolver.resolve(self.files(), wanted, trace)
    }

    /// Prepares a TLS handshake with a server by the name `host`. Notes say which files cannot be read any more.
    ///
    /// # Errors
    /// When the host is no name for TLS, or files of the settings cannot be used.
    pub(crate) fn handshake(
        &self,
        settings: &TlsSettings,
        protocols: Protocols,
        host: &str,
        notes: &mut Vec<String>,
    ) -> Result<Handshake<'_>, Failure> {
        Handshake::new(&self.tls, self.files(), settings, protocols, host, notes)
    }

    /// Prepares TLS handshakes inside of QUIC, as [`Net::handshake`] does.
    ///
    /// # Errors
    /// As [`Net::handshake`].
    #[cfg(feature = "http3")]
    pub(crate) fn quic_handshakes(
        &self,
        settings: &TlsSettings,
        protocols: Protocols,
        host: &str,
        notes: &mut Vec<String>,
    ) -> Result<tls::Quic<'_>, Failure> {
        tls::Quic::new(&self.tls, self.files(), settings, protocols, host, notes)
    }

    /// What the clocks say, to see later whether the machine slept meanwhile.
    pub(crate) fn moment(&self) -> Moment {
        Moment::now(&*self.clocks)
    }

    /// Notes an address on which this program listens: a probe must not make it probe on and on. An unspecified one stands
    /// for all addresses of the machine.
    pub fn add_own_address(&self, address: SocketAddr) {
        write(&self.own).push(address);
    }

    /// Whether `other`, connected to from `local`, is an address on which this program listens. The system connects an
    /// address of this machine to itself, or the loopback addresses with each other.
    pub(crate) fn listens_on(&self, other: SocketAddr, local: IpAddr) -> bool {
        let (ip, local) = (other.ip().to_canonical(), local.to_canonical());
        let own = read(&self.own);
        own.iter().any(|own| {
            let is_here = ip == own.ip().to_canonical()
                || own.ip().is_unspecified() && (ip.is_loopback() || ip == local);
            is_here && own.port() == other.port()
        })
    }
}
