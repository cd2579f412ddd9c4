//! Functions of times, in UTC.
//!
//! Times outside of the years -9999 to 9999 give NaN. Must not know labels.

use jiff::{civil::DateTime, tz::Offset};

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates and the library then refuses the time"
)]
fn part(seconds: f64, part: impl Fn(DateTime) -> i16) -> f64 {
    if seconds.is_nan() {
        return f64::NAN;
    }
    match jiff::Timestamp::from_second(seconds as i64) {
        Ok(time) => f64::from(part(Offset::UTC.to_datetime(time))),
        Err(_) => f64::NAN,
    }
}

/// `year()`
pub(super) fn year(seconds: f64) -> f64 {
    part(seconds, DateTime::year)
}

/// `month()`, from 1.
pub(super) fn month(seconds: f64) -> f64 {
    part(seconds, |time| time.month().into())
}

/// `day_of_month()`, from 1.
pub(super) fn day_of_month(seconds: f64) -> f64 {
    part(seconds, |time| time.day().into())
}

/// `day_of_week()`: Sunday is 0.
pub(super) fn day_of_week(seconds: f64) -> f64 {
    part(seconds, |time| time.weekday().to_sunday_zero_offset().into())
}

/// `day_of_year()`, from 1.
pub(super) fn day_of_year(seconds: f64) -> f64 {
    part(seconds, DateTime::day_of_year)
}

/// `days_in_month()`
pub(super) fn days_in_month(seconds: f64) -> f64 {
    part(seconds, |time| time.days_in_month().into())
}

/// `hour()`
pub(super) fn hour(seconds: f64) -> f64 {
    part(seconds, |time| time.hour().into())
}

/// `minute()`
pub(super) fn minute(seconds: f64) -> f64 {
    part(seconds, |time| time.minute().into())
}
