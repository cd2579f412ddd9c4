//! What a target was promised: how long it may fail before that is reported, how fast it answers, how often it works.
//!
//! The same parser reads the labels of a targets file and the parameters of `/probe`, so that both modes accept the same values.
//! Must not know what becomes of a promise: the rules compare it with what was measured.

use std::time::Duration;

use notation::{
    Diagnostic,
    duration::{above_zero, written},
};

/// The label or parameter with the length of a disruption that is reported.
pub const ALERT_AFTER: &str = "alert_after";

/// The label or parameter with the duration above which the service is slow.
pub const MAX_LATENCY: &str = "max_latency";

/// The label or parameter with the objective in percent.
pub const SLO: &str = "slo";

/// The names of all promises.
pub const NAMES: [&str; 3] = [ALERT_AFTER, MAX_LATENCY, SLO];

/// How many failed checks in a row a disruption has at least: fewer could be one and silence after it.
const CHECKS_MIN: u32 = 3;

/// The promises of a target; `None` where the rules have a default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Promises {
    /// How long it fails before that is reported.
    pub alert_after: Option<Duration>,
    /// The duration above which it is slow.
    pub max_latency: Option<Duration>,
    /// The share of checks that succeed, between 0 and 1.
    pub slo: Option<f64>,
}

impl Promises {
    /// Sets a promise; names of no promise change nothing.
    ///
    /// # Errors
    /// When the value is not one that the promise can have.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Diagnostic> {
        match name {
            ALERT_AFTER => self.alert_after = Some(duration(name, value)?),
            MAX_LATENCY => self.max_latency = Some(duration(name, value)?),
            SLO => self.slo = Some(ratio(value)?),
            _ => {}
        }
        Ok(())
    }

    /// Looks whether a disruption differs from a few failed checks.
    ///
    /// # Errors
    /// When `alert_after` is below three intervals, with the numbers.
    pub fn check_interval(&self, interval: Duration) -> Result<(), Diagnostic> {
        let least = interval * CHECKS_MIN;
        match self.alert_after {
            Some(alert_after) if alert_after < least => Err(Diagnostic::new(format!(
                "`{ALERT_AFTER}` is {}, and at an interval of {} it has to be {} at least, the time of {CHECKS_MIN} checks",
                written(alert_after),
                written(interval),
                written(least)
            ))
            .hint("lengthen it, or set a shorter `__scrape_interval__`")),
            _ => Ok(()),
        }
    }
}

fn duration(name: &str, text: &str) -> Result<Duration, Diagnostic> {
    above_zero(text).ok_or_else(|| {
        Diagnostic::new(format!("`{name}` cannot be `{}`", text.escape_debug()))
            .hint("write a duration above zero, such as 2500ms, 15m or 1h30m")
    })
}

/// A percentage as a ratio. The point is moved in the text, so that `99.95` is the number that is written `0.9995`.
fn ratio(text: &str) -> Result<f64, Diagnostic> {
    let error = || {
        Diagnostic::new(format!("`{SLO}` cannot be `{}`", text.escape_debug()))
            .hint("write a percentage between 0 and 100 without a sign, such as 99.9")
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || text.ends_with('.') {
        return Err(error());
    }
    let whole = format!("{whole:0>3}");
    let (hundreds, percent) = whole.split_at(whole.len() - 2);
    let ratio: f64 = format!("{hundreds}.{percent}{fraction}").parse().map_err(|_| error())?;
    if ratio > 0.0 && ratio < 1.0 { Ok(ratio) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Promises, Diagnostic> {
        let mut promises = Promises::default();
        promises.set(name, value).map(|()| promises)
    }

    #[test]
    fn any_duration_above_zero_is_one() {
        for (text, milliseconds) in [
            ("25m", Some(1_500_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("1y", Some(31_536_000_000)),
            ("0", None),
            ("0s", None),
            ("", None),
            ("15", None),
            ("-5m", None),
            ("1.5h", None),
            ("soon", None),
            ("99999999999999999y", None),
        ] {
            for name in [ALERT_AFTER, MAX_LATENCY] {
                let found = set(name, text).ok();
                let found = found.and_then(|found| found.alert_after.or(found.max_latency));
                assert_eq!(found, milliseconds.map(Duration::from_millis), "{name} {text}");
            }
        }
    }

    #[test]
    fn a_percentage_is_the_ratio_that_one_would_write() {
        for (text, ratio) in [
            ("99.95", Some(0.9995)),
            ("99.9", Some(0.999)),
            ("99", Some(0.99)),
            ("90", Some(0.9)),
            ("5", Some(0.05)),
            ("0.5", Some(0.005)),
            ("99.999", Some(0.99999)),
            ("099.8", Some(0.998)),
            ("100", None),
            ("100.0", None),
            ("0", None),
            ("0.0", None),
            ("101", None),
            ("-1", None),
            ("+99", None),
            ("99.9%", None),
            ("99,9", None),
            ("1e1", None),
            ("NaN", None),
            (".5", None),
            ("99.", None),
            ("9 9", None),
            ("", None),
        ] {
            let found = set(SLO, text).ok().and_then(|found| found.slo);
            assert_eq!(found, ratio, "{text}");
        }
        assert_eq!(set(SLO, "99.95").unwrap().slo.unwrap().to_string(), "0.9995");
    }

    #[test]
    fn a_disruption_has_three_checks() {
        let promises = |text| set(ALERT_AFTER, text).unwrap();
        assert!(promises("45s").check_interval(Duration::from_secs(15)).is_ok());
        let error = promises("2m").check_interval(Duration::from_mins(1)).unwrap_err();
        assert!(error.message.contains("2m") && error.message.contains("3m"), "{error}");
        assert!(Promises::default().check_interval(Duration::from_hours(1)).is_ok());
    }
}
