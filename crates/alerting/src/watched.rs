//! Why an alert is over: its target works again, or is no longer watched, or its rule was removed.
//!
//! Must not know where the configuration comes from, nor who asks.

use std::collections::{BTreeMap, BTreeSet};

use series::{Labels, rule::is_about_a_target};

use crate::event::Ending;

/// The job of all targets.
const TARGETS_JOB: &str = "webservices";

/// What is watched at present, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The names of the alerts that have a rule; `None` when it is not known which.
    rules: Option<BTreeSet<String>>,
    /// The modules of each target by its `instance`; `None` when it is not known which targets there are.
    targets: Option<BTreeMap<String, BTreeSet<String>>>,
}

impl Watched {
    /// Nothing is known: every end counts as `works again`.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Only alerts of these names have a rule.
    #[must_use]
    pub fn with_rules(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.rules = Some(names.into_iter().collect());
        self
    }

    /// Only these targets are watched: `instance` and module of each.
    #[must_use]
    pub fn with_targets(mut self, targets: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (instance, module) in targets {
            modules.entry(instance).or_default().insert(module);
        }
        self.targets = Some(modules);
        self
    }

    /// Why an alert of these labels is over.
    pub fn ending(&self, labels: &Labels) -> Ending {
        let name = labels.get("alertname").unwrap_or("");
        // Of an alert from an earlier version the name may not be known.
        if !name.is_empty() && self.rules.as_ref().is_some_and(|rules| !rules.contains(name)) {
            return Ending::RuleRemoved;
        }
        if self.is_watched(labels) { Ending::WorksAgain } else { Ending::NoLongerWatched }
    }

    /// Whether the target that an alert is about is watched; also true when it is about none, or about a target of another program.
    fn is_watched(&self, labels: &Labels) -> bool {
        let job = labels.get("job").unwrap_or(TARGETS_JOB);
        let (Some(targets), true) =
            (&self.targets, is_about_a_target(labels) && job == TARGETS_JOB)
        else {
            return true;
        };
        let modules = labels.get("instance").and_then(|instance| targets.get(instance));
        // A target that names no module has no such label.
        modules.is_some_and(|modules| {
            labels.get("module").is_none_or(|module| modules.contains(module))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_the_reason_that_is_known() {
        let watched = Watched::unknown()
            .with_rules(["Down".to_owned()])
            .with_targets([("http://a/".to_owned(), "http_2xx".to_owned())]);
        let ending = |watched: &Watched, pairs: &[(&str, &str)]| {
            watched.ending(&Labels::new(pairs.iter().copied()))
        };
        let down = ("alertname", "Down");
        for (labels, expected) in [
            (vec![down, ("instance", "http://a/")], Ending::WorksAgain),
            (vec![down, ("instance", "http://a/"), ("module", "http_2xx")], Ending::WorksAgain),
            (
                vec![down, ("instance", "http://a/"), ("module", "tcp_connect")],
                Ending::NoLongerWatched,
            ),
            (
                vec![down, ("instance", "http://b/"), ("job", "webservices")],
                Ending::NoLongerWatched,
            ),
            (vec![down, ("instance", "http://b/"), ("job", "others")], Ending::WorksAgain),
            (vec![down, ("instance", "localhost:9115")], Ending::WorksAgain),
            (vec![("alertname", "Gone"), ("instance", "http://b/")], Ending::RuleRemoved),
            (vec![], Ending::WorksAgain),
        ] {
            assert_eq!(ending(&watched, &labels), expected, "{labels:?}");
        }
        let gone = [("alertname", "Gone"), ("instance", "http://b/")];
        assert_eq!(ending(&Watched::unknown(), &gone), Ending::WorksAgain);
    }
}
