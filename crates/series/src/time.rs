//! Timestamps and durations in Prometheus's notation.
//!
//! Must not know the wall clock: the present is always an argument.

use std::fmt::Write as _;

/// Milliseconds since the Unix epoch.
pub type Timestamp = i64;

/// The units of Prometheus's duration notation, largest first, in milliseconds.
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

/// Parses a duration such as `15s`, `1h30m` or `90d` into milliseconds. `0` needs no unit; units must descend, as in
/// Prometheus (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/#duration>).
///
/// # Errors
/// When the text is empty, has an unknown or repeated unit, or overflows.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
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

/// Writes milliseconds in Prometheus's notation, `1h30m`; negative values count as zero, `0s`.
pub fn format_duration(milliseconds: i64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_and_print() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("250ms", 250),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("90d", 7_776_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(milliseconds), "{text}");
            assert_eq!(format_duration(milliseconds), text);
        }
        assert_eq!(parse_duration("0"), Ok(0));
        assert_eq!(parse_duration("2w"), Ok(14 * 86_400_000));
        for text in ["", "5", "m", "5x", "1m1h", "1m1m", "-5s", "1.5h", "99999999999999999999y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
