//! Linear regression and exponential smoothing.
//!
//! Must not know labels.

use super::{Plan, SAME_LABELS, Table, argument, merge};
use crate::{
    Sample, Timestamp,
    promql::{
        QueryError,
        evaluate::Evaluation,
        number::{Sum, seconds},
        table::Window,
    },
};

/// `deriv()`: the slope of the regression line, per second.
pub(super) fn slope(window: &Window<'_>) -> Option<f64> {
    let first = window.samples.first()?;
    regression(window.samples, first.timestamp).map(|(slope, _)| slope)
}

/// `predict_linear(v, t)`: the regression line `t` seconds after the time of evaluation.
pub(super) fn predict(window: &Window<'_>) -> Option<f64> {
    let ahead = window.parameters.first()?;
    regression(window.samples, window.at).map(|(slope, intercept)| slope * ahead + intercept)
}

/// The slope and the value at `origin` of the least-squares line.
fn regression(samples: &[Sample], origin: Timestamp) -> Option<(f64, f64)> {
    let first = samples.first()?;
    if samples.len() < 2 {
        return None;
    }
    // A constant series has no rounding errors this way, and an infinite one no line.
    if samples.iter().all(|sample| crate::promql::number::equal(sample.value, first.value)) {
        return Some(if first.value.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first.value)
        });
    }
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [Sum::default(); 4];
    let mut count = 0.0;
    for sample in samples {
        count += 1.0;
        let x = seconds(sample.timestamp.saturating_sub(origin));
        sum_x.add(x);
        sum_y.add(sample.value);
        sum_xy.add(x * sample.value);
        sum_xx.add(x * x);
    }
    let (sum_x, sum_y) = (sum_x.value(), sum_y.value());
    let covariance = sum_xy.value() - sum_x * sum_y / count;
    let variance = sum_xx.value() - sum_x * sum_x / count;
    let slope = covariance / variance;
    Some((slope, sum_y / count - slope * sum_x / count))
}

/// `double_exponential_smoothing(v, sf, tf)`
pub(super) fn double_exponential_smoothing(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let Plan::Range(selector) = argument(arguments, 0)? else {
        return Err(QueryError::Evaluate("expected a range vector".to_owned()));
    };
    let smoothing = evaluation.scalar(argument(arguments, 1)?)?;
    let trend = evaluation.scalar(argument(arguments, 2)?)?;
    for (name, factors) in [("smoothing", &smoothing), ("trend", &trend)] {
        if let Some(factor) = factors.iter().find(|factor| !(**factor > 0.0 && **factor < 1.0)) {
            return Err(QueryError::Evaluate(format!(
                "invalid {name} factor: expected 0 < factor < 1, got {factor}"
            )));
        }
    }
    let mut columns = evaluation.over_windows(selector, &[smoothing, trend], smooth)?;
    for column in &mut columns {
        column.labels = column.labels.without_metric_name();
    }
    Ok(Table::Vector(merge(columns, SAME_LABELS)?))
}

fn smooth(window: &Window<'_>) -> Option<f64> {
    let [smoothing, trend] = window.parameters else { return None };
    let [first, second, ..] = window.samples else { return None };
    let (mut before, mut level) = (0.0, first.value);
    let mut slope = second.value - first.value;
    for (index, sample) in window.samples.iter().skip(1).enumerate() {
        if index > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (level + slope);
        before = level;
        level = next;
    }
    Some(level)
}
