//! The cookies of one probe: set by an answer, sent with the requests of its redirects (RFC 6265).
//!
//! Must not know redirects.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, header};
use url::{Host, Url};

/// How many cookies are kept, and how long each may be (RFC 6265 §6.1 asks for 50 and 4096 bytes).
pub(super) const COOKIES_MAX: usize = 50;
const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies so far.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Cookie>);

#[derive(Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    /// The host that it is for.
    domain: String,
    /// Whether it is for that host alone, and not for those below it.
    host_only: bool,
    path: String,
    secure: bool,
}

impl Cookies {
    /// Keeps what an answer sets.
    pub(super) fn take(&mut self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        for line in headers.get_all(header::SET_COOKIE) {
            let Some(line) = line.to_str().ok().filter(|line| line.len() <= COOKIE_BYTES_MAX)
            else {
                continue;
            };
            let Some((cookie, ended)) = Cookie::read(line, url, now) else { continue };
            self.0.retain(|known| !known.is_same(&cookie));
            if !ended && self.0.len() < COOKIES_MAX {
                self.0.push(cookie);
            }
        }
    }

    /// The header for a request, the longest paths first; `None` when there is nothing to send.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let mut fitting: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.fits(url)).collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
    }

    /// Every value, for hiding them.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|cookie| cookie.value.as_str())
    }
}

impl Cookie {
    /// A cookie, and whether it ends one instead; `None` when it must not be set from here.
    fn read(line: &str, url: &Url, now: SystemTime) -> Option<(Self, bool)> {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        let mut cookie = Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: host.clone(),
            host_only: true,
            path: directory(url.path()).to_owned(),
            secure: false,
        };
        let (mut by_age, mut by_date) = (None, None);
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => by_age = value.trim().parse().ok().map(|seconds: i64| seconds <= 0),
                "expires" => by_date = date(value).map(|end| end <= now),
                "domain" if !value.trim().is_empty() => cookie.widen(value, &host, url)?,
                _ => {}
            }
        }
        // The age outranks the date (RFC 6265 §5.3).
        let ended = by_age.or(by_date).unwrap_or(false);
        // The Go client accepts no other names.
        let is_token = HeaderName::from_bytes(cookie.name.as_bytes()).is_ok();
        is_token.then_some((cookie, ended))
    }

    /// Makes the cookie one for a domain: `None` when that is not the host's own, or one that the public registers names in.
    fn widen(&mut self, domain: &str, host: &str, url: &Url) -> Option<()> {
        let domain = domain.trim().trim_start_matches('.').to_ascii_lowercase();
        if domain == host {
            // A public suffix may set cookies for itself alone (RFC 6265 §5.3).
            self.host_only = !matches!(url.host(), Some(Host::Domain(_))) || is_public(&domain);
            return Some(());
        }
        let below = host.strip_suffix(domain.as_str())?.ends_with('.');
        if !below || !matches!(url.host(), Some(Host::Domain(_))) || is_public(&domain) {
            return None;
        }
        self.domain = domain;
        self.host_only = false;
        Some(())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.domain == other.domain && self.path == other.path
    }

    fn fits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let below = || host.strip_suffix(&self.domain).is_some_and(|rest| rest.ends_with('.'));
        let in_path = url.path().strip_prefix(&self.path).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        (host == self.domain || !self.host_only && below())
            && in_path
            && (!self.secure || url.scheme() == "https" || is_this_machine(url))
    }
}

/// A date as cookies have it: that of HTTP, or with dashes, as Netscape had it.
fn date(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let parse = |text: &str| httpdate::parse_http_date(text).ok();
    let spaced = text.replace('-', " ");
    let year = || spaced.split(' ').nth(3)?.parse::<u16>().ok();
    parse(text).or_else(|| parse(&spaced)).or_else(|| {
        // Servers that count their time zone in twice end cookies in 1969, before what the library reads.
        year().filter(|year| (1601..1970).contains(year)).map(|_| SystemTime::UNIX_EPOCH)
    })
}

/// Whether a URL leads nowhere else, so that it is as good as encrypted: so browsers and the Go client count it.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The default path of a cookie (RFC 6265 §5.1.4).
fn directory(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => path.get(..end).unwrap_or("/"),
    }
}

/// Whether anybody can register names below this one (<https://publicsuffix.org>).
fn is_public(domain: &str) -> bool {
    psl::suffix_str(domain).is_some_and(|suffix| suffix == domain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn cookies_go_back_where_they_belong() {
        for (from, line, to, sent) in [
            ("http://a.example/", "a=1; Path=/", "http://a.example/x", Some("a=1")),
            ("http://a.example/", "a=1", "http://b.example/", None),
            ("http://a.example/", "a=1", "http://x.a.example/", None),
            ("http://x.a.example/", "a=1; Domain=a.example", "http://y.a.example/", Some("a=1")),
            ("http://x.a.example/", "a=1; Domain=.a.example", "http://a.example/", Some("a=1")),
            ("http://x.a.example/", "a=1; Domain=b.example", "http://b.example/", None),
            ("http://x.a.example/", "a=1; Domain=x", "http://x.a.example/", None),
            // Names below co.uk are anybody's.
            ("http://a.co.uk/", "a=1; Domain=co.uk", "http://b.co.uk/", None),
            ("http://a.example/", "a=1; Domain=example", "http://b.example/", None),
            ("http://127.0.0.1/", "a=1; Domain=0.0.1", "http://127.0.0.1/", None),
            ("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "http://127.0.0.1/", Some("a=1")),
            ("https://a.example/", "a=1; Secure", "http://a.example/", None),
            ("https://a.example/", "a=1; Secure", "https://a.example/", Some("a=1")),
            ("http://a.example/x/y", "a=1", "http://a.example/x/z", Some("a=1")),
            ("http://a.example/x/y", "a=1", "http://a.example/xy", None),
            ("http://a.example/", "a=1; Max-Age=0", "http://a.example/", None),
            ("http://a.example/", "a=1; Max-Age=9", "http://a.example/", Some("a=1")),
            ("http://127.0.0.1/", "a=1; Secure", "http://127.0.0.1/", Some("a=1")),
            ("http://[::1]/", "a=1; Secure", "http://[::1]/", Some("a=1")),
            ("http://localhost/", "a=1; Secure", "http://localhost/", Some("a=1")),
            ("http://a.localhost/", "a=1; Secure", "http://a.localhost/", Some("a=1")),
            ("http://10.0.0.1/", "a=1; Secure", "http://10.0.0.1/", None),
            ("http://alocalhost/", "a=1; Secure", "http://alocalhost/", None),
            ("http://a.example/", "a b=1", "http://a.example/", None),
            ("http://a.example/", "=1", "http://a.example/", None),
        ] {
            assert_eq!(sent_back(from, line, to).as_deref(), sent, "{from} {line} {to}");
        }
    }

    #[test]
    fn cookies_go_back_as_long_as_they_last() {
        for (line, is_sent) in [
            ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false),
            ("a=1; expires=Thu, 01-Jan-1970 00:00:00 GMT", false),
            ("a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", true),
            ("a=1; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("a=1; Expires=Wed, 31-Dec-1969 23:59:59 GMT", false),
            ("a=1; Expires=soon", true),
        ] {
            let sent = sent_back("http://a.example/", line, "http://a.example/");
            assert_eq!(sent.as_deref(), is_sent.then_some("a=1"), "{line}");
        }
    }

    /// What of a cookie that one address sets is sent to another, fifty years after 1970.
    fn sent_back(from: &str, line: &str, to: &str) -> Option<String> {
        let mut cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", line.parse().unwrap());
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50);
        cookies.take(&Url::parse(from).unwrap(), &headers, now);
        cookies.header(&Url::parse(to).unwrap())
    }

    #[test]
    fn their_number_and_length_are_bounded_and_the_last_one_of_a_name_counts() {
        let url = Url::parse("http://a.example/").unwrap();
        let mut headers = HeaderMap::new();
        for number in 0..5000 {
            headers.append("set-cookie", format!("c{number}=x").parse().unwrap());
        }
        headers.append("set-cookie", "c0=y".parse().unwrap());
        headers.append("set-cookie", format!("long={}", "x".repeat(5000)).parse().unwrap());
        let mut cookies = Cookies::default();
        cookies.take(&url, &headers, SystemTime::UNIX_EPOCH);
        let sent = cookies.header(&url).unwrap();
        assert_eq!(sent.split("; ").count(), COOKIES_MAX);
        assert!(sent.ends_with("c0=y") && !sent.contains("long"), "{sent}");
    }
}
