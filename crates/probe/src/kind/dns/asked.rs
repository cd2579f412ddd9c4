//! The question to a name server: what the module says, unless the target says it.
//!
//! Behind the server a target may have the name, and behind that the type and the class, as in the URLs of RFC 4501:
//! `192.0.2.1/www.example.com?type=MX;class=IN`. Must not know how the question travels.

use hickory_proto::{
    ProtoError,
    op::Query,
    rr::{DNSClass, RecordType},
};
use notation::Diagnostic;

use super::{
    names,
    settings::{QueryClass, QueryName, QueryType},
};
use crate::{
    net::exchange::Question,
    target::{Address, Target},
};

/// A question in its parts.
#[derive(Clone, Debug)]
pub(super) struct Asked<Name = QueryName> {
    pub(super) name: Name,
    pub(super) kind: QueryType,
    pub(super) class: QueryClass,
    pub(super) recursion_desired: bool,
}

impl Asked<Option<QueryName>> {
    /// What a module that asks for this asks the server of this target for.
    ///
    /// # Errors
    /// When no name is given, or what the target says is wrong.
    pub(super) fn of(self, target: &Target) -> Result<Asked, Diagnostic> {
        let path = match target.address() {
            Address::HostPort { path, .. } => path.as_str(),
            Address::Url(_) => "",
        };
        let (name, parameters) = path.split_once('?').unwrap_or((path, ""));
        let Self { name: usual, kind, class, recursion_desired } = self;
        let name = match usual {
            _ if !name.is_empty() => QueryName::try_from(name.to_owned())?,
            Some(usual) => usual,
            None => return Err(nameless(target)),
        };
        let mut asked = Asked { name, kind, class, recursion_desired };
        for parameter in parameters.split([';', '&']).filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.to_ascii_uppercase();
            match key.to_ascii_lowercase().as_str() {
                "type" => asked.kind = QueryType::try_from(value)?,
                "class" => asked.class = QueryClass::try_from(value)?,
                _ => {
                    return Err(Diagnostic::new(format!("`{key}` is no part of a question"))
                        .hint("there are `type` and `class`, as in ?type=MX"));
                }
            }
        }
        Ok(asked)
    }
}

impl Asked {
    /// The question as it is sent.
    pub(super) fn question(&self) -> Result<Question, ProtoError> {
        let mut query = Query::query(self.name.name.clone(), RecordType::from(self.kind.0));
        query.set_query_class(DNSClass::from(self.class.0));
        Question::new(query, self.recursion_desired)
    }

    /// The question in one line.
    pub(super) fn shown(&self) -> String {
        let (class, kind) = (names::class_name(self.class.0), names::type_name(self.kind.0));
        format!("{} {class} {kind}", self.name.shown())
    }

    /// The whole question as text, in the manner of `dig`.
    pub(super) fn evidence(&self) -> String {
        let flags = if self.recursion_desired { "rd" } else { "none" };
        format!(";; flags: {flags}\n;; QUESTION: 1\n{}\n", self.shown())
    }
}

fn nameless(target: &Target) -> Diagnostic {
    let text = target.text();
    // The type and the class come behind the name.
    let (server, question) = text.split_at(text.find('?').unwrap_or(text.len()));
    let server = server.trim_end_matches('/');
    let named = format!("{server}/www.example.com{question}");
    Diagnostic::new(format!("neither `{server}` nor its module says which name to ask for"))
        .hint(format!("write it as {named}, or give the module a `query_name`"))
}
