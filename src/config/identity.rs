//! What distinguishes a target from all others, and that no two of a configuration are mixed up.
//!
//! The rules, the alert log and the pages know a target by the labels `instance`, `module` and `prober` of its series. Must not
//! know how a targets file is written.

use std::{collections::HashMap, sync::Arc};

use notation::Diagnostic;
use series::Labels;

use super::{MODULE_DEFAULT, Target};

/// The label that names the place from which a target is watched, where several do.
pub const PROBER: &str = "prober";

/// What distinguishes a target from all others, as the labels of its series and alerts have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Its address.
    pub instance: String,
    /// Its check; the default one when there is no such label.
    pub module: String,
    /// The place from which it is watched; usually empty.
    pub prober: String,
}

impl Identity {
    /// The target that a series or an alert is about.
    pub fn of(labels: &Labels) -> Self {
        let label = |name| labels.get(name).unwrap_or("");
        Self {
            instance: label("instance").to_owned(),
            module: labels.get("module").unwrap_or(MODULE_DEFAULT).to_owned(),
            prober: label(PROBER).to_owned(),
        }
    }
}

/// The targets that were read so far, to find those that cannot be distinguished.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<String, Vec<Arc<Target>>>);

impl Seen {
    /// Takes a target in.
    ///
    /// # Errors
    /// When it cannot be distinguished from one that was there before.
    pub(super) fn add(&mut self, target: &Arc<Target>) -> Result<(), Diagnostic> {
        let others = self.0.entry(target.instance.clone()).or_default();
        let clash = others.iter().find_map(|first| clash(first, target));
        if clash.is_none() {
            others.push(Arc::clone(target));
        }
        clash.map_or(Ok(()), Err)
    }
}

fn clash(first: &Target, second: &Target) -> Option<Diagnostic> {
    let (one, other) = (first.identity(), second.identity());
    let place = &first.origin;
    if first.module != second.module {
        // The label is what series differ in; a parameter alone leaves no trace in them.
        return (one.module == other.module).then(|| {
            Diagnostic::new(format!(
                "the series of `{}` cannot be distinguished from those at {place}: the modules differ, the label `module` does not",
                second.instance
            ))
            .hint("name both modules by the label `module`, not by `__param_module`")
        });
    }
    if one.prober == other.prober {
        let hint = format!(
            "it is at {place} already with the same module; to check it in another way give it another `module`, to watch \
             it from several places give each its `prober`"
        );
        let message = format!("duplicate target `{}`", second.instance);
        return Some(Diagnostic::new(message).hint(hint));
    }
    let differing = differing(first, second)?;
    let message = format!(
        "`{}` is watched from several places, and {differing} differs from that at {place}",
        second.instance
    );
    let hint = "give both the same labels and times but for `prober`, or another `module`";
    Some(Diagnostic::new(message).hint(hint))
}

/// What differs between two targets but for their probers, if anything does.
fn differing(first: &Target, second: &Target) -> Option<String> {
    let names = first.labels.iter().chain(second.labels.iter()).map(|(name, _)| name);
    let label = names
        .filter(|name| *name != PROBER)
        .find(|name| first.labels.get(name) != second.labels.get(name));
    if let Some(name) = label {
        return Some(format!("the label `{name}`"));
    }
    if first.interval != second.interval {
        return Some("the interval".to_owned());
    }
    (first.timeout != second.timeout).then(|| "the timeout".to_owned())
}
