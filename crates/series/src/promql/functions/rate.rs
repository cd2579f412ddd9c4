//! Rates, increases and differences.
//!
//! Must not know labels.

use crate::promql::{
    number::{from_count, seconds},
    table::Window,
};

/// `rate()`: the extrapolated increase through the length of the window in seconds.
pub(super) fn rate(window: &Window<'_>) -> Option<f64> {
    let (result, factor) = extrapolation(window, true)?;
    Some(result * (factor / seconds(window.end.saturating_sub(window.start))))
}

/// `increase()`: the extrapolated increase of a counter.
pub(super) fn increase(window: &Window<'_>) -> Option<f64> {
    extrapolation(window, true).map(|(result, factor)| result * factor)
}

/// `delta()`: the extrapolated difference of a gauge.
pub(super) fn delta(window: &Window<'_>) -> Option<f64> {
    extrapolation(window, false).map(|(result, factor)| result * factor)
}

/// The difference between the first and the last sample, and the factor that extrapolates it to the ends of the window.
///
/// The formula is Prometheus's `extrapolatedRate`: extrapolation goes to the boundary when a sample is near it (within
/// 1.1 average distances), otherwise by half a distance; a counter is never extrapolated below zero.
fn extrapolation(window: &Window<'_>, counter: bool) -> Option<(f64, f64)> {
    let (first, last) = (window.samples.first()?, window.samples.last()?);
    if window.samples.len() < 2 {
        return None;
    }
    let mut result = last.value - first.value;
    if counter {
        let mut previous = first.value;
        for sample in window.samples {
            if sample.value < previous {
                result += previous;
            }
            previous = sample.value;
        }
    }
    let sampled = seconds(last.timestamp.saturating_sub(first.timestamp));
    let average = sampled / from_count(window.samples.len() - 1);
    let threshold = average * 1.1;
    let mut to_start = seconds(first.timestamp.saturating_sub(window.start));
    let mut to_end = seconds(window.end.saturating_sub(last.timestamp));
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if counter && result > 0.0 && first.value >= 0.0 {
        to_start = to_start.min(sampled * (first.value / result));
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    Some((result, (sampled + to_start + to_end) / sampled))
}

/// `irate()`: from the last two samples of a counter.
pub(super) fn instant_rate(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples else { return None };
    let distance = seconds(last.timestamp.saturating_sub(before.timestamp));
    let increase = if last.value < before.value { last.value } else { last.value - before.value };
    (distance > 0.0).then(|| increase / distance)
}

/// `idelta()`: the difference of the last two samples.
pub(super) fn instant_delta(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples else { return None };
    Some(last.value - before.value)
}
