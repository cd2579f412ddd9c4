//! A targets file (Prometheus `file_sd`) to valid targets.
//!
//! `instance` and `job` cannot be set by a label: both name the series in the shipped rules and pages, and two targets with one
//! `instance` would write the same series. Must not know files beyond their text.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use yaml::{Problem, Spanned, did_you_mean};

use super::{JOB, MODULE_DEFAULT, Sources, Target};

/// How a targets file looks, for those who have none.
pub(super) const EXAMPLE: &str = "write one with two lines: `- targets: [https://www.example.com/]` and `  labels: { service: shop }`";

/// The labels that the shipped rules join on, and the values for which they have a rule.
const CLOSED: &[(&str, &[&str])] = &[
    ("alert_after", &["5m", "15m", "1h"]),
    ("slo", &["90", "95", "99", "99.5", "99.9", "99.95", "99.99"]),
    ("max_latency", &["250ms", "500ms", "1s", "2s", "5s", "10s", "30s"]),
    ("severity", &["critical", "warning", "info"]),
];

/// The labels that set something up and are not carried to the series.
const INTERNAL: &[&str] = &["__scrape_interval__", "__scrape_timeout__", "__param_module"];

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
    /// Where each instance was seen first.
    pub(super) seen: &'a mut HashMap<String, String>,
    pub(super) targets: &'a mut Vec<Arc<Target>>,
    pub(super) problems: Vec<Problem>,
}

/// What a group's labels say.
struct Settings {
    module: Option<Arc<probe::Module>>,
    name: String,
    labels: Vec<(String, String)>,
    internal_labels: Arc<[(String, String)]>,
    interval: Duration,
    timeout: Duration,
}

impl Reading<'_> {
    /// Adds the text's targets, and its mistakes to `problems`.
    pub(super) fn read(&mut self, text: &str) {
        let (groups, problems) = yaml::read::<Vec<RawGroup>>(text);
        self.problems.extend(problems.into_iter().map(|problem| {
            let empty = problem.message == yaml::EMPTY;
            let hint = if empty {
                Some(format!("for no targets write `[]`; otherwise {EXAMPLE}"))
            } else {
                problem.hint
            };
            Problem { hint, ..problem }
        }));
        groups.iter().flatten().for_each(|group| self.group(group));
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
    }

    fn wrong(&mut self, at: &Spanned<String>, message: String, hint: impl Into<Option<String>>) {
        self.problems.push(Problem {
            line: at.line,
            column: at.column,
            message,
            hint: hint.into(),
        });
    }

    fn group(&mut self, group: &RawGroup) {
        let settings = self.settings(group);
        for text in &group.targets {
            let origin = format!("{}:{}", self.path.display(), text.line);
            if let Some(first) = self.seen.get(&text.value) {
                let hint = format!("it stands at {first} already; each target may be listed once");
                self.wrong(text, format!("duplicate target `{}`", text.value), hint);
                continue;
            }
            self.seen.insert(text.value.clone(), origin.clone());
            let Some(module) = &settings.module else { continue };
            match module.target(&text.value) {
                Ok(address) => {
                    let own = [("job", JOB), ("instance", text.value.as_str())];
                    let user =
                        settings.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                    self.targets.push(Arc::new(Target {
                        instance: text.value.clone(),
                        address,
                        module: settings.name.clone(),
                        labels: series::Labels::new(user.chain(own)),
                        internal_labels: Arc::clone(&settings.internal_labels),
                        interval: settings.interval,
                        timeout: settings.timeout,
                        origin,
                    }));
                }
                Err(error) => self.wrong(text, error.message, error.hint),
            }
        }
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
        let (plain, parameter) = (find("module"), find("__param_module"));
        if let (Some(plain), Some(parameter)) = (plain, parameter)
            && plain.value != parameter.value
        {
            self.wrong(
                parameter,
                "`module` and `__param_module` differ".to_owned(),
                "keep one of them".to_owned(),
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
        let interval_label = find("__scrape_interval__");
        let timeout_label = find("__scrape_timeout__");
        let interval =
            interval_label.and_then(|value| self.duration(value)).unwrap_or(self.sources.interval);
        let given = timeout_label.and_then(|value| self.duration(value));
        if let (Some(timeout), Some(value)) = (given, timeout_label)
            && timeout > interval
        {
            let hint = "shorten it, or set a longer `__scrape_interval__`".to_owned();
            self.wrong(
                value,
                format!("the timeout {} is longer than the interval", value.value),
                hint,
            );
        }
        // A short interval of its own shortens the timeout that the target did not choose.
        let timeout = given.unwrap_or(self.sources.timeout.min(interval));
        Settings {
            module,
            name,
            labels,
            internal_labels: internal_labels.into(),
            interval,
            timeout,
        }
    }

    fn label(&mut self, name: &Spanned<String>, value: &Spanned<String>) {
        let text = name.value.as_str();
        let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if text.is_empty()
            || text.starts_with(|first: char| first.is_ascii_digit())
            || !text.chars().all(word)
        {
            let hint = "use letters, digits and `_`, not beginning with a digit".to_owned();
            self.wrong(name, format!("`{text}` is not a label name"), hint);
        } else if text == "instance" || text == "job" {
            let hint = "rename the label; `instance` is the target itself, `job` is `webservices`"
                .to_owned();
            self.wrong(name, format!("the label `{text}` is set by the monitor"), hint);
        } else if text.starts_with("__") && !INTERNAL.contains(&text) {
            let all = format!("known are {}", INTERNAL.join(", "));
            let hint = did_you_mean(text, INTERNAL.iter().copied())
                .map_or(all.clone(), |near| format!("{near} {all}"));
            self.wrong(name, format!("the label `{text}` has no meaning here"), hint);
        }
        if let Some((_, allowed)) = CLOSED.iter().find(|(closed, _)| *closed == text)
            && !allowed.contains(&value.value.as_str())
        {
            let hint = format!("the values are {}", allowed.join(", "));
            self.wrong(value, format!("`{text}` cannot be `{}`", value.value), hint);
        }
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let milliseconds = series::time::parse_duration(&text.value)
            .ok()
            .and_then(|value| u64::try_from(value).ok());
        match milliseconds {
            Some(milliseconds) if milliseconds > 0 => Some(Duration::from_millis(milliseconds)),
            _ => {
                self.wrong(
                    text,
                    format!("`{}` is not a duration", text.value),
                    "write it as 15s, 1m or 1m30s".to_owned(),
                );
                None
            }
        }
    }
}
