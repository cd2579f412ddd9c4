//! What a module sends, with the files that it names read: the method, the headers, the body.
//!
//! Must not know connections.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use super::{
    credentials::{authorization, conceal_parts, header_value, header_values},
    settings::{Http, RequestHeader},
};
use crate::{
    context::ProbeContext, kind::steps, net::Net, report::Failure, target::without_final_dot,
};

/// What the program calls itself when the module does not say otherwise.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("webservice-monitor/", env!("CARGO_PKG_VERSION")));

/// How many lines of a body are looked for one by one.
const BODY_LINES_MAX: usize = 32;

/// What every request to the target's host holds.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) body: Bytes,
    /// The `Host` header, when it is not that of the URL.
    pub(super) host: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Http {
    /// Reads what the request is made of. Every value of a header, and the body, is a secret from now on.
    pub(super) fn prepare(
        &self,
        hostname: Option<&str>,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<Prepared, Failure> {
        let mut headers = Vec::new();
        for (RequestHeader { name, .. }, value) in &self.headers {
            // The length is that of the body, whatever the module says.
            let own = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
            if !own.contains(name) {
                conceal(name, &value.0, context);
                headers.push((name.clone(), value.0.clone()));
            }
        }
        for (RequestHeader { name, .. }, sources) in &self.http_headers {
            headers.extend(
                header_values(sources, net, context)?
                    .into_iter()
                    .map(|value| (name.clone(), value)),
            );
        }
        if !headers.iter().any(|(name, _)| *name == header::AUTHORIZATION)
            && let Some(text) = authorization(&self.identity(), net, context)?
        {
            headers.push((header::AUTHORIZATION, header_value(&text, context)?));
        }
        let body = match (&self.body, &self.body_file) {
            (Some(body), _) => Bytes::copy_from_slice(body.0.as_bytes()),
            (None, Some(path)) => Bytes::from_owner(steps::file(path, net, context)?),
            (None, None) => Bytes::new(),
        };
        // A short body is no secret, and occurs in other texts by chance.
        if let Some(text) = std::str::from_utf8(&body).ok().filter(|text| text.len() >= 16) {
            context.conceal(text);
            // Line ends change in transit.
            let lines = text.lines().filter(|line| line.len() >= 16);
            lines.take(BODY_LINES_MAX).for_each(|line| context.conceal(line));
        }
        let host = hostname.or(self.host_header()).map(str::to_owned);
        Ok(Prepared { method: self.method.0.clone(), body, host, headers })
    }
}

/// Hides the value of a header, unless it says nothing about the client.
fn conceal(name: &HeaderName, value: &HeaderValue, context: &mut ProbeContext) {
    let harmless =
        [header::ACCEPT, header::ACCEPT_ENCODING, header::CONTENT_TYPE, header::USER_AGENT];
    if let Some(text) = value.to_str().ok().filter(|_| !harmless.contains(name)) {
        context.conceal(text);
        conceal_parts(name, text, context);
    }
}

impl Prepared {
    /// The headers for a hop. The module's own are for the target's host alone: they may hold secrets.
    pub(super) fn headers_for(&self, url: &Url, first: &Url) -> Vec<(HeaderName, HeaderValue)> {
        let own_host =
            url.host() == first.host() && (url.scheme() == "https" || first.scheme() == "http");
        let mut headers = if own_host { self.headers.clone() } else { Vec::new() };
        if !headers.iter().any(|(name, _)| *name == header::USER_AGENT) {
            headers.push((header::USER_AGENT, USER_AGENT));
        }
        headers
    }

    /// The Host header for a hop: that of the request or of the module for the target's host, the URL's own for others.
    pub(super) fn host_for(&self, url: &Url, first: &Url) -> String {
        let own = self.host.as_ref().filter(|_| url.host() == first.host());
        own.cloned().unwrap_or_else(|| authority(url))
    }

    /// Uses a token that was fetched for this probe.
    pub(super) fn authorize(&mut self, value: HeaderValue) {
        if !self.headers.iter().any(|(name, _)| *name == header::AUTHORIZATION) {
            self.headers.push((header::AUTHORIZATION, value));
        }
    }
}

/// The host and, unless it is the scheme's own, the port.
pub(super) fn authority(url: &Url) -> String {
    let host = without_final_dot(url.host_str().unwrap_or_default());
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn headers_of_the_module_go_to_the_targets_host_alone() {
        let text =
            "{ headers: { Authorization: Bearer x, User-Agent: mine, Host: other.example } }";
        let http: Http = yaml::parse(text).unwrap();
        let net = Net::for_tests(None, &[]).unwrap();
        let prepared = http
            .prepare(None, &net, &mut ProbeContext::start(net.moment(), Duration::from_secs(1)))
            .unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        let first = url("https://a.example/");
        let names = |text: &str| {
            let headers = prepared.headers_for(&url(text), &first);
            headers.iter().map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("https://a.example/next"), ["authorization", "user-agent"]);
        assert_eq!(names("https://b.example/"), ["user-agent"]);
        // Nor in the clear, when the target itself is asked over TLS.
        assert_eq!(names("http://a.example/"), ["user-agent"]);
        assert_eq!(prepared.host_for(&url("https://a.example/"), &first), "other.example");
        assert_eq!(prepared.host_for(&url("https://b.example:8443/"), &first), "b.example:8443");
    }
}
