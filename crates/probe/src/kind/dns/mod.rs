//! `prober: dns`: a name server answers a question, with the response code and the records that are expected.
//!
//! The target is the server. Must not know how sockets are opened.

mod answer;
mod asked;
mod expect;
mod metrics;
mod names;
mod record;
mod settings;
mod written;

use std::net::{IpAddr, SocketAddr};

use notation::Diagnostic;
use serde::{Deserialize, Serialize};

use self::{
    answer::Answer,
    asked::Asked,
    expect::Expectations,
    settings::{QueryClass, QueryName, QueryType, ResponseCode, TransportProtocol},
};
use crate::{
    context::ProbeContext,
    kind::{Probe, steps},
    net::{
        Net,
        connect::{self, Destination},
        exchange::{Channel, ExchangeError, Question, Reply, exchange},
        port::Port,
        tls::{self, TlsSettings},
    },
    report::{Failure, Hop, MetricDef, Phase, PhaseMetric, Reason, Stage, Warning, metric},
    setting::Family,
    target::{AddressForm, HostPort, Target, without_final_dot},
};

/// The usual ports of name servers (RFC 1035 §4.2, RFC 7858 §3.1).
const PORT: u16 = 53;
const PORT_OF_TLS: u16 = 853;

/// The record type of the start of a zone, whose serial number is reported.
const SOA: u16 = 6;

/// How much of an answer is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 2048;

/// The settings of a DNS check.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the names are those of blackbox_exporter")]
pub struct Dns {
    /// Which family of addresses is tried first.
    preferred_ip_protocol: Family,
    /// Whether the other family may serve.
    ip_protocol_fallback: bool,
    /// The local address to ask from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<IpAddr>,
    /// How the question travels.
    transport_protocol: TransportProtocol,
    /// Whether it travels inside TLS (RFC 7858).
    dns_over_tls: bool,
    /// Whom to trust.
    tls_config: TlsSettings,
    /// The name to ask for, unless the target has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_name: Option<QueryName>,
    /// The record type to ask for.
    query_type: QueryType,
    /// The class to ask in.
    query_class: QueryClass,
    /// Whether the server is to ask other servers.
    recursion_desired: bool,
    /// The response codes that are expected; none stands for `NOERROR`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    valid_rcodes: Vec<ResponseCode>,
    /// What is expected of the records of the answer section.
    #[serde(skip_serializing_if = "Expectations::is_empty")]
    validate_answer_rrs: Expectations,
    /// What is expected of the records of the authority section.
    #[serde(skip_serializing_if = "Expectations::is_empty")]
    validate_authority_rrs: Expectations,
    /// What is expected of the records of the additional section.
    #[serde(skip_serializing_if = "Expectations::is_empty")]
    validate_additional_rrs: Expectations,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: Family::default(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            transport_protocol: TransportProtocol::default(),
            dns_over_tls: false,
            tls_config: TlsSettings::default(),
            query_name: None,
            query_type: QueryType::default(),
            query_class: QueryClass::default(),
            recursion_desired: true,
            valid_rcodes: Vec::new(),
            validate_answer_rrs: Expectations::default(),
            validate_authority_rrs: Expectations::default(),
            validate_additional_rrs: Expectations::default(),
        }
    }
}

impl Probe for Dns {
    const METRICS: &'static [&'static [&'static MetricDef]] =
        &[metric::ADDRESS, metric::TLS, metrics::ALL];
    const PHASES: Option<&'static PhaseMetric> = Some(&PhaseMetric {
        metric: &metrics::DURATION,
        names: &["resolve", "connect", "request"],
    });
    const BUILTIN: &'static [(&'static str, &'static str)] = &[
        ("dns_udp", "{ query_type: A }"),
        ("dns_tcp", "{ query_type: A, transport_protocol: tcp }"),
        ("dns_over_tls", "{ query_type: A, transport_protocol: tcp, dns_over_tls: true }"),
    ];

    fn address_form(&self) -> AddressForm {
        let port = if self.dns_over_tls { PORT_OF_TLS } else { PORT };
        AddressForm::HostPort(HostPort { scheme: "dns", port: Some(port), path: true })
    }

    fn check_target(&self, target: &Target) -> Result<(), Diagnostic> {
        self.asked(target).map(|_| ())
    }

    fn mistakes(&self) -> Vec<Diagnostic> {
        if self.dns_over_tls && self.transport_protocol == TransportProtocol::Udp {
            let mistake = Diagnostic::new("`dns_over_tls` needs a connection");
            return vec![mistake.hint("add `transport_protocol: tcp`")];
        }
        Vec::new()
    }

    async fn run(
        &self,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(), Failure> {
        let asked = self
            .asked(target)
            .map_err(|error| Failure::new(Phase::Policy, Reason::InvalidTarget, error.message))?;
        let title = format!("{} from {}", asked.shown(), target.host());
        let request = asked.evidence();
        context.begin_hop(Hop { attempt: 1, title, request, ..Hop::default() });
        let answered = self.answer(&asked, target, net, context).await;
        record(answered.as_ref().ok(), asked.kind.0 == SOA, context);
        self.judge(&answered?)
    }
}

impl Dns {
    /// What the server of this target is asked for.
    fn asked(&self, target: &Target) -> Result<Asked, Diagnostic> {
        let asked = Asked {
            name: self.query_name.clone(),
            kind: self.query_type,
            class: self.query_class,
            recursion_desired: self.recursion_desired,
        };
        asked.of(target)
    }

    /// Asks the server of this target, and reads its answer.
    async fn answer(
        &self,
        asked: &Asked,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<Answer, Failure> {
        let (host, port) = steps::host_and_port(target)?;
        let destination = Destination {
            host,
            port,
            preferred: self.preferred_ip_protocol,
            fallback: self.ip_protocol_fallback,
            source: self.source_ip_address,
            floor: None,
        };
        let question = asked.question().map_err(|error| {
            Failure::new(Phase::Policy, Reason::InvalidTarget, error.to_string())
        })?;
        let reply = match self.transport_protocol {
            TransportProtocol::Udp => over_datagrams(&question, &destination, net, context).await,
            TransportProtocol::Tcp => {
                self.over_connection(&question, &destination, target, net, context).await
            }
        }?;
        let bytes = reply.bytes();
        let answer = Answer::read(bytes).map_err(|error| {
            if let Some(hop) = context.hop() {
                hop.keep_head(bytes);
            }
            Failure::new(
                Phase::Check,
                Reason::Malformed,
                format!("{error}, in {} bytes", bytes.len()),
            )
        })?;
        if answer.is_truncated() {
            context.warn(Warning::TruncatedAnswer);
        }
        context.note(format!("answer: {}, {} bytes", answer.summary(), bytes.len()));
        if let Some(hop) = context.hop() {
            hop.keep_head(answer.shown(SHOWN_BYTES_MAX).replace('\t', " ").as_bytes());
        }
        Ok(answer)
    }

    async fn over_connection(
        &self,
        question: &Question,
        destination: &Destination<'_>,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<Reply, Failure> {
        let mut stream = steps::open(destination, net, context).await?.stream;
        if !self.dns_over_tls {
            let asking = over_stream(question, Channel::Stream(&mut stream));
            return context.stage(Phase::Check, Stage::Processing, asking).await;
        }
        let name = target.hostname().map_or_else(|| destination.host.to_string(), str::to_owned);
        let name = without_final_dot(&name);
        let mut stream =
            steps::handshake(&self.tls_config, &[], name, stream, net, context).await?;
        let asking = over_stream(question, Channel::Stream(&mut stream));
        context.stage(Phase::Check, Stage::Processing, asking).await
    }

    /// Compares an answer with what the module expects.
    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        let code = answer.response_code;
        let is_valid = match self.valid_rcodes.as_slice() {
            [] => code == 0,
            valid => valid.iter().any(|valid| valid.0 == code),
        };
        if !is_valid {
            let reason = match code {
                2 => Reason::Servfail,
                3 => Reason::Nxdomain,
                5 => Reason::Refused,
                _ => Reason::Status,
            };
            let name = names::response_code_name(code);
            return Err(Failure::new(Phase::Check, reason, format!("the answer is {name}")));
        }
        for (section, expectations, records) in [
            ("answer", &self.validate_answer_rrs, &answer.answers),
            ("authority", &self.validate_authority_rrs, &answer.authorities),
            ("additional", &self.validate_additional_rrs, &answer.additionals),
        ] {
            expectations.judge(records).map_err(|what| {
                Failure::new(Phase::Check, Reason::Regexp, format!("{section} section: {what}"))
            })?;
        }
        Ok(())
    }
}

/// Asks each address of the destination by a datagram, the next one beside those that have not answered, until one answers.
async fn over_datagrams(
    question: &Question,
    destination: &Destination<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Reply, Failure> {
    let addresses = steps::resolve(destination, net, context).await?;
    let addresses: Vec<SocketAddr> =
        addresses.iter().map(|address| SocketAddr::new(*address, destination.port)).collect();
    let mut notes = Vec::new();
    let permitted = connect::permitted(&addresses, destination, &mut notes);
    // They outlive the questions, because they count what came that was no answer.
    let ports: Vec<(SocketAddr, Port)> = addresses
        .iter()
        .map(|address| (*address, Port::new(&[*address], destination.source)))
        .collect();
    let time_left = context.time_left();
    let asking = async {
        let attempt = |address| ask(question, address, &ports, destination.source);
        connect::first(permitted?, time_left, &mut notes, attempt).await
    };
    let answered = context.stage(Phase::Check, Stage::Processing, asking).await;
    let strays: usize = ports.iter().map(|(_, port)| port.strays()).sum();
    if strays > 0 {
        notes.push(format!("{strays} messages came that answer another question"));
    }
    context.notes(notes);
    let answering = answered.as_ref().ok().map(|(address, _)| *address);
    if let Some(address) = answering.or(addresses.first().copied()) {
        steps::record_address(address.ip(), context);
    }
    if let Some(hop) = context.hop() {
        hop.peer = answering;
    }
    answered.map(|(_, reply)| reply)
}

/// Asks at one address.
async fn ask(
    question: &Question,
    address: SocketAddr,
    ports: &[(SocketAddr, Port)],
    source: Option<IpAddr>,
) -> Result<(SocketAddr, Reply), Failure> {
    let Some((_, port)) = ports.iter().find(|(known, _)| *known == address) else {
        return Err(Failure::new(Phase::Internal, Reason::Bug, "an address without a socket"));
    };
    let channel = Channel::Datagrams { port, server: address };
    let reply = exchange(question, channel).await.map_err(|error| match (error, source) {
        (ExchangeError::Io(error), Some(source))
            if error.kind() == std::io::ErrorKind::AddrNotAvailable =>
        {
            connect::unbound(source, &error)
        }
        (ExchangeError::Io(error), _) if error.kind() != std::io::ErrorKind::Other => {
            connect::failure(address, &error)
        }
        (other, _) => Failure::new(Phase::Check, Reason::Malformed, format!("{address}: {other}")),
    })?;
    Ok((address, reply))
}

/// Asks over a connection.
async fn over_stream(question: &Question, channel: Channel<'_>) -> Result<Reply, Failure> {
    exchange(question, channel).await.map_err(|error| match error {
        ExchangeError::Io(error) => tls::failure(&error, Phase::Check),
        closed @ ExchangeError::Closed(_) => {
            Failure::new(Phase::Check, Reason::Closed, closed.to_string())
        }
        other => Failure::new(Phase::Check, Reason::Malformed, other.to_string()),
    })
}

/// Records what was measured; nothing came of a question that was not answered.
fn record(answer: Option<&Answer>, is_about_zone: bool, context: &mut ProbeContext) {
    let [resolve, connect, tls, request] =
        [Stage::Resolve, Stage::Connect, Stage::Tls, Stage::Processing]
            .map(|stage| context.time(stage).as_secs_f64());
    for (phase, seconds) in [("resolve", resolve), ("connect", connect + tls), ("request", request)]
    {
        context.labelled(&metrics::DURATION, vec![("phase", phase.into())], seconds);
    }
    let count = |records: &dyn Fn(&Answer) -> usize| {
        f64::from(u32::try_from(answer.map_or(0, records)).unwrap_or(u32::MAX))
    };
    context.sample(&metrics::ANSWERS, count(&|answer| answer.answers.len()));
    context.sample(&metrics::AUTHORITIES, count(&|answer| answer.authorities.len()));
    context.sample(&metrics::ADDITIONALS, count(&|answer| answer.additionals.len()));
    context.sample(&metrics::SUCCEEDED, if answer.is_some() { 1.0 } else { 0.0 });
    if let Some(answer) = answer.filter(|_| is_about_zone) {
        // As in blackbox_exporter, an answer without the record has the serial number 0.
        context.sample(&metrics::SERIAL, f64::from(answer.serial().unwrap_or(0)));
    }
}
