//! Functions of single values with parameters.
//!
//! Must not know labels or time.

#![expect(clippy::unnecessary_wraps, reason = "all functions of one shape have one signature")]

use crate::promql::number::{maximum, minimum};

fn parameter(parameters: &[f64], index: usize) -> f64 {
    parameters.get(index).copied().unwrap_or(f64::NAN)
}

/// `clamp(v, min, max)`; empty when the bounds are the wrong way round.
pub(super) fn clamp(value: f64, parameters: &[f64]) -> Option<f64> {
    let (low, high) = (parameter(parameters, 0), parameter(parameters, 1));
    if high < low { None } else { Some(maximum(low, minimum(high, value))) }
}

/// `clamp_max(v, max)`
pub(super) fn clamp_max(value: f64, parameters: &[f64]) -> Option<f64> {
    Some(minimum(parameter(parameters, 0), value))
}

/// `clamp_min(v, min)`
pub(super) fn clamp_min(value: f64, parameters: &[f64]) -> Option<f64> {
    Some(maximum(parameter(parameters, 0), value))
}

/// `round(v, to_nearest)`: ties go up. The inverse is used because it is more exact for steps such as 0.1.
pub(super) fn round(value: f64, parameters: &[f64]) -> Option<f64> {
    let inverse = 1.0 / parameters.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

/// `sgn(v)`: -1, 0 or 1; NaN stays NaN.
pub(super) fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}
