//! What a query gives or why it gives nothing, and the limits that its evaluation keeps to.
//!
//! Must not know how queries are parsed or evaluated.

use crate::{Labels, StorageError};

/// Why a query cannot be parsed or answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not `PromQL`, or uses something that is not supported.
    #[error("{0}")]
    Parse(String),
    /// The query is valid, but its evaluation failed, for example by a many-to-many match.
    #[error("{0}")]
    Evaluate(String),
    /// A limit of [`Options`] was reached.
    #[error("{0}")]
    Limit(String),
    /// The source could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The limits and defaults of an evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// How far back an instant selector looks for a sample, in milliseconds; `None`: as far as the source says.
    pub lookback_ms: Option<i64>,
    /// How many samples one query may hold in memory at a time.
    pub samples_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lookback_ms: None, samples_max: 20_000_000 }
    }
}

/// An element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The labels of the element.
    pub labels: Labels,
    /// Its value at the time of evaluation.
    pub value: f64,
}

/// A series of a range query's answer.
pub type RangeSeries = crate::Series;

/// The answer to an instant query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A text.
    String(String),
    /// One value for each series; in the order of the query when it sorts.
    Vector(Vec<Element>),
    /// Samples for each series, from a range selector.
    Matrix(Vec<RangeSeries>),
}
