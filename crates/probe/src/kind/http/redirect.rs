//! Redirects: where to next, with which method, and when to give up.
//!
//! Follows the Go client, as `blackbox_exporter` does, but says why it stopped. Must not know connections.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, header, response::Parts};
use url::Url;

use super::cookies::Cookies;
use crate::report::{Failure, Phase, Reason};

/// How many redirects are followed, as in browsers of old and in the Go client.
const HOPS_MAX: usize = 10;

/// The longest `Location`, in bytes; no server takes longer URLs.
const LOCATION_BYTES_MAX: usize = 8 * 1024;

/// One request of the chain.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) body: Bytes,
    /// Whether the redirect named a user or a password, which is left out.
    pub(super) had_user: bool,
    /// Whether the redirect left the body behind, and with it the headers about it.
    pub(super) dropped_body: bool,
}

impl Hop {
    pub(super) fn first(url: Url, method: Method, body: Bytes) -> Self {
        Self { url, method, body, had_user: false, dropped_body: false }
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
    let had_user = !url.username().is_empty() || url.password().is_some();
    // A server must not make the probe answer for somebody: the parts cannot be set on URLs without a host, and these have one.
    let _without_user = (url.set_username(""), url.set_password(None));
    if url.fragment().is_none() {
        url.set_fragment(hop.url.fragment());
    }
    let same_host = url.host() == hop.url.host();
    let in_the_clear = hop.url.scheme() == "https" && url.scheme() == "http";
    let (method, body) = match (keeps_method, hop.method.as_str()) {
        (true, _) if !hop.body.is_empty() && !same_host => {
            return Err(failure(Reason::BadLocation, "the body is not sent to another host"));
        }
        (true, _) if !hop.body.is_empty() && in_the_clear => {
            return Err(failure(Reason::Downgrade, "the body is not sent without TLS"));
        }
        (true, _) => (hop.method.clone(), hop.body.clone()),
        (false, "HEAD") => (Method::HEAD, Bytes::new()),
        (false, _) => (Method::GET, Bytes::new()),
    };
    let dropped_body = hop.dropped_body || method != hop.method;
    Ok(Some(Hop { url, method, body, had_user, dropped_body }))
}

/// Whether a header says something about the body, as the Go client counts them.
pub(super) fn is_about_body(name: &HeaderName) -> bool {
    [
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_LOCATION,
        header::CONTENT_TYPE,
    ]
    .contains(name)
}

/// The users and passwords that an answer's locations name, which are somebody's secrets wherever they lead.
pub(super) fn users(answer: &Parts) -> impl Iterator<Item = &str> {
    let locations = answer.headers.get_all(header::LOCATION).iter();
    let users =
        locations.filter_map(|location| user(std::str::from_utf8(location.as_bytes()).ok()?));
    users
        .flat_map(|user| [Some(user), user.split_once(':').map(|(_, password)| password)])
        .flatten()
}

/// What precedes the host of a URL, as it is written. Browsers take any number of slashes of either kind.
fn user(location: &str) -> Option<&str> {
    let (scheme, rest) = location.split_once(':').unwrap_or_default();
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let rest = if is_scheme { rest } else { location };
    if !is_scheme && !rest.starts_with(['/', '\\']) {
        return None;
    }
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
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
        for (location, reason) in
            [("https://b.example/", Reason::BadLocation), ("http://a.example/", Reason::Downgrade)]
        {
            let failure = next(&from, &answer(307, &[location])).unwrap_err();
            assert_eq!(failure.reason, reason, "{location}");
        }
    }

    #[test]
    fn users_are_found_however_they_are_written() {
        for (location, expected) in [
            ("http://u:p@a.example/", &["u:p", "p"][..]),
            ("ftp://u:p:q@a.example", &["u:p:q", "p:q"]),
            ("//u@a.example/x@y", &["u"]),
            ("http:\\\\u:p@a.example", &["u:p", "p"]),
            ("http:u:p@a.example?x", &["u:p", "p"]),
            ("http://a.example/x@y", &[]),
            ("x@y", &[]),
            ("http://[", &[]),
        ] {
            let answer = answer(302, &[location]);
            assert_eq!(users(&answer).collect::<Vec<_>>(), expected, "{location}");
        }
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
}
