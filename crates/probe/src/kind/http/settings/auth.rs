//! Who the probe says it is: the keys `basic_auth`, `authorization`, `bearer_token`, `bearer_token_file` and `oauth2`.
//!
//! Their meaning is that of `prometheus/common` (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/>).
//! Must not know requests.

use std::{collections::BTreeMap, fmt, sync::Arc};

use notation::Diagnostic;
use serde::{Deserialize, Serialize};

use super::{
    proxy::{ProxyUrl, without_password},
    token::Token,
    value::SecretHeaders,
};
use crate::{net::tls::TlsSettings, setting::Secret};

/// A secret in the modules file itself, or in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Here(&'a str),
    File(&'a str),
}

impl Source<'_> {
    /// Of a pair of keys; `None` when neither is set.
    pub(crate) fn of<'a>(here: Option<&'a Secret>, file: Option<&'a String>) -> Option<Source<'a>> {
        here.map(|secret| Source::Here(&secret.0)).or(file.map(|path| Source::File(path)))
    }
}

/// `basic_auth` (RFC 7617).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BasicAuth {
    pub(crate) username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<String>,
}

impl BasicAuth {
    fn mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        if !self.username.is_empty() && self.username_file.is_some() {
            add(exclusive("basic_auth", "username", "username_file"));
        }
        if self.password.is_some() && self.password_file.is_some() {
            add(exclusive("basic_auth", "password", "password_file"));
        }
    }
}

/// `authorization`: any scheme but Basic, which has a key of its own.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Authorization {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub(crate) scheme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credentials_file: Option<String>,
}

impl Authorization {
    fn mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        if self.scheme.trim().eq_ignore_ascii_case("basic") {
            add(Diagnostic::new("`authorization` cannot have the type `Basic`")
                .hint("use `basic_auth`"));
        }
        if self.credentials.is_some() && self.credentials_file.is_some() {
            add(exclusive("authorization", "credentials", "credentials_file"));
        }
    }
}

/// `oauth2`: the client credentials grant (RFC 6749 §4.4).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OAuth2 {
    pub(crate) client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_file: Option<String>,
    pub(crate) scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_url: Option<TokenUrl>,
    pub(crate) endpoint_params: BTreeMap<String, Secret>,
    pub(crate) tls_config: TlsSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_url: Option<ProxyUrl>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) no_proxy: String,
    pub(crate) proxy_from_environment: bool,
    pub(crate) proxy_connect_header: SecretHeaders,
    /// The token in use. Copies of a module share it; a module that is reloaded begins without one.
    #[serde(skip)]
    pub(crate) token: Arc<tokio::sync::Mutex<Option<Token>>>,
}

impl OAuth2 {
    fn mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        for (key, missing) in
            [("client_id", self.client_id.is_empty()), ("token_url", self.token_url.is_none())]
        {
            if missing {
                add(Diagnostic::new(format!("`oauth2` needs a `{key}`")));
            }
        }
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            add(exclusive("oauth2", "client_secret", "client_secret_file"));
        }
    }

    /// The secret of the client, if it has one.
    pub(crate) fn client_secret(&self) -> Option<Source<'_>> {
        Source::of(self.client_secret.as_ref(), self.client_secret_file.as_ref())
    }
}

/// Where tokens are to be had.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TokenUrl(pub(crate) url::Url);

impl fmt::Debug for TokenUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_password(&self.0))
    }
}

impl TryFrom<String> for TokenUrl {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let url = url::Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The text is not repeated: it may hold a password.
        url.map(Self).ok_or_else(|| {
            Diagnostic::new("this is not a URL of a token endpoint")
                .hint("write it as https://login.example.com/token")
        })
    }
}

impl Serialize for TokenUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&without_password(&self.0))
    }
}

/// The keys about the client's identity, of which a module may use one.
pub(crate) struct Identity<'a> {
    pub(crate) basic_auth: Option<&'a BasicAuth>,
    pub(crate) authorization: Option<&'a Authorization>,
    pub(crate) bearer_token: Option<&'a Secret>,
    pub(crate) bearer_token_file: Option<&'a String>,
    pub(crate) oauth2: Option<&'a OAuth2>,
}

impl Identity<'_> {
    pub(super) fn mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        let used: Vec<&str> = [
            ("basic_auth", self.basic_auth.is_some()),
            ("authorization", self.authorization.is_some()),
            ("bearer_token", self.bearer_token.is_some()),
            ("bearer_token_file", self.bearer_token_file.is_some()),
            ("oauth2", self.oauth2.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, used)| used.then_some(key))
        .collect();
        if used.len() > 1 {
            add(Diagnostic::new(format!("`{}` exclude each other", used.join("`, `")))
                .hint("keep one of them"));
        }
        self.basic_auth.into_iter().for_each(|auth| auth.mistakes(add));
        self.authorization.into_iter().for_each(|auth| auth.mistakes(add));
        self.oauth2.into_iter().for_each(|oauth2| oauth2.mistakes(add));
    }
}

fn exclusive(section: &str, one: &str, other: &str) -> Diagnostic {
    Diagnostic::new(format!("`{one}` and `{other}` of `{section}` exclude each other"))
        .hint("keep one of them")
}
