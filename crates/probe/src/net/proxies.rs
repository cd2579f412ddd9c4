//! Which URLs go through a proxy: by the environment, and by the rules of `no_proxy`.
//!
//! Decided as in Go (<https://pkg.go.dev/golang.org/x/net/http/httpproxy>). Must not know how a proxy is spoken to.

use std::net::IpAddr;

use url::{Host, Url};

/// The proxies that the environment names; used only where a module says so.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    http: Option<Url>,
    https: Option<Url>,
    no_proxy: String,
}

impl Environment {
    /// From the variables of the environment, by their names in either case.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            variable(name).or_else(|| variable(&name.to_ascii_lowercase())).unwrap_or_default()
        };
        let proxy = |name: &str| {
            let text = either(name);
            let text = if text.contains("://") { text } else { format!("http://{text}") };
            Url::parse(&text).ok().filter(Url::has_host)
        };
        Self {
            http: proxy("HTTP_PROXY"),
            https: proxy("HTTPS_PROXY"),
            no_proxy: either("NO_PROXY"),
        }
    }

    /// The proxy for a URL; `None` when it is asked directly.
    pub(crate) fn choose(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| goes_through(url, &self.no_proxy))
    }
}

/// Whether a URL goes through the proxy: not when it is this machine, and not when `no_proxy` lists it.
pub(crate) fn goes_through(url: &Url, no_proxy: &str) -> bool {
    let Some(host) = url.host() else { return true };
    let port = url.port_or_known_default();
    let (name, address) = match host {
        Host::Domain(name) => (name.trim_end_matches('.').to_ascii_lowercase(), None),
        Host::Ipv4(address) => (String::new(), Some(IpAddr::V4(address))),
        Host::Ipv6(address) => (String::new(), Some(IpAddr::V6(address))),
    };
    if name == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return false;
    }
    let mut rules = no_proxy.split([',', ' ']).map(|rule| rule.trim().to_ascii_lowercase());
    !rules.any(|rule| rule == "*" || matches(&rule, &name, address, port))
}

/// Whether one rule of `no_proxy` fits: an address, a network, or a domain with those below it, each with or without a port.
fn matches(rule: &str, name: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
    if rule.is_empty() {
        return false;
    }
    if let Some((network, bits)) = rule.split_once('/') {
        let network = network.parse().ok().zip(bits.parse().ok());
        return network
            .zip(address)
            .is_some_and(|((network, bits), address)| in_network(address, network, bits));
    }
    let bare = rule.trim_start_matches('[').trim_end_matches(']');
    if let Ok(wanted) = bare.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    let (rule, wanted_port) = match rule.rsplit_once(':') {
        Some((host, text)) => match text.parse::<u16>() {
            Ok(port) => (host, Some(port)),
            Err(_) => (rule, None),
        },
        None => (rule, None),
    };
    if wanted_port.is_some() && wanted_port != port {
        return false;
    }
    let bare = rule.trim_start_matches('[').trim_end_matches(']');
    if let Ok(wanted) = bare.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    // `.example.com` means the names below it alone, `example.com` and `*.example.com` mean both.
    let rule = rule.strip_prefix('*').unwrap_or(rule);
    let below = rule.strip_prefix('.').unwrap_or(rule);
    let is_below = name.strip_suffix(below).is_some_and(|rest| rest.ends_with('.'));
    is_below || (name == rule && !rule.is_empty())
}

/// Whether an address begins with the first `bits` bits of a network.
fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let shifted = |value: u128, size: u32| {
        if bits > size { None } else { value.checked_shr(size - bits).or(Some(0)) }
    };
    let (address, network) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (
            shifted(u128::from(u32::from(address)), 32),
            shifted(u128::from(u32::from(network)), 32),
        ),
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            (shifted(u128::from(address), 128), shifted(u128::from(network), 128))
        }
        _ => return false,
    };
    address.is_some() && address == network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_go_past_the_proxy_as_in_go() {
        for (url, no_proxy, through) in [
            ("http://a.example/", "", true),
            ("http://localhost:80/", "x", false),
            ("http://127.0.0.2/", "x", false),
            ("http://a.example/", "*", false),
            ("http://a.example/", "b.example, a.example", false),
            ("http://x.a.example/", "a.example", false),
            ("http://xa.example/", "a.example", true),
            ("http://a.example/", ".a.example", true),
            ("http://x.a.example/", ".a.example", false),
            ("http://x.a.example/", "*.a.example", false),
            ("http://a.example:8080/", "a.example:8080", false),
            ("http://a.example/", "a.example:8080", true),
            ("http://10.1.2.3/", "10.0.0.0/8", false),
            ("http://11.1.2.3/", "10.0.0.0/8", true),
            ("http://10.1.2.3/", "0.0.0.0/0", false),
            ("http://[2001:db8::1]/", "2001:db8::/32", false),
            ("http://[2001:db8::1]/", "[2001:db8::1]:80", false),
            ("http://10.1.2.3/", "10.1.2.3", false),
            ("http://10.1.2.3/", "10.0.0.0/99", true),
        ] {
            assert_eq!(
                goes_through(&Url::parse(url).unwrap(), no_proxy),
                through,
                "{url} {no_proxy}"
            );
        }
    }

    #[test]
    fn the_environment_names_a_proxy_for_each_scheme() {
        let environment = Environment::read(|name| match name {
            "http_proxy" => Some("proxy.example:3128".to_owned()),
            "HTTPS_PROXY" => Some("https://secure.example/".to_owned()),
            "NO_PROXY" => Some("b.example".to_owned()),
            _ => None,
        });
        let chosen = |url: &str| environment.choose(&Url::parse(url).unwrap()).map(Url::as_str);
        assert_eq!(chosen("http://a.example/"), Some("http://proxy.example:3128/"));
        assert_eq!(chosen("https://a.example/"), Some("https://secure.example/"));
        assert_eq!(chosen("https://b.example/"), None);
    }
}
