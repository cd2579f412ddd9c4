//! The settings of an HTTP check: the `http:` section of a module.
//!
//! Must not know how a request is sent.

mod auth;
mod expectation;
mod proxy;
mod token;
mod value;
mod wanted;
mod way;

use std::{collections::BTreeMap, net::IpAddr};

use http::{Method, StatusCode, header, response::Parts};
use notation::Diagnostic;
use serde::{Deserialize, Serialize};

use self::{
    auth::Authorization,
    proxy::ProxyUrl,
    value::{HeaderText, HttpVersion, RequestMethod, StatusCodes},
    wanted::is_endless,
};
pub(crate) use self::{
    auth::{BasicAuth, Identity, OAuth2, Source},
    expectation::HeaderMatch,
    proxy::Proxies,
    token::Token,
    value::{HeaderSources, RequestHeader, SecretHeaders},
    wanted::Wanted,
    way::Way,
};
use super::{
    cel::Expression,
    decode::{self, Coding},
    json::Assertion,
};
use crate::{
    net::tls::{Protocols, TlsSettings, TlsVersion},
    setting::{Family, GoDuration, Pattern, Secret, Size},
};

/// How many retries a module may ask for.
const RETRIES_MAX: u32 = 10;

/// The settings of an HTTP check.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "these are the keys of the modules file"
)]
pub struct Http {
    /// The status codes to accept: `200`, `2xx` or `200-399`; 2xx when empty.
    pub(super) valid_status_codes: Vec<StatusCodes>,
    /// The versions to accept; any when empty.
    pub(super) valid_http_versions: Vec<HttpVersion>,
    pub(super) method: RequestMethod,
    pub(super) headers: BTreeMap<RequestHeader, HeaderText>,
    pub(super) http_headers: BTreeMap<RequestHeader, HeaderSources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic_auth: Option<BasicAuth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oauth2: Option<OAuth2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<ProxyUrl>,
    #[serde(skip_serializing_if = "String::is_empty")]
    no_proxy: String,
    proxy_from_environment: bool,
    proxy_connect_header: SecretHeaders,
    /// Whether the proxy resolves the target's name, instead of this program.
    skip_resolve_phase_with_proxy: bool,
    follow_redirects: bool,
    /// The older spelling, which wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_follow_redirects: Option<bool>,
    pub(super) fail_if_ssl: bool,
    pub(super) fail_if_not_ssl: bool,
    pub(super) fail_if_body_matches_regexp: Vec<Pattern>,
    pub(super) fail_if_body_not_matches_regexp: Vec<Pattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fail_if_body_json_matches_cel: Option<Expression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fail_if_body_json_not_matches_cel: Option<Expression>,
    /// What values in a JSON body have to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fail_if_body_json_not_matches: Vec<Assertion>,
    #[serde(alias = "fail_if_header_matches_regexp")]
    pub(super) fail_if_header_matches: Vec<HeaderMatch>,
    #[serde(alias = "fail_if_header_not_matches_regexp")]
    pub(super) fail_if_header_not_matches: Vec<HeaderMatch>,
    /// The largest body to accept, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_size_limit: Option<Size>,
    /// What the body has to be encoded with.
    #[serde(deserialize_with = "decode::optional", skip_serializing_if = "Option::is_none")]
    compression: Option<Coding>,
    /// Whether the body's hash is a metric.
    body_hash: bool,
    preferred_ip_protocol: Family,
    ip_protocol_fallback: bool,
    /// The local address to connect from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<IpAddr>,
    tls_config: TlsSettings,
    enable_http2: bool,
    /// Whether HTTP/3 is spoken, and nothing else.
    enable_http3: bool,
    /// How often a probe that failed is tried once more, within its timeout.
    pub(super) retries: u32,
    /// The longest time that an attempt may take and still be good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fail_if_slower_than: Option<GoDuration>,
    /// Whether a redirect from https to http is a failure.
    pub(super) require_tls: bool,
    /// Whether each address of the target is asked, instead of the first that answers.
    pub(super) all_addresses: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            valid_status_codes: Vec::new(),
            valid_http_versions: Vec::new(),
            method: RequestMethod::default(),
            headers: BTreeMap::new(),
            http_headers: BTreeMap::new(),
            body: None,
            body_file: None,
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            oauth2: None,
            proxy_url: None,
            no_proxy: String::new(),
            proxy_from_environment: false,
            proxy_connect_header: BTreeMap::new(),
            skip_resolve_phase_with_proxy: false,
            follow_redirects: true,
            no_follow_redirects: None,
            fail_if_ssl: false,
            fail_if_not_ssl: false,
            fail_if_body_matches_regexp: Vec::new(),
            fail_if_body_not_matches_regexp: Vec::new(),
            fail_if_body_json_matches_cel: None,
            fail_if_body_json_not_matches_cel: None,
            fail_if_body_json_not_matches: Vec::new(),
            fail_if_header_matches: Vec::new(),
            fail_if_header_not_matches: Vec::new(),
            body_size_limit: None,
            compression: None,
            body_hash: false,
            preferred_ip_protocol: Family::default(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            tls_config: TlsSettings::default(),
            enable_http2: true,
            enable_http3: false,
            retries: 0,
            fail_if_slower_than: None,
            require_tls: false,
            all_addresses: false,
        }
    }
}

impl Http {
    /// The Host header that the module sets; it is also the name to ask for in TLS.
    pub(super) fn host_header(&self) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name.name == header::HOST)
            .and_then(|(_, value)| value.0.to_str().ok())
            // An empty one counts as missing, as in `blackbox_exporter`.
            .filter(|host| !host.is_empty())
    }

    /// Who the probe says it is.
    pub(super) fn identity(&self) -> Identity<'_> {
        Identity {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: self.bearer_token.as_ref(),
            bearer_token_file: self.bearer_token_file.as_ref(),
            oauth2: self.oauth2.as_ref(),
        }
    }

    fn proxies(&self) -> Proxies<'_> {
        Proxies {
            url: self.proxy_url.as_ref(),
            no_proxy: &self.no_proxy,
            from_environment: self.proxy_from_environment,
            connect_header: &self.proxy_connect_header,
        }
    }

    /// Whether the target's name is looked up here: always without a proxy.
    fn resolves(&self) -> bool {
        !(self.skip_resolve_phase_with_proxy && self.proxies().any())
    }

    /// What is wrong with keys that are valid each, but not together.
    pub(super) fn mistakes(&self) -> Vec<Diagnostic> {
        let mut mistakes = Vec::new();
        let mut add = |mistake| mistakes.push(mistake);
        if self.body.is_some() && self.body_file.is_some() {
            add(Diagnostic::new("`body` and `body_file` exclude each other")
                .hint("keep one of them"));
        }
        if self.retries > RETRIES_MAX {
            add(Diagnostic::new(format!("`retries` is above {RETRIES_MAX}")));
        }
        self.coding_mistake().into_iter().for_each(&mut add);
        self.http_headers.keys().filter_map(HeaderSources::mistake).for_each(&mut add);
        self.identity().mistakes(&mut add);
        self.proxies().mistakes(&mut add);
        self.version_mistakes(&mut add);
        mistakes
    }

    /// What this build lacks for the module to be of use.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        (self.enable_http3 && cfg!(not(feature = "http3")))
            .then_some("`enable_http3` is not built in; build with `--features http3`")
    }

    /// What is wrong with the versions of HTTP. What `blackbox_exporter` refuses is refused.
    fn version_mistakes(&self, add: &mut impl FnMut(Diagnostic)) {
        let wants_http3 = self.valid_http_versions.contains(&HttpVersion::Http3);
        if !self.enable_http3 {
            if wants_http3 {
                add(Diagnostic::new("HTTP/3.0 is never spoken").hint("set `enable_http3: true`"));
            }
            return;
        }
        if self.enable_http2 {
            add(Diagnostic::new("`enable_http3` and `enable_http2` exclude each other")
                .hint("set `enable_http2: false`"));
        }
        if self.valid_http_versions.iter().any(|version| *version != HttpVersion::Http3) {
            add(Diagnostic::new("with `enable_http3` nothing but HTTP/3.0 is spoken")
                .hint("take the others out of `valid_http_versions`"));
        }
        if self.proxies().any() {
            add(Diagnostic::new("`enable_http3` and a proxy exclude each other")
                .hint("remove the proxy"));
        }
        if self.tls_config.max_version.is_some_and(|version| version < TlsVersion::Tls13) {
            add(Diagnostic::new("HTTP/3 needs TLS 1.3").hint("remove `max_version`"));
        }
    }

    pub(super) fn follow_redirects(&self) -> bool {
        self.no_follow_redirects.map_or(self.follow_redirects, |no| !no)
    }

    /// How the target's host is reached.
    pub(super) fn way(&self) -> Way<'_> {
        Way {
            proxies: self.proxies(),
            resolves: self.resolves(),
            preferred: self.preferred_ip_protocol,
            fallback: self.ip_protocol_fallback,
            source: self.source_ip_address,
            tls: &self.tls_config,
        }
    }

    pub(super) fn tls(&self) -> &TlsSettings {
        &self.tls_config
    }

    pub(super) fn speaks_http3(&self) -> bool {
        cfg!(feature = "http3") && self.enable_http3
    }

    pub(super) fn protocols(&self) -> Protocols {
        if self.enable_http2 { &[b"h2", b"http/1.1"] } else { &[] }
    }

    /// What is wanted of the body of this answer; nothing at all when the body has no end and nothing hangs on it.
    pub(super) fn wanted(&self, head: &Parts) -> Option<Wanted> {
        // A body that is empty by definition has no coding either.
        let empty = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.method.0 == Method::HEAD;
        let wanted = Wanted {
            coding: self.compression.filter(|_| !empty).unwrap_or_default(),
            bytes: !self.fail_if_body_matches_regexp.is_empty()
                || !self.fail_if_body_not_matches_regexp.is_empty()
                || self.wants_json(),
            hash: self.body_hash,
            limit: self.body_size_limit.map(|size| size.0).filter(|size| *size > 0),
        };
        (wanted.is_strict() || !is_endless(&head.headers)).then_some(wanted)
    }

    /// Whether there is an expression in CEL to hold the body against.
    pub(super) fn has_cel(&self) -> bool {
        self.fail_if_body_json_matches_cel.is_some()
            || self.fail_if_body_json_not_matches_cel.is_some()
    }

    /// Whether the body has to be JSON.
    pub(super) fn wants_json(&self) -> bool {
        self.has_cel() || !self.fail_if_body_json_not_matches.is_empty()
    }

    /// What is wrong when a server that heeds the `Accept-Encoding` may not answer as the module wants it to.
    fn coding_mistake(&self) -> Option<Diagnostic> {
        let coding = self.compression.unwrap_or(Coding::Identity);
        let (_, value) =
            self.headers.iter().find(|(name, _)| name.name == header::ACCEPT_ENCODING)?;
        let accepted = self.compression.is_none()
            || value.0.to_str().is_ok_and(|value| coding.is_accepted_by(value));
        (!accepted).then(|| {
            let name = coding.name();
            Diagnostic::new(format!(
                "the header `Accept-Encoding` does not accept `compression: {name}`"
            ))
            .hint(format!("add {name} to the header, or remove one of the two"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_exclude_each_other_are_reported() {
        for (text, needle) in [
            ("{ body: a, body_file: b }", "`body` and `body_file`"),
            ("{ basic_auth: {}, bearer_token: a }", "`basic_auth`, `bearer_token`"),
            ("{ bearer_token: a, bearer_token_file: b }", "exclude each other"),
            ("{ basic_auth: { password: a, password_file: b } }", "`password_file`"),
            ("{ basic_auth: { username: a, username_file: b } }", "`username_file`"),
            ("{ authorization: { type: basic } }", "use `basic_auth`"),
            ("{ authorization: { credentials: a, credentials_file: b } }", "`credentials_file`"),
            ("{ oauth2: { client_id: a } }", "`token_url`"),
            (
                "{ oauth2: { client_id: a, token_url: 'http://a/', client_secret: b, client_secret_file: c } }",
                "`client_secret_file`",
            ),
            ("{ proxy_url: 'http://a', proxy_from_environment: true }", "`proxy_from_environment`"),
            ("{ no_proxy: a }", "needs a `proxy_url`"),
            ("{ proxy_connect_header: { a: [b] } }", "needs a `proxy_url`"),
            ("{ http_headers: { Host: { values: [a] } } }", "`Host`"),
            ("{ retries: 1000 }", "`retries`"),
            ("{ valid_http_versions: [HTTP/3.0] }", "`enable_http3: true`"),
            ("{ enable_http3: true }", "`enable_http2: false`"),
            (
                "{ enable_http3: true, valid_http_versions: [HTTP/3.0, HTTP/1.1] }",
                "`valid_http_versions`",
            ),
            ("{ enable_http3: true, proxy_from_environment: true }", "remove the proxy"),
            ("{ enable_http3: true, tls_config: { max_version: TLS12 } }", "TLS 1.3"),
        ] {
            let http: Http =
                yaml::parse(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
            let mistakes: Vec<String> = http.mistakes().iter().map(ToString::to_string).collect();
            assert!(mistakes.join("\n").contains(needle), "{text}: {mistakes:?}");
        }
        let http: Http = yaml::parse(
            "{ basic_auth: { username: a, password: b }, http_headers: { A: { secrets: [b] } } }",
        )
        .unwrap();
        assert_eq!(http.mistakes(), []);
    }

    #[test]
    fn accept_encoding_has_to_accept_the_coding() {
        for (text, accepted) in [
            ("{ compression: gzip }", true),
            ("{ headers: { Accept-Encoding: gzip } }", true),
            ("{ compression: gzip, headers: { accEpt-enCoding: 'br;q=0.1, gzip' } }", true),
            ("{ compression: gzip, headers: { accEpt-enCoding: deflate } }", false),
            ("{ compression: identity, headers: { Accept-Encoding: '*;q=0.0' } }", false),
            ("{ compression: '', headers: { Accept-Encoding: gzip } }", true),
        ] {
            let http: Http = yaml::parse(text).unwrap();
            assert_eq!(http.coding_mistake().is_none(), accepted, "{text}");
        }
    }

    #[test]
    fn a_stream_without_end_is_read_only_when_something_hangs_on_it() {
        let head = |content_type: &str| {
            let builder = http::Response::builder().header(header::CONTENT_TYPE, content_type);
            builder.body(()).unwrap().into_parts().0
        };
        let plain: Http = yaml::parse("{}").unwrap();
        let limited: Http = yaml::parse("{ body_size_limit: 1KB }").unwrap();
        for (content_type, read) in [
            ("text/event-stream", false),
            ("Text/Event-Stream; charset=utf-8", false),
            ("multipart/x-mixed-replace;boundary=a", false),
            ("text/plain", true),
            ("", true),
        ] {
            assert_eq!(plain.wanted(&head(content_type)).is_some(), read, "{content_type}");
            assert!(limited.wanted(&head(content_type)).is_some(), "{content_type}");
        }
    }
}
