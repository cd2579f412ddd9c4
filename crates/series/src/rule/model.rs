//! What a rule file says, after all mistakes have been refused.
//!
//! Must not know YAML, nor what has become of the rules since.

use std::collections::BTreeMap;

use crate::{
    Labels, Queryable, Timestamp,
    promql::{Element, Options, Query, Value},
};

/// Rules that are evaluated together, in order.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name; unique in a file.
    pub name: String,
    /// The file, as whoever read it names it; empty when it is not known.
    pub file: String,
    /// Milliseconds between evaluations; `None` leaves it to the caller.
    pub interval_ms: Option<i64>,
    /// The rules in the order of the file.
    pub rules: Vec<Rule>,
    /// How many alerts or series one rule may give; 0 means any number.
    pub limit: usize,
    /// How many milliseconds before the time of evaluation the rules look.
    pub query_offset_ms: i64,
    /// Labels for the results of all rules; [`Rule::labels`] has them already.
    pub labels: BTreeMap<String, String>,
}

impl Group {
    /// What identifies the group among all groups, as in Prometheus: its file and its name.
    pub fn key(&self) -> String {
        format!("{};{}", self.file, self.name)
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The metric that is recorded, or the name of the alert.
    pub name: String,
    /// The expression.
    pub query: Query,
    /// What is done with the expression's answer.
    pub kind: RuleKind,
    /// Labels for the results, those of the group included. Templates, when the rule alerts.
    pub labels: BTreeMap<String, String>,
    /// Templates of texts for people; empty when the rule records.
    pub annotations: BTreeMap<String, String>,
    /// The line of the rule in its file, from 1.
    pub line: usize,
}

/// What is done with the answer of a rule's expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// It becomes a new metric.
    Recording,
    /// Each of its elements is an alert.
    Alerting {
        /// An alert fires after it has been active for so many milliseconds.
        for_ms: i64,
        /// An alert goes on firing for so many milliseconds after its last cause.
        keep_firing_for_ms: i64,
    },
}

impl Rule {
    /// Whether the rule gives alerts.
    pub fn is_alerting(&self) -> bool {
        matches!(self.kind, RuleKind::Alerting { .. })
    }

    /// What the expression gives at one moment; a number counts as an element without labels.
    ///
    /// # Errors
    /// When the expression cannot be evaluated, with the reason in words.
    pub(super) fn answer(
        &self,
        source: &dyn Queryable,
        at: Timestamp,
    ) -> Result<Vec<Element>, String> {
        let answer = self.query.instant(source, at, &Options::default());
        match answer.map_err(|error| error.to_string())? {
            Value::Vector(elements) => Ok(elements),
            Value::Scalar(value) => Ok(vec![Element { labels: Labels::default(), value }]),
            Value::String(_) | Value::Matrix(_) => {
                Err("rule result is not a vector or scalar".to_owned())
            }
        }
    }
}

/// What templates know of the program's surroundings.
#[derive(Clone, Debug, Default)]
pub struct External {
    /// The URL under which people reach the program; may be empty.
    pub url: String,
    /// Labels that the program adds to everything it reports to others.
    pub labels: Labels,
}
