//! Numbers for people, as Prometheus's template functions write them (`template/template.go`, `util/strutil`).
//!
//! Must not know templates.

use notation::number::{four_digits, shortest};

use crate::Timestamp;

/// Divides by `step` and counts the prefixes until the value is below it.
fn prefixed(mut value: f64, step: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < step {
            break;
        }
        prefix = next;
        value /= step;
    }
    (value, prefix)
}

/// Multiplies by a thousand and counts the prefixes until the value is at least one.
fn subdivided(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

fn is_zero(value: f64) -> bool {
    value.abs() < f64::MIN_POSITIVE
}

/// With a metric prefix: `1.234M`.
pub(super) fn humanize(value: f64) -> String {
    if is_zero(value) || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = if value.abs() >= 1.0 {
        prefixed(value, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"])
    } else {
        subdivided(value)
    };
    format!("{}{prefix}", four_digits(value))
}

/// With a binary prefix: `1.5Mi`.
pub(super) fn humanize_binary(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = prefixed(value, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    format!("{}{prefix}", four_digits(value))
}

/// Seconds as days, hours, minutes and seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and nobody reads so long a duration"
)]
pub(super) fn humanize_duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return four_digits(seconds);
    }
    if is_zero(seconds) {
        return format!("{}s", four_digits(seconds));
    }
    if seconds.abs() < 1.0 {
        let (value, prefix) = subdivided(seconds);
        return format!("{}{prefix}s", four_digits(value));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs() as i64;
    let (days, hours, minutes, rest) =
        (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four_digits(seconds.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {rest}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
    }
}

/// A ratio in per cent.
pub(super) fn humanize_percentage(ratio: f64) -> String {
    format!("{}%", four_digits(ratio * 100.0))
}

/// Seconds since 1970 as Go prints a time in UTC, to the millisecond.
///
/// # Errors
/// When the time is out of range.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
pub(super) fn humanize_timestamp(seconds: f64) -> Result<String, String> {
    if !seconds.is_finite() {
        return Ok(four_digits(seconds));
    }
    let out_of_range = || format!("{} cannot be represented as a time", shortest(seconds));
    if (seconds * 1e9).abs() >= 9.3e18 {
        return Err(out_of_range());
    }
    let milliseconds = (seconds * 1000.0).floor() as Timestamp;
    let time = jiff::Timestamp::from_millisecond(milliseconds).map_err(|_| out_of_range())?;
    let fraction = match milliseconds.rem_euclid(1000) {
        0 => String::new(),
        part => format!(".{part:03}").trim_end_matches('0').to_owned(),
    };
    Ok(format!("{}{fraction} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S")))
}
