//! A mistake in a file, said so that a person can mend it.
//!
//! Must not know which file format it speaks of.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// How much of a line is quoted: a file without line ends must not fill the log.
const LINE_CHARACTERS_MAX: usize = 400;

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub path: PathBuf,
    /// Line and column from 1, and the text of that line; `None` when the mistake has no place in the file.
    pub place: Option<Place>,
    /// What is wrong: a lower-case fragment without a final period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text.
    pub text: String,
}

impl Diagnostic {
    /// A mistake of the file as a whole.
    pub fn of_file(path: &Path, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { path: path.to_path_buf(), place: None, message: message.into(), hint }
    }

    /// A mistake at a place of `text`, the content of the file.
    pub fn located(path: &Path, text: &str, problem: yaml::Problem) -> Self {
        let line = line(text, problem.line);
        let line: String =
            line.trim_start_matches('\u{feff}').chars().take(LINE_CHARACTERS_MAX).collect();
        let place = Place { line: problem.line, column: problem.column, text: line };
        Self {
            path: path.to_path_buf(),
            place: Some(place),
            message: problem.message,
            hint: problem.hint,
        }
    }

    /// `file:line:column`, or the file alone.
    pub fn location(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.path.display(), place.line, place.column),
            None => self.path.display().to_string(),
        }
    }
}

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

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, "error")
    }
}

/// A diagnostic that is shown as a warning.
#[derive(Clone, Copy, Debug)]
pub struct Warning<'a>(pub &'a Diagnostic);

impl fmt::Display for Warning<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(formatter, "warning")
    }
}

impl Diagnostic {
    /// What is wrong, the quoted line with a caret, and the hint.
    fn write(&self, formatter: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
        writeln!(formatter, "{word}: {}", self.message)?;
        match &self.place {
            Some(place) => {
                let number = place.line.to_string();
                let margin = " ".repeat(number.len());
                let indent: String = place
                    .text
                    .chars()
                    .take(place.column.saturating_sub(1))
                    .map(|character| if character == '\t' { '\t' } else { ' ' })
                    .collect();
                writeln!(
                    formatter,
                    "{margin}--> {}:{}:{}",
                    self.path.display(),
                    place.line,
                    place.column
                )?;
                writeln!(formatter, "{margin} |")?;
                writeln!(formatter, "{number} | {}", place.text)?;
                write!(formatter, "{margin} | {indent}^")?;
            }
            None => write!(formatter, " --> {}", self.path.display())?,
        }
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
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
}
