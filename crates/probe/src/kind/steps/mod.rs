//! The steps that kinds share: looking a name up, connecting, the TLS handshake, reading a file that the module names.
//!
//! `net` carries them out and returns values; here they are timed, bounded by the deadline and recorded. Must not know what is
//! spoken over a connection.

#[cfg(feature = "http3")]
pub(crate) mod quic;
mod tls;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::time::Instant;
use url::Host;

pub(crate) use self::tls::handshake;
use crate::{
    context::ProbeContext,
    file::{FileContents, FileError},
    net::{
        Net,
        connect::{self, Destination, Opened},
        resolve::Wanted,
        trace::LookupTrace,
    },
    report::{Failure, Phase, Reason, Stage, Warning, metric},
    target::{Address, Target},
};

/// The host and the port of a target that is written as such.
///
/// # Errors
/// When the target is written in another way.
pub(crate) fn host_and_port(target: &Target) -> Result<(&Host, u16), Failure> {
    match target.address() {
        Address::HostPort { host, port, .. } => Ok((host, *port)),
        Address::Url(_) => {
            Err(Failure::new(Phase::Policy, Reason::InvalidTarget, "not a host and a port"))
        }
    }
}

/// What a file that the module names holds now, or held when it last could be read; then a note says so.
///
/// # Errors
/// An internal failure when it never could be read.
pub(crate) fn file(
    path: &str,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Arc<[u8]>, Failure> {
    let fault = |error: FileError| Failure::new(Phase::Internal, Reason::Config, error.to_string());
    let FileContents { bytes, stale } = net.files().read(path).map_err(fault)?;
    if let Some(note) = stale {
        context.note(note);
    }
    Ok(bytes)
}

/// Looks the destination's host up and connects to the first of its addresses that accepts.
///
/// # Errors
/// Those of [`resolve`] and [`connect()`].
pub(crate) async fn open(
    destination: &Destination<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Opened, Failure> {
    let addresses = resolve(destination, net, context).await?;
    connect(destination, &addresses, context).await
}

/// The addresses of the destination's host, in the order in which they are to be tried; at least one.
///
/// # Errors
/// A failure of the phase `resolve`, or an internal one.
pub(crate) async fn resolve(
    destination: &Destination<'_>,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Vec<IpAddr>, Failure> {
    let Destination { host, preferred, fallback, .. } = *destination;
    // A silent name server must leave its name to the failure, and the connection its time.
    let budget = (context.timeout() / 2).min(context.time_left());
    let trace = LookupTrace::default();
    let wanted = Wanted { host, preferred, fallback, until: Instant::now() + budget };
    let looking_up = net.resolve(wanted, &trace);
    let looked_up = context.stage_within(budget, Phase::Resolve, Stage::Resolve, looking_up).await;
    let (notes, first_server_failed) = trace.into_parts();
    context.notes(notes);
    if first_server_failed {
        context.warn(Warning::NameServer);
    }
    context.forget(metric::ADDRESS);
    context.sample(&metric::DNS_LOOKUP, context.time(Stage::Resolve).as_secs_f64());
    if let Ok(addresses) = &looked_up {
        let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        context.note(format!("{host} resolved to {}", list.join(", ")));
    } else {
        context.sample(&metric::IP_PROTOCOL, 0.0);
        context.sample(&metric::IP_ADDR_HASH, 0.0);
    }
    looked_up
}

/// Connects to the first of these addresses that accepts, on the destination's port.
///
/// # Errors
/// A failure of the phase `connect`, `redirect/denied_address`, or an internal one.
pub(crate) async fn connect(
    destination: &Destination<'_>,
    addresses: &[IpAddr],
    context: &mut ProbeContext,
) -> Result<Opened, Failure> {
    let addresses = on_port(destination.port, addresses);
    let mut notes = Vec::new();
    let time_left = context.time_left();
    let connecting = connect::connect(destination, &addresses, time_left, &mut notes);
    let connected = context.stage(Phase::Connect, Stage::Connect, connecting).await;
    context.notes(notes);
    record_peer(connected.as_ref().ok().map(|opened| opened.address), &addresses, context);
    connected
}

fn on_port(port: u16, addresses: &[IpAddr]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

/// Records the address that was connected to; otherwise the first one that was to be tried.
fn record_peer(connected: Option<SocketAddr>, tried: &[SocketAddr], context: &mut ProbeContext) {
    if let Some(address) = connected.or(tried.first().copied()) {
        record_address(address.ip(), context);
    }
    if let Some(address) = connected {
        context.note(format!("connected to {address}"));
        if let Some(hop) = context.hop() {
            hop.peer = Some(address);
        }
    }
}

/// Records the address of the target.
pub(crate) fn record_address(address: IpAddr, context: &mut ProbeContext) {
    context.forget(&[&metric::IP_PROTOCOL, &metric::IP_ADDR_HASH]);
    context.sample(&metric::IP_PROTOCOL, if address.is_ipv4() { 4.0 } else { 6.0 });
    context.sample(&metric::IP_ADDR_HASH, f64::from(hash(address)));
}

/// FNV-1a, 32 bit, of the address's bytes (<http://www.isthe.com/chongo/tech/comp/fnv/>), as `blackbox_exporter` has it.
fn hash(address: IpAddr) -> u32 {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    bytes
        .iter()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hashed_with_fnv() {
        assert_eq!(hash(IpAddr::from([127, 0, 0, 1])), 0xdaaf_40ed);
    }
}
