//! Comparing what was expected with what came out, and saying so.
//!
//! Must not know how either came about.

use std::{collections::BTreeMap, fmt::Write as _};

use super::file::{AlertCase, ExpressionCase, Test};
use notation::duration::format_prometheus;

use crate::{
    Labels, Queryable,
    promql::{Element, Options, Value},
    rule::{ALERT_NAME, Alert, AlertState, GroupState},
};

/// An alert as far as tests see it.
type Seen = (Labels, BTreeMap<String, String>);

/// Compares the firing alerts of one name.
pub(super) fn alerts(test: &Test, case: &AlertCase, groups: &[GroupState]) -> Option<String> {
    let mut expected: Vec<Seen> = case
        .alerts
        .iter()
        .map(|alert| (alert.labels.with(ALERT_NAME, &case.name), alert.annotations.clone()))
        .collect();
    let rules = groups.iter().flat_map(GroupState::rules);
    let seen = |alert: &Alert| (alert.labels.clone(), alert.annotations.clone());
    let mut found: Vec<Seen> = rules
        .filter(|state| state.rule().name == case.name)
        .flat_map(|state| {
            state.alerts().filter(|alert| alert.state == AlertState::Firing).map(seen)
        })
        .collect();
    expected.sort();
    found.sort();
    (expected != found).then(|| {
        format!(
            "{}    alertname: {}, time: {},\n        exp:{}\n        got:{}",
            test.title(),
            case.name,
            format_prometheus(case.eval_time_ms),
            describe_alerts(&expected),
            describe_alerts(&found)
        )
    })
}

fn describe_alerts(alerts: &[Seen]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let mut text = "[".to_owned();
    for (index, (labels, annotations)) in alerts.iter().enumerate() {
        // Writing to a string cannot fail.
        let _infallible = write!(
            text,
            "\n            {index}:\n              Labels:{labels}\n              Annotations:{}",
            describe_annotations(annotations)
        );
    }
    text.push_str("\n            ]");
    text
}

fn describe_annotations(annotations: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        annotations.iter().map(|(name, text)| format!("{name}={text:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Compares the answer to an expression.
pub(super) fn expression(
    test: &Test,
    case: &ExpressionCase,
    source: &dyn Queryable,
    fuzzy: bool,
) -> Option<String> {
    let head = format!(
        "{}    expr: {:?}, time: {}",
        test.title(),
        case.query.text(),
        format_prometheus(case.eval_time_ms)
    );
    let mut found = match case.query.instant(source, case.eval_time_ms, &Options::default()) {
        Ok(Value::Vector(elements)) => elements,
        Ok(Value::Scalar(value)) => vec![Element { labels: Labels::default(), value }],
        Ok(Value::String(_) | Value::Matrix(_)) => {
            return Some(format!("{head}, err: rule result is not a vector or scalar"));
        }
        Err(error) => return Some(format!("{head}, err: {error}")),
    };
    let mut expected = case.samples.clone();
    found.sort_by(|left, right| left.labels.cmp(&right.labels));
    expected.sort_by(|left, right| left.labels.cmp(&right.labels));
    let same = expected.len() == found.len()
        && expected.iter().zip(&found).all(|(expected, found)| {
            expected.labels == found.labels && equal(expected.value, found.value, fuzzy)
        });
    (!same).then(|| {
        format!(
            "{head},\n        exp: {}\n        got: {}",
            describe_elements(&expected),
            describe_elements(&found)
        )
    })
}

fn describe_elements(elements: &[Element]) -> String {
    let texts: Vec<String> =
        elements.iter().map(|element| format!("{} {:?}", element.labels, element.value)).collect();
    if texts.is_empty() { "nil".to_owned() } else { texts.join(", ") }
}

/// Whether two values are the same; with `fuzzy` also when they are neighbours.
#[expect(clippy::float_cmp, reason = "promtool compares exactly")]
fn equal(expected: f64, found: f64, fuzzy: bool) -> bool {
    expected == found
        || expected.is_nan() && found.is_nan()
        || fuzzy && (expected.next_up() == found || expected.next_down() == found)
}
