//! Values of the modules file that several kinds share: durations, sizes, regular expressions, secrets.
//!
//! Each type is valid once it exists. Must not know how a value is used.

use std::{fmt, time::Duration};

use notation::{Diagnostic, duration, size};
use serde::{Deserialize, Serialize, Serializer};

use crate::report::HIDDEN;

/// How large a compiled regular expression may be: larger ones cost more memory than any check is worth.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

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
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        duration::parse_go(&text).map(Self).ok_or_else(|| {
            Diagnostic::new(format!("`{text}` is not a duration"))
                .hint("write it with a unit, as 5s, 1m30s or 500ms")
        })
    }
}

/// A size in bytes: `10MB`, `512KB`, `100`; units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Size(pub(crate) u64);

impl TryFrom<String> for Size {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        // Without a unit it is a number of bytes.
        let size = text.parse().ok().or_else(|| size::parse(&text));
        size.map(Self).ok_or_else(|| {
            Diagnostic::new(format!("`{text}` is not a size")).hint("write it as 512KB or 10MB")
        })
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
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let pattern = with_ascii_classes(&text);
        let built = regex::bytes::RegexBuilder::new(&pattern).size_limit(REGEX_BYTES_MAX).build();
        built.map(|regex| Self { regex, text: text.clone() }).map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Diagnostic::new(format!("`{text}` is not a regular expression: {last}"))
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
    fn sizes_and_patterns_are_checked() {
        assert_eq!(Size::try_from("10MB".to_owned()), Ok(Size(10 << 20)));
        assert_eq!(Size::try_from("100".to_owned()), Ok(Size(100)));
        assert_eq!(Size::try_from("2 KiB".to_owned()), Ok(Size(2048)));
        assert!(Size::try_from("ten".to_owned()).is_err());
        assert!(
            Pattern::try_from("(".to_owned())
                .unwrap_err()
                .message
                .contains("not a regular expression")
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
