//! The checked form of a query: what the evaluator walks over.
//!
//! Parentheses are gone, matchers are those of this crate, functions and operators are resolved. Must not know the parser.

use std::sync::Arc;

use super::{aggregate::Aggregation, functions::Function, operator::Operator};
use crate::{Labels, Matcher, Timestamp, labels::METRIC_NAME};

/// A node of a query.
#[derive(Debug)]
pub(super) enum Plan {
    /// A number.
    Number(f64),
    /// A text.
    Text(Arc<str>),
    /// The latest sample of each selected series.
    Instant(Selector),
    /// The samples of a time range, from storage or from a subquery.
    Range(RangeSelector),
    /// A function and its arguments.
    Call(&'static Function, Vec<Plan>),
    /// An aggregation over series.
    Aggregate(Box<Aggregate>),
    /// Negation.
    Negate(Box<Plan>),
    /// An operator between two operands.
    Binary(Box<Binary>),
}

/// Which series an instant selector reads, and when.
#[derive(Debug)]
pub(super) struct Selector {
    /// All of these must hold.
    pub(super) matchers: Vec<Matcher>,
    /// The moment it looks back from.
    pub(super) moment: Moment,
}

/// A range selector or a subquery.
#[derive(Debug)]
pub(super) struct RangeSelector {
    /// The length of the left-open window, in milliseconds.
    pub(super) range_ms: i64,
    /// The end of the window.
    pub(super) moment: Moment,
    /// What the window lies over.
    pub(super) over: RangeSource,
}

/// What a window lies over.
#[derive(Debug)]
pub(super) enum RangeSource {
    /// Stored samples.
    Series(Vec<Matcher>),
    /// The results of a query, evaluated at multiples of `step_ms`.
    Subquery {
        /// The inner query.
        plan: Box<Plan>,
        /// The distance of its evaluations, in milliseconds; positive.
        step_ms: i64,
    },
}

/// The `@` and `offset` of a selector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The fixed time of an `@` modifier.
    pub(super) at: Option<At>,
    /// How far to go back, in milliseconds; negative goes forward.
    pub(super) offset_ms: i64,
}

/// The argument of an `@` modifier.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// `start()` of the whole query.
    Start,
    /// `end()` of the whole query.
    End,
    /// A fixed time.
    Time(Timestamp),
}

/// An aggregation.
#[derive(Debug)]
pub(super) struct Aggregate {
    /// What is computed for each group.
    pub(super) aggregation: Aggregation,
    /// How the groups are made.
    pub(super) grouping: Grouping,
    /// The parameter of `topk`, `quantile`, `count_values` and the like.
    pub(super) parameter: Option<Plan>,
    /// The series to aggregate.
    pub(super) operand: Plan,
}

/// A binary operation.
#[derive(Debug)]
pub(super) struct Binary {
    /// The operator.
    pub(super) operator: Operator,
    /// Whether a comparison gives 0 and 1 instead of filtering.
    pub(super) returns_bool: bool,
    /// How elements of two vectors find each other.
    pub(super) matching: Matching,
    /// The left operand.
    pub(super) left: Plan,
    /// The right operand.
    pub(super) right: Plan,
}

/// A choice of labels, by name.
#[derive(Debug)]
pub(super) enum Grouping {
    /// Only these: `by`, `on`.
    Only(Vec<String>),
    /// All but these and the metric name: `without`, `ignoring`.
    Without(Vec<String>),
}

impl Grouping {
    /// The chosen part of a label set.
    pub(super) fn key(&self, labels: &Labels) -> Labels {
        labels.filtered(|name| match self {
            Self::Only(names) => names.iter().any(|candidate| candidate == name),
            Self::Without(names) => {
                name != METRIC_NAME && !names.iter().any(|candidate| candidate == name)
            }
        })
    }
}

/// How the elements of two vectors are matched.
#[derive(Debug)]
pub(super) struct Matching {
    /// The labels that must agree.
    pub(super) key: Grouping,
    /// Which side may have several elements for one key.
    pub(super) cardinality: Cardinality,
    /// Labels copied from the "one" side.
    pub(super) include: Vec<String>,
}

/// Which side of a match may have several elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cardinality {
    /// Neither.
    OneToOne,
    /// The left: `group_left`.
    ManyToOne,
    /// The right: `group_right`.
    OneToMany,
}
