//! What is wrong, where, and what to do about it: the one type for every mistake in a file, an argument or an address.
//!
//! Whoever refuses a value knows only what is wrong with it. The reader of a text adds the position, and whoever opened the
//! file its path. Must not know file formats, nor how a diagnostic is laid out for a terminal or a page.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// How many characters of a line are kept: a file without line ends must not fill the log.
const LINE_CHARACTERS_MAX: usize = 400;

/// Begins a message that was encoded with its hint. It cannot begin one that was not: control characters in a message are
/// escaped by whoever quotes them.
const ENCODED: char = '\u{1f}';

/// One mistake, or something that is valid and looks like one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong: a lower-case fragment without a final period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file; `None` for a text whose name its reader does not know.
    pub path: Option<PathBuf>,
    /// Where in the text; `None` when the whole of it is meant.
    pub position: Option<Position>,
    /// The text of that line, to be quoted; `None` before the diagnostic was put into its file.
    pub excerpt: Option<String>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} column {}", self.line, self.column)
    }
}

impl Diagnostic {
    /// A mistake that has no place yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With its place in the text, unless it has one.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position: self.position.or(Some(position)), ..self }
    }

    /// With the file that is meant as a whole.
    #[must_use]
    pub fn of_file(self, path: &Path) -> Self {
        Self { path: Some(path.to_path_buf()), ..self }
    }

    /// With the file that it is in, and the line in question of `text`, the file's content.
    #[must_use]
    pub fn in_file(self, path: &Path, text: &str) -> Self {
        let excerpt = self.position.map(|position| {
            let line = line(text, position.line).trim_start_matches('\u{feff}');
            line.chars().take(LINE_CHARACTERS_MAX).collect()
        });
        Self { excerpt, ..self.of_file(path) }
    }

    /// `file:line:column`, or as much of it as is known.
    pub fn location(&self) -> String {
        let path = self.path.as_deref().map(|path| path.display().to_string());
        let position = self.position.map(|at| format!("{}:{}", at.line, at.column));
        path.into_iter().chain(position).collect::<Vec<_>>().join(":")
    }

    /// The message, and the hint in a line of its own: for an answer in plain text.
    pub fn with_hint_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\nhint: {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// The diagnostic that was carried through serde as a text; any other text is a message without a hint.
    ///
    /// serde's `Error::custom` takes nothing but what can be displayed, and a value refuses its text through it. With the
    /// flag `#` a diagnostic therefore displays as its encoding: `ENCODED`, the length of the hint in bytes, a space, the
    /// hint, and the message. A reader that wants hints writes the error by `{:#}` and decodes it here.
    pub fn decode(text: String) -> Self {
        let decoded = text.strip_prefix(ENCODED).and_then(|rest| {
            let (length, rest) = rest.split_once(' ')?;
            let (hint, message) = rest.split_at_checked(length.parse().ok()?)?;
            Some(Self::new(message).hint(hint))
        });
        decoded.unwrap_or_else(|| Self::new(text))
    }
}

impl fmt::Display for Diagnostic {
    /// In one line: `line 2 column 5: unknown key (hint: …)`. With the flag `#` see [`Diagnostic::decode`].
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (true, Some(hint)) = (formatter.alternate(), &self.hint) {
            return write!(formatter, "{ENCODED}{} {hint}{}", hint.len(), self.message);
        }
        if let Some(path) = &self.path {
            write!(formatter, "{}: ", path.display())?;
        }
        if let Some(position) = self.position {
            write!(formatter, "{position}: ")?;
        }
        formatter.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// A line of a text, counted from 1 as YAML does: a lone carriage return ends one, too (YAML 1.2.2 §5.4).
fn line(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 1..number {
        let Some((_, behind)) = rest.split_once(['\n', '\r']) else { return "" };
        let is_pair = rest.len() > behind.len()
            && rest.as_bytes().get(rest.len() - behind.len() - 1) == Some(&b'\r');
        rest = behind.strip_prefix('\n').filter(|_| is_pair).unwrap_or(behind);
    }
    rest.split(['\n', '\r']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_yaml() {
        let text = "a\nb\r\nc\rd\n\ne";
        let lines: Vec<&str> = (1..=8).map(|number| line(text, number)).collect();
        assert_eq!(lines, ["a", "b", "c", "d", "", "e", "", ""]);
    }

    #[test]
    fn what_is_known_is_displayed() {
        let plain = Diagnostic::new("unknown key `a`");
        let hinted = plain.clone().hint("the keys are b, c");
        let placed = hinted.clone().at(Position { line: 2, column: 5 });
        let filed = placed.clone().in_file("x.yml".as_ref(), "\u{feff}b: 1\n    a: 2\n");
        for (diagnostic, text, location) in [
            (&plain, "unknown key `a`", ""),
            (&hinted, "unknown key `a` (hint: the keys are b, c)", ""),
            (&placed, "line 2 column 5: unknown key `a` (hint: the keys are b, c)", "2:5"),
            (
                &filed,
                "x.yml: line 2 column 5: unknown key `a` (hint: the keys are b, c)",
                "x.yml:2:5",
            ),
            (&plain.clone().of_file("x.yml".as_ref()), "x.yml: unknown key `a`", "x.yml"),
        ] {
            assert_eq!(
                (diagnostic.to_string().as_str(), diagnostic.location()),
                (text, location.to_owned())
            );
        }
        assert_eq!(filed.excerpt.as_deref(), Some("    a: 2"));
        assert_eq!(placed.clone().at(Position::START).position, placed.position);
        assert_eq!(hinted.with_hint_line(), "unknown key `a`\nhint: the keys are b, c");
        let long = Diagnostic::new("").at(Position::START).in_file("x".as_ref(), &"ä".repeat(500));
        assert_eq!(long.excerpt, Some("ä".repeat(400)));
    }

    #[test]
    fn a_hint_survives_a_text() {
        for (message, hint) in [
            ("`x` is not a size", Some("write 1KB")),
            ("`\u{1f}` and\nhint: `b`", Some("häkchen \u{1f}3 x")),
            ("", Some("")),
            ("plain", None),
            ("\u{1f}", None),
            ("\u{1f}9 short", None),
            ("\u{1f}1 ä", None),
        ] {
            let diagnostic =
                Diagnostic { hint: hint.map(str::to_owned), ..Diagnostic::new(message) };
            assert_eq!(Diagnostic::decode(format!("{diagnostic:#}")), diagnostic);
        }
    }
}
