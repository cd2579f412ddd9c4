//! `PromQL`: text in, values out, over any [`crate::Queryable`].
//!
//! ```text
//! text ──lower──> Plan ──evaluate──> Table ──query──> Value
//! ```
//!
//! Parsing is `promql-parser`'s; the evaluator is our own, with the semantics of Prometheus 3. What it does not support is
//! refused by [`Query::parse`], never answered wrongly later. Must not know the store behind the source, nor the wall clock.
//!
//! The files import each other in one direction but for one circle: an expression is evaluated by evaluating its parts, so
//! `evaluate` calls `aggregate`, `operator` and `functions`, which call `evaluate` for their operands, and a `plan` names those
//! three. A query's depth bounds the recursion, see `guard`.

mod aggregate;
mod answer;
mod evaluate;
mod functions;
mod guard;
mod lower;
mod number;
mod operator;
mod plan;
mod query;
mod table;

pub use self::{
    answer::{Element, Options, QueryError, RangeSeries, Value},
    query::Query,
};
