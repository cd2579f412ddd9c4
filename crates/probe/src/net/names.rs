//! What the system says about names: its name servers and search list, and the names that it knows by itself.
//!
//! Read as resolv.conf(5) and hosts(5) describe, as far as it concerns us. Must not know how a question is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of name servers (RFC 1035 §4.2).
const PORT: u16 = 53;

/// How many name servers are asked; the C library takes three.
const SERVERS_MAX: usize = 6;

/// How many domains a short name is searched in; the C library took six for decades.
const SEARCH_MAX: usize = 6;

/// How many dots a name may be asked to have before it counts as complete; the C library's limit.
const DOTS_MAX: usize = 15;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Whom to ask, in this order.
    pub(super) servers: Vec<SocketAddr>,
    /// Where short names are looked for.
    search: Vec<String>,
    /// Names with fewer dots are short.
    dots: usize,
}

impl Configuration {
    pub(super) fn of_servers(servers: Vec<SocketAddr>) -> Self {
        Self { servers, search: Vec::new(), dots: 1 }
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
                    let domains = words.map(|domain| domain.trim_end_matches('.').to_owned());
                    configuration.search =
                        domains.filter(|domain| !domain.is_empty()).take(SEARCH_MAX).collect();
                }
                Some("options") => {
                    let dots =
                        words.rev().find_map(|option| option.strip_prefix("ndots:")?.parse().ok());
                    configuration.dots = dots.unwrap_or(configuration.dots).min(DOTS_MAX);
                }
                _ => {}
            }
        }
        configuration.servers.truncate(SERVERS_MAX);
        configuration
    }

    /// The complete names to ask for, in this order, until one exists. A name that is not short is never searched for: a
    /// search domain that answers for everything would make a name that is gone look alive.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let is_short = name.matches('.').count() < self.dots;
        let search = self.search.iter().filter(|_| is_short);
        let found_in = search.map(|domain| format!("{name}.{domain}."));
        found_in.chain([format!("{name}.")]).collect()
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
            domain old.example\nsearch shop.svc.cluster.local. svc.cluster.local\noptions timeout:1 ndots:5 rotate\n\xff\n";
        let found = Configuration::parse(text);
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1%3]:53", "[fd00::1]:53", "127.0.0.1:54"]);
        let asked = ["web.shop.svc.cluster.local.", "web.svc.cluster.local.", "web."];
        assert_eq!(found.candidates("web"), asked);
        assert_eq!(found.candidates("a.b.c.d.e.f"), ["a.b.c.d.e.f."]);
        assert_eq!(found.candidates("web."), ["web."]);
        let plain = Configuration::parse(b"search corp.example\n");
        assert_eq!(plain.candidates("www.example.com"), ["www.example.com."]);
        assert_eq!(plain.servers, []);
        let hosts = b"127.0.0.1 localhost\n10.1.1.1 Web.example web # ours\nfd00::1\tweb.example\n#10.2.2.2 web.example\n";
        let expected: [IpAddr; 2] = ["10.1.1.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(in_hosts(hosts, "web.example"), expected);
        assert_eq!(in_hosts(hosts, "example"), [] as [IpAddr; 0]);
        assert_eq!(of_localhost("a.localhost").map(|found| found.len()), Some(2));
        assert_eq!(of_localhost("localhost.example"), None);
    }
}
