//! A row of the catalogue: what is set up, what is probed, and what has to come of it.
//!
//! Must not know how rows are run.

use std::{any::Any, future::Future, pin::Pin, time::Duration};

use probe::{Net, ProbeResult};
use testkit::{Behaviour, Server};

/// The deadline of a row that ends by itself.
const LONG: Duration = Duration::from_secs(5);

/// The deadline of a row that ends by its deadline alone.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// The plain HTTP module.
pub(crate) const HTTP: &str = "{ prober: http }";

/// A module that reads the body.
pub(crate) const HTTP_BODY: &str =
    "{ prober: http, http: { fail_if_body_matches_regexp: [a text that nobody sends] } }";

/// What is probed, with everything that has to live meanwhile.
pub(crate) struct Case {
    /// The network to probe by.
    pub(crate) net: Net,
    /// The target.
    pub(crate) target: String,
    /// Servers, files and the like.
    pub(crate) keep: Vec<Box<dyn Any + Send>>,
}

impl Case {
    /// A server on the loopback address that is asked for `/` by its address.
    pub(crate) fn of(server: Server) -> Self {
        Self::with(Net::for_tests(None, &[]).expect("a network for tests"), server.url("/"), server)
    }

    /// A target with what has to live while it is probed.
    pub(crate) fn with(net: Net, target: impl Into<String>, keep: impl Any + Send) -> Self {
        Self { net, target: target.into(), keep: vec![Box::new(keep)] }
    }
}

/// Sets a row up; an error is the reason for which the row cannot be run on this machine.
type Prepare = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Case, String>> + Send>>>;

/// What else has to hold; an error says what does not.
type Check = Box<dyn Fn(&ProbeResult) -> Result<(), String>>;

/// One situation.
pub(crate) struct Row {
    /// Its number in the catalogue, with a letter where a number has several situations.
    pub(crate) number: &'static str,
    /// What happens.
    pub(crate) name: &'static str,
    /// `up`, `phase/reason` or `fault phase/reason`; several are separated by ` or ` where the kernel chooses.
    pub(crate) expected: &'static str,
    /// The module, as a flow mapping.
    pub(crate) settings: String,
    /// The deadline.
    pub(crate) timeout: Duration,
    pub(crate) prepare: Prepare,
    pub(crate) check: Option<Check>,
    /// Whether the times of the phases have to add up to that of the probe.
    pub(crate) adds_up: bool,
}

impl Row {
    /// A situation that has to be set up.
    pub(crate) fn new<F>(
        number: &'static str,
        name: &'static str,
        expected: &'static str,
        prepare: impl Fn() -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Case, String>> + Send + 'static,
    {
        Self {
            number,
            name,
            expected,
            settings: HTTP.to_owned(),
            timeout: LONG,
            prepare: Box::new(move || Box::pin(prepare())),
            check: None,
            adds_up: false,
        }
    }

    /// A server that behaves like this, without TLS.
    pub(crate) fn server(
        number: &'static str,
        name: &'static str,
        behaviour: Behaviour,
        expected: &'static str,
    ) -> Self {
        Self::new(number, name, expected, move || {
            let behaviour = behaviour.clone();
            async move { Ok(Case::of(Server::start(behaviour).await)) }
        })
    }

    /// With another module.
    pub(crate) fn module(mut self, settings: impl Into<String>) -> Self {
        self.settings = settings.into();
        self
    }

    /// With a short deadline, which is what ends the probe.
    pub(crate) fn until_the_deadline(mut self) -> Self {
        self.timeout = SHORT;
        self
    }

    /// With times of phases that have to add up to that of the probe.
    pub(crate) fn adding_up(mut self) -> Self {
        self.adds_up = true;
        self
    }

    /// With something else that has to hold.
    pub(crate) fn and(
        mut self,
        check: impl Fn(&ProbeResult) -> Result<(), String> + 'static,
    ) -> Self {
        self.check = Some(Box::new(check));
        self
    }
}
