//! Numbers as Go's `strconv` and `fmt` write them, and so all of Prometheus: `NaN`, `+Inf`, `-Inf`, and the shortest digits that
//! read back as the same number.
//!
//! Each function names its place in Prometheus; they differ in when an exponent is written. Must not know what is counted.

use std::fmt;

/// `NaN` and the infinities; `None` for every other number.
fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// Displays a number never with an exponent: `FormatFloat(value, 'f', -1, 64)`, which reads back in the text format and is a
/// label of `count_values`.
#[derive(Clone, Copy, Debug)]
pub struct Plain(pub f64);

impl fmt::Display for Plain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match special(self.0) {
            Some(text) => formatter.write_str(text),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// With at least one decimal, as `OpenMetrics` wants the labels `le` and `quantile` (`labels.FormatOpenMetricsFloat`).
pub fn with_decimal(value: f64) -> String {
    special(value).map_or_else(|| format!("{value:?}"), str::to_owned)
}

/// As in the answers of the HTTP API (`jsonutil.MarshalFloat`): very small and very large ones with an exponent.
pub fn in_json(value: f64) -> String {
    let size = value.abs();
    if size.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) {
        return scientific(value, 1);
    }
    Plain(value).to_string()
}

/// Always with an exponent of at least two digits, as the values of alerts: `FormatFloat(value, 'e', -1, 64)`.
pub fn with_exponent(value: f64) -> String {
    special(value).map_or_else(|| scientific(value, 2), str::to_owned)
}

fn scientific(value: f64, exponent_digits: usize) -> String {
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>exponent_digits$}")
}

/// With four digits, as templates show it: `%.4g`.
pub fn four_digits(value: f64) -> String {
    special(value).map_or_else(|| general(value, &format!("{value:.3e}"), 4), str::to_owned)
}

/// With as many digits as needed, an exponent from a million on, as templates show it: `%v`.
pub fn shortest(value: f64) -> String {
    const EXPONENT_FROM: i32 = 6;
    special(value)
        .map_or_else(|| general(value, &format!("{value:e}"), EXPONENT_FROM), str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        for (value, plain, json, exponent, digits, short, decimal) in [
            (1.0, "1", "1", "1e+00", "1", "1", "1.0"),
            (0.0, "0", "0", "0e+00", "0", "0", "0.0"),
            (-0.0, "-0", "-0", "-0e+00", "-0", "-0", "-0.0"),
            (0.1, "0.1", "0.1", "1e-01", "0.1", "0.1", "0.1"),
            (0.99, "0.99", "0.99", "9.9e-01", "0.99", "0.99", "0.99"),
            (
                1_435_781_451.781,
                "1435781451.781",
                "1435781451.781",
                "1.435781451781e+09",
                "1.436e+09",
                "1.435781451781e+09",
                "1435781451.781",
            ),
            (12345.0, "12345", "12345", "1.2345e+04", "1.234e+04", "12345", "12345.0"),
            (1e6, "1000000", "1000000", "1e+06", "1e+06", "1e+06", "1000000.0"),
            (1e-6, "0.000001", "0.000001", "1e-06", "1e-06", "1e-06", "1e-6"),
            (9.5e-7, "0.00000095", "9.5e-7", "9.5e-07", "9.5e-07", "9.5e-07", "9.5e-7"),
            (
                1e20,
                "100000000000000000000",
                "100000000000000000000",
                "1e+20",
                "1e+20",
                "1e+20",
                "1e20",
            ),
            (-1e21, "-1000000000000000000000", "-1e+21", "-1e+21", "-1e+21", "-1e+21", "-1e21"),
            (f64::NAN, "NaN", "NaN", "NaN", "NaN", "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf", "+Inf", "+Inf", "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf", "-Inf", "-Inf", "-Inf", "-Inf"),
        ] {
            assert_eq!(Plain(value).to_string(), plain);
            assert_eq!(in_json(value), json);
            assert_eq!(with_exponent(value), exponent);
            assert_eq!(four_digits(value), digits);
            assert_eq!(shortest(value), short);
            assert_eq!(with_decimal(value), decimal);
        }
        assert_eq!(
            (in_json(1e300), with_exponent(5e-324)),
            ("1e+300".to_owned(), "5e-324".to_owned())
        );
    }
}
