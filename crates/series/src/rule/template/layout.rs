//! Times as Go's `time.Format` writes them, by an example of the wanted form: `2006-01-02 15:04`
//! (<https://pkg.go.dev/time#pkg-constants>). All times are UTC.
//!
//! Must not know templates.

use jiff::civil::DateTime;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A part of the example and what stands for it.
type Write = fn(&DateTime) -> String;

/// The parts of an example. Of two that fit the first is meant, so the longer ones are before those that they begin with.
const PARTS: [(&str, Write); 38] = [
    ("January", |time| name(&MONTHS, time.month()).to_owned()),
    ("Monday", |time| name(&WEEKDAYS, time.weekday().to_monday_one_offset()).to_owned()),
    ("Jan", |time| abbreviated(name(&MONTHS, time.month()))),
    ("Mon", |time| abbreviated(name(&WEEKDAYS, time.weekday().to_monday_one_offset()))),
    ("MST", |_| "UTC".to_owned()),
    ("002", |time| format!("{:03}", time.day_of_year())),
    ("01", |time| format!("{:02}", time.month())),
    ("02", |time| format!("{:02}", time.day())),
    ("03", |time| format!("{:02}", twelve(time))),
    ("04", |time| format!("{:02}", time.minute())),
    ("05", |time| format!("{:02}", time.second())),
    ("06", |time| format!("{:02}", time.year().rem_euclid(100))),
    ("15", |time| format!("{:02}", time.hour())),
    ("1", |time| time.month().to_string()),
    ("2006", year),
    ("2", |time| time.day().to_string()),
    ("_2006", |time| format!("_{}", year(time))),
    ("__2", |time| format!("{:3}", time.day_of_year())),
    ("_2", |time| format!("{:2}", time.day())),
    ("3", |time| twelve(time).to_string()),
    ("4", |time| time.minute().to_string()),
    ("5", |time| time.second().to_string()),
    ("PM", |time| if time.hour() < 12 { "AM" } else { "PM" }.to_owned()),
    ("pm", |time| if time.hour() < 12 { "am" } else { "pm" }.to_owned()),
    ("-070000", |_| "+000000".to_owned()),
    ("-07:00:00", |_| "+00:00:00".to_owned()),
    ("-0700", |_| "+0000".to_owned()),
    ("-07:00", |_| "+00:00".to_owned()),
    ("-07", |_| "+00".to_owned()),
    ("Z070000", |_| "Z".to_owned()),
    ("Z07:00:00", |_| "Z".to_owned()),
    ("Z0700", |_| "Z".to_owned()),
    ("Z07:00", |_| "Z".to_owned()),
    ("Z07", |_| "Z".to_owned()),
    (".0", |_| String::new()),
    (".9", |_| String::new()),
    (",0", |_| String::new()),
    (",9", |_| String::new()),
];

fn name<const N: usize>(names: &[&'static str; N], number: i8) -> &'static str {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| names.get(index)).copied().unwrap_or("")
}

fn abbreviated(name: &str) -> String {
    name.chars().take(3).collect()
}

fn year(time: &DateTime) -> String {
    format!("{:04}", time.year())
}

/// The hour on a clock of twelve.
fn twelve(time: &DateTime) -> i8 {
    match time.hour() % 12 {
        0 => 12,
        hour => hour,
    }
}

/// A time in the form of the example `layout`.
pub(super) fn format(time: &DateTime, layout: &str) -> String {
    let mut text = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(character) = rest.chars().next() {
        let (part, written) = match part(rest, time) {
            Some(found) => found,
            None => (character.len_utf8(), character.to_string()),
        };
        text.push_str(&written);
        rest = rest.get(part..).unwrap_or("");
    }
    text
}

/// The length of the part of an example that a text begins with, and what stands for it.
fn part(text: &str, time: &DateTime) -> Option<(usize, String)> {
    let is_word = |part: &str| matches!(part, "Jan" | "Mon");
    let (part, write) = PARTS.iter().find(|(part, _)| {
        let Some(rest) = text.strip_prefix(part) else { return false };
        // `Month` and `Janitor` are words.
        !(is_word(part) && rest.starts_with(|next: char| next.is_ascii_lowercase()))
    })?;
    if part.starts_with(['.', ',']) {
        fraction(text, time)
    } else {
        Some((part.len(), write(time)))
    }
}

/// Parts of a second: `.000` with all digits, `.999` without zeros at the end. Digits that go on are something else.
fn fraction(text: &str, time: &DateTime) -> Option<(usize, String)> {
    let separator = text.get(..1)?;
    let digits = text.get(1..)?;
    let digit = digits.chars().next()?;
    let rest = digits.trim_start_matches(digit);
    let length = digits.len() - rest.len();
    if rest.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    let all = format!("{:09}", time.subsec_nanosecond());
    let mut written = format!("{separator}{}", all.get(..length.min(9))?);
    if digit == '9' {
        written = written.trim_end_matches('0').trim_end_matches(separator).to_owned();
    }
    Some((1 + length, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_by_go() {
        // As Go writes them: compared with promtool.
        let morning = jiff::civil::date(2026, 3, 5).at(0, 4, 9, 120_000_000);
        let evening = jiff::civil::date(2009, 11, 10).at(23, 0, 0, 0);
        for (layout, first, second) in [
            ("15:04", "00:04", "23:00"),
            ("2006-01-02 15:04", "2026-03-05 00:04", "2009-11-10 23:00"),
            (
                "Mon, 02 Jan 2006 15:04:05 MST",
                "Thu, 05 Mar 2026 00:04:09 UTC",
                "Tue, 10 Nov 2009 23:00:00 UTC",
            ),
            ("Monday, 2. January 06", "Thursday, 5. March 26", "Tuesday, 10. November 09"),
            ("3:04PM 03pm", "12:04AM 12am", "11:00PM 11pm"),
            ("1/2/2006 4:5", "3/5/2026 4:9", "11/10/2009 0:0"),
            ("_2 __2 002 _2006", " 5  64 064 _2026", "10 314 314 _2009"),
            ("2006-01-02T15:04:05Z07:00", "2026-03-05T00:04:09Z", "2009-11-10T23:00:00Z"),
            ("-0700 -07:00 -07 Z0700", "+0000 +00:00 +00 Z", "+0000 +00:00 +00 Z"),
            ("05.000 05.999 05,00 05.9x", "09.120 09.12 09,12 09.1x", "00.000 00 00,00 00x"),
            ("Month Janitor .05 ü at", "Month Janitor .09 ü at", "Month Janitor .00 ü at"),
            (".001", ".003", ".011"),
            ("", "", ""),
        ] {
            assert_eq!(
                (format(&morning, layout), format(&evening, layout)),
                (first.to_owned(), second.to_owned()),
                "{layout}"
            );
        }
    }
}
