//! The templates of labels and annotations: Go's `text/template` with the functions of Prometheus.
//!
//! Must not know alerts and their states.

mod functions;
mod layout;
mod number;
mod tree;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use gotmpl::{FuncMap, Template, TemplateError, Value};
use notation::{Diagnostic, did_you_mean, sync::lock};

use self::tree::{Parsed, Problem};
use super::External;
use crate::{
    Labels, Queryable, Timestamp,
    promql::{self, Element, Options, Query},
};

/// The name of the body among the named templates of a text; no text can define it.
const BODY: &str = "\u{0}body";

/// One text may ask at most so many different queries.
const QUERIES_MAX: usize = 100;

/// Checks a text for mistakes of syntax, unknown functions and unknown variables.
///
/// # Errors
/// What is wrong, with a hint where one is known.
pub(super) fn check(text: &str) -> Result<(), Diagnostic> {
    if !text.contains("{{") {
        return Ok(());
    }
    let parsed =
        tree::parse(text).map_err(|error| Diagnostic::new(describe_source_error(&error)))?;
    let known = functions::names();
    let Some(problem) = parsed.problem(&known) else { return Ok(()) };
    let (message, hint) = match &problem {
        Problem::Function(name) => (
            format!("there is no function `{name}`"),
            did_you_mean(name, known.iter().map(String::as_str)),
        ),
        Problem::Variable(name) => (
            format!("there is no variable `${name}`"),
            did_you_mean(name, tree::VARIABLES.iter().map(|(variable, _)| *variable)),
        ),
        Problem::Method(name) => (
            format!("the method `{name}` of a time is not supported"),
            Some(
                "write the time by an example: `{{ (toTime $value).Format \"15:04\" }}`".to_owned(),
            ),
        ),
    };
    Err(Diagnostic { hint, ..Diagnostic::new(message) })
}

/// A mistake of syntax with its place; a text of one line needs no line.
fn describe_source_error(error: &TemplateError) -> String {
    match error {
        TemplateError::Parse { line, col, message, .. }
        | TemplateError::Lex { line, col, message, .. } => match line {
            0 => message.clone(),
            1 => format!("{message} (column {col} of the text)"),
            line => format!("{message} (line {line} column {col} of the text)"),
        },
        other => other.to_string(),
    }
}

/// The answers to the queries of a text. The template engine owns its functions, so they cannot hold on to a source: the
/// first unanswered query ends the execution, is answered, and the execution begins again.
#[derive(Debug, Default)]
struct Answers {
    known: BTreeMap<String, Result<Value, String>>,
    missing: Option<String>,
}

type SharedAnswers = Arc<Mutex<Answers>>;

/// Expands texts at one moment.
pub(super) struct Expander<'a> {
    source: &'a dyn Queryable,
    at: Timestamp,
    external: &'a External,
    functions: FuncMap,
    /// The answers as the text at hand needs them: with the labels that it mentions.
    answers: SharedAnswers,
    /// The answers to the queries of all texts, because the alerts of a rule ask the same.
    results: RefCell<BTreeMap<String, Result<Vec<Element>, String>>>,
}

impl<'a> Expander<'a> {
    /// An expander whose queries are answered by `source` at the time `at`.
    pub(super) fn new(source: &'a dyn Queryable, at: Timestamp, external: &'a External) -> Self {
        let answers = SharedAnswers::default();
        let mut functions = functions::pure();
        functions.extend(functions::surroundings(&external.url, at));
        let shared = Arc::clone(&answers);
        functions.insert(
            "query".to_owned(),
            Arc::new(move |arguments: &[Value]| {
                let text = functions::text(arguments, 0, "query")?;
                let mut answers = lock(&shared);
                match answers.known.get(&text) {
                    Some(Ok(answer)) => Ok(answer.clone()),
                    Some(Err(message)) => Err(TemplateError::Exec(message.clone())),
                    None => {
                        answers.missing = Some(text);
                        Err(TemplateError::Exec("the query is not answered yet".to_owned()))
                    }
                }
            }),
        );
        Self { source, at, external, functions, answers, results: RefCell::default() }
    }

    /// The text for an element with these labels and this value. A template that fails expands to its error, as in
    /// Prometheus: an alert with a poor text is better than none.
    pub(super) fn expand(&self, text: &str, labels: &Labels, value: f64) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        let parsed = match tree::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => return failed(&describe_source_error(&error)),
        };
        let data = data(&parsed, labels, value, self.external);
        let mut template = Template::new("").funcs(self.functions.clone());
        for (name, body) in &parsed.defines {
            template = template.add_parse_tree(name, body.clone());
        }
        let template = template.add_parse_tree(BODY, parsed.body.clone());
        *lock(&self.answers) = Answers::default();
        for _ in 0..=QUERIES_MAX {
            match template.execute_template_to_string(BODY, &data) {
                Ok(text) => return text,
                Err(error) => {
                    let missing = lock(&self.answers).missing.take();
                    let Some(query) = missing else { return failed(&message(error)) };
                    let answer = self.answer(&query, &parsed);
                    lock(&self.answers).known.insert(query, answer);
                }
            }
        }
        failed(&format!("more than {QUERIES_MAX} queries"))
    }

    fn answer(&self, text: &str, parsed: &Parsed) -> Result<Value, String> {
        let mut results = self.results.borrow_mut();
        let result = results.entry(text.to_owned()).or_insert_with(|| self.result(text));
        let elements = result.as_ref().map_err(Clone::clone)?;
        let to_value = |element: &Element| {
            map([
                ("Labels", label_map(&element.labels, parsed)),
                ("Value", Value::Float(element.value)),
            ])
        };
        Ok(Value::List(elements.iter().map(to_value).collect()))
    }

    fn result(&self, text: &str) -> Result<Vec<Element>, String> {
        let query = Query::parse(text).map_err(|error| error.to_string())?;
        let answer = query.instant(self.source, self.at, &Options::default());
        match answer.map_err(|error| error.to_string())? {
            promql::Value::Vector(elements) => Ok(elements),
            promql::Value::Scalar(value) => Ok(vec![Element { labels: Labels::default(), value }]),
            promql::Value::String(_) | promql::Value::Matrix(_) => {
                Err("query result is not a vector or scalar".to_owned())
            }
        }
    }
}

fn failed(message: &str) -> String {
    format!("<error expanding template: {message}>")
}

/// The message of an error, without the engine's preamble.
fn message(error: TemplateError) -> String {
    match error {
        TemplateError::Exec(message) => message,
        other => other.to_string(),
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(Arc::new(
        entries.into_iter().map(|(name, value)| (Arc::from(name), value)).collect(),
    ))
}

/// What `.` is in a template.
fn data(parsed: &Parsed, labels: &Labels, value: f64, external: &External) -> Value {
    map([
        ("Labels", label_map(labels, parsed)),
        ("ExternalLabels", label_map(&external.labels, parsed)),
        ("ExternalURL", Value::String(external.url.as_str().into())),
        ("Value", Value::Float(value)),
    ])
}

/// Labels as a map. The engine has no maps whose missing entries are empty texts, as Prometheus's are, so the names that a
/// template mentions are put in.
fn label_map(labels: &Labels, parsed: &Parsed) -> Value {
    let mut entries: BTreeMap<Arc<str>, Value> = parsed
        .fields
        .iter()
        .map(|name| (Arc::from(name.as_str()), Value::String("".into())))
        .collect();
    entries
        .extend(labels.iter().map(|(name, value)| (Arc::from(name), Value::String(value.into()))));
    Value::Map(Arc::new(entries))
}
