//! `prober: http`: one request, its redirects, and what is expected of the last answer.
//!
//! The settings are in `settings`, one exchange over one connection in `exchange`, redirects in `redirect`, expectations in
//! `expect`. Must not know how sockets are opened.

mod body;
mod cause;
mod exchange;
mod expect;
mod redirect;
mod settings;
mod wire;

pub(crate) use settings::Http;

use url::{Host, Url};

use self::{
    exchange::{Answer, Request},
    redirect::{Cookies, Hop},
};
use crate::{
    kinds::Probe,
    metric::{self, MetricDef},
    net::{
        connect::{self, Destination},
        policy::AddressClass,
        tls,
    },
    result::{Failure, Phase, Reason},
    scope::{Scope, Timing},
    target::{Address, AddressForm, Target},
};

/// What only an HTTP probe yields.
static METRICS: &[&MetricDef] = &[
    &metric::HTTP_STATUS_CODE,
    &metric::HTTP_VERSION,
    &metric::HTTP_REDIRECTS,
    &metric::HTTP_SSL,
    &metric::HTTP_CONTENT_LENGTH,
    &metric::HTTP_BODY_LENGTH,
    &metric::HTTP_DURATION,
    &metric::HTTP_LAST_MODIFIED,
    &metric::FAILED_DUE_TO_REGEX,
];

/// Where this program takes requests for probes, as in `blackbox_exporter`.
const OWN_PROBE_PATH: &str = "/probe";

/// What is known of the last answer, whatever became of the probe after it.
#[derive(Debug, Default)]
struct Facts {
    redirects: u32,
    ssl: bool,
    status: u16,
    version: f64,
    content_length: f64,
    body_length: u64,
    last_modified: Option<f64>,
    failed_due_to_regex: bool,
}

impl Probe for Http {
    const METRICS: &'static [&'static [&'static MetricDef]] =
        &[metric::ADDRESS, METRICS, metric::TLS];
    const ADDRESS: AddressForm = AddressForm::Url;

    fn own_hostname(&self) -> Option<&str> {
        self.host_header()
    }

    async fn run(&self, target: &Target, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let Address::Url(url) = target.address() else {
            return Err(Failure::new(Phase::Policy, Reason::InvalidTarget, "not a URL"));
        };
        let mut facts = Facts::default();
        // Boxed, because it is large and every probe in flight holds one.
        let outcome = Box::pin(self.follow(url, target.hostname(), scope, &mut facts)).await;
        facts.report(scope);
        let resolved = !matches!(&outcome, Err(failure) if failure.phase == Phase::Resolve);
        for timing in Timing::ALL {
            // Without an address no later stage was ever tried.
            if resolved || timing == Timing::Resolve {
                let labels = vec![("phase", std::borrow::Cow::Borrowed(timing.as_str()))];
                scope.labelled(&metric::HTTP_DURATION, labels, scope.time(timing).as_secs_f64());
            }
        }
        outcome
    }
}

impl Facts {
    fn report(&self, scope: &mut Scope<'_>) {
        scope.sample(&metric::HTTP_STATUS_CODE, f64::from(self.status));
        scope.sample(&metric::HTTP_VERSION, self.version);
        scope.sample(&metric::HTTP_REDIRECTS, f64::from(self.redirects));
        scope.sample(&metric::HTTP_SSL, if self.ssl { 1.0 } else { 0.0 });
        scope.sample(&metric::HTTP_CONTENT_LENGTH, self.content_length);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a body is read up to a limit far below 2^53 bytes"
        )]
        scope.sample(&metric::HTTP_BODY_LENGTH, self.body_length as f64);
        scope
            .sample(&metric::FAILED_DUE_TO_REGEX, if self.failed_due_to_regex { 1.0 } else { 0.0 });
        if let Some(last_modified) = self.last_modified {
            scope.sample(&metric::HTTP_LAST_MODIFIED, last_modified);
        }
    }
}

impl Http {
    /// Makes the exchange and those that it redirects to, then checks the last answer.
    async fn follow(
        &self,
        url: &Url,
        hostname: Option<&str>,
        scope: &mut Scope<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let mut hop = Hop::first(url.clone(), self.method(), self.body());
        let mut cookies = Cookies::default();
        let mut path = redirect::Path::default();
        let mut floor = None;
        loop {
            path.visit(&hop, &cookies)?;
            facts.ssl = hop.url.scheme() == "https";
            let first = facts.redirects == 0;
            let request = Request {
                url: &hop.url,
                method: &hop.method,
                headers: self.headers_for(&hop, url),
                host: self.host_for(&hop, url, hostname),
                cookies: cookies.header(&hop.url),
                body: hop.body.clone(),
            };
            scope.note(format!("{} {}", hop.method, hop.url));
            scope.begin_hop(request.evidence());
            let name = if first { hostname.or(self.host_header()) } else { None };
            let mut answer = self.exchange(&request, name, &mut floor, scope).await?;
            facts.take(&answer);
            if let Some(seen) = scope.hop() {
                seen.keep_head(&exchange::head_text(&answer.parts));
            }
            scope.note(format!("answer: {:?} {}", answer.parts.version, answer.parts.status));
            let next =
                if self.follow_redirects() { redirect::next(&hop, &answer.parts)? } else { None };
            let Some(next) = next else { return self.judge(&mut answer, scope, facts).await };
            cookies.take(&hop.url, &answer.parts.headers);
            scope.note(format!("redirected to {}", next.url));
            facts.redirects += 1;
            hop = next;
        }
    }

    /// Opens a connection to the URL's host and sends the request. The first one sets the floor: no redirect may lead to a
    /// more private address.
    async fn exchange(
        &self,
        request: &Request<'_>,
        name: Option<&str>,
        floor: &mut Option<AddressClass>,
        scope: &mut Scope<'_>,
    ) -> Result<Answer, Failure> {
        let invalid = || {
            Failure::new(
                Phase::Policy,
                Reason::InvalidTarget,
                format!("{} has no host", request.url),
            )
        };
        let host: Host<String> = request.url.host().ok_or_else(invalid)?.to_owned();
        let port = request.url.port_or_known_default().ok_or_else(invalid)?;
        let (preferred, fallback) = self.family();
        let source = self.source();
        let destination =
            Destination { host: &host, port, preferred, fallback, source, floor: *floor };
        let opened = connect::open(scope, &destination).await?;
        if request.url.path() == OWN_PROBE_PATH && opened.is_to_ourselves(scope.net) {
            let detail = "a probe of our own /probe would go on for ever";
            return Err(Failure::new(Phase::Policy, Reason::DeniedAddress, detail));
        }
        floor.get_or_insert(opened.class());
        let stream = opened.stream;
        if request.url.scheme() != "https" {
            scope.forget(metric::TLS);
            return exchange::http1(stream, request, scope).await;
        }
        let name = name.map_or_else(|| host.to_string(), |name| without_port(name).to_owned());
        let stream = tls::handshake(scope, self.tls(), self.protocols(), &name, stream).await?;
        if tls::chose_http2(&stream) {
            exchange::http2(stream, request, scope).await
        } else {
            exchange::http1(stream, request, scope).await
        }
    }

    /// Reads the body and holds the answer against what the module expects.
    async fn judge(
        &self,
        answer: &mut Answer,
        scope: &mut Scope<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        // Told first, because it says more than what the body may look like.
        self.check_head(&answer.parts, facts.ssl, &mut facts.failed_due_to_regex)?;
        let wanted = self.wants_body();
        let limit = self.body_limit();
        let mut excerpt = Vec::new();
        let reading = body::read(answer, wanted, limit, &mut excerpt);
        let read = scope.phase(Phase::Body, Timing::Transfer, reading).await;
        if let Some(seen) = scope.hop() {
            seen.keep_body(&excerpt);
        }
        let read = read?;
        facts.body_length = read.length;
        scope.note(format!(
            "body: {} bytes{}",
            read.length,
            if read.complete { "" } else { ", and more that was not read" }
        ));
        if !read.complete && (wanted || self.has_body_limit()) {
            let detail = format!("the body is larger than {limit} bytes");
            return Err(Failure::new(Phase::Body, Reason::TooLarge, detail));
        }
        self.check_body(&read.bytes).inspect_err(|_| facts.failed_due_to_regex = true)
    }
}

impl Facts {
    fn take(&mut self, answer: &Answer) {
        let headers = &answer.parts.headers;
        let text =
            |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        self.status = answer.parts.status.as_u16();
        self.version = match answer.parts.version {
            http::Version::HTTP_10 => 1.0,
            http::Version::HTTP_2 => 2.0,
            _ => 1.1,
        };
        self.content_length = text(http::header::CONTENT_LENGTH)
            .and_then(|length| length.parse().ok())
            .unwrap_or(-1.0);
        self.last_modified = text(http::header::LAST_MODIFIED).and_then(unix_seconds);
    }
}

/// A date of HTTP (RFC 9110 §5.6.7) in seconds since the Unix epoch.
fn unix_seconds(date: &str) -> Option<f64> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar date fit into 53 bits")]
    Some(date.as_second() as f64)
}

/// The name of `name:port`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_names_are_read() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60.0));
        assert_eq!(unix_seconds("yesterday"), None);
        for (host, name) in [
            ("a.example:8443", "a.example"),
            ("a.example", "a.example"),
            ("[::1]:443", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
