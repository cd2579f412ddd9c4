//! JSON bodies, and what a module expects of the values in them.
//!
//! Parsed within bounds of depth and size, whatever the target sends. Must not know where the body comes from.

use std::fmt;

use notation::{
    Diagnostic,
    text::{beginning, cut},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};

use crate::{
    report::{Failure, Phase, Reason},
    setting::Pattern,
};

/// How much a parsed body may weigh: a value weighs one, and an object, which costs that much more memory, sixteen.
const WEIGHT_MAX: u32 = 256 * 1024;
const OBJECT_WEIGHT: u32 = 15;

/// How much of a value is quoted.
const VALUE_BYTES_MAX: usize = 64;

pub(super) fn failure(detail: impl Into<String>) -> Failure {
    Failure::new(Phase::Check, Reason::Json, detail)
}

/// Parses a body. Of equal keys in one object the last one counts.
pub(super) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let mut left = WEIGHT_MAX;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = Bounded(&mut left).deserialize(&mut deserializer);
    parsed
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| failure(format!("the body is not JSON: {error}")))
}

/// Reads a value as long as there is weight left.
struct Bounded<'a>(&'a mut u32);

impl Bounded<'_> {
    fn weigh<E: serde::de::Error>(&mut self, weight: u32) -> Result<(), E> {
        *self.0 = self
            .0
            .checked_sub(weight)
            .ok_or_else(|| E::custom("more values than a check can look at"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.weigh(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(Bounded(&mut *self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.weigh(OBJECT_WEIGHT)?;
        let mut values = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            values.insert(key, map.next_value_seed(Bounded(&mut *self.0))?);
        }
        Ok(Value::Object(values))
    }
}

/// What is expected of one value; all that is set has to hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Assertion {
    pointer: Pointer,
    /// The value itself; numbers are equal when they are as numbers.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    /// The least that a number may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    /// The most that a number may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    /// What a text, or the text of a number, has to match.
    #[serde(skip_serializing_if = "Option::is_none")]
    regexp: Option<Pattern>,
    /// Whether there has to be a value at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    exists: Option<bool>,
}

/// A JSON pointer (RFC 6901).
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        if !text.is_empty() && !text.starts_with('/') {
            let path = text.strip_prefix('$').unwrap_or(&text).replace(['.', '[', ']'], "/");
            let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
            return Err(Diagnostic::new(format!("`{text}` is not a JSON pointer"))
                .hint(format!("write /{}", names.join("/"))));
        }
        let escapes = text.split('~').skip(1);
        if !escapes.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            return Err(Diagnostic::new(format!("`{text}` is not a JSON pointer"))
                .hint("write ~0 for ~, and ~1 for / in a name"));
        }
        Ok(Self(text))
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Reads a value of which `null` is one, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Assertion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let assertion = Self::deserialize(deserializer)?;
        assertion.check().map_err(D::Error::custom)?;
        Ok(assertion)
    }
}

impl Serialize for Assertion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl Assertion {
    /// Whether the conditions make sense together.
    fn check(&self) -> Result<(), Diagnostic> {
        let of_value = self.equals.is_some()
            || self.min.is_some()
            || self.max.is_some()
            || self.regexp.is_some();
        if !of_value && self.exists.is_none() {
            return Err(Diagnostic::new("nothing is expected of the value")
                .hint("add equals, min, max, regexp or exists"));
        }
        if of_value && self.exists == Some(false) {
            return Err(Diagnostic::new("a value that must not exist can meet no other condition")
                .hint("remove `exists: false` or the others"));
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            return Err(
                Diagnostic::new("no number is at least `min` and at most `max`").hint("swap them")
            );
        }
        Ok(())
    }

    /// Holds a body against the expectation.
    pub(super) fn hold(&self, body: &Value) -> Result<(), Failure> {
        let Some(value) = body.pointer(&self.pointer.0) else {
            return if self.exists == Some(false) {
                Ok(())
            } else {
                Err(failure(format!("there is nothing at `{}`", self.pointer.0)))
            };
        };
        let wrong = |what: String| {
            Err(failure(format!("the value at `{}` is {}, {what}", self.pointer.0, quoted(value))))
        };
        if self.exists == Some(false) {
            return wrong("and not absent".to_owned());
        }
        if let Some(wanted) = self.equals.as_ref().filter(|wanted| !equal(value, wanted)) {
            return wrong(format!("not {}", quoted(wanted)));
        }
        let number = value.as_f64();
        if let Some(min) = self.min.filter(|min| number.is_none_or(|number| number < *min)) {
            return wrong(format!("not at least {min}"));
        }
        if let Some(max) = self.max.filter(|max| number.is_none_or(|number| number > *max)) {
            return wrong(format!("not at most {max}"));
        }
        let matches = |pattern: &Pattern| match value {
            Value::String(text) => pattern.regex.is_match(text.as_bytes()),
            Value::Number(_) | Value::Bool(_) => {
                pattern.regex.is_match(value.to_string().as_bytes())
            }
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        match self.regexp.as_ref().filter(|pattern| !matches(pattern)) {
            Some(pattern) => wrong(format!("which does not match `{pattern}`")),
            None => Ok(()),
        }
    }
}

/// Whether two values are the same; `1` is `1.0`.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || ((left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

/// The beginning of a value, as JSON.
fn quoted(value: &Value) -> String {
    let mut text = match value {
        // No more of it than is quoted; what is longer is cut again below.
        Value::String(text) => Value::from(beginning(text, VALUE_BYTES_MAX)).to_string(),
        Value::Array(values) => return format!("an array of {}", values.len()),
        Value::Object(values) => return format!("an object of {}", values.len()),
        other => other.to_string(),
    };
    cut(&mut text, VALUE_BYTES_MAX);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{ "status": "ok", "queue": { "length": 3 }, "version": "2.10.1", "error": null,
        "a/b": [1.0, true], "big": 12345678901234567890, "twice": 1, "twice": 2 }"#;

    #[test]
    fn values_are_found_and_compared() {
        let body = parse(BODY.as_bytes()).unwrap();
        let holds = |text: &str| {
            let assertion: Assertion =
                yaml::parse(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
            assertion.hold(&body).err().map(|failure| failure.detail)
        };
        for text in [
            "{ pointer: /status, equals: ok }",
            "{ pointer: /queue/length, max: 100, min: 3 }",
            "{ pointer: /queue/length, equals: 3.0 }",
            "{ pointer: /queue, equals: { length: 3 } }",
            "{ pointer: /version, regexp: '^2\\.' }",
            "{ pointer: /queue/length, regexp: '^3$' }",
            "{ pointer: /errors, exists: false }",
            "{ pointer: /error, exists: true, equals: null }",
            "{ pointer: /a~1b/0, equals: 1 }",
            "{ pointer: /a~1b, equals: [1, true] }",
            "{ pointer: /big, equals: 12345678901234567890 }",
            "{ pointer: /twice, equals: 2 }",
            "{ pointer: '', exists: true }",
        ] {
            assert_eq!(holds(text), None, "{text}");
        }
        for (text, detail) in [
            (
                "{ pointer: /status, equals: down }",
                "the value at `/status` is \"ok\", not \"down\"",
            ),
            (
                "{ pointer: /queue/length, max: 2 }",
                "the value at `/queue/length` is 3, not at most 2",
            ),
            ("{ pointer: /status, min: 2 }", "the value at `/status` is \"ok\", not at least 2"),
            ("{ pointer: /queue, equals: 1 }", "the value at `/queue` is an object of 1, not 1"),
            (
                "{ pointer: /version, regexp: '^3' }",
                "the value at `/version` is \"2.10.1\", which does not match `^3`",
            ),
            ("{ pointer: /error, exists: false }", "the value at `/error` is null, and not absent"),
            ("{ pointer: /state, equals: ok }", "there is nothing at `/state`"),
            (
                "{ pointer: /big, equals: 12345678901234567891 }",
                "the value at `/big` is 12345678901234567890, not 12345678901234567891",
            ),
        ] {
            assert_eq!(holds(text).as_deref(), Some(detail), "{text}");
        }
        let long = Value::from("ä\u{0}".repeat(1000));
        assert!(quoted(&long).len() <= VALUE_BYTES_MAX + '…'.len_utf8(), "{}", quoted(&long));
    }

    #[test]
    fn mistakes_are_reported_with_what_to_do() {
        for (text, message, hint) in [
            (
                "{ pointer: status, exists: true }",
                "`status` is not a JSON pointer",
                "write /status",
            ),
            (
                "{ pointer: '$.queue[0].id', exists: true }",
                "`$.queue[0].id` is not a JSON pointer",
                "write /queue/0/id",
            ),
            (
                "{ pointer: /a~b, exists: true }",
                "`/a~b` is not a JSON pointer",
                "write ~0 for ~, and ~1 for / in a name",
            ),
            (
                "{ pointer: /a }",
                "nothing is expected of the value",
                "add equals, min, max, regexp or exists",
            ),
            (
                "{ pointer: /a, exists: false, max: 1 }",
                "a value that must not exist can meet no other condition",
                "remove `exists: false` or the others",
            ),
            (
                "{ pointer: /a, min: 2, max: 1 }",
                "no number is at least `min` and at most `max`",
                "swap them",
            ),
            ("{ pointer: /a, equal: 1 }", "unknown key `equal`", "did you mean `equals`?"),
        ] {
            let problems = yaml::parse::<Assertion>(text).unwrap_err();
            let is_reported = |problem: &Diagnostic| {
                problem.message == message && problem.hint.as_deref() == Some(hint)
            };
            assert!(problems.iter().any(is_reported), "{text}: {problems:?}");
        }
    }

    #[test]
    fn parsing_is_bounded() {
        for (body, what) in [
            ("<html>".to_owned(), "expected value"),
            ("{} {}".to_owned(), "trailing characters"),
            (String::new(), "EOF"),
            ("[".repeat(100_000), "recursion limit"),
            (format!("[{}0]", "0,".repeat(300_000)), "more values"),
            (format!("[{}0]", "{},".repeat(20_000)), "more values"),
        ] {
            let failure = parse(body.as_bytes()).unwrap_err();
            assert_eq!(failure.reason, Reason::Json);
            assert!(failure.detail.contains(what), "{}", failure.detail);
        }
        assert!(parse(format!("[{}0]", "0,".repeat(200_000)).as_bytes()).is_ok());
    }
}
