//! Access tokens by the client credentials grant (RFC 6749 §4.4), kept until they expire.
//!
//! A token that cannot be had is a failure of the phase `token`, so that nobody searches the target for it. Must not know the
//! request that the token is for.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::{
    body::Reading,
    credentials::{basic, header_value, secret},
    exchange,
    prepared::authority,
    request::Request,
    route,
    settings::{OAuth2, Proxies, Token, Wanted, Way},
};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::Net,
    report::{Failure, Phase, Reason, Stage, metric},
    setting::Family,
};

/// The largest answer of a token endpoint, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// A token is renewed this long before it expires, as in Go's library.
const MARGIN: Duration = Duration::from_secs(10);

/// How the client says who it is (RFC 6749 §2.3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Body,
}

#[derive(serde::Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    token_type: String,
    /// A number of seconds; some servers send it as a string.
    expires_in: Option<serde_json::Value>,
}

impl OAuth2 {
    /// The `Authorization` header: by the token in use, or by a new one.
    ///
    /// # Errors
    /// A failure of the phase `token`, or an internal one.
    pub(crate) async fn header(
        &self,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<HeaderValue, Failure> {
        // Only one probe fetches a token; the others wait for it.
        let waiting = async { Ok(self.token.lock().await) };
        let mut held = context.stage(Phase::Token, Stage::Processing, waiting).await?;
        let valid = |token: &&Token| token.expires.is_none_or(|expires| Instant::now() < expires);
        if let Some(token) = held.as_ref().filter(valid) {
            context.conceal(&token.secret);
            return Ok(token.header.clone());
        }
        let fetch = async |context: &mut ProbeContext| self.fetch(net, context).await;
        let token = context.aside(fetch).await?;
        context.forget(metric::TLS);
        context.forget(metric::ADDRESS);
        context.conceal(&token.secret);
        context.note("got an access token");
        let header = token.header.clone();
        *held = Some(token);
        Ok(header)
    }

    /// Gives up a token that the target did not take, so that the next probe fetches another one, unless one is there already.
    pub(crate) fn forget(&self, header: &HeaderValue) {
        if let Ok(mut held) = self.token.try_lock() {
            held.take_if(|token| token.header == *header);
        }
    }

    async fn fetch(&self, net: &Net, context: &mut ProbeContext) -> Result<Token, Failure> {
        let missing =
            || Failure::new(Phase::Internal, Reason::Config, "`oauth2` has no `token_url`");
        let mut url = self.token_url.as_ref().ok_or_else(missing)?.0.clone();
        // The client says who it is by its identifier and secret alone.
        context.conceal(url.password().unwrap_or_default());
        let _without_user = (url.set_username(""), url.set_password(None));
        let secret = match self.client_secret() {
            Some(source) => secret(&source, net, context)?,
            None => String::new(),
        };
        let (status, text) =
            self.ask(&url, &secret, Style::Header, net, context).await.map_err(token_failure)?;
        // Not every server takes the header.
        let (status, text) = if matches!(status.as_u16(), 400 | 401) {
            self.ask(&url, &secret, Style::Body, net, context).await.map_err(token_failure)?
        } else {
            (status, text)
        };
        if !status.is_success() {
            let reason = match status.as_u16() {
                400 | 401 | 403 | 407 => Reason::Auth,
                _ => Reason::Status,
            };
            let detail = format!("the token endpoint answered {status}");
            return Err(Failure::new(Phase::Token, reason, detail));
        }
        token(&answer(&text)?, context)
    }

    /// Asks for a token once.
    async fn ask(
        &self,
        url: &Url,
        secret: &str,
        style: Style,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let mut headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        if style == Style::Header {
            let value = basic(&encoded(&self.client_id), &encoded(secret), context);
            headers.push((header::AUTHORIZATION, header_value(&value, context)?));
        }
        let request = Request {
            url,
            method: &Method::POST,
            headers,
            host: authority(url),
            cookies: None,
            body: Bytes::from(self.form(secret, style, context)),
            forward: None,
        };
        context.note(format!("asking {} for an access token", url.host_str().unwrap_or_default()));
        context.begin_hop(request.evidence(0));
        let way = Way {
            proxies: Proxies {
                url: self.proxy_url.as_ref(),
                no_proxy: &self.no_proxy,
                from_environment: self.proxy_from_environment,
                connect_header: &self.proxy_connect_header,
            },
            resolves: false,
            preferred: Family::default(),
            fallback: true,
            source: None,
            tls: &self.tls_config,
        };
        let route = route::open(&way, url, None, None, net, context).await?;
        let request = Request { forward: route.forward, ..request };
        let mut answer = if url.scheme() == "https" {
            let name = url.host_str().unwrap_or_default();
            let settings = &self.tls_config;
            let shaking =
                steps::handshake(settings, &[b"http/1.1"], name, route.transport, net, context);
            let stream = shaking.await?;
            exchange::http1(stream, &request, context).await?
        } else {
            exchange::http1(route.transport, &request, context).await?
        };
        // What comes is a token: none of it is kept for people.
        let wanted = Wanted { bytes: true, limit: Some(ANSWER_BYTES_MAX), ..Wanted::default() };
        let mut reading = Reading::new(wanted);
        context.stage(Phase::Body, Stage::Transfer, reading.run(&mut answer)).await?;
        Ok((answer.parts.status, reading.take_bytes()))
    }

    /// The body of the request.
    fn form(&self, secret: &str, style: Style, context: &mut ProbeContext) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        if !self.endpoint_params.contains_key("grant_type") {
            form.append_pair("grant_type", "client_credentials");
        }
        if !self.scopes.is_empty() {
            form.append_pair("scope", &self.scopes.join(" "));
        }
        for value in self.endpoint_params.values().map(|value| value.0.as_str()).chain([secret]) {
            context.conceal(value);
            context.conceal(&encoded(value));
        }
        for (name, value) in &self.endpoint_params {
            form.append_pair(name, &value.0);
        }
        if style == Style::Body {
            form.append_pair("client_id", &self.client_id);
            if !secret.is_empty() {
                form.append_pair("client_secret", secret);
            }
        }
        form.finish()
    }
}

/// A text as it is encoded in a form.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A failure on the way to the token endpoint is not one of the target.
fn token_failure(failure: Failure) -> Failure {
    if matches!(failure.phase, Phase::Internal | Phase::Token) {
        return failure;
    }
    let detail =
        format!("token endpoint, {}/{}: {}", failure.phase, failure.reason, failure.detail);
    Failure { phase: Phase::Token, detail, ..failure }
}

/// The answer in JSON, or in the form that some servers of old send.
fn answer(text: &[u8]) -> Result<Answer, Failure> {
    serde_json::from_slice(text).or_else(|error| {
        let form: BTreeMap<_, _> = form_urlencoded::parse(text).into_owned().collect();
        let field = |name: &str| form.get(name).cloned();
        let Some(access_token) = field("access_token") else {
            // What is wrong is not quoted: it may be a token.
            let detail =
                format!("the token endpoint's answer is not one, in line {}", error.line());
            return Err(Failure::new(Phase::Token, Reason::BadReply, detail));
        };
        Ok(Answer {
            access_token,
            token_type: field("token_type").unwrap_or_default(),
            expires_in: field("expires_in").map(serde_json::Value::String),
        })
    })
}

fn token(answer: &Answer, context: &mut ProbeContext) -> Result<Token, Failure> {
    if answer.access_token.is_empty() {
        let detail = "the token endpoint answered without an access token";
        return Err(Failure::new(Phase::Token, Reason::BadReply, detail));
    }
    let scheme = match answer.token_type.as_str() {
        "" => "Bearer",
        kind if kind.eq_ignore_ascii_case("bearer") => "Bearer",
        kind => kind,
    };
    let seconds = answer.expires_in.as_ref().and_then(|value| match value {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    });
    let lifetime = seconds
        .filter(|seconds: &f64| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let expires =
        lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime.saturating_sub(MARGIN)));
    context.conceal(&answer.access_token);
    let text = format!("{scheme} {}", answer.access_token);
    let header = HeaderValue::from_str(&text).map_err(|_| {
        Failure::new(
            Phase::Token,
            Reason::BadReply,
            "the access token is not the value of a header",
        )
    })?;
    Ok(Token { header, secret: answer.access_token.clone(), expires })
}
