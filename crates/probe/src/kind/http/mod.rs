//! `prober: http`: one request, its redirects, and what is expected of the last answer.
//!
//! The files import one way, each from those before it: what a module says (`settings`, with `cel`, `json` and `decode` for its
//! values), what is sent (`credentials`, `prepared`, `cookies`, `request`), what came (`wire`, `cause`, `evidence`), one exchange
//! over one connection (`connection`, `http3`, `answer`, `exchange`, `body`), the way to a host (`route`, `oauth2`), what is
//! expected of the last answer (`facts`, `expect`), redirects (`redirect`, `chain`), and how often it is asked (`attempts`). Must
//! not know how sockets are opened.

mod answer;
mod attempts;
mod body;
mod cause;
#[cfg(feature = "cel")]
mod cel;
#[cfg(not(feature = "cel"))]
#[path = "cel_absent.rs"]
mod cel;
mod chain;
mod connection;
mod cookies;
mod credentials;
mod decode;
mod decoder;
mod evidence;
mod exchange;
mod expect;
mod facts;
#[cfg(feature = "http3")]
mod http3;
mod json;
mod oauth2;
mod prepared;
mod redirect;
mod request;
mod route;
mod settings;
mod wire;
mod zstd;

use std::borrow::Cow;

use notation::Diagnostic;
use url::Url;

pub(crate) use self::settings::Http;
use self::{attempts::Attempts, facts::ResponseFacts};
use crate::{
    context::ProbeContext,
    kind::Probe,
    net::Net,
    report::{Failure, MetricDef, Phase, PhaseMetric, Reason, metric},
    target::{Address, AddressForm, Target},
};

impl Probe for Http {
    const METRICS: &'static [&'static [&'static MetricDef]] =
        &[metric::ADDRESS, facts::METRICS, metric::TLS];
    const PHASES: Option<&'static PhaseMetric> = Some(&PhaseMetric {
        metric: &metric::HTTP_DURATION,
        names: &["resolve", "connect", "tls", "processing", "transfer"],
    });
    const BUILTIN: &'static [(&'static str, &'static str)] =
        &[("http_2xx", "{}"), ("http_post_2xx", "{ method: POST }")];

    fn address_form(&self) -> AddressForm {
        AddressForm::Url
    }

    fn own_hostname(&self) -> Option<&str> {
        self.host_header()
    }

    fn mistakes(&self) -> Vec<Diagnostic> {
        self.mistakes()
    }

    fn lacks(&self) -> Option<&'static str> {
        self.lacks()
    }

    async fn run(
        &self,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(), Failure> {
        let Address::Url(url) = target.address() else {
            return Err(Failure::new(Phase::Policy, Reason::InvalidTarget, "not a URL"));
        };
        let url = &self.first_url(url);
        let mut facts = ResponseFacts::default();
        let attempts = Attempts { http: self, url, hostname: target.hostname(), net };
        // Boxed, because it is large and every probe in flight holds one.
        let outcome = if self.all_addresses {
            Box::pin(attempts.each_address(context, &mut facts)).await
        } else {
            Box::pin(attempts.at(None, context, &mut facts)).await
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
}
