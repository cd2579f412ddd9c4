//! How often the target is asked, and at which of its addresses.
//!
//! Must not know how one attempt is made.

use std::{borrow::Cow, net::IpAddr};

use http::StatusCode;
use tokio::time::Instant;
use url::Url;

use super::{chain::Chain, facts::ResponseFacts, route::endpoint, settings::Http};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::Net,
    report::{Failure, Phase, Reason, metric},
};

/// What is asked, as the settings say.
pub(super) struct Attempts<'a> {
    pub(super) http: &'a Http,
    pub(super) url: &'a Url,
    /// The name to ask for instead of the URL's own.
    pub(super) hostname: Option<&'a str>,
    pub(super) net: &'a Net,
}

impl Attempts<'_> {
    /// Asks the target at each of its addresses: all of them have to be good. The first failure is reported.
    pub(super) async fn each_address(
        &self,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        let addresses = self.addresses(context).await?;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut outcome = Ok(());
        for (address, left) in addresses.into_iter().zip((1..=count).rev()) {
            let mut own = ResponseFacts::default();
            let at_address =
                async |context: &mut ProbeContext| self.at(Some(address), context, &mut own).await;
            let found = context.share(left, at_address).await;
            let text = address.to_string();
            let success = if found.is_ok() { 1.0 } else { 0.0 };
            let labels = vec![("address", Cow::Owned(text.clone()))];
            context.labelled(&metric::ADDRESS_SUCCESS, labels, success);
            // The numbers are those of the address that is reported.
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

    async fn addresses(&self, context: &mut ProbeContext) -> Result<Vec<IpAddr>, Failure> {
        let (host, port) = endpoint(self.url)?;
        let destination = self.http.way().destination(&host, port, None);
        steps::resolve(&destination, self.net, context).await
    }

    /// Asks the target, and once more as often as the module says when that fails. All of it shares the probe's time.
    pub(super) async fn at(
        &self,
        at: Option<IpAddr>,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        let outcome = loop {
            *facts = ResponseFacts::default();
            let once = async |context: &mut ProbeContext| {
                self.attempt(at, attempt, context, &mut *facts).await
            };
            let outcome = context.share(self.http.retries + 2 - attempt, once).await;
            match &outcome {
                Err(failure)
                    if attempt <= self.http.retries && failure.phase != Phase::Internal =>
                {
                    context.note(format!("attempt {attempt} failed: {failure}"));
                    attempt += 1;
                }
                _ => break outcome,
            }
        };
        if self.http.retries > 0 {
            context.forget(&[&metric::ATTEMPTS]);
            context.sample(&metric::ATTEMPTS, f64::from(attempt));
        }
        outcome
    }

    async fn attempt(
        &self,
        at: Option<IpAddr>,
        attempt: u32,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        let mut prepared = self.http.prepare(self.hostname, self.net, context)?;
        let mut token = None;
        if let Some(oauth2) = &self.http.oauth2 {
            let header = Box::pin(oauth2.header(self.net, context)).await?;
            prepared.authorize(header.clone());
            token = Some((oauth2, header));
        }
        let begun = Instant::now();
        let chain = Chain {
            http: self.http,
            net: self.net,
            first: self.url,
            prepared: &prepared,
            at,
            attempt,
        };
        let outcome = chain.follow(context, facts).await;
        let refused = facts.status == StatusCode::UNAUTHORIZED.as_u16();
        if let Some((oauth2, header)) = token.filter(|_| refused) {
            oauth2.forget(&header);
        }
        outcome?;
        match self.http.fail_if_slower_than {
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
