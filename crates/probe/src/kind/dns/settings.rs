//! The values of the `dns` section of a module.
//!
//! Each type is valid once it exists. Must not know what is done with it.

use hickory_proto::rr::Name;
use notation::{Diagnostic, did_you_mean};
use serde::{Deserialize, Serialize};

use super::{names, written::name_text};

/// How the question travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum TransportProtocol {
    /// One datagram each way; also what an empty value means.
    #[default]
    #[serde(rename = "udp", alias = "")]
    Udp,
    /// A connection.
    #[serde(rename = "tcp")]
    Tcp,
}

/// A name to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct QueryName {
    pub(super) name: Name,
    text: String,
}

impl TryFrom<String> for QueryName {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        // Names with other letters are asked for in their form for DNS (RFC 5891).
        let read = if text.is_ascii() { Name::from_ascii(&text) } else { Name::from_utf8(&text) };
        let mut name = read.map_err(|_| {
            Diagnostic::new(format!("`{text}` is not a name to ask for"))
                .hint("write it as www.example.com")
        })?;
        name.set_fqdn(true);
        Ok(Self { name, text })
    }
}

impl From<QueryName> for String {
    fn from(name: QueryName) -> Self {
        name.text
    }
}

impl QueryName {
    /// The name as it is asked for, with its final dot.
    pub(super) fn shown(&self) -> String {
        name_text(&self.name)
    }
}

/// A record type to ask for: its name, or its number as in `TYPE257`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct QueryType(pub(super) u16);

impl Default for QueryType {
    fn default() -> Self {
        Self(255)
    }
}

impl TryFrom<String> for QueryType {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let known = names::KINDS.iter().find(|kind| kind.name == text).map(|kind| kind.number);
        let number = || text.strip_prefix("TYPE")?.parse().ok();
        let all = names::KINDS.iter().map(|kind| kind.name);
        known.or_else(number).map(Self).ok_or_else(|| unknown(&text, "a record type", all))
    }
}

impl From<QueryType> for String {
    fn from(kind: QueryType) -> Self {
        names::type_name(kind.0)
    }
}

/// A class to ask in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct QueryClass(pub(super) u16);

impl Default for QueryClass {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<String> for QueryClass {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let found = names::CLASSES.iter().find(|(_, name)| *name == text);
        let all = names::CLASSES.iter().map(|(_, name)| *name);
        found.map(|(number, _)| Self(*number)).ok_or_else(|| unknown(&text, "a class", all))
    }
}

impl From<QueryClass> for String {
    fn from(class: QueryClass) -> Self {
        names::class_name(class.0)
    }
}

/// A response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct ResponseCode(pub(super) u16);

impl TryFrom<String> for ResponseCode {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        let found = names::RESPONSE_CODES.iter().find(|(_, name)| *name == text);
        let all = names::RESPONSE_CODES.iter().map(|(_, name)| *name);
        found.map(|(number, _)| Self(*number)).ok_or_else(|| unknown(&text, "a response code", all))
    }
}

impl From<ResponseCode> for String {
    fn from(code: ResponseCode) -> Self {
        names::response_code_name(code.0)
    }
}

/// The mistake of a word that is not among these.
fn unknown(text: &str, what: &str, all: impl Iterator<Item = &'static str>) -> Diagnostic {
    let hint = did_you_mean(text, all);
    Diagnostic { hint, ..Diagnostic::new(format!("`{text}` is not {what}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<String, Error = Diagnostic> + Into<String>>(
        text: &str,
    ) -> Result<String, String> {
        T::try_from(text.to_owned()).map(Into::into).map_err(|error| error.to_string())
    }

    #[test]
    fn words_are_read_and_shown() {
        for text in [
            "example.com",
            "example.com.",
            "_dmarc.example.com",
            "*.example.com",
            "müller.example",
            ".",
        ] {
            assert_eq!(read::<QueryName>(text).as_deref(), Ok(text));
        }
        for text in ["a..b", "a b", &"a".repeat(64)] {
            assert!(read::<QueryName>(text).is_err(), "{text}");
        }
        let name = QueryName::try_from("Müller.example".to_owned()).unwrap();
        assert_eq!(name.shown(), "xn--mller-kva.example.");
        assert_eq!(read::<QueryType>("HTTPS").as_deref(), Ok("HTTPS"));
        assert_eq!(read::<QueryType>("TYPE257").as_deref(), Ok("CAA"));
        assert_eq!(read::<QueryType>("").as_deref(), Ok("ANY"));
        assert_eq!(read::<QueryClass>("").as_deref(), Ok("IN"));
        assert!(read::<QueryType>("mx").unwrap_err().contains("did you mean `MX`?"));
        assert!(read::<QueryClass>("INET").is_err());
        assert!(read::<ResponseCode>("NXDOMAN").unwrap_err().contains("did you mean `NXDOMAIN`?"));
    }
}
