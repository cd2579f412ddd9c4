//! Values of the `http:` section: methods, headers, status codes, versions.
//!
//! Each type is valid once it exists. Must not know how a value is used.

use std::{collections::BTreeMap, fmt};

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use notation::Diagnostic;
use serde::{Deserialize, Serialize, Serializer};

use crate::{report::HIDDEN, setting::Secret};

/// A method.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RequestMethod(pub(crate) Method);

impl TryFrom<String> for RequestMethod {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        text.parse().map(Self).map_err(|_| {
            Diagnostic::new(format!("`{text}` is not a method")).hint("write GET, HEAD, POST, …")
        })
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
pub(crate) struct RequestHeader {
    pub(crate) name: HeaderName,
    /// As it was written.
    text: String,
}

impl RequestHeader {
    /// The name as it was written.
    pub(crate) fn written(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for RequestHeader {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.parse().map_err(|_| format!("`{text}` is not a header name"))?;
        Ok(Self { name, text })
    }
}

/// The value of a header to send. It may be a secret, and is never shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderText(pub(crate) HeaderValue);

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
        self.name.as_str().cmp(other.name.as_str())
    }
}

impl Serialize for RequestHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Headers with values that may be secret.
pub(crate) type SecretHeaders = BTreeMap<RequestHeader, Vec<Secret>>;

/// The values of one header of `http_headers`: plain ones, secret ones, and the contents of files.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HeaderSources {
    pub(crate) values: Vec<Secret>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) files: Vec<String>,
}

/// Headers that have keys of their own, or belong to the connection: `http_headers` cannot set them.
const RESERVED: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
    header::WWW_AUTHENTICATE,
];

impl HeaderSources {
    /// What is wrong with using a header here.
    pub(super) fn mistake(name: &RequestHeader) -> Option<Diagnostic> {
        RESERVED.contains(&name.name).then(|| {
            Diagnostic::new(format!("`http_headers` cannot set `{}`", name.text))
                .hint("use the key for it, or `headers`")
        })
    }
}

/// A range of status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StatusCodes {
    first: u16,
    last: u16,
}

impl StatusCodes {
    pub(crate) fn contains(self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status.as_u16())
    }
}

impl TryFrom<String> for StatusCodes {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let wrong = || {
            Diagnostic::new(format!("`{text}` is not a status code"))
                .hint("write 200, 2xx or 200-399")
        };
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
pub(crate) enum HttpVersion {
    #[serde(rename = "HTTP/1.0")]
    Http10,
    #[serde(rename = "HTTP/1.1")]
    Http11,
    #[serde(rename = "HTTP/2.0", alias = "HTTP/2")]
    Http2,
    #[serde(rename = "HTTP/3.0", alias = "HTTP/3")]
    Http3,
}

impl HttpVersion {
    pub(crate) fn is(self, version: http::Version) -> bool {
        version
            == match self {
                Self::Http10 => http::Version::HTTP_10,
                Self::Http11 => http::Version::HTTP_11,
                Self::Http2 => http::Version::HTTP_2,
                Self::Http3 => http::Version::HTTP_3,
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
}
