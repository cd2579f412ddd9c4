//! What a kind of probe is; the kinds themselves, one file or folder each.
//!
//! Must not know any kind's particulars.

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod steps;
pub(crate) mod tcp;

use notation::Diagnostic;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    context::ProbeContext,
    net::Net,
    report::{Failure, MetricDef, PhaseMetric},
    target::{AddressForm, Target},
};

/// A kind of probe: its settings are the fields, which are also its section in the modules file.
pub(crate) trait Probe:
    Clone + Default + std::fmt::Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// What it may yield beyond what every kind does.
    const METRICS: &'static [&'static [&'static MetricDef]];

    /// Which of these metrics says how long each phase took; some kinds have none.
    const PHASES: Option<&'static PhaseMetric> = None;

    /// The modules that are there without a file: their names, and their sections as YAML.
    const BUILTIN: &'static [(&'static str, &'static str)];

    /// How its targets are written.
    fn address_form(&self) -> AddressForm;

    /// What a target of the right form needs besides.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_target(&self, _target: &Target) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// The host name that the settings ask for whatever the target is; most kinds have none.
    fn own_hostname(&self) -> Option<&str> {
        None
    }

    /// What is wrong with settings that are valid each, but not together.
    fn mistakes(&self) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// What this build of the program lacks for these settings to be of use.
    fn lacks(&self) -> Option<&'static str> {
        None
    }

    /// Probes the target. What was measured goes into the context, also when the probe then fails.
    ///
    /// # Errors
    /// The first expectation that the target did not meet.
    fn run(
        &self,
        target: &Target,
        net: &Net,
        context: &mut ProbeContext,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
