//! One attempt: the request, those that it is redirected to, and the judgement of the last answer.
//!
//! Must not know how often it is made.

use std::{net::IpAddr, time::Duration};

use http::StatusCode;
use url::Url;

use super::{
    answer::Answer,
    body::Reading,
    cookies::Cookies,
    exchange,
    facts::{Lookup, ResponseFacts},
    prepared::Prepared,
    redirect::{self, Hop},
    request::Request,
    route,
    settings::Http,
};
#[cfg(feature = "http3")]
use super::{http3, route::endpoint};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::{Net, policy::AddressClass, transport::Transport},
    report::{Failure, Phase, Reason, Stage, Warning, metric},
    target::without_final_dot,
};

/// Where this program takes requests for probes, as in `blackbox_exporter`.
const OWN_PROBE_PATH: &str = "/probe";

/// How long the body of an answer is waited for that has failed already.
const ERROR_PAGE_TIME_MAX: Duration = Duration::from_secs(1);

/// What an attempt is made of.
pub(super) struct Chain<'a> {
    pub(super) http: &'a Http,
    pub(super) net: &'a Net,
    pub(super) first: &'a Url,
    pub(super) prepared: &'a Prepared,
    /// The address to ask, instead of any of the target's.
    pub(super) at: Option<IpAddr>,
    /// Counted from 1.
    pub(super) attempt: u32,
}

impl Chain<'_> {
    /// Makes the exchange and those that it redirects to, then checks the last answer.
    pub(super) async fn follow(
        &self,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        let Self { http, first, prepared, .. } = *self;
        let mut hop = Hop::first(first.clone(), prepared.method.clone(), prepared.body.clone());
        let mut cookies = Cookies::default();
        let mut path = redirect::Path::default();
        let mut floor = None;
        loop {
            facts.begin(hop.url.scheme() == "https");
            let mut headers = prepared.headers_for(&hop.url, first);
            if hop.dropped_body {
                headers.retain(|(name, _)| !redirect::is_about_body(name));
            }
            let request = Request {
                url: &hop.url,
                method: &hop.method,
                headers,
                host: prepared.host_for(&hop.url, first),
                cookies: cookies.header(&hop.url),
                body: hop.body.clone(),
                forward: None,
            };
            context.note(format!("{} {}", hop.method, hop.url));
            context.begin_hop(request.evidence(self.attempt));
            let mut answer = self.exchange(request, &mut floor, context, facts).await?;
            answer.answers(&hop.method);
            facts.take(&answer, &hop.method);
            context.note(format!("answer: {:?} {}", answer.parts.version, answer.parts.status));
            redirect::users(&answer.parts).for_each(|user| context.conceal(user));
            let next =
                if http.follow_redirects() { redirect::next(&hop, &answer.parts)? } else { None };
            let Some(next) = next else {
                let judged = self.judge(&mut answer, context, facts).await;
                return judged
                    .map_err(|failure| self.blame(failure, &hop.url, answer.parts.status));
            };
            self.look_at(&hop, &next, context)?;
            if facts.redirects == 0 {
                path.visit(&hop, &cookies)?;
            }
            cookies.take(&hop.url, &answer.parts.headers, self.net.now());
            cookies.values().for_each(|value| context.conceal(value));
            context.note(format!("redirected to {}", next.url));
            facts.redirects += 1;
            path.visit(&next, &cookies)?;
            hop = next;
        }
    }

    /// A status that is wrong is the proxy's failure when none but a proxy has it.
    fn blame(&self, failure: Failure, url: &Url, status: StatusCode) -> Failure {
        let is_of_proxy = (failure.phase, failure.reason) == (Phase::Check, Reason::Status)
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && url.scheme() == "http"
            && self.http.way().proxies.choose(url, &self.net.environment).is_some();
        if is_of_proxy {
            Failure { phase: Phase::Proxy, reason: Reason::Auth, ..failure }
        } else {
            failure
        }
    }

    /// Warns of what is doubtful about a redirect, and refuses what the module does not want.
    fn look_at(&self, hop: &Hop, next: &Hop, context: &mut ProbeContext) -> Result<(), Failure> {
        if next.had_user {
            context.warn(Warning::UserInLocation);
        }
        if hop.url.scheme() == "https" && next.url.scheme() == "http" {
            if self.http.require_tls {
                let detail = format!("redirected to {}, without TLS", next.url);
                return Err(Failure::new(Phase::Redirect, Reason::Downgrade, detail));
            }
            context.warn(Warning::Downgrade);
        }
        Ok(())
    }

    /// Opens a connection to the URL's host and sends the request. The first one sets the floor: no redirect may lead to a
    /// more private address.
    async fn exchange(
        &self,
        request: Request<'_>,
        floor: &mut Option<AddressClass>,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<Answer, Failure> {
        #[cfg(any(test, feature = "fuzzing"))]
        if let Some(script) = &self.net.script {
            facts.lookup = Lookup::Done;
            return exchange::scripted(script, &request, context).await;
        }
        let url = request.url;
        // What is known of the last hop's certificate says nothing about this one.
        context.forget(metric::TLS);
        let is_own_host = url.host() == self.first.host();
        let at = self.at.filter(|_| is_own_host);
        #[cfg(feature = "http3")]
        if self.http.speaks_http3() {
            return Box::pin(self.http3(&request, at, floor, context, facts)).await;
        }
        let way = self.http.way();
        let opened = route::open(&way, url, at, *floor, self.net, context).await;
        if !matches!(&opened, Err(failure) if failure.phase == Phase::Resolve) {
            let left_out = facts.redirects == 0 && !route::looks_up(&way, url, self.net);
            facts.lookup = if left_out { Lookup::LeftOut } else { Lookup::Done };
        }
        let route = opened?;
        if url.path() == OWN_PROBE_PATH && route.is_to_ourselves {
            let detail = "a probe of this program's own /probe would go on for ever";
            return Err(Failure::new(Phase::Policy, Reason::DeniedAddress, detail));
        }
        *floor = floor.or(route.class);
        let request = Request { forward: route.forward, ..request };
        if url.scheme() != "https" {
            return exchange::http1(route.transport, &request, context).await;
        }
        let name = self.tls_name(url);
        // Boxed, so that a probe without TLS does not hold the room for it.
        Box::pin(self.encrypted(without_final_dot(name), &request, route.transport, context)).await
    }

    /// Opens a QUIC connection to the URL's host and sends the request over it.
    #[cfg(feature = "http3")]
    async fn http3(
        &self,
        request: &Request<'_>,
        at: Option<IpAddr>,
        floor: &mut Option<AddressClass>,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<Answer, Failure> {
        let url = request.url;
        if url.scheme() != "https" {
            let detail = format!("{url} cannot be asked over HTTP/3");
            return Err(Failure::new(Phase::Redirect, Reason::DeniedScheme, detail));
        }
        let (host, port) = endpoint(url)?;
        let destination = self.http.way().destination(&host, port, *floor);
        let tls = (self.http.tls(), http3::PROTOCOLS);
        let opened =
            steps::quic::open(&destination, at, tls, self.tls_name(url), self.net, context).await;
        if !matches!(&opened, Err(failure) if failure.phase == Phase::Resolve) {
            facts.lookup = Lookup::Done;
        }
        let opened = opened?;
        floor.get_or_insert(opened.class());
        let (parts, body) = http3::send(opened, request, context).await?;
        Ok(Answer::http3(parts, body))
    }

    /// The name to ask for in TLS: that of the request or of the module for the target's host, the URL's own for others.
    fn tls_name<'b>(&'b self, url: &'b Url) -> &'b str {
        let is_own_host = url.host() == self.first.host();
        let own_name = self.prepared.host.as_deref().filter(|_| is_own_host);
        own_name.map_or_else(|| url.host_str().unwrap_or_default(), without_port)
    }

    /// Sends the request inside TLS, by the version of HTTP that both sides want.
    async fn encrypted(
        &self,
        name: &str,
        request: &Request<'_>,
        transport: Transport,
        context: &mut ProbeContext,
    ) -> Result<Answer, Failure> {
        let http = self.http;
        let stream =
            steps::handshake(http.tls(), http.protocols(), name, transport, self.net, context)
                .await?;
        if stream.chose_http2() {
            Box::pin(exchange::http2(stream, request, context)).await
        } else {
            exchange::http1(stream, request, context).await
        }
    }

    /// Reads the body and compares the answer with what the module expects.
    async fn judge(
        &self,
        answer: &mut Answer,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        let http = self.http;
        // Reported first, because it says more than what the body may look like.
        let head = http.check_head(&answer.parts, facts.ssl, &mut facts.failed_due_to_regex);
        let Some(wanted) = http.wanted(&answer.parts) else {
            context.note("body: not read, because it has no end");
            return head;
        };
        // The page of an error often says what is wrong, but is not waited for as long.
        let budget = if head.is_ok() { context.time_left() } else { ERROR_PAGE_TIME_MAX };
        let mut reading = Reading::new(wanted);
        let work = reading.run(answer);
        let read = context.stage_within(budget, Phase::Body, Stage::Transfer, work).await;
        answer.record(context);
        if let Some(seen) = context.hop() {
            seen.keep_body(reading.excerpt());
        }
        facts.body_length = reading.length();
        context.note(format!(
            "body: {} bytes{}",
            facts.body_length,
            if reading.is_complete() { "" } else { ", and more that was not read" }
        ));
        head?;
        read.inspect_err(|_| http.blame_unread_body(facts))?;
        facts.body_hash = reading.hash();
        let body = reading.take_bytes();
        drop(reading);
        http.check_body(&body).inspect_err(|_| facts.failed_due_to_regex = true)?;
        http.check_json(body, context, facts).await
    }
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
    fn a_name_and_its_port_are_distinguished() {
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
