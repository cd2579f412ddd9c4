//! Numerical building blocks: compensated sums, means, variances and quantiles as Prometheus computes them.
//!
//! Must not know labels or time series.

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn from_count(count: usize) -> f64 {
    count as f64
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "millisecond times of the next 280,000 years fit into 53 bits"
)]
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// The integer part of a float as an index; negative values and NaN give zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is wanted"
)]
pub(super) fn to_index(value: f64) -> usize {
    value as usize
}

/// Whether two floats are equal in the sense of IEEE 754.
#[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
pub(super) fn equal(left: f64, right: f64) -> bool {
    left == right
}

/// The smaller value; NaN when either is NaN, unlike [`f64::min`].
pub(super) fn minimum(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.min(right) }
}

/// The larger value; NaN when either is NaN, unlike [`f64::max`].
pub(super) fn maximum(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.max(right) }
}

/// A sum with Neumaier's compensation, which keeps small addends next to large ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: f64,
    compensation: f64,
}

impl Sum {
    /// Adds a value. An infinite total drops its compensation, which would turn into NaN.
    pub(super) fn add(&mut self, value: f64) {
        let next = self.total + value;
        if next.is_infinite() {
            self.compensation = 0.0;
        } else if self.total.abs() >= value.abs() {
            self.compensation += (self.total - next) + value;
        } else {
            self.compensation += (value - next) + self.total;
        }
        self.total = next;
    }

    /// The compensated total.
    pub(super) fn value(self) -> f64 {
        if self.total.is_infinite() { self.total } else { self.total + self.compensation }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { total: self.total * factor, compensation: self.compensation * factor }
    }
}

/// The compensated sum of values.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut total = Sum::default();
    values.for_each(|value| total.add(value));
    total.value()
}

/// The mean. It is the sum through the count; when the sum overflows, the mean is updated value by value instead.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut total = Sum::default();
    let mut running: Option<Sum> = None;
    let mut count = 0.0;
    for value in values {
        count += 1.0;
        if running.is_none() {
            let mut next = total;
            next.add(value);
            if count < 2.0 || !next.total.is_infinite() {
                total = next;
                continue;
            }
        }
        let before = running.unwrap_or_else(|| Sum {
            total: total.total / (count - 1.0),
            compensation: total.compensation / (count - 1.0),
        });
        let mut next = before.scaled((count - 1.0) / count);
        next.add(value / count);
        running = Some(next);
    }
    match running {
        Some(mean) => mean.total + mean.compensation,
        None => total.total / count + total.compensation / count,
    }
}

/// The population variance over time, by Welford's method with compensated sums.
pub(super) fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut mean, mut squares, mut count) = (Sum::default(), Sum::default(), 0.0);
    for value in values {
        count += 1.0;
        let delta = value - (mean.total + mean.compensation);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.total + mean.compensation)));
    }
    (squares.total + squares.compensation) / count
}

/// The `q`-quantile with linear interpolation; sorts `values`, NaN first. NaN without values, infinite for `q` outside
/// of 0 to 1.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|left, right| nan_first(*left, *right));
    let rank = q * from_count(values.len() - 1);
    let lower = to_index(rank.floor());
    let weight = rank - rank.floor();
    let at = |index: usize| values.get(index).or(values.last()).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(lower + 1) * weight
}

/// Ascending order with NaN before everything.
pub(super) fn nan_first(left: f64, right: f64) -> std::cmp::Ordering {
    right
        .is_nan()
        .cmp(&left.is_nan())
        .then(left.partial_cmp(&right).unwrap_or(std::cmp::Ordering::Equal))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the exact value is what is tested")]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_small_values_beside_large_ones() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
        assert_eq!(mean([1.0, 1e100, 1.0, -1e100].into_iter()), 0.5);
        assert_eq!(sum([f64::INFINITY, 1.0].into_iter()), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY].into_iter()).is_nan());
    }

    #[test]
    fn a_mean_does_not_overflow() {
        assert_eq!(mean([1.5e308, 1.5e308].into_iter()), 1.5e308);
        assert_eq!(mean([f64::INFINITY, 0.0].into_iter()), f64::INFINITY);
        assert!(mean([f64::INFINITY, f64::NEG_INFINITY].into_iter()).is_nan());
    }

    #[test]
    fn the_variance_of_equal_values_is_exactly_zero() {
        assert_eq!(variance([1.599_050_563_727_786_8; 3].into_iter()), 0.0);
    }

    #[test]
    fn quantiles_interpolate_and_take_nan_as_smallest() {
        assert_eq!(quantile(0.75, &mut [1.0, 0.0]), 0.75);
        assert_eq!(quantile(1.0, &mut [f64::NAN, 2.0, 1.0]), 2.0);
        assert!(quantile(0.0, &mut [2.0, f64::NAN]).is_nan());
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
        assert!(quantile(0.5, &mut []).is_nan());
    }
}
