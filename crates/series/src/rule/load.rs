//! Rule files: text to groups, with every mistake and its place.
//!
//! Must not know how rules are evaluated.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use yaml::{Problem, Spanned};

use super::{ALERT_NAME, Group, Rule, RuleKind, template};
use crate::{
    Matcher, Series, Source, SourceError, Timestamp,
    labels::METRIC_NAME,
    promql::{Options, Query, Value},
    time::parse_duration,
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
    pub warnings: Vec<Problem>,
}

/// Reads a Prometheus rule file
/// (<https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/>). A file of comments alone has no groups.
///
/// # Errors
/// Every mistake, in the order of the text: unknown keys, invalid names, durations, expressions and templates, and duplicate
/// groups.
pub fn load(text: &str) -> Result<Loaded, Vec<Problem>> {
    let (file, problems) = yaml::read::<Option<RawFile>>(text);
    if problems.iter().any(|problem| problem.message == yaml::EMPTY) {
        return Ok(Loaded::default());
    }
    let mut loader = Loader { complete: problems.is_empty(), problems, warnings: Vec::new() };
    let mut groups = Vec::new();
    let mut names = HashMap::new();
    for group in file.flatten().and_then(|file| file.groups).unwrap_or_default() {
        if let Some(name) = &group.value.name
            && let Some(line) = names.insert(name.value.clone(), name.line)
        {
            let message = format!("duplicate group `{}`", name.value);
            loader.add(place(name), message, Some(format!("the other one is in line {line}")));
        }
        groups.extend(loader.group(group));
    }
    if loader.problems.is_empty() {
        loader.warnings.sort_by_key(|warning| (warning.line, warning.column));
        return Ok(Loaded { groups, warnings: loader.warnings });
    }
    loader.problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(loader.problems)
}

/// A line and a column.
type Place = (usize, usize);

fn place<T>(spanned: &Spanned<T>) -> Place {
    (spanned.line, spanned.column)
}

struct Loader {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Whether nothing was cut out of the file, so that what is missing was never there.
    complete: bool,
}

impl Loader {
    fn add(&mut self, (line, column): Place, message: String, hint: Option<String>) {
        self.problems.push(Problem { line, column, message, hint });
    }

    fn missing(&mut self, place: Place, message: &str, hint: &str) {
        if self.complete {
            self.add(place, message.to_owned(), Some(hint.to_owned()));
        }
    }

    fn group(&mut self, group: Spanned<RawGroup>) -> Option<Group> {
        let place = place(&group);
        let group = group.value;
        let name = self.name(group.name, place, "the group");
        let interval_ms = self.duration(group.interval.as_ref());
        if interval_ms == Some(0) {
            let place =
                group.interval.as_ref().map_or(place, |interval| (interval.line, interval.column));
            self.add(place, "the interval must be longer than zero".to_owned(), None);
        }
        let query_offset_ms = self.duration(group.query_offset.as_ref()).unwrap_or(0);
        self.templates(group.labels.as_ref());
        let labels = self.texts(group.labels, true);
        let mut rules: Vec<Rule> = Vec::new();
        let mut seen = HashMap::new();
        for rule in group.rules.unwrap_or_default() {
            let place = (rule.line, rule.column);
            let Some(rule) = self.rule(rule, &labels) else { continue };
            let identity =
                (rule.name.clone(), rule.labels.clone(), rule.kind == RuleKind::Recording);
            if let Some(first) = seen.insert(identity, place.0) {
                // Prometheus takes them, and where both give the same series or alert, the first one's samples stay.
                self.warnings.push(Problem {
                    line: place.0,
                    column: place.1,
                    message: format!(
                        "duplicate rule: `{}` is in this group with the same labels in line {first} also",
                        rule.name
                    ),
                    hint: Some("rename one of them, give it another label, or join the expressions with `or`".to_owned()),
                });
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
        let place = place(&rule);
        let rule = rule.value;
        let recording = rule.record.is_some();
        let name = match (rule.record, rule.alert) {
            (Some(record), None) => self.recorded(record),
            (None, Some(alert)) => self.name(Some(alert), place, "the alert"),
            (Some(_), Some(alert)) => {
                self.add(
                    (alert.line, alert.column),
                    "a rule cannot have both `record` and `alert`".to_owned(),
                    Some("make two rules of it".to_owned()),
                );
                None
            }
            (None, None) => {
                self.missing(
                    place,
                    "the rule has neither `record` nor `alert`",
                    "one of them names the rule",
                );
                None
            }
        };
        let query = self.query(rule.expr, place);
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
        Some(Rule { name: name?, query: query?, kind, labels, annotations, line: place.0 })
    }

    fn name(&mut self, name: Option<Spanned<String>>, whole: Place, what: &str) -> Option<String> {
        match name {
            Some(name) if name.value.trim().is_empty() => {
                self.add(place(&name), format!("{what} needs a name"), None);
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
        if is_name(&record.value, true) {
            return Some(record.value);
        }
        let message = format!("`{}` is not a metric name", record.value);
        let hint = "letters, digits, `_` and `:`, not beginning with a digit".to_owned();
        self.add(place(&record), message, Some(hint));
        None
    }

    fn query(&mut self, expr: Option<Spanned<String>>, whole: Place) -> Option<Query> {
        let Some(expr) = expr else {
            self.missing(whole, "the rule has no `expr`", "`expr` holds the PromQL expression");
            return None;
        };
        let checked =
            Query::parse(&expr.value).map_err(|error| error.to_string()).and_then(|query| {
                match query.instant(&Nothing, 0, &Options::default()) {
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
        checked.map_err(|message| self.add(place(&expr), message, None)).ok()
    }

    fn duration(&mut self, text: Option<&Spanned<String>>) -> Option<i64> {
        let text = text?;
        parse_duration(&text.value)
            .map_err(|error| self.add(place(text), error.to_string(), None))
            .ok()
    }

    fn alerts_only<T>(&mut self, key: &str, value: Option<&Spanned<T>>) {
        if let Some(value) = value {
            let message = format!("only a rule with `alert` can have `{key}`");
            self.add(place(value), message, None);
        }
    }

    fn templates(&mut self, texts: Option<&RawTexts>) {
        for text in texts.into_iter().flat_map(BTreeMap::values) {
            let Err(message) = template::check(text.value.as_deref().unwrap_or_default()) else {
                continue;
            };
            let (message, hint) = match message.split_once("\nhint: ") {
                Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
                None => (message, None),
            };
            self.add(place(text), format!("not a valid template: {message}"), hint);
        }
    }

    /// The texts, without those whose names are not valid.
    fn texts(&mut self, texts: Option<RawTexts>, labels: bool) -> BTreeMap<String, String> {
        let mut valid = BTreeMap::new();
        for (name, text) in texts.unwrap_or_default() {
            let what = if labels { "a label" } else { "an annotation" };
            let place = place(&text);
            if labels && (name == METRIC_NAME || name == ALERT_NAME) {
                let message = format!("the label `{name}` is set by the rule's name");
                self.add(place, message, None);
            } else if is_name(&name, false) {
                valid.insert(name, text.value.unwrap_or_default());
            } else {
                let message = format!("`{name}` is not a name for {what}");
                let hint = "letters, digits and `_`, not beginning with a digit".to_owned();
                self.add(place, message, Some(hint));
            }
        }
        valid
    }
}

/// Whether a text is a valid name of a label, or of a metric with `colons`.
fn is_name(name: &str, colons: bool) -> bool {
    let valid = |character: char| {
        character.is_ascii_alphanumeric() || character == '_' || (colons && character == ':')
    };
    name.chars().all(valid) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

/// A source without series: it shows of what kind a query's answer is.
struct Nothing;

impl Source for Nothing {
    fn select(
        &self,
        _: &[Matcher],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Series>, SourceError> {
        Ok(Vec::new())
    }
}
