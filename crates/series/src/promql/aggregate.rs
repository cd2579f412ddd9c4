//! The aggregations over series: grouping, and what is computed for each group.
//!
//! Must not know where the series come from.

use std::{cmp::Ordering, collections::HashMap};

use notation::number::Plain;

use super::{
    QueryError,
    evaluate::Evaluation,
    number,
    plan::{Aggregate, Grouping, Plan},
    table::{Column, SAME_LABELS, merge},
};
use crate::Labels;

/// What an aggregation computes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aggregation {
    /// One value from the values of a group.
    Reduce(fn(&mut [f64]) -> f64),
    /// The quantile given by the parameter.
    Quantile,
    /// As many of the smallest or largest elements as the parameter says.
    Rank {
        /// Whether the largest come first.
        largest: bool,
    },
    /// How often each value occurs.
    CountValues,
}

/// The aggregation of a name.
pub(super) fn from_name(name: &str) -> Option<Aggregation> {
    Some(match name {
        "sum" => Aggregation::Reduce(|values| number::sum(values.iter().copied())),
        "avg" => Aggregation::Reduce(|values| number::mean(values.iter().copied())),
        "count" => Aggregation::Reduce(|values| number::from_count(values.len())),
        "group" => Aggregation::Reduce(|_| 1.0),
        // `min` and `max` of the standard library prefer numbers to NaN, as Prometheus does.
        "min" => Aggregation::Reduce(|values| values.iter().copied().fold(f64::NAN, f64::min)),
        "max" => Aggregation::Reduce(|values| values.iter().copied().fold(f64::NAN, f64::max)),
        "stddev" => Aggregation::Reduce(|values| variance(values).sqrt()),
        "stdvar" => Aggregation::Reduce(variance),
        "quantile" => Aggregation::Quantile,
        "topk" => Aggregation::Rank { largest: true },
        "bottomk" => Aggregation::Rank { largest: false },
        "count_values" => Aggregation::CountValues,
        _ => return None,
    })
}

/// The population variance over series, by Welford's method. It runs over sorted values, so that the result does not
/// depend on the order of the series.
fn variance(values: &mut [f64]) -> f64 {
    if values.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    let (mut mean, mut squares, mut count) = (0.0, 0.0, 0.0);
    for value in values.iter() {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

/// The columns of a group.
struct Group {
    labels: Labels,
    members: Vec<Column>,
}

fn group(columns: Vec<Column>, grouping: &Grouping) -> Vec<Group> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for column in columns {
        let labels = grouping.key(&column.labels);
        let place = *places.entry(labels.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { labels, members: Vec::new() });
        }
        if let Some(group) = groups.get_mut(place) {
            group.members.push(column);
        }
    }
    groups
}

impl Group {
    /// The values that are present at a step.
    fn values(&self, step: usize) -> impl Iterator<Item = f64> {
        self.members.iter().filter_map(move |column| column.values.get(step).copied().flatten())
    }

    /// Computes one value at each step at which the group has any.
    fn reduce(self, steps: usize, compute: impl Fn(usize, &mut [f64]) -> f64) -> Column {
        let mut scratch = Vec::with_capacity(self.members.len());
        let values = (0..steps).map(|step| {
            scratch.clear();
            scratch.extend(self.values(step));
            (!scratch.is_empty()).then(|| compute(step, &mut scratch))
        });
        let values = values.collect();
        Column { labels: self.labels, values }
    }
}

/// Evaluates an aggregation.
pub(super) fn apply(
    aggregate: &Aggregate,
    evaluation: &Evaluation<'_>,
) -> Result<Vec<Column>, QueryError> {
    let steps = evaluation.steps.count;
    let parameter = aggregate.parameter.as_ref();
    match aggregate.aggregation {
        Aggregation::Reduce(compute) => {
            let groups = group(evaluation.vector(&aggregate.operand)?, &aggregate.grouping);
            Ok(groups
                .into_iter()
                .map(|group| group.reduce(steps, |_, values| compute(values)))
                .collect())
        }
        Aggregation::Quantile => {
            let quantiles = scalar_parameter(parameter, evaluation)?;
            let groups = group(evaluation.vector(&aggregate.operand)?, &aggregate.grouping);
            let compute = |step: usize, values: &mut [f64]| {
                number::quantile(quantiles.get(step).copied().unwrap_or(f64::NAN), values)
            };
            Ok(groups.into_iter().map(|group| group.reduce(steps, compute)).collect())
        }
        Aggregation::Rank { largest } => {
            let limits = limits(&scalar_parameter(parameter, evaluation)?)?;
            let groups = group(evaluation.vector(&aggregate.operand)?, &aggregate.grouping);
            Ok(groups.into_iter().flat_map(|group| rank(group, &limits, largest)).collect())
        }
        Aggregation::CountValues => {
            let Some(Plan::Text(label)) = parameter else {
                return Err(QueryError::Evaluate("count_values needs a label name".to_owned()));
            };
            let groups = group(evaluation.vector(&aggregate.operand)?, &aggregate.grouping);
            count_values(groups, label, evaluation)
        }
    }
}

fn scalar_parameter(
    parameter: Option<&Plan>,
    evaluation: &Evaluation<'_>,
) -> Result<Vec<f64>, QueryError> {
    let missing = || QueryError::Evaluate("the aggregation needs a parameter".to_owned());
    evaluation.scalar(parameter.ok_or_else(missing)?)
}

/// How many elements to keep at each step.
fn limits(parameters: &[f64]) -> Result<Vec<usize>, QueryError> {
    let to_limit = |parameter: &f64| {
        if parameter.is_nan() {
            return Err(QueryError::Evaluate("Parameter value is NaN".to_owned()));
        }
        if parameter.abs() >= 9_223_372_036_854_775_807.0 {
            return Err(QueryError::Evaluate(format!("Scalar value {parameter} overflows int64")));
        }
        Ok(number::to_index(*parameter))
    };
    parameters.iter().map(to_limit).collect()
}

/// Keeps the first `limits` members of a group at each step. At a single step the members come out in their order.
fn rank(mut group: Group, limits: &[usize], largest: bool) -> Vec<Column> {
    let compare = |left: f64, right: f64| {
        let order = if largest { right.partial_cmp(&left) } else { left.partial_cmp(&right) };
        left.is_nan().cmp(&right.is_nan()).then(order.unwrap_or(Ordering::Equal))
    };
    for (step, limit) in limits.iter().enumerate() {
        let mut present: Vec<(usize, f64)> = (group.members.iter().enumerate())
            .filter_map(|(index, column)| {
                Some((index, column.values.get(step).copied().flatten()?))
            })
            .collect();
        if present.len() <= *limit {
            continue;
        }
        present.sort_by(|left, right| compare(left.1, right.1));
        for (index, _) in present.into_iter().skip(*limit) {
            if let Some(value) =
                group.members.get_mut(index).and_then(|column| column.values.get_mut(step))
            {
                *value = None;
            }
        }
    }
    group.members.retain(|column| column.values.iter().any(Option::is_some));
    if limits.len() == 1 {
        let value = |column: &Column| column.values.first().copied().flatten().unwrap_or(f64::NAN);
        group.members.sort_by(|left, right| compare(value(left), value(right)));
    }
    group.members
}

fn count_values(
    groups: Vec<Group>,
    label: &str,
    evaluation: &Evaluation<'_>,
) -> Result<Vec<Column>, QueryError> {
    if label.is_empty() {
        return Err(QueryError::Evaluate("invalid label name \"\"".to_owned()));
    }
    let steps = evaluation.steps.count;
    let mut columns: Vec<Column> = Vec::new();
    // The count of each value in each group is kept by its final labels: `count_values` may overwrite a grouping label.
    let mut places: HashMap<Labels, usize> = HashMap::new();
    for group in groups {
        for step in 0..steps {
            for value in group.values(step) {
                let labels = group.labels.with(label, &Plain(value).to_string());
                let place = *places.entry(labels.clone()).or_insert(columns.len());
                if place == columns.len() {
                    evaluation.charge(steps)?;
                    columns.push(Column { labels, values: vec![None; steps] });
                }
                if let Some(count) =
                    columns.get_mut(place).and_then(|column| column.values.get_mut(step))
                {
                    *count = Some(count.unwrap_or(0.0) + 1.0);
                }
            }
        }
    }
    merge(columns, SAME_LABELS)
}
