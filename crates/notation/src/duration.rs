//! Durations in the notations of Prometheus and of Go.
//!
//! They are not one notation: Prometheus has days, weeks and years, wants whole numbers and descending units, and takes `0`; Go
//! has fractions, microseconds and nanoseconds, and takes the units in any order. Which one holds is settled by the program that
//! a file or flag comes from. Must not know clocks.

use std::{fmt::Write as _, time::Duration};

/// The units of Prometheus's notation, largest first, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration such as `15s`, `5m` or `1h30m`")]
pub struct DurationError {
    text: String,
}

/// Parses a duration in Prometheus's notation, such as `15s`, `1h30m` or `90d`, into milliseconds. `0` needs no unit; units must
/// descend (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/#duration>).
///
/// # Errors
/// When the text is empty, has an unknown or repeated unit, or overflows.
pub fn parse_prometheus(text: &str) -> Result<i64, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total: i64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(error)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end =
            tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, milliseconds) = units.find(|(name, _)| *name == unit).ok_or_else(error)?;
        let number: i64 = number.parse().map_err(|_| error())?;
        total = number
            .checked_mul(*milliseconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(error)?;
        rest = tail;
    }
    if text.is_empty() { Err(error()) } else { Ok(total) }
}

/// Parses a duration in Prometheus's notation that must be longer than zero.
pub fn above_zero(text: &str) -> Option<Duration> {
    let milliseconds = parse_prometheus(text).ok().and_then(|value| u64::try_from(value).ok())?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

/// Writes milliseconds in Prometheus's notation, `1h30m`; negative values count as zero, `0s`.
pub fn format_prometheus(milliseconds: i64) -> String {
    let mut rest = milliseconds.max(0);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, size) in UNITS {
        // Weeks and years only when they say it exactly, as Prometheus does.
        if matches!(name, "y" | "w") && rest % size != 0 {
            continue;
        }
        let count = rest / size;
        if count > 0 {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{count}{name}");
            rest -= count * size;
        }
    }
    text
}

/// Writes a duration in Prometheus's notation, to the millisecond.
pub fn written(duration: Duration) -> String {
    format_prometheus(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// Parses a duration in Go's notation (<https://pkg.go.dev/time#ParseDuration>), as the modules file of `blackbox_exporter`
/// has them: `5s`, `1m30s`, `500ms`, `1.5s`. Negative ones are refused.
pub fn parse_go(text: &str) -> Option<Duration> {
    let units = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * size;
        rest = tail;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prometheus_has_whole_numbers_and_descending_units() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("250ms", 250),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("90d", 7_776_000_000),
        ] {
            assert_eq!(parse_prometheus(text), Ok(milliseconds), "{text}");
            assert_eq!(format_prometheus(milliseconds), text);
        }
        assert_eq!(parse_prometheus("0"), Ok(0));
        assert_eq!(parse_prometheus("2w"), Ok(14 * 86_400_000));
        for text in ["", "5", "m", "5x", "1m1h", "1m1m", "-5s", "1.5h", "99999999999999999999y"] {
            assert!(parse_prometheus(text).is_err(), "{text}");
        }
        assert_eq!(format_prometheus(-1), "0s");
    }

    #[test]
    fn zero_is_not_above_zero() {
        for (text, milliseconds) in
            [("15s", Some(15_000)), ("1ms", Some(1)), ("0", None), ("0s", None), ("x", None)]
        {
            assert_eq!(above_zero(text), milliseconds.map(Duration::from_millis), "{text}");
        }
        assert_eq!(written(Duration::from_mins(90)), "1h30m");
        assert_eq!(written(Duration::from_micros(2_500)), "2ms");
    }

    #[test]
    fn go_has_fractions_and_no_days() {
        for (text, milliseconds) in
            [("5s", 5000), ("1m30s", 90_000), ("500ms", 500), ("1.5s", 1500), ("0s", 0)]
        {
            assert_eq!(parse_go(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "1d", "-5s", "s", "1e9h", ".s", "99999999999999999999999h"] {
            assert_eq!(parse_go(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0_i64..) {
            prop_assert_eq!(parse_prometheus(&format_prometheus(milliseconds)), Ok(milliseconds));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9.smhdwyuµn-]{0,12}") {
            let _read = (parse_prometheus(&text), parse_go(&text), above_zero(&text));
        }
    }
}
