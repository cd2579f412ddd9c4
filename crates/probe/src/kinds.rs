//! The list of probe kinds.
//!
//! Adding a kind is a folder in `kind/` and a line in the list at the end of this file: its section in the modules file, the
//! modules that are there without one, the suggestions in error messages, the HELP lines and the chart of its phases follow
//! from it. Must not know any kind's particulars.

use notation::Diagnostic;

use crate::{
    context::ProbeContext,
    kind::Probe,
    net::Net,
    report::{Failure, MetricDef, PhaseMetric},
    target::{AddressForm, Target},
};

/// Generates everything that depends on the list of kinds.
macro_rules! kinds {
    (kinds: { $($name:ident => $settings:ty),+ $(,)? } not_yet: { $($ignored:ident),* $(,)? }) => {
        /// A check of one of the known kinds.
        #[derive(Clone, Debug)]
        #[expect(non_camel_case_types, reason = "the variants are named as in the modules file")]
        pub enum Check {
            $(#[doc = concat!("`prober: ", stringify!($name), "`")] $name(Box<$settings>)),+
        }

        /// The names of all kinds, as in `prober:`.
        pub const KINDS: &[&str] = &[$(stringify!($name)),+];

        /// The kinds that `blackbox_exporter` has and this program does not have yet.
        pub(crate) const KINDS_NOT_YET: &[&str] = &[$(stringify!($ignored)),*];

        /// The modules that are there without a file: name, kind, and section as YAML.
        pub(crate) fn builtin() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
            let modules = [$((stringify!($name), <$settings as Probe>::BUILTIN)),+];
            modules.into_iter().flat_map(|(kind, modules)| {
                modules.iter().map(move |(name, section)| (*name, kind, *section))
            })
        }

        /// The sections of a module, one for each kind.
        #[derive(Clone, Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct RawModule {
            pub(crate) prober: Option<yaml::Spanned<String>>,
            pub(crate) timeout: Option<crate::setting::GoDuration>,
            $($name: Option<Box<$settings>>,)+
            // The sections of blackbox_exporter's other kinds are accepted and ignored, as its own are.
            $($ignored: Option<serde::de::IgnoredAny>,)*
        }

        impl RawModule {
            /// The check of a kind, with the settings of its section or the default ones; `None` when there is no such kind.
            pub(crate) fn into_check(self, kind: &str) -> Option<Check> {
                let _ignored = ($(self.$ignored,)*);
                match kind {
                    $(stringify!($name) => Some(Check::$name(self.$name.unwrap_or_default())),)+
                    _ => None,
                }
            }
        }

        impl Check {
            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),+ }
            }

            /// How the kind's targets are written.
            pub fn address_form(&self) -> AddressForm {
                match self { $(Self::$name(settings) => settings.address_form()),+ }
            }

            /// What is wrong with a target of this form.
            pub(crate) fn check_target(&self, target: &Target) -> Result<(), Diagnostic> {
                match self { $(Self::$name(settings) => settings.check_target(target)),+ }
            }

            /// The metric that says how long each phase took.
            pub fn phases(&self) -> Option<&'static PhaseMetric> {
                match self { $(Self::$name(_) => <$settings as Probe>::PHASES),+ }
            }

            /// What the kind may yield beyond what every kind does.
            pub fn metrics(&self) -> impl Iterator<Item = &'static MetricDef> {
                let groups = match self { $(Self::$name(_) => <$settings as Probe>::METRICS),+ };
                groups.iter().copied().flatten().copied()
            }

            /// The host name that the settings ask for whatever the target is.
            pub(crate) fn own_hostname(&self) -> Option<&str> {
                match self { $(Self::$name(settings) => settings.own_hostname()),+ }
            }

            /// What is wrong with the settings as a whole.
            pub(crate) fn mistakes(&self) -> Vec<Diagnostic> {
                match self { $(Self::$name(settings) => settings.mistakes()),+ }
            }

            /// What this build lacks for the check.
            pub(crate) fn lacks(&self) -> Option<&'static str> {
                match self { $(Self::$name(settings) => settings.lacks()),+ }
            }

            /// The settings, with secrets hidden.
            pub(crate) fn settings(&self) -> serde_json::Value {
                match self { $(Self::$name(settings) => serde_json::to_value(settings).unwrap_or_default()),+ }
            }

            pub(crate) async fn run(&self, target: &Target, net: &Net, context: &mut ProbeContext) -> Result<(), Failure> {
                match self { $(Self::$name(settings) => settings.run(target, net, context).await),+ }
            }
        }
    };
}

// THE LIST: one line for each kind, and the names of those that blackbox_exporter has besides.
kinds! {
    kinds: {
        http => crate::kind::http::Http,
        tcp => crate::kind::tcp::Tcp,
        dns => crate::kind::dns::Dns,
    }
    not_yet: { icmp, grpc, unix, websocket }
}
