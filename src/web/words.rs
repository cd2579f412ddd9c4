//! Numbers, times and names in words that a reader understands.
//!
//! Must not know where they are shown.

use maud::{Markup, html};
use series::{Labels, Timestamp};

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Shown where nothing is known.
pub(super) const NOTHING: &str = "–";

/// A number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A time as `2026-11-22 19:05:10`, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    format_time(at, "%Y-%m-%d %H:%M:%S")
}

/// A time in UTC, in a notation of strftime.
pub(super) fn format_time(at: Timestamp, notation: &str) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| NOTHING.to_owned(), |at| at.strftime(notation).to_string())
}

/// How long ago a time was, with the exact time besides.
pub(super) fn when(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(format_time(at, "%Y-%m-%dT%H:%M:%SZ")) title=(format!("{} UTC", time(at))) { (ago(at, now)) } }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.saturating_sub(at);
    if passed < 2 * SECOND_MS { "just now".to_owned() } else { format!("{} ago", duration(passed)) }
}

/// A length of time in its largest fitting unit.
pub(super) fn duration(milliseconds: i64) -> String {
    let units = [(MINUTE_MS, SECOND_MS, "s"), (HOUR_MS, MINUTE_MS, "min"), (DAY_MS, HOUR_MS, "h")];
    // Two of the next unit before it is used: “90 s” says more than “1 min”.
    let fitting = units.into_iter().find(|(next, _, _)| milliseconds < 2 * next);
    let (size, unit) = fitting.map_or((DAY_MS, "days"), |(_, size, unit)| (size, unit));
    format!("{} {unit}", milliseconds.max(0) / size)
}

/// A response time given in seconds.
pub(super) fn response_time(seconds: f64) -> String {
    let milliseconds = seconds * 1000.0;
    if milliseconds < 1.0 {
        format!("{milliseconds:.2} ms")
    } else if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 1000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{seconds:.2} s")
    }
}

/// A share as a percentage. It is rounded down: 100 % means that nothing failed.
pub(super) fn percentage(share: f64) -> String {
    let hundredths = (share * 10_000.0 + 1e-6).floor();
    if hundredths >= 10_000.0 { "100 %".to_owned() } else { format!("{:.2} %", hundredths / 100.0) }
}

/// Milliseconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "times up to the year 287396 are exact")]
pub(super) fn real(milliseconds: i64) -> f64 {
    milliseconds as f64
}

/// The labels as small tags, without those that the reader sees elsewhere.
pub(super) fn tags(labels: &Labels, hidden: &[&str]) -> Markup {
    let shown = labels.iter().filter(|(name, _)| !hidden.contains(name));
    html! {
        @for (name, value) in shown {
            span.tag { span.name { (name) "=" } (value) }
            " "
        }
    }
}

/// A name such as `WebserviceCertificateExpiring`, which may be broken before each of its words.
pub(super) fn breakable(name: &str) -> Markup {
    let mut words: Vec<String> = Vec::new();
    for character in name.chars() {
        match words.last_mut() {
            Some(word) if !character.is_uppercase() => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    html! {
        @for (index, word) in words.iter().enumerate() {
            @if index > 0 { wbr; }
            (word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (share, text) in [
            (1.0, "100 %"),
            (0.999_999, "99.99 %"),
            (0.5, "50.00 %"),
            (0.0, "0.00 %"),
            (0.29, "29.00 %"),
        ] {
            assert_eq!(percentage(share), text);
        }
        for (seconds, text) in
            [(0.000_04, "0.04 ms"), (0.0012, "1.2 ms"), (0.0449, "45 ms"), (1.239, "1.24 s")]
        {
            assert_eq!(response_time(seconds), text);
        }
        for (milliseconds, text) in [
            (-5, "0 s"),
            (90_000, "90 s"),
            (600_000, "10 min"),
            (7_200_000, "2 h"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(i64::MAX), NOTHING);
    }

    #[test]
    fn names_break_between_their_words() {
        assert_eq!(breakable("WebserviceDown").into_string(), "Webservice<wbr>Down");
        assert_eq!(breakable("job:up:ratio").into_string(), "job:up:ratio");
        assert_eq!(breakable("").into_string(), "");
    }
}
