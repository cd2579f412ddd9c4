//! The parameters of a request and their notations.
//!
//! Must not know which endpoint takes which parameter.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use notation::duration;
use series::{Matcher, Timestamp, promql::Query};

use super::reply::ApiError;
use crate::http;

/// How Prometheus writes its least and its greatest time; its clients send them to mean "any time".
const TIME_LEAST: &str = "-292273086-05-16T16:47:06Z";
const TIME_GREATEST: &str = "292277025-08-18T07:12:54.999999999Z";

/// The parameters of a request, by Prometheus's rules: of several values the first one counts, and an empty one counts as missing.
#[derive(Debug)]
pub(super) struct Parameters(http::Parameters);

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let parameters = http::Parameters::of_request(request).await;
        parameters.map(Self).map_err(|error| ApiError::bad_data(error.to_string()))
    }
}

impl Parameters {
    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.first(name).filter(|value| !value.is_empty())
    }

    /// All values of a parameter that may be given several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.all(name)
    }

    /// A parameter that must be given.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::parameter(name, "it is missing"))
    }

    /// A point in time: seconds since the Unix epoch, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let time = parse_time(text).ok_or_else(|| {
            ApiError::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
        })?;
        Ok(Some(time))
    }

    /// A length of time in milliseconds: seconds, or a duration such as `5m`.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let length = parse_length(text).ok_or_else(|| {
            ApiError::parameter(name, format!("cannot parse {text:?} to a valid duration"))
        })?;
        Ok(Some(length))
    }

    /// How long the request may take (`timeout`), if it says so.
    pub(super) fn timeout(&self) -> Result<Duration, ApiError> {
        Ok(match self.duration("timeout")? {
            Some(milliseconds) => Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)),
            None => Duration::MAX,
        })
    }

    /// The most results to give (`limit` and its like); zero and no value mean all.
    pub(super) fn limit(&self, name: &str) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else { return Ok(usize::MAX) };
        match text.parse::<usize>() {
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(limit),
            Err(_) => {
                Err(ApiError::parameter(name, format!("{text:?} is not a number of results")))
            }
        }
    }

    /// The selectors of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        self.all("match[]").map(selector).collect()
    }

    /// The interval between `start` and `end`, both included, as the store takes it: left-open. Everything by default.
    pub(super) fn interval(&self) -> Result<(Timestamp, Timestamp), ApiError> {
        let (least, greatest) = time_bounds();
        let start = self.time("start")?.unwrap_or(least);
        let end = self.time("end")?.unwrap_or(greatest);
        Ok((start.saturating_sub(1), end))
    }
}

fn selector(text: &str) -> Result<Vec<Matcher>, ApiError> {
    let query = Query::parse(text).map_err(|error| ApiError::parameter("match[]", error))?;
    let Some(matchers) = query.selector() else {
        return Err(ApiError::parameter("match[]", format!("{text:?} is not an instant selector")));
    };
    Ok(matchers.to_vec())
}

/// The least and the greatest time that can be asked for: those of the years -9999 and 9999.
fn time_bounds() -> (Timestamp, Timestamp) {
    (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond())
}

/// Seconds since the Unix epoch with a fraction, or RFC 3339. Times outside of the bounds become the nearest bound: no
/// sample is there, and all arithmetic on times stays far from overflow.
fn parse_time(text: &str) -> Option<Timestamp> {
    let (least, greatest) = time_bounds();
    if let Ok(seconds) = text.parse::<f64>() {
        return to_milliseconds(seconds).map(|time| time.clamp(least, greatest));
    }
    match text {
        TIME_LEAST => Some(least),
        TIME_GREATEST => Some(greatest),
        _ => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
    }
}

/// Seconds with a fraction, or a duration such as `1h30m`, as milliseconds. A length over 20,000 years is refused: it is
/// longer than the time between any two times.
fn parse_length(text: &str) -> Option<i64> {
    let (least, greatest) = time_bounds();
    let length = match text.parse::<f64>() {
        Ok(seconds) => to_milliseconds(seconds)?,
        Err(_) => duration::parse_prometheus(text).ok()?,
    };
    (length.unsigned_abs() <= greatest.abs_diff(least)).then_some(length)
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and callers check the bounds")]
fn to_milliseconds(seconds: f64) -> Option<i64> {
    seconds.is_finite().then(|| (seconds * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let (least, greatest) = time_bounds();
        for (text, expected) in [
            ("0", Some(0)),
            ("1435781451.781", Some(1_435_781_451_781)),
            ("1.4357814517815e9", Some(1_435_781_451_782)),
            ("-1.5", Some(-1500)),
            ("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781)),
            ("2015-07-01T22:10:51.781+02:00", Some(1_435_781_451_781)),
            (TIME_LEAST, Some(least)),
            (TIME_GREATEST, Some(greatest)),
            ("1e300", Some(greatest)),
            ("-1e300", Some(least)),
            ("NaN", None),
            ("inf", None),
            ("yesterday", None),
            ("2015-07-01", None),
            ("2015-07-01T20:10:51", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn lengths_are_seconds_or_durations() {
        for (text, expected) in [
            ("15", Some(15_000)),
            ("0.25", Some(250)),
            ("1h30m", Some(5_400_000)),
            ("-1", Some(-1000)),
            ("1e300", None),
            ("NaN", None),
            ("99999y", None),
            ("1m1h", None),
            ("x", None),
        ] {
            assert_eq!(parse_length(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_value_counts_and_an_empty_one_is_none() {
        let query = "a=1&b=&limit=3&a=2&c=x%2By+z";
        let parameters = Parameters(http::Parameters::of_query(Some(query)));
        assert_eq!(parameters.get("a"), Some("1"));
        assert_eq!(parameters.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(parameters.get("b"), None);
        assert_eq!(parameters.get("c"), Some("x+y z"));
        assert_eq!(parameters.limit("limit"), Ok(3));
        assert_eq!(parameters.limit("none"), Ok(usize::MAX));
        assert!(parameters.limit("c").is_err());
    }
}
