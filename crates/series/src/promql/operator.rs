//! The binary operators, on numbers and on vectors.
//!
//! Matching is done once for each pair of series, not once for each step. Must not know where the operands come from.

use std::collections::{BTreeMap, HashMap};

use super::{
    QueryError,
    evaluate::Evaluation,
    number,
    plan::{Binary, Cardinality, Grouping, Matching},
    table::{Column, SAME_LABELS, Table, merge, present},
};
use crate::{Labels, labels::METRIC_NAME};

/// A binary operator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    /// Gives a number.
    Arithmetic(fn(f64, f64) -> f64),
    /// Filters, or gives 0 or 1.
    Comparison(fn(f64, f64) -> bool),
    /// Works on the presence of elements only.
    Set(SetOperator),
}

/// An operator on the presence of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOperator {
    /// Left elements with a partner.
    And,
    /// Left elements, and right ones without a partner.
    Or,
    /// Left elements without a partner.
    Unless,
}

/// Evaluates an operation on two evaluated operands.
pub(super) fn apply(
    binary: &Binary,
    left: Table,
    right: Table,
    evaluation: &Evaluation<'_>,
) -> Result<Table, QueryError> {
    match (left, right) {
        (Table::Scalar(left), Table::Scalar(right)) => {
            let values = left.into_iter().zip(right);
            match binary.operator {
                Operator::Arithmetic(compute) => {
                    Ok(Table::Scalar(values.map(|(left, right)| compute(left, right)).collect()))
                }
                Operator::Comparison(holds) => Ok(Table::Scalar(
                    values.map(|(left, right)| from_bool(holds(left, right))).collect(),
                )),
                Operator::Set(_) => Err(mismatch()),
            }
        }
        (Table::Vector(columns), Table::Scalar(scalars)) => {
            with_scalar(binary, columns, &scalars, false)
        }
        (Table::Scalar(scalars), Table::Vector(columns)) => {
            with_scalar(binary, columns, &scalars, true)
        }
        (Table::Vector(left), Table::Vector(right)) => match binary.operator {
            Operator::Set(operator) => Ok(Table::Vector(combine(
                operator,
                &binary.matching.key,
                left,
                right,
                evaluation.steps.count,
            )?)),
            _ => Ok(Table::Vector(match_vectors(binary, &left, &right, evaluation)?)),
        },
        (Table::Text(_), _) | (_, Table::Text(_)) => Err(mismatch()),
    }
}

fn mismatch() -> QueryError {
    QueryError::Evaluate("operator cannot be applied to these types".to_owned())
}

fn from_bool(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// A vector and a scalar; `swapped` when the scalar is on the left.
fn with_scalar(
    binary: &Binary,
    columns: Vec<Column>,
    scalars: &[f64],
    swapped: bool,
) -> Result<Table, QueryError> {
    let operator = binary.operator;
    let evaluate = |element: f64, scalar: f64| {
        let (left, right) = if swapped { (scalar, element) } else { (element, scalar) };
        match operator {
            Operator::Arithmetic(compute) => Ok(Some(compute(left, right))),
            Operator::Comparison(holds) if binary.returns_bool => {
                Ok(Some(from_bool(holds(left, right))))
            }
            Operator::Comparison(holds) => Ok(holds(left, right).then_some(element)),
            Operator::Set(_) => Err(mismatch()),
        }
    };
    let keeps_name = matches!(operator, Operator::Comparison(_)) && !binary.returns_bool;
    let mut results = Vec::with_capacity(columns.len());
    for column in columns {
        let values = column.values.iter().zip(scalars).map(|(element, scalar)| match element {
            Some(element) => evaluate(*element, *scalar),
            None => Ok(None),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let labels = if keeps_name { column.labels } else { column.labels.without_metric_name() };
        results.push(Column { labels, values });
    }
    Ok(Table::Vector(merge(results, SAME_LABELS)?))
}

/// At which steps a key is present.
type Presence = HashMap<Labels, Vec<bool>>;

fn presence(key: &Grouping, columns: &[Column], count: usize) -> Presence {
    let mut presence = Presence::new();
    for column in columns {
        let steps = presence.entry(key.key(&column.labels)).or_insert_with(|| vec![false; count]);
        for (present, value) in steps.iter_mut().zip(&column.values) {
            *present |= value.is_some();
        }
    }
    presence
}

/// Keeps the values at the steps at which the key of their column is present, or those at which it is not.
fn keep(columns: &mut [Column], key: &Grouping, presence: &Presence, when_present: bool) {
    for column in columns {
        let steps = presence.get(&key.key(&column.labels));
        for (step, value) in column.values.iter_mut().enumerate() {
            let present = steps.and_then(|steps| steps.get(step)).copied().unwrap_or(false);
            if present != when_present {
                *value = None;
            }
        }
    }
}

fn combine(
    operator: SetOperator,
    key: &Grouping,
    mut left: Vec<Column>,
    mut right: Vec<Column>,
    count: usize,
) -> Result<Vec<Column>, QueryError> {
    match operator {
        SetOperator::And => keep(&mut left, key, &presence(key, &right, count), true),
        SetOperator::Unless => keep(&mut left, key, &presence(key, &right, count), false),
        SetOperator::Or => {
            keep(&mut right, key, &presence(key, &left, count), false);
            left.append(&mut right);
            // At a single step two elements with the same labels would have the same key.
            if count > 1 {
                return merge(left, SAME_LABELS);
            }
        }
    }
    Ok(present(left))
}

/// The columns of both sides with one key.
#[derive(Default)]
struct Group<'a> {
    many: Vec<&'a Column>,
    one: Vec<&'a Column>,
}

fn match_vectors(
    binary: &Binary,
    left: &[Column],
    right: &[Column],
    evaluation: &Evaluation<'_>,
) -> Result<Vec<Column>, QueryError> {
    let matching = &binary.matching;
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut any_many = vec![false; evaluation.steps.count];
    for column in many {
        for (any, value) in any_many.iter_mut().zip(&column.values) {
            *any |= value.is_some();
        }
    }
    let mut results = Vec::new();
    for (key, group) in &groups(&matching.key, many, one) {
        check_cardinality(key, group, &any_many, matching.cardinality)?;
        for many in &group.many {
            if let [one] = group.one.as_slice() {
                let values = many.values.iter().zip(&one.values);
                let values =
                    values.map(|(many, one)| element(binary, swapped, *many, *one)).collect();
                results.push(Column {
                    labels: result_labels(binary, &many.labels, &one.labels),
                    values,
                });
            } else {
                match_changing(binary, many, &group.one, evaluation, &mut results)?;
            }
        }
    }
    let message = match matching.cardinality {
        Cardinality::OneToOne => SAME_LABELS,
        _ => "multiple matches for labels: grouping labels must ensure unique matches",
    };
    merge(results, message)
}

/// The columns by their keys, in order of appearance, so that results and errors do not depend on hashing.
fn groups<'a>(key: &Grouping, many: &'a [Column], one: &'a [Column]) -> Vec<(Labels, Group<'a>)> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Group<'a>)> = Vec::new();
    let sides =
        many.iter().map(|column| (column, true)).chain(one.iter().map(|column| (column, false)));
    for (column, is_many) in sides {
        let labels = key.key(&column.labels);
        let place = *places.entry(labels.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push((labels, Group::default()));
        }
        if let Some((_, group)) = groups.get_mut(place) {
            if is_many {
                group.many.push(column);
            } else {
                group.one.push(column);
            }
        }
    }
    groups
}

/// Matches a column whose partner changes from step to step; at most one of `ones` is present at a time.
fn match_changing(
    binary: &Binary,
    many: &Column,
    ones: &[&Column],
    evaluation: &Evaluation<'_>,
    results: &mut Vec<Column>,
) -> Result<(), QueryError> {
    let swapped = binary.matching.cardinality == Cardinality::OneToMany;
    let mut by_partner: BTreeMap<usize, Column> = BTreeMap::new();
    for (step, value) in many.values.iter().enumerate() {
        let at_step = |one: &Column| one.values.get(step).copied().flatten();
        let partner =
            ones.iter().enumerate().find_map(|(index, one)| Some((index, one, at_step(one)?)));
        let Some((index, one, partner)) = partner.filter(|_| value.is_some()) else { continue };
        if !by_partner.contains_key(&index) {
            evaluation.charge(evaluation.steps.count)?;
        }
        let column = by_partner.entry(index).or_insert_with(|| Column {
            labels: result_labels(binary, &many.labels, &one.labels),
            values: vec![None; evaluation.steps.count],
        });
        if let Some(result) = column.values.get_mut(step) {
            *result = element(binary, swapped, *value, Some(partner));
        }
    }
    results.extend(by_partner.into_values());
    Ok(())
}

/// The result for one pair of elements; `swapped` when the "many" side is on the right.
fn element(binary: &Binary, swapped: bool, many: Option<f64>, one: Option<f64>) -> Option<f64> {
    let (many, one) = many.zip(one)?;
    let (left, right) = if swapped { (one, many) } else { (many, one) };
    match binary.operator {
        Operator::Arithmetic(compute) => Some(compute(left, right)),
        Operator::Comparison(holds) if binary.returns_bool => Some(from_bool(holds(left, right))),
        Operator::Comparison(holds) => holds(left, right).then_some(left),
        Operator::Set(_) => None,
    }
}

/// Fails when, at some step, the "one" side has several elements for a key, or both sides of a one-to-one match do.
fn check_cardinality(
    key: &Labels,
    group: &Group<'_>,
    any_many: &[bool],
    cardinality: Cardinality,
) -> Result<(), QueryError> {
    let present = |columns: &[&Column], step: usize| {
        columns.iter().filter(|column| column.values.get(step).is_some_and(Option::is_some)).count()
    };
    if group.one.len() < 2 && (group.many.len() < 2 || cardinality != Cardinality::OneToOne) {
        return Ok(());
    }
    for (step, any) in any_many.iter().enumerate() {
        let ones = present(&group.one, step);
        if ones > 1 && *any {
            return Err(duplicates(key, &group.one, step, cardinality));
        }
        if cardinality == Cardinality::OneToOne && ones > 0 && present(&group.many, step) > 1 {
            let message = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
            return Err(QueryError::Evaluate(message.to_owned()));
        }
    }
    Ok(())
}

fn duplicates(
    key: &Labels,
    columns: &[&Column],
    step: usize,
    cardinality: Cardinality,
) -> QueryError {
    let side = if cardinality == Cardinality::OneToMany { "left" } else { "right" };
    let mut names: Vec<String> = columns
        .iter()
        .filter(|column| column.values.get(step).is_some_and(Option::is_some))
        .map(|column| braces(&column.labels))
        .collect();
    names.sort();
    names.truncate(2);
    QueryError::Evaluate(format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}];many-to-many \
         matching not allowed: matching labels must be unique on one side",
        braces(key),
        names.join(", ")
    ))
}

/// A label set with the metric name inside of the braces, as the messages of Prometheus have it.
fn braces(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let Matching { key, cardinality, include } = &binary.matching;
    let keeps_name = matches!(binary.operator, Operator::Comparison(_)) && !binary.returns_bool;
    let named = if keeps_name { many.clone() } else { many.without_metric_name() };
    let mut labels = match (cardinality, key) {
        (Cardinality::OneToOne, Grouping::Only(names)) => {
            named.filtered(|name| names.iter().any(|on| on == name))
        }
        (Cardinality::OneToOne, Grouping::Without(names)) => named
            .filtered(|name| name == METRIC_NAME || !names.iter().any(|ignored| ignored == name)),
        _ => named,
    };
    for name in include {
        labels = labels.with(name, one.get(name).unwrap_or(""));
    }
    labels
}

/// The operator for a symbol of `PromQL`.
pub(super) fn from_symbol(symbol: &str) -> Option<Operator> {
    Some(match symbol {
        "+" => Operator::Arithmetic(|left, right| left + right),
        "-" => Operator::Arithmetic(|left, right| left - right),
        "*" => Operator::Arithmetic(|left, right| left * right),
        "/" => Operator::Arithmetic(|left, right| left / right),
        "%" => Operator::Arithmetic(|left, right| left % right),
        "^" => Operator::Arithmetic(f64::powf),
        "atan2" => Operator::Arithmetic(f64::atan2),
        "==" => Operator::Comparison(number::equal),
        "!=" => Operator::Comparison(|left, right| !number::equal(left, right)),
        ">" => Operator::Comparison(|left, right| left > right),
        "<" => Operator::Comparison(|left, right| left < right),
        ">=" => Operator::Comparison(|left, right| left >= right),
        "<=" => Operator::Comparison(|left, right| left <= right),
        "and" => Operator::Set(SetOperator::And),
        "or" => Operator::Set(SetOperator::Or),
        "unless" => Operator::Set(SetOperator::Unless),
        _ => return None,
    })
}
