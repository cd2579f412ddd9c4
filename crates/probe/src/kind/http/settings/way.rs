//! How hosts are reached, as a module says.
//!
//! Must not know how a connection is opened.

use std::net::IpAddr;

use url::Host;

use super::proxy::Proxies;
use crate::{
    net::{connect::Destination, policy::AddressClass, tls::TlsSettings},
    setting::Family,
};

/// How hosts are reached, as the module says.
pub(crate) struct Way<'a> {
    pub(crate) proxies: Proxies<'a>,
    /// Whether the target's name is looked up here, also when a proxy could do it.
    pub(crate) resolves: bool,
    pub(crate) preferred: Family,
    pub(crate) fallback: bool,
    pub(crate) source: Option<IpAddr>,
    pub(crate) tls: &'a TlsSettings,
}

impl Way<'_> {
    /// What to connect to for a host and a port.
    pub(crate) fn destination<'h>(
        &self,
        host: &'h Host<String>,
        port: u16,
        floor: Option<AddressClass>,
    ) -> Destination<'h> {
        let (preferred, fallback, source) = (self.preferred, self.fallback, self.source);
        Destination { host, port, preferred, fallback, source, floor }
    }
}
