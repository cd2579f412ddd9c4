//! `query_response`: what is said to a service and what it has to say, step by step.
//!
//! Each step is valid once it exists. Must not know how a step is carried out.

use std::fmt;

use notation::{
    Diagnostic,
    name::{LABEL_NAME_HINT, is_label_name},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::{report::HIDDEN, setting::Pattern};

/// One step. Its parts are carried out in the order of the fields here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "RawStep")]
pub(super) struct Step {
    /// Lines are read until one matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expect: Option<Pattern>,
    /// Exactly these bytes have to come next.
    #[serde(skip_serializing_if = "Bytes::is_empty")]
    pub(super) expect_bytes: Bytes,
    /// The labels of `probe_expect_info`, when the expression matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<Vec<Label>>,
    /// What is sent.
    #[serde(skip_serializing_if = "Message::is_empty")]
    pub(super) send: Message,
    /// Whether TLS begins here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) starttls: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStep {
    expect: Option<Pattern>,
    expect_bytes: Bytes,
    labels: Option<Vec<Label>>,
    send: Message,
    starttls: bool,
}

impl TryFrom<RawStep> for Step {
    type Error = Diagnostic;

    fn try_from(raw: RawStep) -> Result<Self, Diagnostic> {
        let RawStep { expect, expect_bytes, labels, send, starttls } = raw;
        if expect.is_some() && !expect_bytes.is_empty() {
            return Err(Diagnostic::new("a step has either `expect` or `expect_bytes`")
                .hint("make two steps of it"));
        }
        let names: Vec<&str> = labels.iter().flatten().map(|label| label.name.0.as_str()).collect();
        let duplicate = names.iter().enumerate().find_map(|(index, name)| {
            names.iter().take(index).any(|earlier| earlier == name).then_some(name)
        });
        match duplicate {
            Some(name) => Err(Diagnostic::new(format!("duplicate label `{name}`"))),
            None => Ok(Self { expect, expect_bytes, labels, send, starttls }),
        }
    }
}

/// A label of `probe_expect_info`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) name: LabelName,
    /// The value, in which `${1}` and `${name}` stand for the groups of the expression.
    pub(super) value: String,
}

/// A name of a label that is free for users.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(super) struct LabelName(pub(super) String);

impl TryFrom<String> for LabelName {
    type Error = Diagnostic;

    fn try_from(name: String) -> Result<Self, Diagnostic> {
        if !is_label_name(&name) {
            return Err(
                Diagnostic::new(format!("`{name}` is not a name of a label")).hint(LABEL_NAME_HINT)
            );
        }
        if name.starts_with("__") {
            return Err(Diagnostic::new(format!(
                "`{name}` is reserved, as every name of a label that begins with `__`"
            ))
            .hint("remove the underscores"));
        }
        Ok(Self(name))
    }
}

/// Bytes that are a text most of the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Bytes {
    /// As a text; what is not UTF-8 is escaped, for people.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(&self.0.escape_ascii()),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = deserializer.deserialize_byte_buf(ScalarVisitor)?;
        Ok(Self(match scalar {
            Scalar::Text(text) => text.into_bytes(),
            Scalar::Binary(bytes) => bytes,
        }))
    }
}

/// What is sent, which may be a password: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A line, without its line feed.
    Line(String),
    /// Bytes to which nothing is added, written as `!!binary`: a message of a binary protocol ends where it says itself.
    Exactly(Vec<u8>),
}

impl Message {
    /// Whether nothing is sent. An empty line counts as nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Line(line) => line.is_empty(),
            Self::Exactly(bytes) => bytes.is_empty(),
        }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::Line(String::new())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = deserializer.deserialize_byte_buf(ScalarVisitor)?;
        Ok(match scalar {
            Scalar::Text(text) => Self::Line(text),
            Scalar::Binary(bytes) => Self::Exactly(bytes),
        })
    }
}

/// A scalar of a file: a text, or what was written as `!!binary`.
enum Scalar {
    Text(String),
    Binary(Vec<u8>),
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or `!!binary`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Scalar, E> {
        Ok(Scalar::Binary(bytes.to_owned()))
    }
}

/// What is wrong with steps that are right each.
pub(super) fn mistakes(steps: &[Step], tls: bool) -> Vec<Diagnostic> {
    let handshakes = steps.iter().filter(|step| step.starttls).count();
    if handshakes + usize::from(tls) < 2 {
        return Vec::new();
    }
    let earlier = if tls { "`tls: true`" } else { "an earlier `starttls`" };
    vec![
        Diagnostic::new(format!("TLS begins twice: by `starttls` and by {earlier}"))
            .hint("keep the one that the service expects"),
    ]
}
