//! Rule files: text to groups, with every mistake and its place.
//!
//! Must not know how rules are evaluated.

use std::collections::{BTreeMap, HashMap};

use notation::{
    Diagnostic, Position, duration,
    name::{LABEL_NAME_HINT, METRIC_NAME_HINT, is_label_name, is_metric_name},
};
use serde::Deserialize;
use yaml::Spanned;

use super::{ALERT_NAME, Group, Rule, RuleKind, template};
use crate::{
    NoSamples,
    labels::METRIC_NAME,
    promql::{Options, Query, Value},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    groups: Option<Vec<Spanned<RawGroup>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: Option<Spanned<String>>,
    interval: Option<Spanned<String>>,
    limit: Option<i64>,
    query_offset: Option<Spanned<String>>,
    labels: Option<RawTexts>,
    rules: Option<Vec<Spanned<RawRule>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    record: Option<Spanned<String>>,
    alert: Option<Spanned<String>>,
    expr: Option<Spanned<String>>,
    r#for: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    labels: Option<RawTexts>,
    annotations: Option<RawTexts>,
}

type RawTexts = BTreeMap<String, Spanned<Option<String>>>;

/// A rule file without mistakes.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The groups in the order of the file.
    pub groups: Vec<Group>,
    /// What is valid and yet looks like a slip, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a Prometheus rule file
/// (<https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/>). A file of comments alone has no groups.
///
/// # Errors
/// Every mistake, in the order of the text: unknown keys, invalid names, durations, expressions and templates, and duplicate
/// groups.
pub fn load(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let (file, mistakes) = yaml::read::<Option<RawFile>>(text);
    if mistakes.iter().any(|mistake| mistake.message == yaml::EMPTY) {
        return Ok(Loaded::default());
    }
    let mut loader = Loader { complete: mistakes.is_empty(), mistakes, warnings: Vec::new() };
    let mut groups = Vec::new();
    let mut names = HashMap::new();
    for group in file.flatten().and_then(|file| file.groups).unwrap_or_default() {
        if let Some(name) = &group.value.name
            && let Some(line) = names.insert(name.value.clone(), name.position.line)
        {
            let mistake = Diagnostic::new(format!("duplicate group `{}`", name.value))
                .hint(format!("the other one is in line {line}"));
            loader.add(name.position, mistake);
        }
        groups.extend(loader.group(group));
    }
    if loader.mistakes.is_empty() {
        loader.warnings.sort_by_key(|warning| warning.position);
        return Ok(Loaded { groups, warnings: loader.warnings });
    }
    loader.mistakes.sort_by_key(|mistake| mistake.position);
    Err(loader.mistakes)
}

struct Loader {
    mistakes: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// Whether nothing was cut out of the file, so that what is missing was never there.
    complete: bool,
}

impl Loader {
    fn add(&mut self, position: Position, mistake: Diagnostic) {
        self.mistakes.push(mistake.at(position));
    }

    fn missing(&mut self, position: Position, message: &str, hint: &str) {
        if self.complete {
            self.add(position, Diagnostic::new(message).hint(hint));
        }
    }

    fn group(&mut self, group: Spanned<RawGroup>) -> Option<Group> {
        let position = group.position;
        let group = group.value;
        let name = self.name(group.name, position, "the group");
        let interval_ms = self.duration(group.interval.as_ref());
        if interval_ms == Some(0) {
            let position = group.interval.as_ref().map_or(position, |interval| interval.position);
            self.add(position, Diagnostic::new("the interval must be longer than zero"));
        }
        let query_offset_ms = self.duration(group.query_offset.as_ref()).unwrap_or(0);
        self.templates(group.labels.as_ref());
        let labels = self.texts(group.labels, true);
        let mut rules: Vec<Rule> = Vec::new();
        let mut seen = HashMap::new();
        for rule in group.rules.unwrap_or_default() {
            let position = rule.position;
            let Some(rule) = self.rule(rule, &labels) else { continue };
            let identity =
                (rule.name.clone(), rule.labels.clone(), rule.kind == RuleKind::Recording);
            if let Some(first) = seen.insert(identity, position.line) {
                // Prometheus takes them, and where both give the same series or alert, the first one's samples stay.
                let warning = Diagnostic::new(format!(
                    "duplicate rule: `{}` is in this group with the same labels in line {first} also",
                    rule.name
                ));
                self.warnings.push(
                    warning
                        .hint("rename one of them, give it another label, or join the expressions with `or`")
                        .at(position),
                );
            }
            rules.push(rule);
        }
        Some(Group {
            name: name?,
            file: String::new(),
            interval_ms,
            rules,
            // As in Prometheus, no limit and a negative one are the same.
            limit: group.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
            query_offset_ms,
            labels,
        })
    }

    fn rule(&mut self, rule: Spanned<RawRule>, group: &BTreeMap<String, String>) -> Option<Rule> {
        let position = rule.position;
        let rule = rule.value;
        let recording = rule.record.is_some();
        let name = match (rule.record, rule.alert) {
            (Some(record), None) => self.recorded(record),
            (None, Some(alert)) => self.name(Some(alert), position, "the alert"),
            (Some(_), Some(alert)) => {
                self.add(
                    alert.position,
                    Diagnostic::new("a rule cannot have both `record` and `alert`")
                        .hint("make two rules of it"),
                );
                None
            }
            (None, None) => {
                self.missing(
                    position,
                    "the rule has neither `record` nor `alert`",
                    "one of them names the rule",
                );
                None
            }
        };
        let query = self.query(rule.expr, position);
        let for_ms = self.duration(rule.r#for.as_ref());
        let keep_firing_for_ms = self.duration(rule.keep_firing_for.as_ref());
        if recording {
            self.alerts_only("for", rule.r#for.as_ref());
            self.alerts_only("keep_firing_for", rule.keep_firing_for.as_ref());
            let annotation = rule.annotations.as_ref().and_then(|texts| texts.values().next());
            self.alerts_only("annotations", annotation);
        } else {
            self.templates(rule.labels.as_ref());
            self.templates(rule.annotations.as_ref());
        }
        let mut labels = group.clone();
        labels.extend(self.texts(rule.labels, true));
        let annotations = self.texts(rule.annotations, false);
        let kind = if recording {
            RuleKind::Recording
        } else {
            RuleKind::Alerting {
                for_ms: for_ms.unwrap_or(0),
                keep_firing_for_ms: keep_firing_for_ms.unwrap_or(0),
            }
        };
        Some(Rule { name: name?, query: query?, kind, labels, annotations, line: position.line })
    }

    fn name(
        &mut self,
        name: Option<Spanned<String>>,
        whole: Position,
        what: &str,
    ) -> Option<String> {
        match name {
            Some(name) if name.value.trim().is_empty() => {
                self.add(name.position, Diagnostic::new(format!("{what} needs a name")));
                None
            }
            Some(name) => Some(name.value),
            None => {
                self.missing(whole, &format!("{what} has no name"), "give it one with `name:`");
                None
            }
        }
    }

    fn recorded(&mut self, record: Spanned<String>) -> Option<String> {
        if is_metric_name(&record.value) {
            return Some(record.value);
        }
        let message = format!("`{}` is not a metric name", record.value);
        self.add(record.position, Diagnostic::new(message).hint(METRIC_NAME_HINT));
        None
    }

    fn query(&mut self, expr: Option<Spanned<String>>, whole: Position) -> Option<Query> {
        let Some(expr) = expr else {
            self.missing(whole, "the rule has no `expr`", "`expr` holds the PromQL expression");
            return None;
        };
        let checked =
            Query::parse(&expr.value).map_err(|error| error.to_string()).and_then(|query| {
                match query.instant(&NoSamples, 0, &Options::default()) {
                    Ok(Value::String(_)) => {
                        Err("a rule needs a vector or a number, not a text".to_owned())
                    }
                    Ok(Value::Matrix(_)) => {
                        Err("a rule needs a vector or a number, not a range vector".to_owned())
                    }
                    // What fails without samples may work with them.
                    Ok(Value::Vector(_) | Value::Scalar(_)) | Err(_) => Ok(query),
                }
            });
        checked.map_err(|message| self.add(expr.position, Diagnostic::new(message))).ok()
    }

    fn duration(&mut self, text: Option<&Spanned<String>>) -> Option<i64> {
        let text = text?;
        duration::parse_prometheus(&text.value)
            .map_err(|error| self.add(text.position, Diagnostic::new(error.to_string())))
            .ok()
    }

    fn alerts_only<T>(&mut self, key: &str, value: Option<&Spanned<T>>) {
        if let Some(value) = value {
            let message = format!("only a rule with `alert` can have `{key}`");
            self.add(value.position, Diagnostic::new(message));
        }
    }

    fn templates(&mut self, texts: Option<&RawTexts>) {
        for text in texts.into_iter().flat_map(BTreeMap::values) {
            if let Err(mistake) = template::check(text.value.as_deref().unwrap_or_default()) {
                let message = format!("not a valid template: {}", mistake.message);
                self.add(text.position, Diagnostic { message, ..mistake });
            }
        }
    }

    /// The texts, without those whose names are not valid.
    fn texts(&mut self, texts: Option<RawTexts>, labels: bool) -> BTreeMap<String, String> {
        let mut valid = BTreeMap::new();
        for (name, text) in texts.unwrap_or_default() {
            if labels && (name == METRIC_NAME || name == ALERT_NAME) {
                let message = format!("the label `{name}` is set by the rule's name");
                self.add(text.position, Diagnostic::new(message));
            } else if is_label_name(&name) {
                valid.insert(name, text.value.unwrap_or_default());
            } else {
                let what = if labels { "a label" } else { "an annotation" };
                let message = format!("`{name}` is not a name for {what}");
                self.add(text.position, Diagnostic::new(message).hint(LABEL_NAME_HINT));
            }
        }
        valid
    }
}
