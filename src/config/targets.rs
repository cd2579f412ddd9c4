//! A targets file (Prometheus `file_sd`) to valid targets.
//!
//! `instance` and `job` cannot be set by a label: both name the series in the shipped rules and pages. Must not know files beyond
//! their text.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use notation::{
    Diagnostic, did_you_mean,
    duration::above_zero,
    name::{LABEL_NAME_HINT, is_label_name},
};
use serde::Deserialize;
use yaml::Spanned;

use super::{
    INTERVAL_MAX, INTERVAL_MAX_REASON, JOB, MODULE_DEFAULT, Promises, Sources, Target,
    dependency::{DEPENDS_ON, Dependency},
    identity::Seen,
    misspelling, own_url, promise,
};

/// How a targets file looks, for those who have none.
pub(super) const EXAMPLE: &str = "write one with two lines: `- targets: [https://www.example.com/]` and `  labels: { service: shop }`";

/// How urgent an alert can be.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// The labels that set something up and are not carried to the series.
const INTERNAL: &[&str] = &["__scrape_interval__", "__scrape_timeout__", "__param_module"];

/// An objective below this is probably a ratio where a percentage is meant.
const SLO_LIKELY_MIN: f64 = 0.01;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    targets: Vec<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<LabelName, Spanned<String>>,
}

/// A label's name with its place, ordered by name.
#[derive(Deserialize)]
#[serde(transparent)]
struct LabelName(Spanned<String>);

impl PartialEq for LabelName {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

impl Eq for LabelName {}

impl PartialOrd for LabelName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.value.cmp(&other.0.value)
    }
}

/// One file being read.
pub(super) struct Reading<'a> {
    pub(super) path: &'a Path,
    pub(super) sources: &'a Sources,
    pub(super) modules: &'a BTreeMap<String, Arc<probe::Module>>,
    /// The modules that are there but cannot be used, with their kinds.
    pub(super) unsupported: &'a BTreeMap<String, String>,
    /// Whether `modules` is complete; otherwise a name that is missing there is not called unknown.
    pub(super) modules_known: bool,
    /// The targets of this file and of those before.
    pub(super) seen: &'a mut Seen,
    pub(super) targets: &'a mut Vec<Arc<Target>>,
    /// Every `depends_on`, and the number of this file for those of its own.
    pub(super) dependencies: &'a mut Vec<Dependency>,
    pub(super) file: usize,
    pub(super) mistakes: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// What a group's labels say.
struct Settings {
    module: Option<Arc<probe::Module>>,
    name: String,
    labels: Vec<(String, String)>,
    internal_labels: Arc<[(String, String)]>,
    promises: Promises,
    interval: Duration,
    timeout: Duration,
}

impl Reading<'_> {
    /// Adds the text's targets, and its mistakes to `mistakes`.
    pub(super) fn read(&mut self, text: &str) {
        let (groups, mistakes) = yaml::read::<Vec<RawGroup>>(text);
        self.mistakes.extend(mistakes.into_iter().map(|mistake| {
            if mistake.message == yaml::EMPTY {
                mistake.hint(format!("for no targets write `[]`; otherwise {EXAMPLE}"))
            } else {
                mistake
            }
        }));
        groups.iter().flatten().for_each(|group| self.group(group));
        self.mistakes.sort_by_key(|mistake| mistake.position);
        self.warnings.sort_by_key(|warning| warning.position);
    }

    fn wrong(&mut self, at: &Spanned<String>, message: String, hint: impl Into<String>) {
        self.mistaken(at, Diagnostic::new(message).hint(hint));
    }

    fn mistaken(&mut self, at: &Spanned<String>, mistake: Diagnostic) {
        self.mistakes.push(mistake.at(at.position));
    }

    fn group(&mut self, group: &RawGroup) {
        let settings = self.settings(group);
        let Some(module) = &settings.module else { return };
        for text in &group.targets {
            let address = match self.address(module, &text.value) {
                Ok(address) => address,
                Err(mistake) => {
                    self.mistaken(text, mistake);
                    continue;
                }
            };
            let own = [("job", JOB), ("instance", text.value.as_str())];
            let user = settings.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let target = Arc::new(Target {
                instance: text.value.clone(),
                address,
                module: settings.name.clone(),
                labels: series::Labels::new(user.chain(own)),
                internal_labels: Arc::clone(&settings.internal_labels),
                promises: settings.promises,
                interval: settings.interval,
                timeout: settings.timeout,
                origin: format!("{}:{}", self.path.display(), text.position.line),
            });
            match self.seen.add(&target) {
                Ok(()) => self.targets.push(target),
                Err(clash) => self.mistaken(text, clash),
            }
        }
    }

    /// An address as the module understands it; a path alone is this program itself.
    fn address(&self, module: &probe::Module, text: &str) -> Result<probe::Target, Diagnostic> {
        let own = own_url(self.sources.listen, text).map(|url| module.target(&url));
        own.and_then(Result::ok).map_or_else(|| module.target(text), Ok)
    }

    fn settings(&mut self, group: &RawGroup) -> Settings {
        let (mut labels, mut internal_labels) = (Vec::new(), Vec::new());
        for (LabelName(name), value) in &group.labels {
            self.label(name, value);
            let internal = name.value.starts_with("__");
            let list = if internal { &mut internal_labels } else { &mut labels };
            list.push((name.value.clone(), value.value.clone()));
        }
        let find = |wanted: &str| {
            group.labels.iter().find(|(name, _)| name.0.value == wanted).map(|(_, value)| value)
        };
        self.misspellings(group);
        if let Some(on) = find(DEPENDS_ON) {
            let service = find("service").map(|service| service.value.clone());
            self.dependencies.push(Dependency { file: self.file, service, on: on.clone() });
        }
        let (name, module) = self.module(find("module"), find("__param_module"));
        let (interval, timeout) =
            self.times(find("__scrape_interval__"), find("__scrape_timeout__"));
        Settings {
            module,
            name,
            labels,
            internal_labels: internal_labels.into(),
            promises: self.promises(group, interval),
            interval,
            timeout,
        }
    }

    /// Warns of labels whose names are nearly those with a meaning, once each.
    fn misspellings(&mut self, group: &RawGroup) {
        for LabelName(name) in group.labels.keys() {
            let Some(known) = misspelling::meant(&name.value) else { continue };
            // Who has set the right one too knows its name.
            if group.labels.keys().any(|other| other.0.value == known) {
                continue;
            }
            let message = format!("the label `{}` has no meaning; `{known}` has one", name.value);
            if self.warnings.iter().all(|warning| warning.message != message) {
                let hint = format!("did you mean `{known}`? otherwise nothing is wrong");
                self.warnings.push(Diagnostic::new(message).hint(hint).at(name.position));
            }
        }
    }

    fn promises(&mut self, group: &RawGroup, interval: Duration) -> Promises {
        let mut promises = Promises::default();
        for (LabelName(name), value) in &group.labels {
            let before = promises.alert_after;
            let set = promises.set(&name.value, &value.value).and_then(|()| {
                // Once, at the label that it is about.
                if before == promises.alert_after {
                    Ok(())
                } else {
                    promises.check_interval(interval)
                }
            });
            if let Err(mistake) = set {
                self.mistaken(value, mistake);
            }
            if name.value == promise::SLO
                && promises.slo.is_some_and(|ratio| ratio < SLO_LIKELY_MIN)
            {
                let message = format!("`slo: {0}` is an objective of {0} percent", value.value);
                let hint = "did you mean a percentage such as 99.9?";
                self.warnings.push(Diagnostic::new(message).hint(hint).at(value.position));
            }
        }
        promises
    }

    fn module(
        &mut self,
        plain: Option<&Spanned<String>>,
        parameter: Option<&Spanned<String>>,
    ) -> (String, Option<Arc<probe::Module>>) {
        if let (Some(plain), Some(parameter)) = (plain, parameter)
            && plain.value != parameter.value
        {
            self.wrong(
                parameter,
                "`module` and `__param_module` differ".to_owned(),
                "keep one of them",
            );
        }
        let name = plain.or(parameter).map_or(MODULE_DEFAULT, |value| &value.value).to_owned();
        let module = self.modules.get(&name).map(Arc::clone);
        if let (None, Some(value), true) = (&module, plain.or(parameter), self.modules_known) {
            let names: Vec<&str> = self.modules.keys().map(String::as_str).collect();
            let all = format!("the modules are {}", names.join(", "));
            let hint = did_you_mean(&name, names.iter().copied())
                .map_or(all.clone(), |near| format!("{near} {all}"));
            let message = match self.unsupported.get(&name) {
                Some(why) => format!("the module `{name}` cannot be used: {why}"),
                None => format!("unknown module `{name}`"),
            };
            self.wrong(value, message, hint);
        }
        (name, module)
    }

    /// How often, and for how long.
    fn times(
        &mut self,
        interval_label: Option<&Spanned<String>>,
        timeout_label: Option<&Spanned<String>>,
    ) -> (Duration, Duration) {
        if self.sources.interval.is_zero() {
            return (Duration::ZERO, Duration::ZERO);
        }
        let interval = interval_label.and_then(|value| {
            let interval = self.duration(value)?;
            if interval > INTERVAL_MAX {
                let message = format!("the interval {} is longer than 4m", value.value);
                let hint = format!("shorten it: {INTERVAL_MAX_REASON}");
                self.wrong(value, message, hint);
                return None;
            }
            Some(interval)
        });
        let interval = interval.unwrap_or(self.sources.interval);
        let given = timeout_label.and_then(|value| self.duration(value));
        if let (Some(timeout), Some(value)) = (given, timeout_label)
            && timeout > interval
        {
            let hint = "shorten it, or set a longer `__scrape_interval__`";
            self.wrong(
                value,
                format!("the timeout {} is longer than the interval", value.value),
                hint,
            );
        }
        // A short interval of its own shortens the timeout that the target did not choose.
        (interval, given.unwrap_or(self.sources.timeout.min(interval)))
    }

    fn label(&mut self, name: &Spanned<String>, value: &Spanned<String>) {
        let text = name.value.as_str();
        if !is_label_name(text) {
            self.wrong(name, format!("`{text}` is not a label name"), LABEL_NAME_HINT);
        } else if text == "instance" || text == "job" {
            let hint = "rename the label; `instance` is the target itself, `job` is `webservices`";
            self.wrong(name, format!("the label `{text}` is set by the monitor"), hint);
        } else if let Some(plain) =
            text.strip_prefix("__param_").filter(|plain| promise::NAMES.contains(plain))
        {
            // Prometheus would take it as well, but the target's series and pages would not show it.
            let hint = format!("write `{plain}`: it becomes the parameter by itself");
            self.wrong(name, format!("the label `{text}` has no meaning here"), hint);
        } else if text.starts_with("__") && !INTERNAL.contains(&text) {
            let all = format!("known are {}", INTERNAL.join(", "));
            let hint = did_you_mean(text, INTERNAL.iter().copied())
                .map_or(all.clone(), |near| format!("{near} {all}"));
            self.wrong(name, format!("the label `{text}` has no meaning here"), hint);
        }
        if text == "severity" && !SEVERITIES.contains(&value.value.as_str()) {
            let hint = format!("the values are {}", SEVERITIES.join(", "));
            self.wrong(value, format!("`{text}` cannot be `{}`", value.value), hint);
        }
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let duration = above_zero(&text.value);
        if duration.is_none() {
            let message = format!("`{}` is not a duration", text.value);
            self.wrong(text, message, "write it as 15s, 1m or 1m30s");
        }
        duration
    }
}
