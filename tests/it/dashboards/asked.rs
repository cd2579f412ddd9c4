//! What a dashboard asks Prometheus: its expressions, with Grafana's variables replaced, and the metrics in them.
//!
//! Must not know which metrics exist.

use std::{collections::BTreeSet, sync::Mutex};

use notation::sync::{into_inner, lock};
use regex::Regex;
use serde_json::Value;
use series::{
    Matcher, Queryable, Series, StorageError, Timestamp,
    labels::{METRIC_NAME, Matching},
    promql::{Options, Query},
};

/// One expression of a dashboard.
pub(super) struct Asked {
    /// The panel, annotation or variable that it is of.
    pub(super) title: String,
    /// As written, with Grafana's variables.
    pub(super) expression: String,
}

/// The panels of a dashboard, those of folded rows included, without the rows themselves.
pub(super) fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = list(dashboard, "/panels");
    let inside = all.iter().flat_map(|panel| list(panel, "/panels"));
    all.iter().chain(inside).filter(|panel| panel["type"] != "row").collect()
}

/// The elements of an array; none when it is missing.
pub(super) fn list<'value>(value: &'value Value, pointer: &str) -> &'value [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text; empty when it is missing.
pub(super) fn text<'value>(value: &'value Value, pointer: &str) -> &'value str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// Every expression of a dashboard: of its panels, its annotations and its variables.
pub(super) fn queries(dashboard: &Value) -> Vec<Asked> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        found.extend(list(panel, "/targets").iter().map(|target| Asked {
            title: text(panel, "/title").to_owned(),
            expression: text(target, "/expr").to_owned(),
        }));
    }
    for annotation in list(dashboard, "/annotations/list") {
        for pointer in ["/expr", "/target/expr"] {
            found.push(Asked {
                title: format!("annotation {}", text(annotation, "/name")),
                expression: text(annotation, pointer).to_owned(),
            });
        }
    }
    let values_of = Regex::new(r"^label_values\((.*), *[a-z_]+\)$").unwrap();
    for variable in list(dashboard, "/templating/list") {
        if variable["type"] == "query" {
            let query = text(variable, "/query/query");
            let selector =
                values_of.captures(query).map_or(query, |found| found.get(1).unwrap().as_str());
            found.push(Asked {
                title: format!("variable {}", text(variable, "/name")),
                expression: selector.to_owned(),
            });
        }
    }
    found
}

impl Asked {
    /// The expression for every target at once.
    ///
    /// A matcher with a variable becomes one that any value satisfies. Grafana's own variables become what it would put there
    /// for a graph of an hour.
    pub(super) fn for_any_target(&self) -> String {
        let chosen = Regex::new(r#"=~"\$[a-z]+""#).unwrap();
        let single = Regex::new(r#"="\$[a-z]+""#).unwrap();
        let all = chosen.replace_all(&self.expression, r#"=~".*""#);
        single
            .replace_all(&all, r#"=~".+""#)
            .replace("$__rate_interval", "1m")
            .replace("$__interval", "1m")
            .replace("$__range", "1h")
    }

    /// The names of the metrics that answering needs; `{…}` stands for a selector without a name.
    ///
    /// # Errors
    /// Why the expression cannot be parsed or evaluated.
    pub(super) fn metrics(&self) -> Result<BTreeSet<String>, String> {
        let query = Query::parse(&self.for_any_target()).map_err(|error| error.to_string())?;
        let recorder = Recorder::default();
        // Any moment will do: both sides of an operator are evaluated although nothing is found.
        query
            .instant(&recorder, 1_795_000_000_000, &Options::default())
            .map_err(|error| error.to_string())?;
        Ok(into_inner(recorder.names))
    }
}

/// A source without a series, which remembers the names it was asked for.
#[derive(Default)]
struct Recorder {
    names: Mutex<BTreeSet<String>>,
}

impl Queryable for Recorder {
    fn select(
        &self,
        matchers: &[Matcher],
        _after: Timestamp,
        _until: Timestamp,
    ) -> Result<Vec<Series>, StorageError> {
        let name = matchers.iter().find_map(|matcher| match &matcher.matching {
            Matching::Equal(value) if &*matcher.name == METRIC_NAME => Some(value.to_string()),
            _ => None,
        });
        let mut names = lock(&self.names);
        names.insert(name.unwrap_or_else(|| "{…}".to_owned()));
        Ok(Vec::new())
    }
}
