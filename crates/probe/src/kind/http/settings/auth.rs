//! Who we are to the target: the keys `basic_auth`, `authorization`, `bearer_token`, `bearer_token_file` and `oauth2`.
//!
//! Their meaning is that of `prometheus/common` (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/>).
//! Must not know requests.

use std::{collections::BTreeMap, fmt, sync::Arc};

use notation::Diagnostic;
use serde::{Deserialize, Serialize};

use super::{proxy::ProxyUrl, value::SecretHeaders};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::{Net, tls::TlsSettings},
    report::Failure,
    setting::Secret,
};

/// A secret in the modules file itself, or in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Here(&'a str),
    File(&'a str),
}

impl Source<'_> {
    /// Of a pair of keys; `None` when neither is set.
    pub(super) fn of<'a>(here: Option<&'a Secret>, file: Option<&'a String>) -> Option<Source<'a>> {
        here.map(|secret| Source::Here(&secret.0)).or(file.map(|path| Source::File(path)))
    }

    /// The secret, without the white space around it when it is from a file. It is hidden from now on.
    pub(crate) fn read(&self, net: &Net, context: &mut ProbeContext) -> Result<String, Failure> {
        let secret = match self {
            Self::Here(secret) => (*secret).to_owned(),
            Self::File(path) => text_file(path, net, context)?,
        };
        context.conceal(&secret);
        Ok(secret)
    }
}

/// What a file holds, as text without the white space around it.
pub(super) fn text_file(
    path: &str,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<String, Failure> {
    let bytes = steps::file(path, net, context)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// `basic_auth` (RFC 7617).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BasicAuth {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
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

    /// The header's value.
    fn credentials(&self, net: &Net, context: &mut ProbeContext) -> Result<String, Failure> {
        let user = match &self.username_file {
            Some(path) => text_file(path, net, context)?,
            None => self.username.clone(),
        };
        let password = match Source::of(self.password.as_ref(), self.password_file.as_ref()) {
            Some(source) => source.read(net, context)?,
            None => String::new(),
        };
        Ok(basic(&user, &password, context))
    }
}

/// The value of an `Authorization` or `Proxy-Authorization` header by the Basic scheme; hidden from now on.
pub(crate) fn basic(user: &str, password: &str, context: &mut ProbeContext) -> String {
    use base64::Engine as _;

    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    context.conceal(password);
    context.conceal(&encoded);
    format!("Basic {encoded}")
}

/// `authorization`: any scheme but Basic, which has a key of its own.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Authorization {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    scheme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_file: Option<String>,
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
    /// The token in use. Copies of a module share it; a module that was read anew begins without one.
    #[serde(skip)]
    pub(crate) token: Arc<tokio::sync::Mutex<Option<crate::kind::http::oauth2::Token>>>,
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
        formatter.write_str(&super::proxy::without_password(&self.0))
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
        serializer.collect_str(&super::proxy::without_password(&self.0))
    }
}

/// The keys that say who we are, of which a module may use one.
pub(super) struct Identity<'a> {
    pub(super) basic_auth: Option<&'a BasicAuth>,
    pub(super) authorization: Option<&'a Authorization>,
    pub(super) bearer_token: Option<&'a Secret>,
    pub(super) bearer_token_file: Option<&'a String>,
    pub(super) oauth2: Option<&'a OAuth2>,
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

    /// The value of the `Authorization` header, without that of `oauth2`; `None` when there is none.
    pub(super) fn header(
        &self,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<Option<String>, Failure> {
        if let Some(auth) = self.basic_auth {
            return auth.credentials(net, context).map(Some);
        }
        if let Some(auth) = self.authorization {
            let source = Source::of(auth.credentials.as_ref(), auth.credentials_file.as_ref());
            let credentials = match source {
                Some(source) => source.read(net, context)?,
                None => String::new(),
            };
            let scheme = auth.scheme.trim();
            let scheme = if scheme.is_empty() { "Bearer" } else { scheme };
            return Ok(Some(format!("{scheme} {credentials}").trim_end().to_owned()));
        }
        let source = Source::of(self.bearer_token, self.bearer_token_file);
        source
            .map(|source| source.read(net, context).map(|token| format!("Bearer {token}")))
            .transpose()
    }
}

fn exclusive(section: &str, one: &str, other: &str) -> Diagnostic {
    Diagnostic::new(format!("`{one}` and `{other}` of `{section}` exclude each other"))
        .hint("keep one of them")
}
