//! `prober: tcp`: the port accepts a connection, with TLS where asked for, and the service says what is expected.
//!
//! Must not know what the service speaks.

mod dialogue;
mod reader;
mod step;

use std::net::IpAddr;

use notation::Diagnostic;
use serde::{Deserialize, Serialize};

use self::{dialogue::Dialogue, step::Step};
use crate::{
    context::ProbeContext,
    kind::{Probe, steps},
    net::{Net, connect::Destination, tls::TlsSettings, transport::Transport},
    report::{Failure, Hop, MetricDef, metric},
    setting::Family,
    target::{AddressForm, HostPort, Target, without_final_dot},
};

/// The settings of a TCP check.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tcp {
    /// Which family of addresses is tried first.
    preferred_ip_protocol: Family,
    /// Whether the other family may serve.
    ip_protocol_fallback: bool,
    /// The local address to connect from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<IpAddr>,
    /// Whether a TLS handshake follows, with the verification of the certificate.
    tls: bool,
    /// What is sent to the service, and what it has to answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query_response: Vec<Step>,
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
            query_response: Vec::new(),
            tls_config: TlsSettings::default(),
        }
    }
}

impl Probe for Tcp {
    const METRICS: &'static [&'static [&'static MetricDef]] = &[
        metric::ADDRESS,
        metric::TLS,
        &[&metric::FAILED_DUE_TO_REGEX, &metric::FAILED_DUE_TO_BYTES, &dialogue::EXPECT_INFO],
    ];
    const BUILTIN: &'static [(&'static str, &'static str)] =
        &[("tcp_connect", "{}"), ("tls_connect", "{ tls: true }")];

    fn address_form(&self) -> AddressForm {
        AddressForm::HostPort(HostPort { scheme: "tcp", port: None, path: false })
    }

    fn mistakes(&self) -> Vec<Diagnostic> {
        step::mistakes(&self.query_response, self.tls)
    }

    async fn run(
        &self,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(), Failure> {
        let (host, port) = steps::host_and_port(target)?;
        let destination = Destination {
            host,
            port,
            preferred: self.preferred_ip_protocol,
            fallback: self.ip_protocol_fallback,
            source: self.source_ip_address,
            floor: None,
        };
        context.begin_hop(Hop { attempt: 1, title: target.text().to_owned(), ..Hop::default() });
        let stream = steps::open(&destination, net, context).await?.stream;
        let name = target.hostname().map_or_else(|| host.to_string(), str::to_owned);
        let name = without_final_dot(&name);
        let stream = if self.tls {
            let stream =
                steps::handshake(&self.tls_config, &[], name, stream, net, context).await?;
            Transport::Tls(Box::new(stream))
        } else {
            Transport::Tcp(stream)
        };
        Dialogue::new(&self.tls_config, name, stream).run(&self.query_response, net, context).await
    }
}
