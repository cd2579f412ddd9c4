//! A mistake while it travels through serde: it gets its place on the way up.
//!
//! Must not know how a mistake is shown.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::{
    Problem, did_you_mean,
    node::{Cut, Node},
};

/// More keys than this are not listed in a hint.
const LISTED_MAX: usize = 12;

/// Where in the tree a mistake is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The node to cut out.
    pub(crate) id: usize,
    line: usize,
    column: usize,
}

/// A mistake in the making.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    hint: Option<String>,
    /// The field that a mapping lacks.
    missing: Option<&'static str>,
    pub(crate) place: Option<Place>,
}

impl Error {
    /// The mistake at a node, unless a node further in has claimed it.
    pub(crate) fn at(mut self, node: &Node) -> Self {
        self.place.get_or_insert(Place { id: node.id, line: node.line, column: node.column });
        self
    }

    /// Whether it only follows from what was cut out before: a key is missing that was cut out, or a whole does not fit that
    /// lost a part.
    pub(crate) fn follows_from(&self, cut: &Cut) -> bool {
        let Some(place) = self.place else { return false };
        match self.missing {
            Some(missing) => {
                // A key that was misspelt was told as that.
                let stands_for =
                    |key: &str| key == missing || did_you_mean(key, [missing]).is_some();
                cut.entries.iter().any(|(id, key)| *id == place.id && stands_for(key))
            }
            None => cut.damaged.contains(&place.id),
        }
    }

    pub(crate) fn into_problem(self) -> Problem {
        let (line, column) = self.place.map_or((1, 1), |place| (place.line, place.column));
        Problem { line, column, message: self.message, hint: self.hint }
    }

    fn new(message: String, hint: Option<String>) -> Self {
        Self { message, hint, missing: None, place: None }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once("\nhint: ") {
            Some((message, hint)) => Self::new(message.to_owned(), Some(hint.to_owned())),
            None => Self::new(text, None),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let nothing_for_list =
            found == Unexpected::Unit && expected.to_string().starts_with("a list");
        let hint = nothing_for_list.then(|| "write `[]` for an empty list".to_owned());
        Self::new(format!("expected {expected}, found {}", describe(found)), hint)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} elements"), None)
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
        Self::new(format!("unknown key `{field}`"), Some(hint))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected.iter().copied())
            .unwrap_or_else(|| format!("the choices are {}", expected.join(", ")));
        Self::new(format!("unknown value `{variant}`"), Some(hint))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("the key `{field}` is missing"), None) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("duplicate key `{field}`"), None)
    }
}

/// What was found, in words that do not need the serde documentation. It is not quoted: what stands in the wrong place may be
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
