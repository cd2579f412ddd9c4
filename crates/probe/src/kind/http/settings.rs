//! The settings of an HTTP check: the `http:` section of a module.
//!
//! Must not know how a request is sent.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::{expect::HeaderMatch, redirect::Hop};
use crate::{
    net::tls::Protocols,
    setting::{Family, HIDDEN, Pattern, Secret, Size, TlsSettings},
};

/// How much of a body is read when the module sets no limit.
const BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// What we call ourselves when the module does not say otherwise.
const USER_AGENT: &str = concat!("webservice-monitor/", env!("CARGO_PKG_VERSION"));

/// The settings of an HTTP check.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the modules file")]
pub struct Http {
    /// The status codes to accept: `200`, `2xx` or `200-399`; 2xx when empty.
    pub(super) valid_status_codes: Vec<StatusCodes>,
    /// The versions to accept; any when empty.
    pub(super) valid_http_versions: Vec<HttpVersion>,
    method: RequestMethod,
    headers: BTreeMap<RequestHeader, HeaderText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Secret>,
    follow_redirects: bool,
    /// The older spelling, which wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_follow_redirects: Option<bool>,
    pub(super) fail_if_ssl: bool,
    pub(super) fail_if_not_ssl: bool,
    pub(super) fail_if_body_matches_regexp: Vec<Pattern>,
    pub(super) fail_if_body_not_matches_regexp: Vec<Pattern>,
    #[serde(alias = "fail_if_header_matches_regexp")]
    pub(super) fail_if_header_matches: Vec<HeaderMatch>,
    #[serde(alias = "fail_if_header_not_matches_regexp")]
    pub(super) fail_if_header_not_matches: Vec<HeaderMatch>,
    /// The largest body to accept, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_size_limit: Option<Size>,
    preferred_ip_protocol: Family,
    ip_protocol_fallback: bool,
    /// The address of ours to connect from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<IpAddr>,
    tls_config: TlsSettings,
    enable_http2: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            valid_status_codes: Vec::new(),
            valid_http_versions: Vec::new(),
            method: RequestMethod::default(),
            headers: BTreeMap::new(),
            body: None,
            follow_redirects: true,
            no_follow_redirects: None,
            fail_if_ssl: false,
            fail_if_not_ssl: false,
            fail_if_body_matches_regexp: Vec::new(),
            fail_if_body_not_matches_regexp: Vec::new(),
            fail_if_header_matches: Vec::new(),
            fail_if_header_not_matches: Vec::new(),
            body_size_limit: None,
            preferred_ip_protocol: Family::default(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            tls_config: TlsSettings::default(),
            enable_http2: true,
        }
    }
}

impl Http {
    /// The Host header that the module sets; it is also the name to ask for in TLS.
    pub(super) fn host_header(&self) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name.0 == header::HOST)
            .and_then(|(_, value)| value.0.to_str().ok())
    }

    pub(super) fn method(&self) -> Method {
        self.method.0.clone()
    }

    pub(super) fn body(&self) -> bytes::Bytes {
        self.body
            .as_ref()
            .map(|body| bytes::Bytes::copy_from_slice(body.0.as_bytes()))
            .unwrap_or_default()
    }

    pub(super) fn follow_redirects(&self) -> bool {
        self.no_follow_redirects.map_or(self.follow_redirects, |no| !no)
    }

    pub(super) fn family(&self) -> (Family, bool) {
        (self.preferred_ip_protocol, self.ip_protocol_fallback)
    }

    pub(super) fn source(&self) -> Option<IpAddr> {
        self.source_ip_address
    }

    pub(super) fn tls(&self) -> &TlsSettings {
        &self.tls_config
    }

    pub(super) fn protocols(&self) -> Protocols {
        if self.enable_http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] }
    }

    pub(super) fn body_limit(&self) -> u64 {
        self.body_size_limit.map(|size| size.0).filter(|size| *size > 0).unwrap_or(BODY_BYTES_MAX)
    }

    /// Whether a larger body is the target's fault rather than more than we care to read.
    pub(super) fn has_body_limit(&self) -> bool {
        self.body_size_limit.is_some_and(|size| size.0 > 0)
    }

    /// Whether the body's content matters.
    pub(super) fn wants_body(&self) -> bool {
        !self.fail_if_body_matches_regexp.is_empty()
            || !self.fail_if_body_not_matches_regexp.is_empty()
    }

    /// The headers for a hop. The module's own are for the target's host alone: they may hold secrets.
    pub(super) fn headers_for(&self, hop: &Hop, first: &Url) -> Vec<(HeaderName, HeaderValue)> {
        let own_host = hop.url.host() == first.host()
            && (hop.url.scheme() == "https" || first.scheme() == "http");
        let mut headers = vec![(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))];
        for (name, value) in
            self.headers.iter().filter(|(name, _)| own_host && name.0 != header::HOST)
        {
            headers.retain(|(known, _)| *known != name.0);
            headers.push((name.0.clone(), value.0.clone()));
        }
        headers
    }

    /// The Host header for a hop: that of the request or of the module for the first URL, the URL's own for the others.
    pub(super) fn host_for(&self, hop: &Hop, first: &Url, hostname: Option<&str>) -> String {
        let own = hostname.or(self.host_header()).filter(|_| hop.url.host() == first.host());
        own.map_or_else(|| authority(&hop.url), str::to_owned)
    }
}

/// The host and, unless it is the scheme's own, the port.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A method.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct RequestMethod(Method);

impl TryFrom<String> for RequestMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("`{text}` is not a method\nhint: write GET, HEAD, POST, …"))
    }
}

impl Serialize for RequestMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// The name of a header to send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct RequestHeader(HeaderName, String);

impl TryFrom<String> for RequestHeader {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.parse().map_err(|_| format!("`{text}` is not a header name"))?;
        Ok(Self(name, text))
    }
}

/// The value of a header to send. It may be a secret, and is never shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct HeaderText(HeaderValue);

impl TryFrom<String> for HeaderText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        HeaderValue::from_str(&text).map(Self).map_err(|_| {
            "a header's value must not hold line breaks or other control characters".to_owned()
        })
    }
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl Serialize for HeaderText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl PartialOrd for RequestHeader {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RequestHeader {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl Serialize for RequestHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.1)
    }
}

/// A range of status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct StatusCodes {
    first: u16,
    last: u16,
}

impl StatusCodes {
    pub(super) fn contains(self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status.as_u16())
    }
}

impl TryFrom<String> for StatusCodes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a status code\nhint: write 200, 2xx or 200-399");
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=999).contains(code));
        if let Some(class) = text.strip_suffix("xx") {
            let class = class
                .parse::<u16>()
                .ok()
                .filter(|class| (1..=9).contains(class))
                .ok_or_else(wrong)?;
            return Ok(Self { first: class * 100, last: class * 100 + 99 });
        }
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (code(first), code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for StatusCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(formatter, "{}", self.first)
        } else {
            write!(formatter, "{}-{}", self.first, self.last)
        }
    }
}

impl Serialize for StatusCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A version of HTTP, as `blackbox_exporter` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum HttpVersion {
    #[serde(rename = "HTTP/1.0")]
    Http10,
    #[serde(rename = "HTTP/1.1")]
    Http11,
    #[serde(rename = "HTTP/2.0", alias = "HTTP/2")]
    Http2,
}

impl HttpVersion {
    pub(super) fn is(self, version: http::Version) -> bool {
        version
            == match self {
                Self::Http10 => http::Version::HTTP_10,
                Self::Http11 => http::Version::HTTP_11,
                Self::Http2 => http::Version::HTTP_2,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_numbers_classes_and_ranges() {
        for (text, inside, outside) in [("200", 200, 201), ("2xx", 299, 300), ("200-399", 302, 400)]
        {
            let codes = StatusCodes::try_from(text.to_owned()).unwrap();
            assert!(codes.contains(StatusCode::from_u16(inside).unwrap()), "{text}");
            assert!(!codes.contains(StatusCode::from_u16(outside).unwrap()), "{text}");
        }
        for text in ["", "2000", "xx", "0xx", "399-200", "ok", "200-"] {
            assert!(StatusCodes::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_of_the_module_go_to_the_targets_host_alone() {
        let http: Http = yaml::parse(
            "headers: { Authorization: Bearer x, User-Agent: mine, Host: other.example }",
        )
        .unwrap();
        let first = Url::parse("https://a.example/").unwrap();
        let hop =
            |url: &str| Hop::first(Url::parse(url).unwrap(), Method::GET, bytes::Bytes::new());
        let names = |url| {
            let headers = http.headers_for(&hop(url), &first);
            headers.iter().map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("https://a.example/next"), ["authorization", "user-agent"]);
        assert_eq!(names("https://b.example/"), ["user-agent"]);
        // Nor in the clear, when the target itself is asked over TLS.
        assert_eq!(names("http://a.example/"), ["user-agent"]);
        assert_eq!(http.host_for(&hop("https://a.example/"), &first, None), "other.example");
        assert_eq!(http.host_for(&hop("https://b.example:8443/"), &first, None), "b.example:8443");
    }
}
