//! Test files: text to tests, with every mistake and its place.
//!
//! Must not know how tests are run.

use std::collections::{BTreeMap, HashMap};

use notation::{Diagnostic, duration};
use serde::Deserialize;
use yaml::Spanned;

use super::values;
use crate::{
    Labels, Timestamp,
    promql::{Element, Query},
    rule::{External, Group, load},
};

/// promtool's default, in milliseconds.
const EVALUATION_INTERVAL_MS: i64 = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    rule_files: Vec<Spanned<String>>,
    evaluation_interval: Option<Spanned<String>>,
    #[serde(default)]
    group_eval_order: Vec<Spanned<String>>,
    #[serde(default)]
    fuzzy_compare: bool,
    #[serde(default)]
    tests: Vec<RawTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: Option<String>,
    interval: Option<Spanned<String>>,
    #[serde(default)]
    input_series: Vec<RawSeries>,
    #[serde(default)]
    alert_rule_test: Vec<RawAlertCase>,
    #[serde(default)]
    promql_expr_test: Vec<RawExpressionCase>,
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
    external_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeries {
    series: Spanned<String>,
    values: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlertCase {
    eval_time: Spanned<String>,
    alertname: String,
    exp_alerts: Option<Vec<RawAlert>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlert {
    #[serde(default)]
    exp_labels: BTreeMap<String, Option<String>>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpressionCase {
    expr: Spanned<String>,
    eval_time: Spanned<String>,
    exp_samples: Option<Vec<RawSample>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSample {
    labels: Spanned<String>,
    value: Spanned<String>,
}

/// A test file with its rules.
pub(super) struct Input {
    /// The groups in the order of evaluation.
    pub(super) groups: Vec<Group>,
    pub(super) evaluation_interval_ms: i64,
    /// Whether neighbouring floats count as equal.
    pub(super) fuzzy: bool,
    pub(super) tests: Vec<Test>,
}

/// One test.
pub(super) struct Test {
    name: String,
    pub(super) interval_ms: i64,
    pub(super) series: Vec<InputSeries>,
    pub(super) alerts: Vec<AlertCase>,
    pub(super) expressions: Vec<ExpressionCase>,
    pub(super) external: External,
}

/// A series and its values, one for each step.
pub(super) struct InputSeries {
    pub(super) labels: Labels,
    pub(super) values: Vec<Option<f64>>,
}

/// Which alerts of one name must fire at a time.
pub(super) struct AlertCase {
    pub(super) eval_time_ms: Timestamp,
    pub(super) name: String,
    pub(super) alerts: Vec<ExpectedAlert>,
}

/// An alert that must fire.
pub(super) struct ExpectedAlert {
    pub(super) labels: Labels,
    pub(super) annotations: BTreeMap<String, String>,
}

/// What an expression must give at a time.
pub(super) struct ExpressionCase {
    pub(super) query: Query,
    pub(super) eval_time_ms: Timestamp,
    pub(super) samples: Vec<Element>,
}

impl Test {
    /// A line that names the test, for the head of a failure; empty when it has no name.
    pub(super) fn title(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("    name: {},\n", self.name) }
    }

    /// The last time at which something is compared.
    pub(super) fn end(&self) -> Timestamp {
        let alerts = self.alerts.iter().map(|case| case.eval_time_ms);
        alerts.chain(self.expressions.iter().map(|case| case.eval_time_ms)).max().unwrap_or(0)
    }

    /// How many steps the longest series has.
    pub(super) fn steps(&self) -> usize {
        self.series.iter().map(|series| series.values.len()).max().unwrap_or(0)
    }
}

/// Reads a test file and the rule files that it names.
///
/// # Errors
/// Every mistake, in the order of the text.
pub(super) fn parse(
    text: &str,
    load_rule_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Input, Vec<Diagnostic>> {
    let (file, mistakes) = yaml::read::<RawFile>(text);
    let mut reader = Reader { mistakes };
    let input = file.map(|file| reader.file(file, load_rule_file));
    match input {
        Some(input) if reader.mistakes.is_empty() => Ok(input),
        _ => {
            reader.mistakes.sort_by_key(|mistake| mistake.position);
            Err(reader.mistakes)
        }
    }
}

struct Reader {
    mistakes: Vec<Diagnostic>,
}

impl Reader {
    fn add<T>(&mut self, at: &Spanned<T>, message: String) {
        self.mistakes.push(Diagnostic::new(message).at(at.position));
    }

    fn file(
        &mut self,
        file: RawFile,
        load_rule_file: &dyn Fn(&str) -> Result<String, String>,
    ) -> Input {
        let evaluation_interval_ms = self.interval(file.evaluation_interval.as_ref());
        let evaluation_interval_ms = evaluation_interval_ms.unwrap_or(EVALUATION_INTERVAL_MS);
        let mut order = HashMap::new();
        for (index, name) in file.group_eval_order.iter().enumerate() {
            if order.insert(name.value.clone(), index).is_some() {
                self.add(name, format!("duplicate group `{}`", name.value));
            }
        }
        let mut groups: Vec<Group> = Vec::new();
        for name in &file.rule_files {
            match load_rule_file(&name.value) {
                Ok(text) => match load(&text) {
                    Ok(loaded) => groups.extend(loaded.groups),
                    Err(mistakes) => {
                        for mistake in mistakes {
                            self.add(name, format!("{}: {mistake}", name.value));
                        }
                    }
                },
                Err(message) => self.add(name, message),
            }
        }
        // A stable sort: groups of equal rank keep the order of the files.
        groups.sort_by_key(|group| order.get(&group.name).copied().unwrap_or(0));
        let tests = file.tests.into_iter();
        let tests = tests.map(|test| self.test(test, evaluation_interval_ms)).collect();
        Input { groups, evaluation_interval_ms, fuzzy: file.fuzzy_compare, tests }
    }

    fn test(&mut self, test: RawTest, evaluation_interval_ms: i64) -> Test {
        let interval_ms = self.interval(test.interval.as_ref()).unwrap_or(evaluation_interval_ms);
        let series = test.input_series.into_iter().map(|series| InputSeries {
            labels: self.read(&series.series, values::metric).unwrap_or_default(),
            values: self.read(&series.values, values::values).unwrap_or_default(),
        });
        let series = series.collect();
        let alerts = test.alert_rule_test.into_iter().map(|case| AlertCase {
            eval_time_ms: self.duration(&case.eval_time).unwrap_or(0),
            name: case.alertname,
            alerts: case.exp_alerts.unwrap_or_default().into_iter().map(to_alert).collect(),
        });
        let alerts = alerts.collect();
        let expressions = test.promql_expr_test.into_iter();
        let expressions = expressions.filter_map(|case| self.expression(case)).collect();
        Test {
            name: test.name.unwrap_or_default(),
            interval_ms,
            series,
            alerts,
            expressions,
            external: External {
                url: test.external_url.unwrap_or_default(),
                labels: Labels::new(test.external_labels),
            },
        }
    }

    fn expression(&mut self, case: RawExpressionCase) -> Option<ExpressionCase> {
        let parse = |text: &str| Query::parse(text).map_err(|error| error.to_string());
        let query = self.read(&case.expr, parse);
        let eval_time_ms = self.duration(&case.eval_time);
        let number = |text: &str| {
            text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a number"))
        };
        let mut samples = Vec::new();
        for sample in case.exp_samples.unwrap_or_default() {
            let labels = self.read(&sample.labels, values::metric);
            let value = self.read(&sample.value, number);
            if let (Some(labels), Some(value)) = (labels, value) {
                samples.push(Element { labels, value });
            }
        }
        Some(ExpressionCase { query: query?, eval_time_ms: eval_time_ms?, samples })
    }

    fn read<T>(
        &mut self,
        text: &Spanned<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(&text.value).map_err(|message| self.add(text, message)).ok()
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<i64> {
        self.read(text, |text| duration::parse_prometheus(text).map_err(|error| error.to_string()))
    }

    fn interval(&mut self, text: Option<&Spanned<String>>) -> Option<i64> {
        let text = text?;
        let interval = self.duration(text)?;
        if interval == 0 {
            self.add(text, "the interval must be longer than zero".to_owned());
            return None;
        }
        Some(interval)
    }
}

fn to_alert(alert: RawAlert) -> ExpectedAlert {
    let plain = |texts: BTreeMap<String, Option<String>>| {
        texts.into_iter().map(|(name, text)| (name, text.unwrap_or_default()))
    };
    ExpectedAlert {
        labels: Labels::new(plain(alert.exp_labels)),
        annotations: plain(alert.exp_annotations).collect(),
    }
}
