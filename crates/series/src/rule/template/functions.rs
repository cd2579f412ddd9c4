//! The functions of Prometheus's templates (<https://prometheus.io/docs/prometheus/latest/configuration/template_reference/>).
//!
//! Must not know where queries are answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gotmpl::{FuncMap, TemplateError, Value, ValueFunc};
use notation::duration;
use regex::Regex;

use super::{
    layout, number,
    tree::{FORMAT, SHOW, UTC},
};
use crate::Timestamp;

/// The functions that the template engine itself brings.
const BUILT_IN: [&str; 20] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery", "query",
];

type NumberFormat = fn(f64) -> String;
type TextChange = fn(&str) -> String;
type Result<T> = std::result::Result<T, TemplateError>;

/// The names of all functions that a text may call.
pub(super) fn names() -> BTreeSet<String> {
    let own = pure().into_keys().chain(surroundings("", 0).into_keys());
    let own = own.filter(|name| ![SHOW, FORMAT, UTC].contains(&name.as_str()));
    own.chain(BUILT_IN.map(str::to_owned)).collect()
}

fn failed(message: impl Into<String>) -> TemplateError {
    TemplateError::Exec(message.into())
}

fn argument<'a>(arguments: &'a [Value], index: usize, function: &str) -> Result<&'a Value> {
    arguments.get(index).ok_or_else(|| TemplateError::ArgCount {
        name: function.to_owned(),
        expected: index + 1,
        got: arguments.len(),
    })
}

/// An argument that must be a text.
pub(super) fn text(arguments: &[Value], index: usize, function: &str) -> Result<String> {
    match argument(arguments, index, function)? {
        Value::String(text) => Ok(text.to_string()),
        other => Err(failed(format!(
            "{function} needs a text, not a value of type {}",
            other.type_name()
        ))),
    }
}

/// An argument that must be a number, or a text that is one.
fn float(arguments: &[Value], index: usize, function: &str) -> Result<f64> {
    let value = argument(arguments, index, function)?;
    let parsed = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_float(),
    };
    parsed.ok_or_else(|| failed(format!("{function} needs a number, not `{value}`")))
}

fn list(arguments: &[Value], index: usize, function: &str) -> Result<Arc<[Value]>> {
    match argument(arguments, index, function)? {
        Value::List(list) => Ok(Arc::clone(list)),
        other => Err(failed(format!(
            "{function} needs the result of a query, not a value of type {}",
            other.type_name()
        ))),
    }
}

fn regex(arguments: &[Value], function: &str) -> Result<Regex> {
    let pattern = text(arguments, 0, function)?;
    Regex::new(&pattern).map_err(|_| failed(format!("`{pattern}` is not a regular expression")))
}

/// A label of an element of a query's result; a missing one is an empty text.
fn label(element: &Value, name: &str) -> Value {
    let value = element.field("Labels").and_then(|labels| labels.field(name));
    value.cloned().unwrap_or_else(|| Value::String("".into()))
}

fn string(text: impl Into<Arc<str>>) -> Value {
    Value::String(text.into())
}

/// The functions whose results depend on nothing but their arguments.
pub(super) fn pure() -> FuncMap {
    let mut functions = FuncMap::new();
    numbers(&mut functions);
    times(&mut functions);
    texts(&mut functions);
    results(&mut functions);
    functions
}

fn add(
    functions: &mut FuncMap,
    name: &'static str,
    function: impl Fn(&[Value]) -> Result<Value> + Send + Sync + 'static,
) {
    let function: ValueFunc = Arc::new(function);
    functions.insert(name.to_owned(), function);
}

fn numbers(functions: &mut FuncMap) {
    let plain: [(&'static str, NumberFormat); 4] = [
        ("humanize", number::humanize),
        ("humanize1024", number::humanize_binary),
        ("humanizeDuration", number::humanize_duration),
        ("humanizePercentage", number::humanize_percentage),
    ];
    for (name, format) in plain {
        add(functions, name, move |arguments| Ok(string(format(float(arguments, 0, name)?))));
    }
    add(functions, "humanizeTimestamp", |arguments| {
        let seconds = float(arguments, 0, "humanizeTimestamp")?;
        Ok(string(number::humanize_timestamp(seconds).map_err(failed)?))
    });
    add(functions, "parseDuration", |arguments| {
        let text = text(arguments, 0, "parseDuration")?;
        let milliseconds =
            duration::parse_prometheus(&text).map_err(|error| failed(error.to_string()))?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "durations stay far below 2^53 milliseconds"
        )]
        let seconds = milliseconds as f64 / 1000.0;
        Ok(Value::Float(seconds))
    });
    add(functions, SHOW, |arguments| {
        Ok(match arguments.last() {
            Some(Value::Float(value)) => Value::String(notation::number::shortest(*value).into()),
            None | Some(Value::Nil) => Value::String("".into()),
            Some(other) => other.clone(),
        })
    });
}

/// The functions for times. The engine has no value for a time, so it is the text that Go prints for it.
fn times(functions: &mut FuncMap) {
    add(functions, "toTime", |arguments| {
        let seconds = float(arguments, 0, "toTime")?;
        if !seconds.is_finite() {
            return Err(failed("value is NaN or Inf"));
        }
        Ok(string(number::humanize_timestamp(seconds).map_err(failed)?))
    });
    add(functions, UTC, |arguments| argument(arguments, 0, "UTC").cloned());
    add(functions, FORMAT, |arguments| {
        let time = text(arguments, 0, "Format")?;
        let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S%.f +0000 UTC", &time)
            .map_err(|_| failed(format!("`{time}` is not a time")))?;
        Ok(string(layout::format(&time, &text(arguments, 1, "Format")?)))
    });
}

fn texts(functions: &mut FuncMap) {
    let plain: [(&'static str, TextChange); 9] = [
        ("toUpper", |text| text.to_uppercase()),
        ("toLower", |text| text.to_lowercase()),
        ("title", title),
        ("stripPort", |text| strip_port(text).to_owned()),
        ("stripDomain", strip_domain),
        ("safeHtml", str::to_owned),
        ("urlQueryEscape", gotmpl::url_encode),
        ("graphLink", |query| format!("/graph?g0.expr={}&g0.tab=0", gotmpl::url_encode(query))),
        ("tableLink", |query| format!("/graph?g0.expr={}&g0.tab=1", gotmpl::url_encode(query))),
    ];
    for (name, change) in plain {
        add(functions, name, move |arguments| Ok(string(change(&text(arguments, 0, name)?))));
    }
    add(functions, "match", |arguments| {
        Ok(Value::Bool(regex(arguments, "match")?.is_match(&text(arguments, 1, "match")?)))
    });
    add(functions, "reReplaceAll", |arguments| {
        let regex = regex(arguments, "reReplaceAll")?;
        let replacement = text(arguments, 1, "reReplaceAll")?;
        let text = text(arguments, 2, "reReplaceAll")?;
        Ok(string(regex.replace_all(&text, replacement.as_str()).as_ref()))
    });
    add(functions, "args", |arguments| {
        let entries = arguments.iter().enumerate();
        let entries: BTreeMap<Arc<str>, Value> =
            entries.map(|(index, value)| (format!("arg{index}").into(), value.clone())).collect();
        Ok(Value::Map(Arc::new(entries)))
    });
}

/// The functions for the results of queries.
fn results(functions: &mut FuncMap) {
    add(functions, "first", |arguments| {
        let list = list(arguments, 0, "first")?;
        list.first().cloned().ok_or_else(|| failed("first() called on vector with no elements"))
    });
    add(functions, "value", |arguments| {
        let value = argument(arguments, 0, "value")?.field("Value");
        value.cloned().ok_or_else(|| failed("value needs an element of a query's result"))
    });
    add(functions, "label", |arguments| {
        Ok(label(argument(arguments, 1, "label")?, &text(arguments, 0, "label")?))
    });
    add(functions, "strvalue", |arguments| {
        Ok(label(argument(arguments, 0, "strvalue")?, "__value__"))
    });
    add(functions, "sortByLabel", |arguments| {
        let name = text(arguments, 0, "sortByLabel")?;
        let mut list = list(arguments, 1, "sortByLabel")?.to_vec();
        list.sort_by_key(|element| label(element, &name).as_str().map(str::to_owned));
        Ok(Value::List(list.into()))
    });
}

/// The functions about the program's surroundings.
pub(super) fn surroundings(url: &str, at: Timestamp) -> FuncMap {
    let mut functions = FuncMap::new();
    let url: Arc<str> = url.into();
    let path: Arc<str> = url_path(&url).into();
    add(&mut functions, "externalURL", move |_| Ok(string(Arc::clone(&url))));
    add(&mut functions, "pathPrefix", move |_| Ok(string(Arc::clone(&path))));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53")]
    let seconds = at as f64 / 1000.0;
    add(&mut functions, "now", move |_| Ok(Value::Float(seconds)));
    functions
}

/// The path of a URL: `/monitor` of `http://host/monitor?a`.
fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("")
}

/// Each word with a capital, as Go's `strings.Title`.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut titled = String::with_capacity(text.len());
    for character in text.chars() {
        if inside {
            titled.push(character);
        } else {
            titled.extend(character.to_uppercase());
        }
        inside = if character.is_ascii() {
            character.is_ascii_alphanumeric() || character == '_'
        } else {
            character.is_alphabetic() || !character.is_whitespace() && inside
        };
    }
    titled
}

/// The host of `host:port`; what has no port stays as it is.
fn strip_port(text: &str) -> &str {
    if let Some((host, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return if port.starts_with(':') { host } else { text };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => text,
    }
}

/// The first part of a host name, with the port if there is one; an IP address stays as it is.
fn strip_domain(text: &str) -> String {
    let host = strip_port(text);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let port = if host.len() < text.len() { text.get(host.len()..).unwrap_or("") } else { "" };
    format!("{}{port}", host.split('.').next().unwrap_or(host))
}
