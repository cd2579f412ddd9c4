//! Results of a node for all steps at once, column by column.
//!
//! Must not know how they were computed.

use std::collections::HashMap;

use super::QueryError;
use crate::{Labels, Sample, Timestamp};

/// The evaluation times of a query: `start`, `start + step`, …
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// The first time.
    pub(super) start: Timestamp,
    /// The distance, in milliseconds; zero for a single step.
    pub(super) step_ms: i64,
    /// How many steps there are.
    pub(super) count: usize,
}

impl Steps {
    /// The times in ascending order.
    pub(super) fn times(self) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(Some(self.start), move |time| Some(time.saturating_add(self.step_ms)))
            .take(self.count)
    }

    /// The last time.
    pub(super) fn last(self) -> Timestamp {
        let steps = i64::try_from(self.count.saturating_sub(1)).unwrap_or(i64::MAX);
        self.start.saturating_add(self.step_ms.saturating_mul(steps))
    }
}

/// The value of a series at each step; `None` where the series has none.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The labels of the series.
    pub(super) labels: Labels,
    /// One entry for each step.
    pub(super) values: Vec<Option<f64>>,
}

/// What a node evaluates to.
#[derive(Debug)]
pub(super) enum Table {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// A text.
    Text(String),
    /// An instant vector for each step.
    Vector(Vec<Column>),
}

/// The error when two elements of one moment would have the same labels.
pub(super) const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// Joins columns with equal labels, as long as no two of them have a value at one step, and leaves out empty columns.
/// The order of first appearance is kept.
pub(super) fn merge(columns: Vec<Column>, message: &str) -> Result<Vec<Column>, QueryError> {
    // Mostly they are in order and so all different: comparing neighbours is far cheaper than hashing each.
    if columns.is_sorted_by(|left, right| left.labels < right.labels) {
        return Ok(present(columns));
    }
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(columns.len());
    for column in columns {
        if column.values.iter().all(Option::is_none) {
            continue;
        }
        let place = places.get(&column.labels).and_then(|place| merged.get_mut(*place));
        let Some(existing) = place else {
            places.insert(column.labels.clone(), merged.len());
            merged.push(column);
            continue;
        };
        for (old, new) in existing.values.iter_mut().zip(column.values) {
            if old.is_some() && new.is_some() {
                return Err(QueryError::Evaluate(message.to_owned()));
            }
            *old = old.or(new);
        }
    }
    Ok(merged)
}

/// Leaves out empty columns.
pub(super) fn present(mut columns: Vec<Column>) -> Vec<Column> {
    columns.retain(|column| column.values.iter().any(Option::is_some));
    columns
}

/// Applies a function to every value of every column, drops the metric names and merges what has become equal.
pub(super) fn map_values(
    columns: Vec<Column>,
    apply: impl Fn(f64) -> f64,
) -> Result<Vec<Column>, QueryError> {
    let mapped = columns
        .into_iter()
        .map(|column| Column {
            labels: column.labels.without_metric_name(),
            values: column.values.into_iter().map(|value| value.map(&apply)).collect(),
        })
        .collect();
    merge(mapped, SAME_LABELS)
}

/// The samples of one series in one window.
pub(super) struct Window<'a> {
    /// The samples in (`start`, `end`], without staleness markers; never empty.
    pub(super) samples: &'a [Sample],
    /// The excluded beginning of the window.
    pub(super) start: Timestamp,
    /// The included end of the window.
    pub(super) end: Timestamp,
    /// The step the window belongs to; differs from `end` with `offset` and `@`.
    pub(super) at: Timestamp,
    /// The scalar arguments of the function, in their order.
    pub(super) parameters: &'a [f64],
}
