//! The way to a URL's host: right there, or through a proxy.
//!
//! A proxy is asked for the target as `blackbox_exporter` does: by the address that was looked up here, unless the module
//! leaves that to the proxy. Must not know requests other than `CONNECT` (RFC 9110 §9.3.6).

use std::{fmt::Write as _, net::IpAddr};

use http::{
    HeaderValue,
    header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::{Host, Url};

use super::{
    credentials::{basic, header_value},
    evidence::sent_text,
    request::Forward,
    settings::{SecretHeaders, Way},
};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::{
        Net,
        connect::{Destination, Opened},
        policy::{self, AddressClass},
        tls::{self, TlsSettings},
        transport::Transport,
    },
    report::{Failure, Phase, Reason, Stage, metric},
};

/// The largest answer of a proxy to `CONNECT`, in bytes.
const PROXY_HEAD_BYTES_MAX: usize = 16 * 1024;

/// An open way to the host of a URL.
pub(super) struct Route {
    pub(super) transport: Transport,
    /// How private the target's address is, as far as it is known.
    pub(super) class: Option<AddressClass>,
    /// Whether the other end is this very program.
    pub(super) is_to_ourselves: bool,
    /// How a request has to be written for the proxy that forwards it; `None` when the other end is the target.
    pub(super) forward: Option<Forward>,
}

/// The host and the port of a URL.
pub(super) fn endpoint(url: &Url) -> Result<(Host<String>, u16), Failure> {
    let host = url.host().map(|host| host.to_owned()).zip(url.port_or_known_default());
    host.ok_or_else(|| {
        Failure::new(Phase::Policy, Reason::InvalidTarget, format!("{url} has no host"))
    })
}

/// Whether the name of a URL's host is looked up here.
pub(super) fn looks_up(way: &Way<'_>, url: &Url, net: &Net) -> bool {
    way.resolves || way.proxies.choose(url, &net.environment).is_none()
}

/// Opens a connection to the host of a URL: at one address when that is given, and for a redirect at none that is more
/// private than `floor`.
pub(super) async fn open(
    way: &Way<'_>,
    url: &Url,
    at: Option<IpAddr>,
    floor: Option<AddressClass>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Route, Failure> {
    let (host, port) = endpoint(url)?;
    let destination = way.destination(&host, port, floor);
    if let Some(proxy) = way.proxies.choose(url, &net.environment) {
        // Boxed, because few probes have a proxy and all would hold the room for it.
        return Box::pin(through(way, proxy, url, &destination, net, context)).await;
    }
    let opened = match at {
        Some(address) => steps::connect(&destination, &[address], context).await?,
        None => steps::open(&destination, net, context).await?,
    };
    Ok(Route {
        class: Some(opened.class()),
        is_to_ourselves: opened.local().is_some_and(|local| net.listens_on(opened.address, local)),
        transport: Transport::Tcp(opened.stream),
        forward: None,
    })
}

async fn through(
    way: &Way<'_>,
    proxy: &Url,
    url: &Url,
    destination: &Destination<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Route, Failure> {
    let known = if way.resolves {
        let addresses = steps::resolve(destination, net, context).await?;
        addresses.first().copied()
    } else {
        None
    };
    if let Some(address) = known {
        policy::check((address, destination.port).into(), destination.floor)?;
    }
    let lookup = context.time(Stage::Resolve);
    let opened = open_proxy(way, proxy, net, context).await;
    // The address of the proxy is not the target's, also when the proxy cannot be reached.
    context.forget(metric::ADDRESS);
    if let Some(address) = known {
        context.sample(&metric::DNS_LOOKUP, lookup.as_secs_f64());
        steps::record_address(address, context);
    }
    let opened = opened?;
    let name = known.map_or_else(|| destination.host.to_string(), bracketed);
    let authority = format!("{name}:{}", destination.port);
    let authorization = credentials(proxy, context)?;
    let mut transport = secure(way, proxy, opened, net, context).await?;
    let class = known.map(AddressClass::of);
    if url.scheme() != "https" {
        let forward = Some(Forward { authorization });
        return Ok(Route { transport, class, is_to_ourselves: false, forward });
    }
    let request =
        connect_request(&authority, authorization.as_ref(), way.proxies.connect_header, context);
    if let Some(hop) = context.hop() {
        // Until there is a request to the target.
        hop.keep_request(&sent_text(&request));
    }
    let asking = ask(&mut transport, &request);
    context.stage(Phase::Proxy, Stage::Connect, asking).await?;
    context.note(format!("the proxy connected the probe to {authority}"));
    Ok(Route { transport, class, is_to_ourselves: false, forward: None })
}

/// Connects to the proxy itself.
async fn open_proxy(
    way: &Way<'_>,
    proxy: &Url,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Opened, Failure> {
    let (host, port) = endpoint(proxy)?;
    let destination = Destination { fallback: true, ..way.destination(&host, port, None) };
    context.note(format!("through the proxy {host}:{port}"));
    steps::open(&destination, net, context).await.map_err(proxy_failure)
}

/// Makes the TLS handshake with a proxy that is spoken to by https.
async fn secure(
    way: &Way<'_>,
    proxy: &Url,
    opened: Opened,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Transport, Failure> {
    if proxy.scheme() != "https" {
        return Ok(Transport::Tcp(opened.stream));
    }
    // The name that the module gives is the target's.
    let settings = TlsSettings { server_name: None, ..way.tls.clone() };
    let name = proxy.host_str().unwrap_or_default();
    let shake = async |context: &mut ProbeContext| {
        steps::handshake(&settings, &[b"http/1.1"], name, opened.stream, net, context).await
    };
    let shaken = context.aside(shake).await;
    context.forget(metric::TLS);
    Ok(Transport::Tls(Box::new(shaken.map_err(proxy_failure)?)))
}

/// A failure on the way to the proxy is one of the proxy, not of the target.
fn proxy_failure(failure: Failure) -> Failure {
    let reason = match (failure.phase, failure.reason) {
        (Phase::Internal | Phase::Proxy, _) => return failure,
        (Phase::Connect, Reason::Refused) => Reason::Refused,
        (_, Reason::Timeout) => Reason::Timeout,
        _ => Reason::Connect,
    };
    let detail = format!("{}/{}: {}", failure.phase, failure.reason, failure.detail);
    Failure::new(Phase::Proxy, reason, detail)
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The credentials that the URL of the proxy holds.
fn credentials(proxy: &Url, context: &mut ProbeContext) -> Result<Option<HeaderValue>, Failure> {
    if proxy.username().is_empty() && proxy.password().is_none() {
        return Ok(None);
    }
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = decoded(proxy.password().unwrap_or_default());
    let header = basic(&decoded(proxy.username()), &password, context);
    header_value(&header, context).map(Some)
}

fn connect_request(
    authority: &str,
    authorization: Option<&HeaderValue>,
    headers: &SecretHeaders,
    context: &mut ProbeContext,
) -> Vec<u8> {
    let mut text = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    let own = headers.iter().any(|(name, _)| name.name == PROXY_AUTHORIZATION);
    if let Some(value) = authorization.filter(|_| !own).and_then(|value| value.to_str().ok()) {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "Proxy-Authorization: {value}\r\n");
    }
    for (name, values) in headers {
        // Who is asked for is written already, and there is no body.
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name.name) {
            continue;
        }
        for value in values {
            context.conceal(&value.0);
            // A line break would be a header of its own.
            let value: String =
                value.0.chars().filter(|character| !character.is_control()).collect();
            let _infallible = write!(text, "{}: {value}\r\n", name.written());
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Asks the proxy for a tunnel.
async fn ask(transport: &mut Transport, request: &[u8]) -> Result<(), Failure> {
    let broken = |error: std::io::Error| {
        let failure = tls::failure(&error, Phase::Proxy);
        let reason =
            if failure.phase == Phase::Internal { failure.reason } else { Reason::BadReply };
        Failure { reason, ..failure }
    };
    let bad = |detail: &str| Failure::new(Phase::Proxy, Reason::BadReply, detail);
    transport.write_all(request).await.map_err(broken)?;
    transport.flush().await.map_err(broken)?;
    let mut head = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if head.len() >= PROXY_HEAD_BYTES_MAX {
            return Err(bad("the proxy's answer is too long"));
        }
        if transport.read_buf(&mut head).await.map_err(broken)? == 0 {
            return Err(bad("the proxy closed the connection"));
        }
    };
    if head.len() > end + 4 {
        return Err(bad("the proxy sent more than its answer"));
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    let failed = |reason| {
        Failure::new(
            Phase::Proxy,
            reason,
            format!("the proxy answered {:.80}", line.escape_debug().to_string()),
        )
    };
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(failed(Reason::Auth)),
        Some(_) => Err(failed(Reason::Connect)),
        None => Err(failed(Reason::BadReply)),
    }
}
