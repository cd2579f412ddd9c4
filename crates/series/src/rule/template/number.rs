//! Numbers for people, as Go and Prometheus's template functions write them (`template/template.go`, `util/strutil`).
//!
//! Must not know templates.

use crate::Timestamp;

/// A float as Go's `%.4g`.
pub(super) fn four_digits(value: f64) -> String {
    special(value).unwrap_or_else(|| general(value, &format!("{value:.3e}"), 4))
}

/// A float as Go's `%v`: as many digits as needed, an exponent from a million on.
pub(super) fn shortest(value: f64) -> String {
    const EXPONENT_FROM: i32 = 6;
    special(value).unwrap_or_else(|| general(value, &format!("{value:e}"), EXPONENT_FROM))
}

fn special(value: f64) -> Option<String> {
    match value {
        _ if value.is_nan() => Some("NaN".to_owned()),
        f64::INFINITY => Some("+Inf".to_owned()),
        f64::NEG_INFINITY => Some("-Inf".to_owned()),
        _ => None,
    }
}

/// Go's `%g` from the scientific notation `1.5e3` with the wanted digits: an exponent below -4 and from `exponent_from` on.
fn general(value: f64, scientific: &str, exponent_from: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    if exponent < -4 || exponent >= exponent_from {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let digits = mantissa.chars().filter(char::is_ascii_digit).count();
    let decimals =
        i32::try_from(digits).unwrap_or(i32::MAX).saturating_sub(1).saturating_sub(exponent);
    format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
}

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
