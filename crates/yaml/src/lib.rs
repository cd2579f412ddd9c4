//! YAML text to typed values, with every mistake located.
//!
//! A parser of events (`granit-parser`) gives a tree of nodes that know their places; an own serde deserializer
//! reads types from it. After a mistake the offending node is cut out and the type is read again, until all mistakes are
//! known. Must not know what the files mean.

mod deserializer;
mod error;
mod node;

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};

/// The largest text that is read: a hundred thousand targets fit in; a mistaken path to a log file does not.
pub const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The message about a text without a document.
pub const EMPTY: &str = "the file is empty";

/// After this many mistakes the rest is not looked for: nobody reads on.
const PROBLEMS_MAX: usize = 50;

/// One mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong: a lower-case fragment without a final period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} column {}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

/// Reads a text as a `T`.
///
/// A message of a `T` that refuses a value may carry a hint after a line break: `"not a duration\nhint: write 5m"`.
///
/// # Errors
/// Every mistake, in the order of the text: at least one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Problem>> {
    match read(text) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (_, problems) => Err(problems),
    }
}

/// Reads what can be read of a text: the value without its mistaken parts, when something is left of it, and every mistake in
/// the order of the text. For readers that go on to look for mistakes of their own.
pub fn read<T: DeserializeOwned>(text: &str) -> (Option<T>, Vec<Problem>) {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", TEXT_BYTES_MAX / 1024 / 1024);
        return (None, vec![Problem { line: 1, column: 1, message, hint: None }]);
    }
    let (mut root, mut problems) = match node::read(text) {
        Ok(read) => read,
        Err(problem) => return (None, vec![problem]),
    };
    let mut cut = node::Cut::default();
    let value = loop {
        let error = match T::deserialize(&root) {
            Ok(value) => break Some(value),
            Err(error) => error,
        };
        let place = error.place;
        if !error.follows_from(&cut) {
            problems.push(error.into_problem());
        }
        let Some(place) = place.filter(|_| problems.len() < PROBLEMS_MAX) else { break None };
        if !root.cut(place.id, &mut cut) {
            break None;
        }
    };
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    (value, problems)
}

/// A value with its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// By this name the deserializer knows that the place is wanted.
pub(crate) const SPANNED: &str = "$yaml::Spanned";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Place<T> {
            type Value = Spanned<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spanned<T>, A::Error> {
                let missing =
                    || serde::de::Error::custom("places are known to the YAML reader only");
                let (_, line): (IgnoredAny, usize) = map.next_entry()?.ok_or_else(missing)?;
                let (_, column): (IgnoredAny, usize) = map.next_entry()?.ok_or_else(missing)?;
                let (_, value): (IgnoredAny, T) = map.next_entry()?.ok_or_else(missing)?;
                Ok(Spanned { value, line, column })
            }
        }

        deserializer.deserialize_struct(
            SPANNED,
            &["line", "column", "value"],
            Place(std::marker::PhantomData),
        )
    }
}

/// A hint that names the choice nearest to a word, when one is near: "did you mean `method`?".
pub fn did_you_mean<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Words are alike from here on; below it suggestions surprise more than they help.
    const ALIKE: f64 = 0.75;

    let likeness =
        |choice: &str| strsim::jaro_winkler(&word.to_lowercase(), &choice.to_lowercase());
    let (nearest, _) = choices
        .into_iter()
        .map(|choice| (choice, likeness(choice)))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|left, right| left.1.total_cmp(&right.1))?;
    Some(format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests;
