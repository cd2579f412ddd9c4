//! YAML text to typed values, with every mistake located.
//!
//! A parser of events (`granit-parser`) gives a tree of nodes that know their places; a serde deserializer
//! reads types from it. After a mistake the offending node is cut out and the type is read again, until all mistakes are
//! known. Must not know what the files mean.

mod deserializer;
mod error;
mod node;

use std::fmt;

use notation::{Diagnostic, Position};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor},
};

/// The largest text that is read: a hundred thousand targets fit in; a mistaken path to a log file does not.
pub const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The message about a text without a document.
pub const EMPTY: &str = "the file is empty";

/// After this many mistakes the rest is not looked for: nobody reads on.
const MISTAKES_MAX: usize = 50;

/// Reads a text as a `T`.
///
/// A `T` that refuses a value by a [`Diagnostic`] keeps its hint.
///
/// # Errors
/// Every mistake, in the order of the text: at least one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Diagnostic>> {
    match read(text) {
        (Some(value), mistakes) if mistakes.is_empty() => Ok(value),
        (_, mistakes) => Err(mistakes),
    }
}

/// Reads what can be read of a text: the value without its mistaken parts, when something is left of it, and every mistake in
/// the order of the text. For readers that go on to look for mistakes of their own.
pub fn read<T: DeserializeOwned>(text: &str) -> (Option<T>, Vec<Diagnostic>) {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", TEXT_BYTES_MAX / 1024 / 1024);
        return (None, vec![Diagnostic::new(message).at(Position::START)]);
    }
    let (mut root, mut mistakes) = match node::read(text) {
        Ok(read) => read,
        Err(mistake) => return (None, vec![mistake]),
    };
    let mut cut = node::Cut::default();
    let value = loop {
        let error = match T::deserialize(&root) {
            Ok(value) => break Some(value),
            Err(error) => error,
        };
        let node = error.node;
        if !error.follows_from(&cut) {
            mistakes.push(error.into_diagnostic());
        }
        let Some(node) = node.filter(|_| mistakes.len() < MISTAKES_MAX) else { break None };
        if !root.cut(node, &mut cut) {
            break None;
        }
    };
    mistakes.sort_by_key(|mistake| mistake.position);
    mistakes.dedup();
    (value, mistakes)
}

/// A value with its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub position: Position,
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
                Ok(Spanned { value, position: Position { line, column } })
            }
        }

        deserializer.deserialize_struct(
            SPANNED,
            &["line", "column", "value"],
            Place(std::marker::PhantomData),
        )
    }
}

#[cfg(test)]
mod tests;
