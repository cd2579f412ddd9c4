//! Opening a TCP connection to the first of several addresses that answers.
//!
//! Must not know what is spoken over the connection.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::sleep,
};
use url::Host;

use super::{
    fault::local_fault,
    policy::{self, AddressClass},
    race::Race,
};
use crate::{
    report::{Failure, Phase, Reason},
    setting::Family,
};

/// How long an address may take before the next one is tried beside it (RFC 8305 §5, "Connection Attempt Delay").
const STAGGER: Duration = Duration::from_millis(250);

/// The same where there are many addresses and little time; less would flood the network (RFC 8305 §8).
const STAGGER_MIN: Duration = Duration::from_millis(10);

/// Where to connect to.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) host: &'a Host<String>,
    pub(crate) port: u16,
    pub(crate) preferred: Family,
    pub(crate) fallback: bool,
    /// The local address to connect from.
    pub(crate) source: Option<IpAddr>,
    /// The class of the address at which the probe began, for a redirect, which must not lead to anything more private.
    pub(crate) floor: Option<AddressClass>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    /// The local end.
    local: Option<SocketAddr>,
}

impl Opened {
    /// How private the other end is.
    pub(crate) fn class(&self) -> AddressClass {
        AddressClass::of(self.address.ip())
    }

    /// The address of this end, where the system says it.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        self.local.map(|local| local.ip())
    }
}

/// The addresses that may be connected to, or why there is none.
pub(crate) fn permitted(
    addresses: &[SocketAddr],
    destination: &Destination<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut permitted = Vec::new();
    let mut denied = None;
    for address in addresses {
        if let Some(source) = destination.source.filter(|own| own.is_ipv4() != address.is_ipv4()) {
            let detail = format!("{address}: not of the family of {source}");
            denied.get_or_insert(Failure::new(Phase::Connect, Reason::Unreachable, detail));
            continue;
        }
        match policy::check(*address, destination.floor) {
            Ok(()) => permitted.push(*address),
            Err(failure) => {
                notes.push(failure.detail.clone());
                denied = Some(failure);
            }
        }
    }
    let no_address = || Failure::new(Phase::Internal, Reason::Bug, "no address to connect to");
    if permitted.is_empty() { Err(denied.unwrap_or_else(no_address)) } else { Ok(permitted) }
}

/// Connects to the first address of the destination that accepts. Notes say which ones did not.
///
/// # Errors
/// What says most of why none accepted. Waits for addresses that are silent.
pub(crate) async fn connect(
    destination: &Destination<'_>,
    addresses: &[SocketAddr],
    time_left: Duration,
    notes: &mut Vec<String>,
) -> Result<Opened, Failure> {
    let permitted = permitted(addresses, destination, notes)?;
    first(permitted, time_left, notes, |address| dial(address, destination.source)).await
}

/// The first attempt that succeeds. Those at the other addresses start 250 ms apart, or at once when one fails; closer
/// together where half of the time would not be enough for all of them.
pub(crate) async fn first<T, F>(
    addresses: Vec<SocketAddr>,
    time_left: Duration,
    notes: &mut Vec<String>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>> + Send,
{
    if let [only] = addresses.as_slice() {
        return attempt(*only).await;
    }
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let stagger = (time_left / 2 / count).clamp(STAGGER_MIN, STAGGER);
    let mut waiting = addresses.into_iter();
    let mut attempts = Race::new();
    let mut next = waiting.next();
    let mut reported: Option<Failure> = None;
    loop {
        if let Some(address) = next.take() {
            attempts.add(attempt(address));
        }
        tokio::select! {
            Some(ended) = attempts.next() => match ended {
                Ok(opened) => return Ok(opened),
                Err(failure) => {
                    notes.push(failure.detail.clone());
                    if reported.as_ref().is_none_or(|known| weight(&failure) > weight(known)) {
                        reported = Some(failure);
                    }
                    next = waiting.next();
                }
            },
            () = sleep(stagger), if waiting.len() > 0 => next = waiting.next(),
            else => return Err(reported.unwrap_or_else(|| Failure::new(Phase::Internal, Reason::Bug, "no attempt"))),
        }
    }
}

/// How much a failure says: an internal one most, because nothing is known then; that of a family that this machine does not
/// have least. Among equals the first counts, which is of the preferred family.
fn weight(failure: &Failure) -> u8 {
    match (failure.phase, failure.reason) {
        (Phase::Internal, _) => 3,
        (_, Reason::Unreachable) => 0,
        (_, Reason::Timeout) => 1,
        _ => 2,
    }
}

/// One attempt at one address.
async fn dial(address: SocketAddr, source: Option<IpAddr>) -> Result<Opened, Failure> {
    let connecting = match source {
        None => TcpStream::connect(address).await,
        Some(source) => bound(source)?.connect(address).await,
    };
    let stream = connecting.map_err(|error| failure(address, &error))?;
    // A socket that happens to get the port that it asks for is connected to itself: nobody listens there.
    let local = stream.local_addr().ok();
    if local == Some(address) {
        let detail = format!("{address}: nobody but this probe is there");
        return Err(Failure::new(Phase::Connect, Reason::Refused, detail));
    }
    Ok(Opened { stream, address, local })
}

/// A socket with a local address.
fn bound(source: IpAddr) -> Result<TcpSocket, Failure> {
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let bound = socket.and_then(|socket| socket.bind(SocketAddr::new(source, 0)).map(|()| socket));
    bound.map_err(|error| unbound(source, &error))
}

/// Why a local address cannot be used.
pub(crate) fn unbound(source: IpAddr, error: &io::Error) -> Failure {
    // A missing address is a mistake of the module, and everything else a shortage: neither is the target's.
    let reason = match error.kind() {
        io::ErrorKind::AddrNotAvailable => Reason::Config,
        _ => Reason::NoFds,
    };
    Failure::new(Phase::Internal, reason, format!("source_ip_address {source}: {error}"))
}

/// What an error of the system says about an address that was to be connected to.
pub(crate) fn failure(address: SocketAddr, error: &io::Error) -> Failure {
    // Without IPv6 on this machine, an IPv6 address cannot be assigned, which is no shortage: the address is unreachable.
    let no_family = address.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable;
    if let Some(fault) = local_fault(error).filter(|_| !no_family) {
        return fault;
    }
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Reason::Reset,
        io::ErrorKind::TimedOut => Reason::Timeout,
        // No route, an ICMP unreachable, or a local route or firewall that forbids it.
        _ => Reason::Unreachable,
    };
    Failure::new(Phase::Connect, reason, format!("{address}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_never_the_targets_fault() {
        for code in [12, 23, 24, 98, 99, 105] {
            let failure =
                failure(SocketAddr::from(([127, 0, 0, 1], 1)), &io::Error::from_raw_os_error(code));
            assert_eq!(failure.phase, Phase::Internal, "{code}");
        }
        assert_eq!(local_fault(&io::Error::from_raw_os_error(111)), None);
    }

    #[test]
    fn a_route_that_forbids_it_is_no_fault() {
        // EPERM, EACCES, EINVAL (blackhole), EAFNOSUPPORT, ENETUNREACH, EHOSTUNREACH.
        for code in [1, 13, 22, 97, 101, 113] {
            let failure =
                failure(SocketAddr::from(([127, 0, 0, 1], 1)), &io::Error::from_raw_os_error(code));
            assert_eq!(
                (failure.phase, failure.reason),
                (Phase::Connect, Reason::Unreachable),
                "{code}"
            );
        }
    }

    /// Connects to these addresses, as the first hop or as a redirect from an address of this class.
    async fn try_all(
        addresses: &[SocketAddr],
        floor: Option<AddressClass>,
        source: Option<IpAddr>,
    ) -> Result<Opened, Failure> {
        let host = Host::Domain("some.test".to_owned());
        let port = addresses[0].port();
        let (preferred, fallback) = (Family::Ip6, true);
        let destination = Destination { host: &host, port, preferred, fallback, source, floor };
        connect(&destination, addresses, Duration::from_secs(20), &mut Vec::new()).await
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = [2, 1].map(|last| SocketAddr::from(([127, 0, 0, last], port)));
        let opened = try_all(&addresses, None, None).await.unwrap();
        assert_eq!(opened.address, addresses[1]);
        drop((listener, opened));
        let failure = try_all(&addresses, None, None).await.unwrap_err();
        assert_eq!((failure.phase, failure.reason), (Phase::Connect, Reason::Refused));
        assert!(failure.detail.contains("127.0.0.2"), "{failure}");
    }

    #[tokio::test]
    async fn what_says_most_is_reported() {
        let refusing = SocketAddr::from(([127, 0, 0, 2], 1));
        // No connection can be made to the broadcast address, of which the system says so at once.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 1));
        for addresses in [[refusing, nowhere], [nowhere, refusing]] {
            let failure = try_all(&addresses, None, None).await.unwrap_err();
            assert_eq!(failure.reason, Reason::Refused, "{addresses:?}: {failure}");
        }
    }

    #[tokio::test]
    async fn a_redirect_connects_to_permitted_addresses_alone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        for (floor, expected) in [
            (None, true),
            (Some(AddressClass::Loopback), true),
            (Some(AddressClass::Public), false),
        ] {
            let opened = try_all(&[here], floor, None).await;
            match opened {
                Ok(opened) => assert!(expected && opened.class() == AddressClass::Loopback),
                Err(failure) => {
                    assert_eq!((failure.reason, expected), (Reason::DeniedAddress, false));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_local_address_is_used_or_is_an_internal_failure() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let opened = try_all(&[here], None, Some(IpAddr::from([127, 0, 0, 7]))).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip(), IpAddr::from([127, 0, 0, 7]));
        drop(opened);
        for (source, phase, reason) in [
            ("192.0.2.1", Phase::Internal, Reason::Config),
            ("::1", Phase::Connect, Reason::Unreachable),
        ] {
            let failure = try_all(&[here], None, source.parse().ok()).await.unwrap_err();
            assert_eq!((failure.phase, failure.reason), (phase, reason), "{failure}");
        }
    }
}
