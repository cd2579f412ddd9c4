//! `prober: tcp`: the port accepts a connection, with TLS where asked for.
//!
//! Must not know what the service speaks.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    kinds::Probe,
    metric::{self, MetricDef},
    net::{
        connect::{self, Destination},
        tls,
    },
    result::{Failure, Phase, Reason},
    scope::Scope,
    setting::{Family, TlsSettings},
    target::{Address, AddressForm, Target, without_final_dot},
};

/// The settings of a TCP check.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tcp {
    /// Which family of addresses is tried first.
    preferred_ip_protocol: Family,
    /// Whether the other family may serve.
    ip_protocol_fallback: bool,
    /// The address of ours to connect from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<IpAddr>,
    /// Whether a TLS handshake follows, with the verification of the certificate.
    tls: bool,
    /// Whom to trust.
    tls_config: TlsSettings,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: Family::default(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            tls: false,
            tls_config: TlsSettings::default(),
        }
    }
}

impl Probe for Tcp {
    const METRICS: &'static [&'static [&'static MetricDef]] = &[metric::ADDRESS, metric::TLS];
    const ADDRESS: AddressForm = AddressForm::HostPort;

    async fn run(&self, target: &Target, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let Address::HostPort { host, port } = target.address() else {
            return Err(Failure::new(
                Phase::Policy,
                Reason::InvalidTarget,
                "not a host and a port",
            ));
        };
        let destination = Destination {
            host,
            port: *port,
            preferred: self.preferred_ip_protocol,
            fallback: self.ip_protocol_fallback,
            source: self.source_ip_address,
            floor: None,
        };
        let stream = connect::open(scope, &destination).await?.stream;
        if self.tls {
            let name = target.hostname().map_or_else(|| host.to_string(), str::to_owned);
            tls::handshake(scope, &self.tls_config, &[], without_final_dot(&name), stream).await?;
        }
        Ok(())
    }
}
