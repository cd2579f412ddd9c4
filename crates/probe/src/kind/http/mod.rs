//! `prober: http`: one request, its redirects, and what is expected of the last answer.
//!
//! The settings are in `settings`, the way to a host in `route`, one exchange over one connection in `exchange`, redirects in
//! `chain`, expectations in `expect`. Must not know how sockets are opened.

mod body;
mod cause;
#[cfg(feature = "cel")]
mod cel;
#[cfg(not(feature = "cel"))]
#[path = "cel_absent.rs"]
mod cel;
mod chain;
mod cookies;
mod decode;
mod exchange;
mod expect;
mod facts;
#[cfg(feature = "http3")]
mod http3;
mod json;
mod oauth2;
mod redirect;
mod request;
mod route;
mod settings;
mod wire;
mod zstd;

use std::{borrow::Cow, net::IpAddr};

use http::StatusCode;
use tokio::time::Instant;
use url::Url;

pub(crate) use self::settings::Http;
use self::{chain::Chain, facts::Facts};
use crate::{
    context::ProbeContext,
    kind::Probe,
    net::connect,
    report::{Failure, MetricDef, Phase, Reason, metric},
    target::{Address, AddressForm, Target},
};

impl Probe for Http {
    const METRICS: &'static [&'static [&'static MetricDef]] =
        &[metric::ADDRESS, facts::METRICS, metric::TLS];
    const ADDRESS: AddressForm = AddressForm::Url;

    fn own_hostname(&self) -> Option<&str> {
        self.host_header()
    }

    fn mistakes(&self) -> Vec<String> {
        self.mistakes()
    }

    fn lacks(&self) -> Option<&'static str> {
        self.lacks()
    }

    async fn run(&self, target: &Target, context: &mut ProbeContext<'_>) -> Result<(), Failure> {
        let Address::Url(url) = target.address() else {
            return Err(Failure::new(Phase::Policy, Reason::InvalidTarget, "not a URL"));
        };
        let url = &self.first_url(url);
        let mut facts = Facts::default();
        let hostname = target.hostname();
        // Boxed, because it is large and every probe in flight holds one.
        let outcome = if self.all_addresses {
            Box::pin(self.each_address(url, hostname, context, &mut facts)).await
        } else {
            Box::pin(self.attempts(url, hostname, None, context, &mut facts)).await
        };
        if self.has_cel() {
            facts.failed_due_to_cel.get_or_insert(false);
        }
        facts.report(context);
        outcome
    }
}

impl Http {
    /// The URL to begin with. HTTP/3 is never spoken without TLS.
    fn first_url<'a>(&self, url: &'a Url) -> Cow<'a, Url> {
        let mut url = Cow::Borrowed(url);
        if self.speaks_http3() && url.scheme() == "http" {
            // Between these two schemes a URL can always be changed.
            let _infallible = url.to_mut().set_scheme("https");
        }
        url
    }

    /// Asks the target at each of its addresses: all of them have to be good. The first failure is what is told.
    async fn each_address(
        &self,
        url: &Url,
        hostname: Option<&str>,
        context: &mut ProbeContext<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let addresses = self.addresses(url, context).await?;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut outcome = Ok(());
        for (address, left) in addresses.into_iter().zip((1..=count).rev()) {
            let mut own = Facts::default();
            let share = context.begin_share(left);
            let found = self.attempts(url, hostname, Some(address), context, &mut own).await;
            context.end_share(share);
            let text = address.to_string();
            let success = if found.is_ok() { 1.0 } else { 0.0 };
            let labels = vec![("address", Cow::Owned(text.clone()))];
            context.labelled(&metric::ADDRESS_SUCCESS, labels, success);
            // The numbers are those of the address that is told about.
            if outcome.is_ok() {
                *facts = own;
                outcome = found.map_err(|failure| Failure {
                    detail: format!("{text}: {}", failure.detail),
                    ..failure
                });
            }
        }
        outcome
    }

    async fn addresses(
        &self,
        url: &Url,
        context: &mut ProbeContext<'_>,
    ) -> Result<Vec<IpAddr>, Failure> {
        let (host, port) = route::endpoint(url)?;
        connect::resolve(context, &self.way().destination(&host, port, None)).await
    }

    /// Asks the target, and once more as often as the module says when that fails. All of it shares the probe's time.
    async fn attempts(
        &self,
        url: &Url,
        hostname: Option<&str>,
        at: Option<IpAddr>,
        context: &mut ProbeContext<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        let outcome = loop {
            let share = context.begin_share(self.retries + 2 - attempt);
            *facts = Facts::default();
            let outcome = self.attempt(url, hostname, at, attempt, context, facts).await;
            context.end_share(share);
            match &outcome {
                Err(failure) if attempt <= self.retries && failure.phase != Phase::Internal => {
                    context.note(format!("attempt {attempt} failed: {failure}"));
                    attempt += 1;
                }
                _ => break outcome,
            }
        };
        if self.retries > 0 {
            context.forget(&[&metric::ATTEMPTS]);
            context.sample(&metric::ATTEMPTS, f64::from(attempt));
        }
        outcome
    }

    async fn attempt(
        &self,
        url: &Url,
        hostname: Option<&str>,
        at: Option<IpAddr>,
        attempt: u32,
        context: &mut ProbeContext<'_>,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let mut prepared = self.prepare(hostname, context)?;
        let mut token = None;
        if let Some(oauth2) = &self.oauth2 {
            let header = Box::pin(oauth2.header(context)).await?;
            prepared.authorize(header.clone());
            token = Some((oauth2, header));
        }
        let begun = Instant::now();
        let chain = Chain { http: self, first: url, prepared: &prepared, at, attempt };
        let outcome = chain.follow(context, facts).await;
        let refused = facts.status == StatusCode::UNAUTHORIZED.as_u16();
        if let Some((oauth2, header)) = token.filter(|_| refused) {
            oauth2.forget(&header);
        }
        outcome?;
        match self.fail_if_slower_than {
            Some(limit) if begun.elapsed() > limit.0 => {
                let detail = format!(
                    "it took {:.3} s, and {:.3} s are allowed",
                    begun.elapsed().as_secs_f64(),
                    limit.0.as_secs_f64()
                );
                Err(Failure::new(Phase::Check, Reason::TooSlow, detail))
            }
            _ => Ok(()),
        }
    }
}
