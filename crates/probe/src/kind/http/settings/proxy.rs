//! The way through a proxy: the keys `proxy_url`, `no_proxy`, `proxy_from_environment`, `proxy_connect_header`.
//!
//! Must not know how a proxy is spoken to.

use std::fmt;

use notation::Diagnostic;
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::value::SecretHeaders;
use crate::{
    net::proxies::{Environment, goes_through},
    report::HIDDEN,
};

/// A proxy.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ProxyUrl(pub(crate) Url);

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_password(&self.0))
    }
}

impl TryFrom<String> for ProxyUrl {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        // The text is not repeated: it may hold a password.
        let wrong = || {
            Diagnostic::new("this is not the URL of a proxy")
                .hint("write it as http://proxy.example.com:3128")
        };
        let url = Url::parse(&text).ok().filter(Url::has_host).ok_or_else(wrong)?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            scheme => Err(Diagnostic::new(format!("a proxy cannot be spoken to by `{scheme}`"))
                .hint("the schemes are http and https")),
        }
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&without_password(&self.0))
    }
}

/// A URL whose password is hidden.
pub(crate) fn without_password(url: &Url) -> String {
    let mut shown = url.clone();
    if url.password().is_some() {
        // It can be set where there is one.
        let _infallible = shown.set_password(Some("hidden"));
        return shown.as_str().replacen(":hidden@", &format!(":{HIDDEN}@"), 1);
    }
    shown.into()
}

/// The keys about proxies.
pub(crate) struct Proxies<'a> {
    pub(crate) url: Option<&'a ProxyUrl>,
    pub(crate) no_proxy: &'a str,
    pub(crate) from_environment: bool,
    pub(crate) connect_header: &'a SecretHeaders,
}

impl Proxies<'_> {
    pub(super) fn mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        let none = self.url.is_none() && !self.from_environment;
        if self.url.is_some() && self.from_environment {
            add(Diagnostic::new("`proxy_url` and `proxy_from_environment` exclude each other")
                .hint("keep one of them"));
        }
        if self.url.is_none() && !self.no_proxy.is_empty() {
            add(Diagnostic::new("`no_proxy` needs a `proxy_url`"));
        }
        if none && !self.connect_header.is_empty() {
            add(Diagnostic::new(
                "`proxy_connect_header` needs a `proxy_url` or `proxy_from_environment`",
            ));
        }
    }

    /// Whether there may be a proxy at all.
    pub(crate) fn any(&self) -> bool {
        self.url.is_some() || self.from_environment
    }

    /// The proxy for a URL; `None` when it is asked directly.
    pub(crate) fn choose<'a>(&'a self, url: &Url, environment: &'a Environment) -> Option<&'a Url> {
        if self.from_environment {
            return environment.choose(url);
        }
        let proxy = self.url?;
        (self.no_proxy.is_empty() || goes_through(url, self.no_proxy)).then_some(&proxy.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let proxy =
            ProxyUrl::try_from("http://user:hunter2@proxy.example:3128".to_owned()).unwrap();
        let shown = serde_json::to_string(&proxy).unwrap();
        assert_eq!(shown, "\"http://user:<secret>@proxy.example:3128/\"");
        assert!(
            !ProxyUrl::try_from("ftp://u:hunter2@x".to_owned())
                .unwrap_err()
                .message
                .contains("hunter2")
        );
    }
}
