//! Opening a TCP connection to the first of several addresses that answers.
//!
//! Must not know what is spoken over the connection.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet, time::sleep};
use url::Host;

use crate::{
    metric,
    result::{Failure, Phase, Reason},
    scope::{Scope, Timing},
    setting::Family,
};

/// How long an address may take before the next one is tried beside it (RFC 8305 §5, "Connection Attempt Delay").
const STAGGER: Duration = Duration::from_millis(250);

/// Where to connect to.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) host: &'a Host<String>,
    pub(crate) port: u16,
    pub(crate) preferred: Family,
    pub(crate) fallback: bool,
}

/// Resolves and connects, and reports both.
pub(crate) async fn open(
    scope: &mut Scope<'_>,
    destination: &Destination<'_>,
) -> Result<TcpStream, Failure> {
    let Destination { host, port, preferred, fallback } = *destination;
    let net = scope.net;
    let looked_up = scope
        .phase(Phase::Resolve, Timing::Resolve, net.resolver.resolve(host, preferred, fallback))
        .await;
    scope.forget(metric::ADDRESS);
    scope.sample(&metric::DNS_LOOKUP, scope.time(Timing::Resolve).as_secs_f64());
    let addresses = match looked_up {
        Ok(addresses) => addresses,
        Err(failure) => {
            scope.sample(&metric::IP_PROTOCOL, 0.0);
            return Err(failure);
        }
    };
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    scope.note(format!("{host} resolved to {}", list.join(", ")));
    let connected = scope.phase(Phase::Connect, Timing::Connect, connect(&addresses, port)).await;
    let used = match &connected {
        Ok((_, address)) => Some(address.ip()),
        Err(_) => addresses.first().copied(),
    };
    if let Some(address) = used {
        scope.sample(&metric::IP_PROTOCOL, if address.is_ipv4() { 4.0 } else { 6.0 });
        scope.sample(&metric::IP_ADDR_HASH, f64::from(hash(address)));
    }
    let (stream, address) = connected?;
    scope.note(format!("connected to {address}"));
    if let Some(hop) = scope.hop() {
        hop.peer = Some(address);
    }
    Ok(stream)
}

/// Connects to the first address that accepts. The others start 250 ms apart, or at once when one fails.
async fn connect(addresses: &[IpAddr], port: u16) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut waiting = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let no_address = || Failure::new(Phase::Internal, Reason::Bug, "no address to connect to");
    let first = waiting.next().ok_or_else(no_address)?;
    if addresses.len() == 1 {
        // The common case needs no task of its own.
        return TcpStream::connect(first)
            .await
            .map(|stream| (stream, first))
            .map_err(|error| failure(first, &error));
    }
    let mut attempts = JoinSet::new();
    let mut next = Some(first);
    let mut reported = None;
    loop {
        if let Some(address) = next.take() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            Some(joined) = attempts.join_next() => match joined {
                Ok((address, Ok(stream))) => return Ok((stream, address)),
                Ok((address, Err(error))) => {
                    // The first failure is of the preferred address: the one to tell about.
                    reported.get_or_insert(failure(address, &error));
                    next = waiting.next();
                }
                Err(error) => return Err(Failure::new(Phase::Internal, Reason::Bug, error.to_string())),
            },
            () = sleep(STAGGER), if waiting.len() > 0 => next = waiting.next(),
            else => return Err(reported.unwrap_or_else(no_address)),
        }
    }
}

fn failure(address: SocketAddr, error: &io::Error) -> Failure {
    // Without IPv6 on this machine, an IPv6 address cannot be assigned, which is no shortage: the address is unreachable.
    let no_family = address.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable;
    if let Some(fault) = local_fault(error).filter(|_| !no_family) {
        return fault;
    }
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Reason::Reset,
        io::ErrorKind::TimedOut => Reason::Timeout,
        _ => Reason::Unreachable,
    };
    Failure::new(Phase::Connect, reason, format!("{address}: {error}"))
}

/// The fault of our own behind an error of the system: no descriptor, port, buffer or memory left. It says nothing about the
/// target.
pub(crate) fn local_fault(error: &io::Error) -> Option<Failure> {
    // ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL, ENOBUFS of Linux (errno(3)).
    const FAULTS: [i32; 5] = [12, 23, 24, 99, 105];

    let code = error.raw_os_error()?;
    FAULTS.contains(&code).then(|| Failure::new(Phase::Internal, Reason::NoFds, error.to_string()))
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
    fn what_we_lack_is_never_the_targets_fault() {
        for code in [12, 23, 24, 99, 105] {
            let failure =
                failure(SocketAddr::from(([127, 0, 0, 1], 1)), &io::Error::from_raw_os_error(code));
            assert_eq!(failure.phase, Phase::Internal, "{code}");
        }
        assert_eq!(local_fault(&io::Error::from_raw_os_error(111)), None);
    }

    #[test]
    fn addresses_are_hashed_with_fnv() {
        assert_eq!(hash(IpAddr::from([127, 0, 0, 1])), 0xdaaf_40ed);
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1])];
        let (_, address) = connect(&addresses, port).await.unwrap();
        assert_eq!(address.ip(), addresses[1]);
        drop(listener);
        let failure = connect(&addresses, port).await.unwrap_err();
        assert_eq!((failure.phase, failure.reason), (Phase::Connect, Reason::Refused));
        assert!(failure.detail.contains("127.0.0.2"), "{failure}");
    }
}
