//! What is probed: the parsed form of what a user writes.
//!
//! Must not know which checks there are, only how they want their targets written.

use std::{net::Ipv6Addr, sync::Arc};

use notation::Diagnostic;
use url::{Host, Url};

/// How a kind of probe wants its targets written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// `https://example.com/path`
    Url,
    /// `example.com:443`
    HostPort(HostPort),
}

/// The particulars of targets that are a host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// What may stand before the host, as in `tcp://`.
    pub scheme: &'static str,
    /// The port of a target that names none; without it every target has to name one.
    pub port: Option<u16>,
    /// Whether something may follow behind a slash.
    pub path: bool,
}

/// A valid address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An http or https URL with a host.
    Url(Url),
    /// A host and a port.
    HostPort {
        /// A name or an address.
        host: Host<String>,
        /// The port.
        port: u16,
        /// What follows behind the slash.
        path: String,
    },
}

/// A target: its address, as text and as its kind understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: Arc<str>,
    address: Address,
    hostname: Option<Arc<str>>,
}

impl Target {
    /// Parses a target strictly, as in a targets file.
    pub(crate) fn parse(text: &str, form: AddressForm) -> Result<Self, Diagnostic> {
        let address = match form {
            AddressForm::Url => Address::Url(parse_url(text)?),
            AddressForm::HostPort(form) => parse_host_port(text, form)?,
        };
        Ok(Self { text: text.into(), address, hostname: None })
    }

    /// Parses a target as `blackbox_exporter` does: a URL without a scheme gets `http://`.
    pub(crate) fn parse_lenient(text: &str, form: AddressForm) -> Result<Self, Diagnostic> {
        if form == AddressForm::Url && !has_scheme(text) {
            let with_scheme = Self::parse(&format!("http://{text}"), form)?;
            return Ok(Self { text: text.into(), ..with_scheme });
        }
        Self::parse(text, form)
    }

    /// The target with another name to ask for: the Host header, and the name in TLS.
    pub(crate) fn with_hostname(self, hostname: &str) -> Result<Self, Diagnostic> {
        let valid = !hostname.is_empty()
            && hostname.bytes().all(|byte| byte.is_ascii_graphic() && !b"/@?#\\".contains(&byte));
        if valid {
            Ok(Self { hostname: Some(hostname.into()), ..self })
        } else {
            Err(refused(format!("{hostname:?} is not a host name"), "write it as www.example.com"))
        }
    }

    /// The target as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parsed address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The host that is probed: a name or an address, one form of it for all spellings.
    pub fn host(&self) -> String {
        let host = match &self.address {
            Address::Url(url) => url.host_str().unwrap_or_default().to_owned(),
            Address::HostPort { host, .. } => host.to_string(),
        };
        without_final_dot(&host).to_owned()
    }

    /// The name to ask for instead of the address's own.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }
}

/// A host as it is named to others, in the Host header and in TLS: without the dot that makes a name complete for resolvers.
pub(crate) fn without_final_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn refused(message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
    Diagnostic::new(message).hint(hint)
}

/// Whether a text begins with a scheme; one in a query is that of another URL.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']))
}

fn parse_url(text: &str) -> Result<Url, Diagnostic> {
    if !has_scheme(text) {
        return Err(refused(
            format!("`{text}` has no scheme"),
            format!("write https://{text}, or http://{text}"),
        ));
    }
    let example = "write it as https://www.example.com/path";
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(refused(format!("{text:?} holds a space or a control character"), example));
    }
    let url = Url::parse(text)
        .map_err(|reason| refused(format!("`{text}` is not a URL: {reason}"), example))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(
            format!("`{}` is not a scheme that can be probed", url.scheme()),
            "use http or https",
        ));
    }
    if url.host().is_none() {
        return Err(refused(format!("`{text}` names no host"), example));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            "a URL must not hold a user name or a password, because it is shown everywhere",
            "put an Authorization header into a module",
        ));
    }
    Ok(url)
}

fn parse_host_port(text: &str, form: HostPort) -> Result<Address, Diagnostic> {
    let HostPort { scheme, port: usual, path: may_have_path } = form;
    let example = match usual {
        None => "write it as db.example.com:5432 or [2001:db8::1]:5432".to_owned(),
        Some(port) => {
            format!("write it as 192.0.2.1, ns.example.com:{port} or [2001:db8::1]:{port}")
        }
    };
    let bare = match text.split_once("://").filter(|(before, _)| !before.contains('/')) {
        Some((known, rest)) if known == scheme => rest,
        Some((other, _)) => {
            let message =
                format!("`{other}://` is not for this module: it wants a host and a port");
            return Err(refused(message, example));
        }
        None => text,
    };
    let (bare, path) = match bare.split_once('/') {
        Some((bare, path)) if may_have_path => (bare, path),
        _ => (bare.trim_end_matches('/'), ""),
    };
    if bare.contains('@') {
        return Err(refused("a host has no user and no password before it", example));
    }
    let (host, port) = match usual {
        // An address of IPv6 needs no brackets where no port follows.
        Some(usual) if bare.parse::<Ipv6Addr>().is_ok() => (format!("[{bare}]"), usual),
        Some(usual) if bare.ends_with(']') || !bare.contains(':') => (bare.to_owned(), usual),
        _ => {
            let missing = || refused(format!("`{text}` has no port"), example.clone());
            let (host, port) = bare.rsplit_once(':').ok_or_else(missing)?;
            let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                refused(format!("`{port}` is not a port"), "a port is a number from 1 to 65535")
            })?;
            (host.to_owned(), port)
        }
    };
    let host = Host::parse(&host)
        .map_err(|reason| refused(format!("`{host}` is not a host: {reason}"), example))?;
    Ok(Address::HostPort { host, port, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As tcp modules want it.
    const TCP: AddressForm =
        AddressForm::HostPort(HostPort { scheme: "tcp", port: None, path: false });

    #[test]
    fn targets_are_parsed_strictly() {
        for (text, form) in [
            ("https://example.com/health?x=1", AddressForm::Url),
            ("http://[::1]:8080/", AddressForm::Url),
            ("http://müller.example/", AddressForm::Url),
            ("db.example.com:5432", TCP),
            ("tcp://127.0.0.1:22", TCP),
            ("[::1]:22", TCP),
        ] {
            assert_eq!(Target::parse(text, form).unwrap().text(), text);
        }
        for (text, form, needle) in [
            ("example.com", AddressForm::Url, "https://example.com"),
            ("ftp://example.com/", AddressForm::Url, "http or https"),
            ("https://", AddressForm::Url, "not a URL"),
            ("https://a b/", AddressForm::Url, "space"),
            // Punycode that hides a plain name (RUSTSEC-2024-0421).
            ("https://xn--example-.org/", AddressForm::Url, "not a URL"),
            ("xn--example-.org:443", TCP, "not a host"),
            ("https://user:secret@example.com/", AddressForm::Url, "Authorization"),
            ("example.com", TCP, "no port"),
            ("https://example.com/", TCP, "a host and a port"),
            ("example.com:http", TCP, "not a port"),
            ("example.com:0", TCP, "not a port"),
            ("a b:1", TCP, "not a host"),
            ("me:secret@example.com:22", TCP, "no user and no password"),
        ] {
            let error = Target::parse(text, form).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_port_may_be_the_usual_one_and_a_path_may_follow() {
        let form = AddressForm::HostPort(HostPort { scheme: "dns", port: Some(53), path: true });
        for (text, host, port, path) in [
            ("192.0.2.1", "192.0.2.1", 53, ""),
            ("ns.example.com", "ns.example.com", 53, ""),
            ("ns.example.com:5353/", "ns.example.com", 5353, ""),
            ("2001:db8::1", "[2001:db8::1]", 53, ""),
            ("[2001:db8::1]", "[2001:db8::1]", 53, ""),
            ("[2001:db8::1]:5353", "[2001:db8::1]", 5353, ""),
            ("192.0.2.1/www.example.com", "192.0.2.1", 53, "www.example.com"),
            ("dns://192.0.2.1:5353/a.example?type=MX", "192.0.2.1", 5353, "a.example?type=MX"),
            ("192.0.2.1/a://b", "192.0.2.1", 53, "a://b"),
        ] {
            let target = Target::parse(text, form).unwrap();
            let expected =
                Address::HostPort { host: Host::parse(host).unwrap(), port, path: path.to_owned() };
            assert_eq!(*target.address(), expected, "{text}");
        }
        for text in [
            "",
            "tcp://192.0.2.1",
            "https://192.0.2.1/a",
            "a:0",
            "a:b",
            "[::1",
            "a b",
            "dns://me:secret@a/b",
        ] {
            assert!(Target::parse(text, form).is_err(), "{text}");
        }
    }

    #[test]
    fn the_exporter_takes_a_target_without_a_scheme() {
        for text in ["a.example:8080/login?next=http://b.example/", "a.example?next=http://b/"] {
            let target = Target::parse_lenient(text, AddressForm::Url).unwrap();
            assert!(
                matches!(target.address(), Address::Url(url) if url.host_str() == Some("a.example")),
                "{target:?}"
            );
        }
        let target = Target::parse_lenient("example.com", AddressForm::Url).unwrap();
        assert_eq!(target.text(), "example.com");
        assert!(
            matches!(target.address(), Address::Url(url) if url.as_str() == "http://example.com/")
        );
        assert!(target.clone().with_hostname("a\r\nb").is_err());
        assert_eq!(target.with_hostname("b.example").unwrap().hostname(), Some("b.example"));
    }
}
