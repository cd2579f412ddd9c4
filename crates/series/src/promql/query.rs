//! A parsed query, and its answers at one moment or at many.
//!
//! Must not know how its parts are evaluated.

use std::{cell::Cell, sync::Arc};

use super::{
    Element, Options, QueryError, RangeSeries, Value,
    evaluate::{Evaluation, to_series},
    lower,
    plan::Plan,
    table::{Column, Steps, Table},
};
use crate::{Labels, Matcher, Queryable, Timestamp};

/// How many steps a range query may have, as in Prometheus.
const STEPS_MAX: i64 = 11_000;

/// A parsed query, known to use only what the evaluator supports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Query {
    text: Arc<str>,
    plan: Arc<Plan>,
}

impl Query {
    /// Parses a query and checks that everything in it is supported.
    ///
    /// # Errors
    /// [`QueryError::Parse`] with a text for people.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.into(), plan: Arc::new(lower::parse(text)?) })
    }

    /// The query as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The matchers, when the query is nothing but an instant selector without `offset` and `@`: what the `match[]`
    /// parameters of Prometheus's HTTP API hold.
    pub fn selector(&self) -> Option<&[Matcher]> {
        match self.plan.as_ref() {
            Plan::Instant(selector)
                if selector.moment.at.is_none() && selector.moment.offset_ms == 0 =>
            {
                Some(&selector.matchers)
            }
            _ => None,
        }
    }

    /// The answer at one moment. A vector is sorted by labels, unless the query sorts it otherwise.
    ///
    /// # Errors
    /// When the evaluation fails or a limit is reached.
    pub fn instant(
        &self,
        source: &dyn Queryable,
        at: Timestamp,
        options: &Options,
    ) -> Result<Value, QueryError> {
        let steps = Steps { start: at, step_ms: 0, count: 1 };
        let samples = Cell::new(0);
        let evaluation = Evaluation { source, options, steps, query: steps, samples: &samples };
        if let Plan::Range(selector) = self.plan.as_ref() {
            return Ok(Value::Matrix(evaluation.range_series(selector)?));
        }
        Ok(match evaluation.table(&self.plan)? {
            Table::Scalar(values) => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
            Table::Text(text) => Value::String(text),
            Table::Vector(columns) => {
                Value::Vector(columns.into_iter().filter_map(to_element).collect())
            }
        })
    }

    /// The answers at `start`, `start + step`, … up to and including `end`, sorted by labels. Times and the step are in
    /// milliseconds.
    ///
    /// # Errors
    /// When the evaluation fails, a limit is reached, or the query gives neither numbers nor a vector.
    pub fn range(
        &self,
        source: &dyn Queryable,
        start: Timestamp,
        end: Timestamp,
        step_ms: i64,
        options: &Options,
    ) -> Result<Vec<RangeSeries>, QueryError> {
        if step_ms <= 0 {
            return Err(QueryError::Evaluate(
                "the step of a range query must be positive".to_owned(),
            ));
        }
        if end < start {
            return Err(QueryError::Evaluate(
                "a range query must not end before it starts".to_owned(),
            ));
        }
        let intervals = end.saturating_sub(start) / step_ms;
        let count = usize::try_from(intervals).ok().filter(|_| intervals <= STEPS_MAX);
        let Some(count) = count.and_then(|count| count.checked_add(1)) else {
            return Err(QueryError::Limit(format!(
                "exceeded the maximum resolution of {STEPS_MAX} points per series: choose a larger step"
            )));
        };
        let steps = Steps { start, step_ms, count };
        let samples = Cell::new(0);
        let evaluation = Evaluation { source, options, steps, query: steps, samples: &samples };
        let columns = match evaluation.table(&self.plan)? {
            Table::Scalar(values) => {
                vec![Column {
                    labels: Labels::default(),
                    values: values.into_iter().map(Some).collect(),
                }]
            }
            Table::Vector(columns) => columns,
            Table::Text(_) => {
                return Err(QueryError::Evaluate(
                    "a range query must give a scalar or an instant vector".to_owned(),
                ));
            }
        };
        let mut series: Vec<RangeSeries> =
            columns.into_iter().map(|column| to_series(column, steps)).collect();
        series.retain(|one| !one.samples.is_empty());
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(series)
    }
}

fn to_element(column: Column) -> Option<Element> {
    let value = column.values.first().copied().flatten()?;
    Some(Element { labels: column.labels, value })
}
