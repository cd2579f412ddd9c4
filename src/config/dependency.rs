//! `depends_on`: that what is depended on exists, and that nothing depends on itself.
//!
//! The rules wait with the alerts of a service while the one behind it fails; in a circle all would wait for ever. Must not know
//! how a targets file is written.

use std::collections::{BTreeMap, BTreeSet};

use notation::{Diagnostic, did_you_mean};
use yaml::Spanned;

/// The label that names the service behind a target.
pub const DEPENDS_ON: &str = "depends_on";

/// A `depends_on` with its place.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The number of the file that it is in.
    pub(super) file: usize,
    /// The service of the target, if it names one.
    pub(super) service: Option<String>,
    /// What it names.
    pub(super) on: Spanned<String>,
}

/// The mistakes among dependencies, each with the number of its file. `services` are all that targets name.
pub(super) fn mistakes(
    dependencies: &[Dependency],
    services: &BTreeSet<String>,
) -> Vec<(usize, Diagnostic)> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Dependency { service, on, .. } in dependencies {
        if let Some(service) = service {
            edges.entry(service).or_default().insert(&on.value);
        }
    }
    let mut mistakes = Vec::new();
    let mut circles = BTreeSet::new();
    for Dependency { file, service, on } in dependencies {
        let mistake = |message: String, hint: &str| {
            (*file, Diagnostic::new(message).hint(hint).at(on.position))
        };
        if !services.contains(&on.value) {
            let near = did_you_mean(&on.value, services.iter().map(String::as_str));
            let hint = near.unwrap_or_default() + " it names the label `service` of other targets";
            let message = format!("no target has the service `{}`", on.value);
            mistakes.push(mistake(message, hint.trim_start()));
        } else if let Some(service) = service
            && let Some(path) = way(&edges, &on.value, service)
            // A circle is one mistake, wherever one enters it.
            && circles.insert(path.iter().copied().collect::<BTreeSet<&str>>())
        {
            let message = if service == &on.value {
                format!("the service `{service}` depends on itself")
            } else {
                format!("the services depend on each other: {service} → {}", path.join(" → "))
            };
            let hint = "take one of these `depends_on` away: all of them would wait for each other";
            mistakes.push(mistake(message, hint));
        }
    }
    mistakes
}

/// The services on the way from one to another along their dependencies, both included.
fn way<'a>(
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = std::collections::VecDeque::from([from]);
    while let Some(here) = waiting.pop_front() {
        if here == to {
            let steps = std::iter::successors(Some(here), |step| {
                (*step != from).then(|| before.get(step).copied()).flatten()
            });
            let mut path: Vec<&str> = steps.collect();
            path.reverse();
            return Some(path);
        }
        for next in edges.get(here).into_iter().flatten() {
            if *next != from && !before.contains_key(next) {
                before.insert(next, here);
                waiting.push_back(next);
            }
        }
    }
    None
}
