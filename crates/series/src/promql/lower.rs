//! From the parser's syntax tree to a checked plan. The only file that knows the parser.
//!
//! Whatever the evaluator does not support is refused here, by name. Must not know samples or time.

use std::time::{Duration, SystemTime};

use promql_parser::{
    label::{MatchOp, Matchers},
    parser::{
        AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, Offset, SubqueryExpr,
        VectorMatchCardinality, VectorSelector, value::ValueType,
    },
};

use super::{
    QueryError, aggregate, functions,
    guard::{self, DEPTH_MAX},
    operator,
    plan::{
        Aggregate, At, Binary, Cardinality, Grouping, Matching, Moment, Plan, RangeSelector,
        RangeSource, Selector,
    },
};
use crate::{Matcher, Matching as LabelMatching, labels::METRIC_NAME};

/// The distance of evaluations of a subquery that does not say it: Prometheus's default evaluation interval.
const SUBQUERY_STEP_MS: i64 = 60_000;

/// Words of `PromQL` that the parser may not know either.
const UNSUPPORTED_WORDS: [&str; 8] =
    ["anchored", "smoothed", "fill", "fill_left", "fill_right", "info", "limitk", "limit_ratio"];

fn refused(message: impl Into<String>) -> QueryError {
    QueryError::Parse(message.into())
}

fn unsupported(what: &str) -> QueryError {
    refused(format!("{what} is not supported"))
}

/// Parses a query into a plan.
pub(super) fn parse(text: &str) -> Result<Plan, QueryError> {
    guard::check(text)?;
    let tree = promql_parser::parser::parse(text).map_err(|message| {
        let mut words =
            text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        match words.find(|word| UNSUPPORTED_WORDS.contains(word)) {
            Some(word) => refused(format!("{message} (`{word}` is not supported)")),
            None => refused(message),
        }
    })?;
    lower(&tree, 0)
}

fn lower(tree: &Expr, depth: usize) -> Result<Plan, QueryError> {
    if depth > DEPTH_MAX {
        return Err(guard::too_deep());
    }
    match tree {
        Expr::Paren(inner) => lower(&inner.expr, depth + 1),
        Expr::NumberLiteral(number) => Ok(Plan::Number(number.val)),
        Expr::StringLiteral(text) => Ok(Plan::Text(text.val.as_str().into())),
        Expr::VectorSelector(selector) => {
            let moment = moment(selector.at.as_ref(), selector.offset.as_ref())?;
            Ok(Plan::Instant(Selector { matchers: matchers(selector)?, moment }))
        }
        Expr::MatrixSelector(selector) => Ok(Plan::Range(RangeSelector {
            range_ms: length(selector.range)?,
            moment: moment(selector.vs.at.as_ref(), selector.vs.offset.as_ref())?,
            over: RangeSource::Series(matchers(&selector.vs)?),
        })),
        Expr::Subquery(subquery) => lower_subquery(subquery, depth),
        Expr::Unary(unary) => match unary.expr.value_type() {
            ValueType::Scalar | ValueType::Vector => {
                Ok(Plan::Negate(Box::new(lower(&unary.expr, depth + 1)?)))
            }
            other => Err(refused(format!("a {other} cannot be negated"))),
        },
        Expr::Call(call) => lower_call(call, depth),
        Expr::Aggregate(aggregate) => lower_aggregate(aggregate, depth),
        Expr::Binary(binary) => lower_binary(binary, depth),
        Expr::Extension(_) => Err(unsupported("an extension")),
    }
}

fn lower_subquery(subquery: &SubqueryExpr, depth: usize) -> Result<Plan, QueryError> {
    let step_ms = match subquery.step {
        None => SUBQUERY_STEP_MS,
        Some(step) => length(step)?,
    };
    let plan = Box::new(lower(&subquery.expr, depth + 1)?);
    Ok(Plan::Range(RangeSelector {
        range_ms: length(subquery.range)?,
        moment: moment(subquery.at.as_ref(), subquery.offset.as_ref())?,
        over: RangeSource::Subquery { plan, step_ms },
    }))
}

fn lower_call(call: &Call, depth: usize) -> Result<Plan, QueryError> {
    let name = call.func.name;
    let function =
        functions::find(name).ok_or_else(|| unsupported(&format!("function `{name}()`")))?;
    let mut arguments = Vec::with_capacity(call.args.len());
    for (index, argument) in call.args.args.iter().enumerate() {
        // A variadic function repeats its last type. The parser leaves out this check for some literals.
        let expected = call.func.arg_types.get(index).or(call.func.arg_types.last());
        let actual = argument.value_type();
        if expected.is_some_and(|expected| *expected != actual) {
            let expected = expected.map(ToString::to_string).unwrap_or_default();
            return Err(refused(format!(
                "expected type {expected} in call to function `{name}`, got {actual}"
            )));
        }
        arguments.push(lower(argument, depth + 1)?);
    }
    Ok(Plan::Call(function, arguments))
}

fn lower_aggregate(aggregate: &AggregateExpr, depth: usize) -> Result<Plan, QueryError> {
    let name = aggregate.op.to_string();
    let aggregation =
        aggregate::from_name(&name).ok_or_else(|| unsupported(&format!("aggregation `{name}`")))?;
    let parameter = match &aggregate.param {
        Some(parameter) => Some(lower(parameter, depth + 1)?),
        None => None,
    };
    let grouping = match &aggregate.modifier {
        None => Grouping::Only(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::Only(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    };
    let operand = lower(&aggregate.expr, depth + 1)?;
    Ok(Plan::Aggregate(Box::new(Aggregate { aggregation, grouping, parameter, operand })))
}

fn lower_binary(binary: &BinaryExpr, depth: usize) -> Result<Plan, QueryError> {
    let symbol = binary.op.to_string();
    let operator = operator::from_symbol(&symbol)
        .ok_or_else(|| unsupported(&format!("operator `{symbol}`")))?;
    for side in [&binary.lhs, &binary.rhs] {
        if !matches!(side.value_type(), ValueType::Scalar | ValueType::Vector) {
            return Err(refused(format!("operator `{symbol}` needs scalars or instant vectors")));
        }
    }
    let modifier = binary.modifier.as_ref();
    if modifier.is_some_and(|modifier| {
        modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some()
    }) {
        return Err(unsupported("the modifier `fill`"));
    }
    let key = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
        None => Grouping::Without(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::Only(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    };
    let (cardinality, include) = match modifier.map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::ManyToOne(labels)) => {
            (Cardinality::ManyToOne, labels.labels.clone())
        }
        Some(VectorMatchCardinality::OneToMany(labels)) => {
            (Cardinality::OneToMany, labels.labels.clone())
        }
        _ => (Cardinality::OneToOne, Vec::new()),
    };
    Ok(Plan::Binary(Box::new(Binary {
        operator,
        returns_bool: modifier.is_some_and(|modifier| modifier.return_bool),
        matching: Matching { key, cardinality, include },
        left: lower(&binary.lhs, depth + 1)?,
        right: lower(&binary.rhs, depth + 1)?,
    })))
}

fn matchers(selector: &VectorSelector) -> Result<Vec<Matcher>, QueryError> {
    let Matchers { matchers, or_matchers } = &selector.matchers;
    if !or_matchers.is_empty() {
        return Err(unsupported("`or` between label matchers"));
    }
    let name = selector.name.as_deref().map(|name| Matcher::equal(METRIC_NAME, name));
    let others = matchers.iter().map(|matcher| Matcher {
        name: matcher.name.as_str().into(),
        matching: match &matcher.op {
            MatchOp::Equal => LabelMatching::Equal(matcher.value.as_str().into()),
            MatchOp::NotEqual => LabelMatching::NotEqual(matcher.value.as_str().into()),
            MatchOp::Re(regex) => LabelMatching::Regex(regex.clone()),
            MatchOp::NotRe(regex) => LabelMatching::NotRegex(regex.clone()),
        },
    });
    Ok(name.into_iter().chain(others).collect())
}

fn moment(at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<Moment, QueryError> {
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => {
            Some(At::Time(match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => milliseconds(since)?,
                Err(error) => -milliseconds(error.duration())?,
            }))
        }
    };
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => milliseconds(*duration)?,
        Some(Offset::Neg(duration)) => -milliseconds(*duration)?,
    };
    Ok(Moment { at, offset_ms })
}

fn milliseconds(duration: Duration) -> Result<i64, QueryError> {
    i64::try_from(duration.as_millis()).map_err(|_| refused("a duration or time is too large"))
}

fn length(duration: Duration) -> Result<i64, QueryError> {
    match milliseconds(duration)? {
        0 => Err(refused("a duration must be greater than 0")),
        length => Ok(length),
    }
}
