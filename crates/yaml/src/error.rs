//! A mistake while it travels through serde: it gets its place on the way up.
//!
//! Must not know how a mistake is shown.

use std::fmt;

use notation::{Diagnostic, Position, did_you_mean};
use serde::de::{Expected, Unexpected};

use crate::node::{Cut, Node};

/// More keys than this are not listed in a hint.
const LISTED_MAX: usize = 12;

/// A mistake in the making.
#[derive(Debug)]
pub(crate) struct Error {
    diagnostic: Box<Diagnostic>,
    /// The field that a mapping lacks.
    missing: Option<&'static str>,
    /// The node to cut out.
    pub(crate) node: Option<usize>,
}

impl Error {
    /// The mistake at a node, unless a node further in has claimed it.
    pub(crate) fn at(self, node: &Node) -> Self {
        if self.node.is_some() {
            return self;
        }
        let diagnostic = Box::new(self.diagnostic.at(node.position));
        Self { diagnostic, node: Some(node.id), ..self }
    }

    /// Whether it only follows from what was cut out before: a key is missing that was cut out, or a whole does not fit that
    /// lost a part.
    pub(crate) fn follows_from(&self, cut: &Cut) -> bool {
        let Some(node) = self.node else { return false };
        match self.missing {
            Some(missing) => {
                // A key that was misspelt was reported as that.
                let stands_for =
                    |key: &str| key == missing || did_you_mean(key, [missing]).is_some();
                cut.entries.iter().any(|(id, key)| *id == node && stands_for(key))
            }
            None => cut.damaged.contains(&node),
        }
    }

    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        self.diagnostic.at(Position::START)
    }

    fn new(diagnostic: Diagnostic) -> Self {
        Self { diagnostic: Box::new(diagnostic), missing: None, node: None }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(formatter)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // With the flag `#` a diagnostic brings its hint along.
        Self::new(Diagnostic::decode(format!("{message:#}")))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mistake = Diagnostic::new(format!("expected {expected}, found {}", describe(found)));
        let nothing_for_list =
            found == Unexpected::Unit && expected.to_string().starts_with("a list");
        Self::new(if nothing_for_list {
            mistake.hint("write `[]` for an empty list")
        } else {
            mistake
        })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(Diagnostic::new(format!("expected {expected}, found {length} elements")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let listed = || match expected {
            [] => "no key is expected here".to_owned(),
            keys if keys.len() > LISTED_MAX => {
                format!("the keys are {}, …", keys.get(..LISTED_MAX).unwrap_or(keys).join(", "))
            }
            keys => format!("the keys are {}", keys.join(", ")),
        };
        let hint = did_you_mean(field, expected.iter().copied()).unwrap_or_else(listed);
        Self::new(Diagnostic::new(format!("unknown key `{field}`")).hint(hint))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        // An empty value may stand for the usual one, and is no word to choose.
        let words: Vec<&str> = expected.iter().copied().filter(|word| !word.is_empty()).collect();
        let hint = did_you_mean(variant, words.iter().copied())
            .unwrap_or_else(|| format!("the choices are {}", words.join(", ")));
        Self::new(Diagnostic::new(format!("unknown value `{variant}`")).hint(hint))
    }

    fn missing_field(field: &'static str) -> Self {
        let mistake = Diagnostic::new(format!("the key `{field}` is missing"));
        Self { missing: Some(field), ..Self::new(mistake) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Diagnostic::new(format!("duplicate key `{field}`")))
    }
}

/// What was found, in words that do not need the serde documentation. It is not quoted: what is in the wrong place may be
/// a password.
fn describe(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Str("") => "an empty text",
        Unexpected::Str(_) => "a text",
        Unexpected::Bool(true) => "`true`",
        Unexpected::Bool(false) => "`false`",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Unit => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        _ => "something else",
    }
}
