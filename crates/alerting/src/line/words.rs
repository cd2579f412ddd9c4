//! The words of a line for people: what happened, for how long, when.
//!
//! A line about an end says what is true at the end. Must not know formats.

use jiff::tz::TimeZone;
use series::Timestamp;
use url::Url;

use crate::event::{AlertEvent, Ending, Transition};

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `FIRING WebserviceDown: <summary>`, `RESOLVED WebserviceDown: http://a/ works again after 17 min`; with the name of the service
/// before the alert's when it has no field of its own.
pub(super) fn message(event: &AlertEvent, with_service: bool) -> String {
    let word = match event.transition {
        Transition::Firing => "FIRING",
        Transition::Resolved => "RESOLVED",
    };
    let service = if with_service { event.label("service") } else { "" };
    let name = event.label("alertname");
    let head: Vec<&str> =
        [word, service, name].into_iter().filter(|text| !text.is_empty()).collect();
    let what = match event.transition {
        Transition::Firing => summary(event),
        Transition::Resolved => end(event),
    };
    let head = head.join(" ");
    if what.is_empty() { head } else { format!("{head}: {what}") }
}

fn summary(event: &AlertEvent) -> String {
    [event.annotation("summary"), event.annotation("description"), event.label("instance")]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

fn end(event: &AlertEvent) -> String {
    let instance = event.label("instance");
    let instance = web_address(instance).unwrap_or_else(|| instance.to_owned());
    let of = |verb: &str, noun: &str| {
        if instance.is_empty() { noun.to_owned() } else { format!("{instance}{verb}{noun}") }
    };
    let (what, separator) = match event.ending {
        Ending::WorksAgain => match event.annotation("resolved") {
            "" => (of(": ", "over"), " after "),
            resolved => (resolved.to_owned(), " after "),
        },
        Ending::NoLongerWatched => (of(" is ", "no longer watched"), ", after "),
        Ending::RuleRemoved => (of(": ", "rule removed"), ", after "),
    };
    match elapsed(event.duration()) {
        Some(elapsed) => format!("{what}{separator}{elapsed}"),
        None => what,
    }
}

/// `45 s`, `17 min`, `2 h 5 min`, `3 d 4 h`; `None` for less than a second.
fn elapsed(milliseconds: i64) -> Option<String> {
    let pair = |large: i64, unit: &str, small: i64, smaller: &str| {
        let (whole, rest) = (milliseconds / large, milliseconds % large / small);
        if rest == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole} {unit} {rest} {smaller}")
        }
    };
    match milliseconds {
        ..SECOND_MS => None,
        SECOND_MS..MINUTE_MS => Some(format!("{} s", milliseconds / SECOND_MS)),
        MINUTE_MS..HOUR_MS => Some(format!("{} min", milliseconds / MINUTE_MS)),
        HOUR_MS..DAY_MS => Some(pair(HOUR_MS, "h", MINUTE_MS, "min")),
        DAY_MS.. => Some(pair(DAY_MS, "d", HOUR_MS, "h")),
    }
}

/// A time for machines, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    format!("{:.3}", timestamp(at))
}

/// A time for people, in the time zone of the system. The offset keeps it unambiguous when the clocks change.
pub(super) fn local_time(at: Timestamp) -> String {
    timestamp(at).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f%:z").to_string()
}

fn timestamp(at: Timestamp) -> jiff::Timestamp {
    // A time that the calendar does not have is shown as its beginning.
    jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// The text when it is a URL, without user and password: those do not belong into a log.
pub(super) fn web_address(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    if url.username().is_empty() && url.password().is_none() {
        return Some(text.to_owned());
    }
    // Both can fail only for addresses without a host.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use series::Labels;

    use super::*;

    #[test]
    fn urls_are_distinguished_from_other_instances_and_lose_their_secrets() {
        for (text, expected) in [
            ("http://a/", Some("http://a/")),
            ("https://EXAMPLE.com", Some("https://EXAMPLE.com")),
            ("https://user:secret@example.com/x", Some("https://example.com/x")),
            ("tcp://db:5432", Some("tcp://db:5432")),
            ("db:5432", None),
            ("127.0.0.1:80", None),
            ("", None),
        ] {
            assert_eq!(web_address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn lengths_are_given_in_two_units_at_most() {
        for (seconds, expected) in [
            (0, None),
            (1, Some("1 s")),
            (59, Some("59 s")),
            (17 * 60 + 45, Some("17 min")),
            (3600, Some("1 h")),
            (2 * 3600 + 5 * 60 + 59, Some("2 h 5 min")),
            (86_400, Some("1 d")),
            (3 * 86_400 + 4 * 3600, Some("3 d 4 h")),
        ] {
            assert_eq!(elapsed(seconds * SECOND_MS).as_deref(), expected, "{seconds}");
        }
    }

    #[test]
    fn a_line_about_an_end_says_what_is_true_then() {
        let end = |ending, instance: &str, resolved: &str| {
            let event = AlertEvent {
                transition: Transition::Resolved,
                at: 17 * MINUTE_MS,
                reported_at: 17 * MINUTE_MS,
                ending,
                labels: Labels::new([("alertname", "Down"), ("instance", instance)]),
                annotations: Labels::new([("summary", "it is down"), ("resolved", resolved)]),
                ..AlertEvent::default()
            };
            message(&event, false)
        };
        let (works, gone, removed) =
            (Ending::WorksAgain, Ending::NoLongerWatched, Ending::RuleRemoved);
        for (ending, instance, resolved, expected) in [
            (works, "http://a/", "http://a/ works", "RESOLVED Down: http://a/ works after 17 min"),
            (works, "http://a/", "", "RESOLVED Down: http://a/: over after 17 min"),
            (works, "", "", "RESOLVED Down: over after 17 min"),
            (works, "http://u:p@a/", "", "RESOLVED Down: http://a/: over after 17 min"),
            (
                gone,
                "http://a/",
                "http://a/ works",
                "RESOLVED Down: http://a/ is no longer watched, after 17 min",
            ),
            (gone, "", "", "RESOLVED Down: no longer watched, after 17 min"),
            (removed, "db:1", "it works", "RESOLVED Down: db:1: rule removed, after 17 min"),
        ] {
            assert_eq!(end(ending, instance, resolved), expected);
        }
    }
}
