//! From a name to addresses, without `getaddrinfo`: that would block a thread for every slow name.
//!
//! Nothing is cached: a probe must notice that its name no longer resolves. Must not know what the addresses are for.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError as HickoryError, runtime::TokioRuntimeProvider},
    proto::op::ResponseCode,
};
use url::Host;

use super::NetError;
use crate::{
    result::{Failure, Phase, Reason},
    setting::Family,
};

/// How many addresses of one name are tried at most: a name server must not keep us busy.
const ADDRESSES_MAX: usize = 32;

/// How long one name server may take before it is asked again, or the next one is; the probe's deadline is above it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Looks names up.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<TokioResolver>);

impl Resolver {
    /// As `/etc/resolv.conf` and `/etc/hosts` say.
    pub(crate) fn system() -> Result<Self, NetError> {
        let builder = TokioResolver::builder_tokio()
            .map_err(|error| NetError::Resolver(error.to_string()))?;
        Self::build(builder.with_options(options()))
    }

    /// One name server of a test's own.
    pub(crate) fn with_server(server: Option<SocketAddr>) -> Result<Self, NetError> {
        let servers = server.into_iter().map(|server| {
            let connections =
                [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Self::build(builder.with_options(options()))
    }

    fn build(
        builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<Self, NetError> {
        let resolver = builder.build().map_err(|error| NetError::Resolver(error.to_string()))?;
        Ok(Self(Arc::new(resolver)))
    }

    /// The addresses of a host, those of the preferred family first; with `fallback` the others behind them.
    pub(crate) async fn resolve(
        &self,
        host: &Host<String>,
        preferred: Family,
        fallback: bool,
    ) -> Result<Vec<IpAddr>, Failure> {
        let mut addresses: Vec<IpAddr> = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                // A name is taken as absolute: search domains would make the answer depend on where we run.
                let absolute = if name.ends_with('.') || !name.contains('.') {
                    name.clone()
                } else {
                    format!("{name}.")
                };
                let found = self.0.lookup_ip(absolute.as_str()).await;
                found.map_err(|error| failure(name, &error))?.iter().collect()
            }
        };
        let is_preferred = |address: &IpAddr| address.is_ipv6() == (preferred == Family::Ip6);
        if !fallback {
            addresses.retain(is_preferred);
        }
        addresses.sort_by_key(|address| !is_preferred(address));
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() {
            let detail = format!("{host} has no address of the family asked for");
            return Err(Failure::new(Phase::Resolve, Reason::Nodata, detail));
        }
        Ok(addresses)
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.timeout = ATTEMPT_TIMEOUT;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options
}

/// What a failed lookup says about the name.
fn failure(name: &str, error: &HickoryError) -> Failure {
    let failure = |reason, detail: String| Failure::new(Phase::Resolve, reason, detail);
    let by_code = |code: ResponseCode| match code {
        ResponseCode::NXDomain => {
            failure(Reason::Nxdomain, format!("the name {name} does not exist"))
        }
        ResponseCode::NoError => failure(Reason::Nodata, format!("the name {name} has no address")),
        ResponseCode::Refused | ResponseCode::NotImp => {
            failure(Reason::Refused, format!("the name server refuses to answer for {name}"))
        }
        code => failure(Reason::Servfail, format!("the name server answers {code} for {name}")),
    };
    match error {
        HickoryError::Dns(DnsError::NoRecordsFound(records)) => by_code(records.response_code),
        HickoryError::Dns(DnsError::ResponseCode(code)) => by_code(*code),
        HickoryError::Timeout => {
            failure(Reason::Timeout, format!("no name server answered for {name}"))
        }
        HickoryError::Io(error) => match super::connect::local_fault(error) {
            Some(fault) => fault,
            None => failure(
                Reason::Servfail,
                format!("no name server can be reached for {name}: {error}"),
            ),
        },
        HickoryError::NoConnections => {
            failure(Reason::Servfail, format!("no name server can be reached for {name}"))
        }
        HickoryError::Proto(error) => failure(Reason::Malformed, format!("{name}: {error}")),
        error => failure(Reason::Servfail, format!("{name}: {error}")),
    }
}
