//! What the system says about names: its name servers and search list, and the names that it knows by itself.
//!
//! Read as resolv.conf(5) and hosts(5) describe, as far as it concerns probes. Must not know how a question is asked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use super::search::Candidates;

/// The port of name servers (RFC 1035 §4.2).
const PORT: u16 = 53;

/// How many name servers are asked; the C library takes three.
const SERVERS_MAX: usize = 6;

/// How many domains a name is searched in. The C library took six for decades and takes any number today; Kubernetes writes up
/// to 32.
const SEARCH_MAX: usize = 32;

/// How many dots a name may be asked to have before it counts as complete; the C library's limit.
const DOTS_MAX: usize = 15;

/// How often each name server is asked: at least twice, because datagrams get lost, and at most as often as the C library does.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 2..=5;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Whom to ask, in this order.
    pub(super) servers: Vec<SocketAddr>,
    /// How often each of them is asked.
    pub(super) attempts: u32,
    /// Below which domains names are looked for too; `None` when nothing is said about it.
    search: Option<Vec<String>>,
    /// Names with fewer dots are looked for there first.
    dots: usize,
}

impl Configuration {
    pub(super) fn of_servers(servers: Vec<SocketAddr>) -> Self {
        Self { servers, attempts: *ATTEMPTS.start(), search: None, dots: 1 }
    }

    /// Reads `resolv.conf`. What is not understood is passed over, as the C library does.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut configuration = Self::of_servers(Vec::new());
        for line in String::from_utf8_lossy(bytes).lines() {
            let mut words =
                line.split([';', '#']).next().unwrap_or_default().split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => configuration.servers.extend(words.next().and_then(server)),
                // The last of these lines counts.
                Some("search" | "domain") => {
                    let mut domains = words.map(|domain| domain.trim_end_matches('.')).peekable();
                    if domains.peek().is_some() {
                        let domains = domains.filter(|domain| !domain.is_empty());
                        let domains = domains.take(SEARCH_MAX).map(str::to_owned);
                        configuration.search = Some(domains.collect());
                    }
                }
                Some("options") => {
                    words.for_each(|option| configuration.set(option));
                }
                _ => {}
            }
        }
        configuration.servers.truncate(SERVERS_MAX);
        configuration
    }

    /// Where nothing is said about it, names are looked for below the domain of this host (resolv.conf(5)).
    pub(super) fn or_domain_of(mut self, hostname: impl FnOnce() -> Option<Arc<[u8]>>) -> Self {
        let domain = || {
            let hostname = hostname()?;
            let (_, domain) = std::str::from_utf8(&hostname).ok()?.trim().split_once('.')?;
            Some(vec![domain.to_owned()])
        };
        self.search = self.search.or_else(domain);
        self
    }

    /// Reads one word after `options`; the last of its kind counts.
    fn set(&mut self, option: &str) {
        let Some((key, value)) = option.split_once(':') else { return };
        match (key, value.parse::<u32>()) {
            ("ndots", Ok(dots)) => {
                self.dots = usize::try_from(dots).unwrap_or(DOTS_MAX).min(DOTS_MAX);
            }
            ("attempts", Ok(attempts)) => {
                self.attempts = attempts.clamp(*ATTEMPTS.start(), *ATTEMPTS.end());
            }
            _ => {}
        }
    }

    /// The complete names that a name may mean; `None` for what is no name in DNS.
    pub(super) fn candidates(&self, name: &str) -> Option<Candidates> {
        Candidates::new(name, self.search.as_deref().unwrap_or_default(), self.dots)
    }
}

/// A name server: an address or, as in OpenBSD, an address in brackets with a port.
fn server(text: &str) -> Option<SocketAddr> {
    let with_port = || text.parse().ok().or_else(|| format!("[{text}]:{PORT}").parse().ok());
    match text.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, PORT)),
        // An IPv6 address with the number of its interface is one only in brackets.
        Err(_) => with_port(),
    }
}

/// The addresses of a name by RFC 6761 §6.3, which no name server is asked for.
pub(super) fn of_localhost(name: &str) -> Option<Vec<IpAddr>> {
    let is_local = name == "localhost" || name.ends_with(".localhost");
    is_local.then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

/// The addresses of a name in `hosts`.
pub(super) fn in_hosts(bytes: &[u8], name: &str) -> Vec<IpAddr> {
    let lines =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let addresses = lines.filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let address = words.next()?;
        words.any(|known| known.eq_ignore_ascii_case(name)).then(|| address.parse().ok())?
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_read() {
        let text = b"# made by hand\nnameserver 10.0.0.1 ; first\nnameserver fe80::1%3\nnameserver fd00::1\n\
            nameserver [127.0.0.1]:5353\nnameserver 127.0.0.1:54\nnameserver nonsense\n\
            domain old.example\nsearch shop.svc.cluster.local. svc.cluster.local\noptions timeout:1 ndots:2 attempts:3 rotate\noptions ndots:5 ndots:many\n\xff\n";
        let found = Configuration::parse(text);
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1%3]:53", "[fd00::1]:53", "127.0.0.1:54"]);
        let asked = |configuration: &Configuration, name: &str| {
            let candidates = configuration.candidates(name).unwrap();
            candidates.names().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = ["web.shop.svc.cluster.local.", "web.svc.cluster.local.", "web."];
        assert_eq!(asked(&found, "web"), expected);
        assert_eq!((found.dots, found.attempts), (5, 3));
        let plain = Configuration::parse(b"search corp.example\noptions attempts:1\n");
        assert_eq!((plain.dots, plain.attempts), (1, 2));
        assert_eq!(asked(&plain, "web.dmz"), ["web.dmz.", "web.dmz.corp.example."]);
        assert_eq!(plain.servers, []);
        for (text, hostname, expected) in [
            ("", "host.corp.example\n", &["web.corp.example.", "web."][..]),
            ("search\n", "host.corp.example", &["web.corp.example.", "web."]),
            ("", "host", &["web."]),
            ("", "", &["web."]),
            ("search .\n", "host.corp.example", &["web."]),
            ("search a.example\n", "host.corp.example", &["web.a.example.", "web."]),
        ] {
            let found = Configuration::parse(text.as_bytes())
                .or_domain_of(|| Some(hostname.as_bytes().into()));
            assert_eq!(asked(&found, "web"), expected, "{text:?} on {hostname:?}");
        }
        let hosts = b"127.0.0.1 localhost\n10.1.1.1 Web.example web # here\nfd00::1\tweb.example\n#10.2.2.2 web.example\n";
        let expected: [IpAddr; 2] = ["10.1.1.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(in_hosts(hosts, "web.example"), expected);
        assert_eq!(in_hosts(hosts, "example"), [] as [IpAddr; 0]);
        assert_eq!(of_localhost("a.localhost").map(|found| found.len()), Some(2));
        assert_eq!(of_localhost("localhost.example"), None);
    }
}
