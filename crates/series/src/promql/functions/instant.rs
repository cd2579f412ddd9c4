//! Functions of whole instant vectors, and those without any vector.
//!
//! Must not know how the vectors came about, but for `absent` and `timestamp`, which look at their selector.

#![expect(clippy::unnecessary_wraps, reason = "all functions of one shape have one signature")]

use std::{cmp::Ordering, collections::HashMap};

use super::{Column, Plan, SAME_LABELS, Table, argument, merge, single, text};
use crate::{
    Labels, Matcher, Matching,
    labels::METRIC_NAME,
    promql::{QueryError, evaluate::Evaluation, number},
};

/// `absent()`: 1 when the vector is empty, with the labels its selector pins down.
pub(super) fn absent(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    let plan = argument(arguments, 0)?;
    let columns = evaluation.vector(plan)?;
    let labels = match plan {
        Plan::Instant(selector) => pinned_labels(&selector.matchers),
        _ => Labels::default(),
    };
    single(absence(&columns, evaluation.steps.count), labels)
}

/// 1 at each step at which no column has a value.
pub(super) fn absence(columns: &[Column], count: usize) -> impl Iterator<Item = Option<f64>> {
    let is_present = |step: usize| {
        columns.iter().any(|column| column.values.get(step).is_some_and(Option::is_some))
    };
    (0..count).map(move |step| (!is_present(step)).then_some(1.0))
}

/// The labels that have exactly one matcher, and that one for equality.
pub(super) fn pinned_labels(matchers: &[Matcher]) -> Labels {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for matcher in matchers {
        *seen.entry(&matcher.name).or_default() += 1;
    }
    Labels::new(matchers.iter().filter_map(|matcher| match &matcher.matching {
        Matching::Equal(value)
            if matcher.name.as_ref() != METRIC_NAME && seen.get(&*matcher.name) == Some(&1) =>
        {
            Some((matcher.name.clone(), value.clone()))
        }
        _ => None,
    }))
}

/// `scalar()`: the value of the only element, otherwise NaN.
pub(super) fn scalar(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    let columns = evaluation.vector(argument(arguments, 0)?)?;
    let value = |step: usize| {
        let mut present =
            columns.iter().filter_map(|column| column.values.get(step).copied().flatten());
        present.next().filter(|_| present.next().is_none()).unwrap_or(f64::NAN)
    };
    Ok(Table::Scalar((0..evaluation.steps.count).map(value).collect()))
}

/// `vector()`: a scalar as a series without labels.
pub(super) fn vector(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    let values = evaluation.scalar(argument(arguments, 0)?)?;
    single(values.into_iter().map(Some), Labels::default())
}

/// `time()`: the time of the step, in seconds.
pub(super) fn time(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    Ok(Table::Scalar(evaluation.seconds().collect()))
}

fn constant(evaluation: &Evaluation<'_>, value: f64) -> Result<Table, QueryError> {
    Ok(Table::Scalar(vec![value; evaluation.steps.count]))
}

/// `pi()`
pub(super) fn pi(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    constant(evaluation, std::f64::consts::PI)
}

/// `start()`: the first time of the whole query.
pub(super) fn start(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    constant(evaluation, number::seconds(evaluation.query.start))
}

/// `end()`: the last time of the whole query.
pub(super) fn end(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    constant(evaluation, number::seconds(evaluation.query.last()))
}

/// `step()`: the step of the whole query; zero for an instant query.
pub(super) fn step(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    constant(evaluation, number::seconds(evaluation.query.step_ms))
}

/// `range()`: the length of the whole query.
pub(super) fn range(evaluation: &Evaluation<'_>, _arguments: &[Plan]) -> Result<Table, QueryError> {
    constant(
        evaluation,
        number::seconds(evaluation.query.last().saturating_sub(evaluation.query.start)),
    )
}

fn of_two(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
    choose: fn(f64, f64) -> f64,
) -> Result<Table, QueryError> {
    let left = evaluation.scalar(argument(arguments, 0)?)?;
    let right = evaluation.scalar(argument(arguments, 1)?)?;
    Ok(Table::Scalar(
        left.into_iter().zip(right).map(|(left, right)| choose(left, right)).collect(),
    ))
}

/// `min_of(a, b)`
pub(super) fn min_of(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    of_two(evaluation, arguments, number::minimum)
}

/// `max_of(a, b)`
pub(super) fn max_of(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    of_two(evaluation, arguments, number::maximum)
}

/// `timestamp()`: the times of the samples of a selector; the time of the step for anything else.
pub(super) fn timestamp(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let plan = argument(arguments, 0)?;
    let mut columns = if let Plan::Instant(selector) = plan {
        evaluation.latest(selector, &|sample| number::seconds(sample.timestamp))?
    } else {
        let mut columns = evaluation.vector(plan)?;
        for column in &mut columns {
            for (time, value) in evaluation.steps.times().zip(&mut column.values) {
                *value = value.map(|_| number::seconds(time));
            }
        }
        columns
    };
    for column in &mut columns {
        column.labels = column.labels.without_metric_name();
    }
    Ok(Table::Vector(merge(columns, SAME_LABELS)?))
}

/// Sorts the elements of an instant query by value, NaN last. Range queries are always sorted by labels.
fn sort_by_value(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
    compare: fn(&f64, &f64) -> Option<Ordering>,
) -> Result<Table, QueryError> {
    let mut columns = evaluation.vector(argument(arguments, 0)?)?;
    if evaluation.steps.count == 1 {
        let value = |column: &Column| column.values.first().copied().flatten().unwrap_or(f64::NAN);
        columns.sort_by(|left, right| {
            let (left, right) = (value(left), value(right));
            left.is_nan()
                .cmp(&right.is_nan())
                .then(compare(&left, &right).unwrap_or(Ordering::Equal))
        });
    }
    Ok(Table::Vector(columns))
}

/// `sort()`
pub(super) fn sort(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    sort_by_value(evaluation, arguments, f64::partial_cmp)
}

/// `sort_desc()`
pub(super) fn sort_descending(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    sort_by_value(evaluation, arguments, |left, right| right.partial_cmp(left))
}

fn sorted_by_labels(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Vec<Column>, QueryError> {
    let mut columns = evaluation.vector(argument(arguments, 0)?)?;
    let names =
        (1..arguments.len()).map(|index| text(arguments, index)).collect::<Result<Vec<_>, _>>()?;
    columns.sort_by(|left, right| {
        let get = |column: &Column, name: &str| column.labels.get(name).unwrap_or("").to_owned();
        let by_names = names.iter().map(|name| natural(&get(left, name), &get(right, name)));
        by_names.fold(Ordering::Equal, Ordering::then).then_with(|| left.labels.cmp(&right.labels))
    });
    Ok(columns)
}

/// `sort_by_label(v, labels…)`: in natural order, so that `10` comes after `9`.
pub(super) fn sort_by_label(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    Ok(Table::Vector(sorted_by_labels(evaluation, arguments)?))
}

/// `sort_by_label_desc(v, labels…)`
pub(super) fn sort_by_label_descending(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let mut columns = sorted_by_labels(evaluation, arguments)?;
    columns.reverse();
    Ok(Table::Vector(columns))
}

/// Compares texts with runs of digits taken as numbers.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    while !left.is_empty() && !right.is_empty() {
        let (left_digits, left_rest) = split_digits(left);
        let (right_digits, right_rest) = split_digits(right);
        let order = if left_digits.is_empty() || right_digits.is_empty() {
            let (left_first, right_first) = (left.chars().next(), right.chars().next());
            left = left.get(left_first.map_or(0, char::len_utf8)..).unwrap_or("");
            right = right.get(right_first.map_or(0, char::len_utf8)..).unwrap_or("");
            left_first.cmp(&right_first)
        } else {
            (left, right) = (left_rest, right_rest);
            let trim = |digits: &str| digits.trim_start_matches('0').to_owned();
            let (left_digits, right_digits) = (trim(left_digits), trim(right_digits));
            left_digits.len().cmp(&right_digits.len()).then(left_digits.cmp(&right_digits))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}
