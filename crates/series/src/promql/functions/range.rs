//! The functions over the samples of a window.
//!
//! Must not know labels, but for `absent_over_time`.

#![expect(clippy::unnecessary_wraps, reason = "all functions of one shape have one signature")]

use super::{Plan, Table, argument, instant, single};
use crate::{
    Sample,
    promql::{QueryError, evaluate::Evaluation, number, plan::RangeSource, table::Window},
};

fn values<'a>(window: &'a Window<'_>) -> impl Iterator<Item = f64> + 'a {
    window.samples.iter().map(|sample| sample.value)
}

/// `sum_over_time()`
pub(super) fn sum(window: &Window<'_>) -> Option<f64> {
    Some(number::sum(values(window)))
}

/// `avg_over_time()`
pub(super) fn mean(window: &Window<'_>) -> Option<f64> {
    Some(number::mean(values(window)))
}

/// `count_over_time()`
pub(super) fn count(window: &Window<'_>) -> Option<f64> {
    Some(number::from_count(window.samples.len()))
}

/// `present_over_time()`
pub(super) fn present(_window: &Window<'_>) -> Option<f64> {
    Some(1.0)
}

/// `first_over_time()`
pub(super) fn first(window: &Window<'_>) -> Option<f64> {
    window.samples.first().map(|sample| sample.value)
}

/// `last_over_time()`
pub(super) fn last(window: &Window<'_>) -> Option<f64> {
    window.samples.last().map(|sample| sample.value)
}

/// The first sample that no later one precedes in the order of `better`; any number is better than NaN.
fn extreme(window: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> Option<Sample> {
    window.samples.iter().copied().reduce(|best, sample| {
        if best.value.is_nan() && !sample.value.is_nan() || better(sample.value, best.value) {
            sample
        } else {
            best
        }
    })
}

/// `max_over_time()`
pub(super) fn maximum(window: &Window<'_>) -> Option<f64> {
    extreme(window, |new, best| new > best).map(|sample| sample.value)
}

/// `min_over_time()`
pub(super) fn minimum(window: &Window<'_>) -> Option<f64> {
    extreme(window, |new, best| new < best).map(|sample| sample.value)
}

/// `ts_of_max_over_time()`: of equal values the last.
pub(super) fn time_of_maximum(window: &Window<'_>) -> Option<f64> {
    extreme(window, |new, best| new >= best).map(|sample| number::seconds(sample.timestamp))
}

/// `ts_of_min_over_time()`: of equal values the last.
pub(super) fn time_of_minimum(window: &Window<'_>) -> Option<f64> {
    extreme(window, |new, best| new <= best).map(|sample| number::seconds(sample.timestamp))
}

/// `ts_of_first_over_time()`
pub(super) fn time_of_first(window: &Window<'_>) -> Option<f64> {
    window.samples.first().map(|sample| number::seconds(sample.timestamp))
}

/// `ts_of_last_over_time()`
pub(super) fn time_of_last(window: &Window<'_>) -> Option<f64> {
    window.samples.last().map(|sample| number::seconds(sample.timestamp))
}

/// `stdvar_over_time()`
pub(super) fn variance(window: &Window<'_>) -> Option<f64> {
    Some(number::variance(values(window)))
}

/// `stddev_over_time()`
pub(super) fn standard_deviation(window: &Window<'_>) -> Option<f64> {
    variance(window).map(f64::sqrt)
}

/// `quantile_over_time(q, v)`
pub(super) fn quantile(window: &Window<'_>) -> Option<f64> {
    let q = *window.parameters.first()?;
    Some(number::quantile(q, &mut values(window).collect::<Vec<_>>()))
}

/// `mad_over_time()`: the median distance from the median; NaN when any value is.
pub(super) fn median_absolute_deviation(window: &Window<'_>) -> Option<f64> {
    if values(window).any(f64::is_nan) {
        return Some(f64::NAN);
    }
    let mut sorted: Vec<f64> = values(window).collect();
    let median = number::quantile(0.5, &mut sorted);
    for value in &mut sorted {
        *value = (*value - median).abs();
    }
    Some(number::quantile(0.5, &mut sorted))
}

/// `changes()`: how often the value differs from the one before; NaN equals NaN here.
pub(super) fn changes(window: &Window<'_>) -> Option<f64> {
    let same =
        |left: f64, right: f64| number::equal(left, right) || (left.is_nan() && right.is_nan());
    Some(count_pairs(window, |before, after| !same(before, after)))
}

/// `resets()`: how often the value is less than the one before.
pub(super) fn resets(window: &Window<'_>) -> Option<f64> {
    Some(count_pairs(window, |before, after| after < before))
}

fn count_pairs(window: &Window<'_>, holds: impl Fn(f64, f64) -> bool) -> f64 {
    let pairs = values(window).zip(values(window).skip(1));
    number::from_count(pairs.filter(|(before, after)| holds(*before, *after)).count())
}

/// `absent_over_time()`: 1 when no series has a sample in the window, with the labels the selector pins down.
pub(super) fn absent_over_time(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let Plan::Range(selector) = argument(arguments, 0)? else {
        return Err(QueryError::Evaluate("expected a range vector".to_owned()));
    };
    let columns = evaluation.over_windows(selector, &[], |_| Some(1.0))?;
    let labels = match &selector.over {
        RangeSource::Series(matchers) => instant::pinned_labels(matchers),
        RangeSource::Subquery { .. } => crate::Labels::default(),
    };
    single(instant::absence(&columns, evaluation.steps.count), labels)
}
