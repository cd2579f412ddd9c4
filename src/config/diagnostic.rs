//! A diagnostic laid out for a person: what is wrong, the quoted line with a caret, and the hint.
//!
//! Must not know which file format it speaks of.

use std::{fmt, path::Path};

use notation::Diagnostic;

/// A diagnostic that is shown as an error.
#[derive(Clone, Copy, Debug)]
pub struct Error<'a>(pub &'a Diagnostic);

impl fmt::Display for Error<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(formatter, "error", self.0)
    }
}

/// A diagnostic that is shown as a warning.
#[derive(Clone, Copy, Debug)]
pub struct Warning<'a>(pub &'a Diagnostic);

impl fmt::Display for Warning<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(formatter, "warning", self.0)
    }
}

fn write(formatter: &mut fmt::Formatter<'_>, word: &str, diagnostic: &Diagnostic) -> fmt::Result {
    write!(formatter, "{word}: {}", diagnostic.message)?;
    let path = diagnostic.path.as_deref().unwrap_or(Path::new("")).display();
    match diagnostic.position {
        Some(at) => {
            let number = at.line.to_string();
            let margin = " ".repeat(number.len());
            let text = diagnostic.excerpt.as_deref().unwrap_or_default();
            // Tabs are kept, so that the caret is below its character however wide they are.
            let before = text.chars().take(at.column.saturating_sub(1));
            let indent: String =
                before.map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
            write!(formatter, "\n{margin}--> {path}:{number}:{}", at.column)?;
            write!(formatter, "\n{margin} |\n{number} | {text}\n{margin} | {indent}^")?;
        }
        None => write!(formatter, "\n --> {path}")?,
    }
    match &diagnostic.hint {
        Some(hint) => write!(formatter, "\nhint: {hint}"),
        None => Ok(()),
    }
}
