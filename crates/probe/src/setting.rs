//! Values of the modules file that several kinds share: durations, sizes, regular expressions, secrets.
//!
//! Each type is valid once it exists. Must not know how a value is used.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer};

use crate::report::HIDDEN;

/// How large a compiled regular expression may be: larger ones cost more memory than any check is worth.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Parses a duration in Go's notation (<https://pkg.go.dev/time#ParseDuration>), as the modules file of `blackbox_exporter`
/// has them: `5s`, `1m30s`, `500ms`, `1.5s`. Negative ones are refused.
fn go_duration(text: &str) -> Option<Duration> {
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

/// A duration as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct GoDuration(pub(crate) Duration);

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", self.0.as_secs_f64()))
    }
}

impl TryFrom<String> for GoDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        go_duration(&text).map(Self).ok_or_else(|| {
            format!("`{text}` is not a duration\nhint: write it with a unit, as 5s, 1m30s or 500ms")
        })
    }
}

/// A size in bytes: `10MB`, `512KB`, `100`; units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Size(pub(crate) u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [
            ("KiB", 10),
            ("MiB", 20),
            ("GiB", 30),
            ("KB", 10),
            ("MB", 20),
            ("GB", 30),
            ("B", 0),
            ("", 0),
        ];
        let size = units.iter().find_map(|(unit, shift)| {
            let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
            number.checked_mul(1 << shift)
        });
        size.map(Self)
            .ok_or_else(|| format!("`{text}` is not a size\nhint: write it as 512KB or 10MB"))
    }
}

/// A regular expression over bytes, unanchored, in RE2's syntax.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern {
    pub(crate) regex: regex::bytes::Regex,
    /// As it was written.
    text: String,
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A pattern in which `\d`, `\s`, `\w` and `\b` are about ASCII, as in RE2 (<https://github.com/google/re2/wiki/Syntax>), and
/// everything else about Unicode.
fn with_ascii_classes(pattern: &str) -> String {
    let mut result = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        if character != '\\' {
            match character {
                '[' => in_class = true,
                ']' => in_class = false,
                _ => {}
            }
            result.push(character);
            continue;
        }
        let Some(escaped) = characters.next() else {
            result.push('\\');
            break;
        };
        let replaced = match escaped {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            's' => "[\\t\\n\\f\\r ]",
            'S' => "[^\\t\\n\\f\\r ]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            'b' if !in_class => "(?-u:\\b)",
            'B' if !in_class => "(?-u:\\B)",
            _ => {
                result.extend(['\\', escaped]);
                continue;
            }
        };
        result.push_str(replaced);
    }
    result
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pattern = with_ascii_classes(&text);
        let built = regex::bytes::RegexBuilder::new(&pattern).size_limit(REGEX_BYTES_MAX).build();
        built.map(|regex| Self { regex, text: text.clone() }).map_err(|error| {
            let reason = error.to_string();
            let last =
                reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("`{text}` is not a regular expression: {last}")
        })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// Which family of addresses is tried first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Family {
    /// IPv6; also what an empty value means.
    #[default]
    #[serde(rename = "ip6", alias = "")]
    Ip6,
    /// IPv4.
    #[serde(rename = "ip4")]
    Ip4,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, milliseconds) in
            [("5s", 5000), ("1m30s", 90_000), ("500ms", 500), ("1.5s", 1500), ("0s", 0)]
        {
            assert_eq!(go_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "1d", "-5s", "s", "1e9h", ".s", "99999999999999999999999h"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_and_patterns_are_checked() {
        assert_eq!(Size::try_from("10MB".to_owned()), Ok(Size(10 << 20)));
        assert_eq!(Size::try_from("100".to_owned()), Ok(Size(100)));
        assert!(Size::try_from("ten".to_owned()).is_err());
        assert!(
            Pattern::try_from("(".to_owned()).unwrap_err().contains("not a regular expression")
        );
        assert!(Pattern::try_from("(a{1000}){1000}".to_owned()).is_err());
        let word = Pattern::try_from(r"^[\w-]+\b\d$".to_owned()).unwrap();
        assert!(!word.regex.is_match("grüße-1".as_bytes()));
        let word = Pattern::try_from(r"^[\w-]+\d\b.$".to_owned()).unwrap();
        assert!(word.regex.is_match("gr-1ü".as_bytes()));
        assert!(!word.regex.is_match("gr-٣ü".as_bytes()));
        assert_eq!(serde_json::to_string(&Secret("x".to_owned())).unwrap(), "\"<secret>\"");
    }
}
