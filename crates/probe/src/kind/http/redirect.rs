//! Redirects: where to next, with which method, and when to give up.
//!
//! Follows the Go client, as `blackbox_exporter` does, but tells why it stopped. Must not know connections.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, response::Parts};
use url::Url;

use crate::result::{Failure, Phase, Reason};

/// How many redirects are followed, as in browsers of old and in the Go client.
const HOPS_MAX: usize = 10;

/// The longest `Location`, in bytes; no server takes longer URLs.
const LOCATION_BYTES_MAX: usize = 8 * 1024;

/// How many cookies are kept, and how long each may be (RFC 6265 §6.1 asks for 50 and 4096 bytes).
const COOKIES_MAX: usize = 50;
const COOKIE_BYTES_MAX: usize = 4096;

/// One request of the chain.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) body: Bytes,
}

impl Hop {
    pub(super) fn first(url: Url, method: Method, body: Bytes) -> Self {
        Self { url, method, body }
    }
}

fn failure(reason: Reason, detail: impl Into<String>) -> Failure {
    Failure::new(Phase::Redirect, reason, detail)
}

/// The request that an answer asks for; `None` when it asks for none. A redirect without a `Location` is an answer like any
/// other.
pub(super) fn next(hop: &Hop, answer: &Parts) -> Result<Option<Hop>, Failure> {
    let keeps_method = match answer.status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let mut locations = answer.headers.get_all(header::LOCATION).iter();
    let Some(location) = locations.next().filter(|location| !location.is_empty()) else {
        return Ok(None);
    };
    if locations.any(|other| other != location) {
        return Err(failure(Reason::BadLocation, "the answer names two different locations"));
    }
    if location.len() > LOCATION_BYTES_MAX {
        return Err(failure(
            Reason::BadLocation,
            format!("the location is {} bytes long", location.len()),
        ));
    }
    let text = std::str::from_utf8(location.as_bytes())
        .map_err(|_| failure(Reason::BadLocation, "the location is not a text"))?;
    // The text is not quoted: it may hold a user's name and password.
    let mut url = hop.url.join(text).map_err(|error| {
        failure(Reason::BadLocation, format!("the location is no URL: {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(failure(
            Reason::DeniedScheme,
            format!("the location leads to {}:", url.scheme()),
        ));
    }
    // A server must not make us answer for somebody: the parts cannot be set on URLs without a host, and these have one.
    let _without_user = (url.set_username(""), url.set_password(None));
    if url.fragment().is_none() {
        url.set_fragment(hop.url.fragment());
    }
    let same_host = url.host() == hop.url.host();
    let (method, body) = match (keeps_method, hop.method.as_str()) {
        (true, _) if hop.body.is_empty() || same_host => (hop.method.clone(), hop.body.clone()),
        (true, _) => {
            return Err(failure(Reason::BadLocation, "the body is not sent to another host"));
        }
        (false, "HEAD") => (Method::HEAD, Bytes::new()),
        (false, _) => (Method::GET, Bytes::new()),
    };
    Ok(Some(Hop { url, method, body }))
}

/// The requests made so far.
#[derive(Default)]
pub(super) struct Path(HashSet<(String, String, String)>);

impl Path {
    /// Makes one more request, with the cookies that there are now.
    pub(super) fn visit(&mut self, hop: &Hop, cookies: &Cookies) -> Result<(), Failure> {
        let cookies = cookies.header(&hop.url).unwrap_or_default();
        // The same request with the same cookies would be answered in the same way for ever.
        if !self.0.insert((hop.method.to_string(), hop.url.to_string(), cookies)) {
            return Err(failure(Reason::Loop, format!("{} was asked for before", hop.url)));
        }
        if self.0.len() > HOPS_MAX + 1 {
            return Err(failure(Reason::TooMany, format!("more than {HOPS_MAX} redirects")));
        }
        Ok(())
    }
}

/// The cookies of one probe: sent back to the host that set them, and to nobody else.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    host: String,
    secure: bool,
    name: String,
    value: String,
}

impl Cookies {
    /// Keeps what an answer sets. Paths and domains are not looked at: within one probe they hardly matter.
    pub(super) fn take(&mut self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        for line in headers.get_all(header::SET_COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            if line.len() > COOKIE_BYTES_MAX || name.is_empty() {
                continue;
            }
            let secure = parts.any(|part| part.eq_ignore_ascii_case("secure"));
            self.0.retain(|cookie| cookie.host != host || cookie.name != name);
            if self.0.len() < COOKIES_MAX {
                self.0.push(Cookie {
                    host: host.to_owned(),
                    secure,
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
    }

    /// The header for a request; `None` when there is nothing to send.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let fits = |cookie: &&Cookie| {
            Some(cookie.host.as_str()) == url.host_str()
                && (!cookie.secure || url.scheme() == "https")
        };
        let pairs: Vec<String> = self
            .0
            .iter()
            .filter(fits)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn hop(url: &str, method: Method) -> Hop {
        Hop::first(Url::parse(url).unwrap(), method, Bytes::from_static(b"x"))
    }

    fn answer(status: u16, locations: &[&str]) -> Parts {
        let mut response = Response::builder().status(status);
        for location in locations {
            response = response.header("location", *location);
        }
        response.body(()).unwrap().into_parts().0
    }

    #[test]
    fn redirects_lead_where_the_go_client_would_go() {
        let from = hop("https://a.example/x/y", Method::POST);
        for (status, location, expected) in [
            (302, "/z", Some(("https://a.example/z", "GET", ""))),
            (301, "z", Some(("https://a.example/x/z", "GET", ""))),
            (303, "http://b.example", Some(("http://b.example/", "GET", ""))),
            (307, "/z", Some(("https://a.example/z", "POST", "x"))),
            (308, "https://u:p@a.example/", Some(("https://a.example/", "POST", "x"))),
            (200, "/z", None),
            (302, "", None),
        ] {
            let next = next(&from, &answer(status, &[location])).unwrap();
            let found = next.as_ref().map(|hop| {
                (hop.url.as_str(), hop.method.as_str(), std::str::from_utf8(&hop.body).unwrap())
            });
            assert_eq!(found, expected, "{status} {location}");
        }
        for (locations, reason) in [
            (&["file:///etc/passwd"][..], Reason::DeniedScheme),
            (&["https://"], Reason::BadLocation),
            (&["/a", "/b"], Reason::BadLocation),
            (&[&*"x".repeat(9000)], Reason::BadLocation),
        ] {
            assert_eq!(
                next(&from, &answer(302, locations)).unwrap_err().reason,
                reason,
                "{locations:.40?}"
            );
        }
        let elsewhere = next(&from, &answer(307, &["https://b.example/"])).unwrap_err();
        assert_eq!(elsewhere.reason, Reason::BadLocation);
    }

    #[test]
    fn loops_and_long_chains_end() {
        let mut path = Path::default();
        let cookies = Cookies::default();
        let at = |number: usize| hop(&format!("http://a.example/{number}"), Method::GET);
        for number in 0..=HOPS_MAX {
            path.visit(&at(number), &cookies).unwrap();
        }
        assert_eq!(path.visit(&at(1), &cookies).unwrap_err().reason, Reason::Loop);
        assert_eq!(path.visit(&at(HOPS_MAX + 1), &cookies).unwrap_err().reason, Reason::TooMany);
    }

    #[test]
    fn cookies_go_back_to_their_host_alone() {
        let mut cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", "a=1; Path=/".parse().unwrap());
        headers.append("set-cookie", "b=2; Secure".parse().unwrap());
        headers.append("set-cookie", "a=3".parse().unwrap());
        let url = |text| Url::parse(text).unwrap();
        cookies.take(&url("https://a.example/"), &headers);
        assert_eq!(cookies.header(&url("https://a.example/x")).as_deref(), Some("b=2; a=3"));
        assert_eq!(cookies.header(&url("http://a.example/")).as_deref(), Some("a=3"));
        assert_eq!(cookies.header(&url("https://b.example/")), None);
    }
}
