//! Quantiles and fractions of classic histograms: series of cumulative buckets with an `le` label.
//!
//! The formulas are those of Prometheus's `promql/quantile.go`. Must not know where the buckets come from.

use std::collections::HashMap;

use notation::number;

use super::{Column, Plan, SAME_LABELS, Table, argument, merge, text};
use crate::{
    Labels,
    promql::{QueryError, evaluate::Evaluation, number::equal},
};

/// The label with the upper bound of a bucket.
const BUCKET_LABEL: &str = "le";

/// Counts that differ by less than this relative amount are taken for equal: floating-point noise of `rate`.
const SMALL_DELTA: f64 = 1e-12;

/// A bucket: how many observations are at most `bound`.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The bucket columns of one histogram.
struct Histogram {
    labels: Labels,
    columns: Vec<(f64, Vec<Option<f64>>)>,
}

fn histograms(columns: Vec<Column>) -> Vec<Histogram> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<Histogram> = Vec::new();
    for column in columns {
        let Some(bound) = column.labels.get(BUCKET_LABEL).and_then(|bound| bound.parse().ok())
        else {
            continue;
        };
        // Buckets of different metrics are different histograms, although the name does not show in the result.
        let labels = column.labels.filtered(|name| name != BUCKET_LABEL);
        let place = *places.entry(labels.clone()).or_insert(histograms.len());
        if place == histograms.len() {
            histograms.push(Histogram { labels, columns: Vec::new() });
        }
        if let Some(histogram) = histograms.get_mut(place) {
            histogram.columns.push((bound, column.values));
        }
    }
    histograms
}

impl Histogram {
    /// The buckets at a step, in ascending order, equal bounds added up; `None` when the histogram is absent.
    fn buckets(&self, step: usize) -> Option<Vec<Bucket>> {
        let present = self.columns.iter().filter_map(|(bound, values)| {
            values.get(step).copied().flatten().map(|count| Bucket { bound: *bound, count })
        });
        let mut buckets: Vec<Bucket> = present.collect();
        buckets.sort_by(|left, right| left.bound.total_cmp(&right.bound));
        let mut joined: Vec<Bucket> = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            match joined.last_mut() {
                Some(last) if equal(last.bound, bucket.bound) => {
                    last.count += bucket.count;
                }
                _ => joined.push(bucket),
            }
        }
        (!joined.is_empty()).then_some(joined)
    }

    fn column(
        &self,
        count: usize,
        compute: impl Fn(usize, &mut [Bucket]) -> f64,
    ) -> Vec<Option<f64>> {
        (0..count)
            .map(|step| self.buckets(step).map(|mut buckets| compute(step, &mut buckets)))
            .collect()
    }
}

/// `histogram_quantile(q, v)`
pub(super) fn quantile(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let quantiles = evaluation.scalar(argument(arguments, 0)?)?;
    let columns =
        histograms(evaluation.vector(argument(arguments, 1)?)?).into_iter().map(|histogram| {
            let values = histogram.column(evaluation.steps.count, |step, buckets| {
                bucket_quantile(quantiles.get(step).copied().unwrap_or(f64::NAN), buckets)
            });
            Column { labels: histogram.labels.without_metric_name(), values }
        });
    Ok(Table::Vector(merge(columns.collect(), SAME_LABELS)?))
}

/// `histogram_quantiles(v, label, q…)`: several quantiles at once, distinguished by a label.
pub(super) fn quantiles(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let histograms = histograms(evaluation.vector(argument(arguments, 0)?)?);
    let label = text(arguments, 1)?;
    let mut columns = Vec::new();
    for index in 2..arguments.len() {
        let quantiles = evaluation.scalar(argument(arguments, index)?)?;
        let mut distinct = quantiles.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup_by_key(|q| q.to_bits());
        for histogram in &histograms {
            for q in &distinct {
                let values = quantiles.iter().enumerate().map(|(step, at_step)| {
                    let mut buckets =
                        histogram.buckets(step).filter(|_| at_step.to_bits() == q.to_bits())?;
                    Some(bucket_quantile(*q, &mut buckets))
                });
                let values = values.collect();
                columns.push(Column {
                    labels: histogram
                        .labels
                        .without_metric_name()
                        .with(label, &number::with_decimal(*q)),
                    values,
                });
            }
        }
    }
    Ok(Table::Vector(merge(columns, SAME_LABELS)?))
}

/// `histogram_fraction(lower, upper, v)`
pub(super) fn fraction(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let lower = evaluation.scalar(argument(arguments, 0)?)?;
    let upper = evaluation.scalar(argument(arguments, 1)?)?;
    let columns =
        histograms(evaluation.vector(argument(arguments, 2)?)?).into_iter().map(|histogram| {
            let values = histogram.column(evaluation.steps.count, |step, buckets| {
                let bound = |values: &[f64]| values.get(step).copied().unwrap_or(f64::NAN);
                bucket_fraction(bound(&lower), bound(&upper), buckets)
            });
            Column { labels: histogram.labels.without_metric_name(), values }
        });
    Ok(Table::Vector(merge(columns.collect(), SAME_LABELS)?))
}

/// The quantile, by linear interpolation inside of its bucket. `buckets` must be sorted; they are made monotonic.
fn bucket_quantile(q: f64, buckets: &mut [Bucket]) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    make_monotonic(buckets);
    let [finite @ .., last] = &*buckets else { return f64::NAN };
    let Some(highest) = finite.last() else { return f64::NAN };
    if last.bound < f64::INFINITY || equal(last.count, 0.0) {
        return f64::NAN;
    }
    let rank = q * last.count;
    let Some(index) = finite.iter().position(|bucket| bucket.count >= rank) else {
        return highest.bound;
    };
    let Some(bucket) = finite.get(index) else { return highest.bound };
    let before = index.checked_sub(1).and_then(|index| finite.get(index));
    if before.is_none() && bucket.bound <= 0.0 {
        return bucket.bound;
    }
    let (start, below) = before.map_or((0.0, 0.0), |before| (before.bound, before.count));
    start + (bucket.bound - start) * ((rank - below) / (bucket.count - below))
}

/// Cumulative counts never decrease; where they do (scrapes of different moments were added up), the greater one holds.
fn make_monotonic(buckets: &mut [Bucket]) {
    let mut previous: Option<f64> = None;
    for bucket in buckets {
        if let Some(count) = previous
            && (bucket.count < count || nearly_equal(bucket.count, count))
        {
            bucket.count = count;
        }
        previous = Some(bucket.count);
    }
}

fn nearly_equal(left: f64, right: f64) -> bool {
    let scale = (left.abs() + right.abs()).min(f64::MAX);
    let difference = (left - right).abs();
    if equal(left, right) {
        return true;
    }
    let has_zero = [left, right].iter().any(|value| equal(*value, 0.0));
    if has_zero || scale < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / scale < SMALL_DELTA
}

/// The fraction of observations between two values, by linear interpolation inside of buckets of finite width.
fn bucket_fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let Some(last) = buckets.last() else { return f64::NAN };
    let nothing = equal(last.count, 0.0);
    if last.bound < f64::INFINITY || nothing || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets, last.count) - rank_of(lower, buckets, last.count)) / last.count
}

/// How many observations are below a value.
fn rank_of(value: f64, buckets: &[Bucket], total: f64) -> f64 {
    let mut below = Bucket { bound: f64::NEG_INFINITY, count: 0.0 };
    for (index, bucket) in buckets.iter().enumerate() {
        if below.bound >= value {
            return below.count.min(total);
        }
        if bucket.bound > value {
            let start = if index == 0 && bucket.bound > 0.0 { 0.0 } else { below.bound };
            let rank = if start.is_infinite() {
                // Nothing is known about the distribution inside of a bucket without a lower bound.
                bucket.count
            } else if value < start {
                below.count
            } else {
                below.count
                    + (bucket.count - below.count) * (value - start) / (bucket.bound - start)
            };
            return rank.min(total);
        }
        below = *bucket;
    }
    total
}
