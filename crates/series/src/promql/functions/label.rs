//! Functions that rewrite labels.
//!
//! Must not know values or time.

use regex::Regex;

use super::{Plan, SAME_LABELS, Table, argument, merge, text};
use crate::promql::{QueryError, evaluate::Evaluation};

/// `label_replace(v, dst, replacement, src, regex)`
pub(super) fn replace(
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let (target, replacement) = (text(arguments, 1)?, text(arguments, 2)?);
    let (source, pattern) = (text(arguments, 3)?, text(arguments, 4)?);
    let regex = Regex::new(&format!("^(?s:{pattern})$")).map_err(|_| {
        QueryError::Evaluate(format!("invalid regular expression in label_replace(): {pattern}"))
    })?;
    check_label("label_replace", target)?;
    let mut columns = evaluation.vector(argument(arguments, 0)?)?;
    for column in &mut columns {
        let Some(captures) = regex.captures(column.labels.get(source).unwrap_or("")) else {
            continue;
        };
        let mut value = String::new();
        captures.expand(replacement, &mut value);
        column.labels = column.labels.with(target, &value);
    }
    Ok(Table::Vector(merge(columns, SAME_LABELS)?))
}

/// `label_join(v, dst, separator, src…)`
pub(super) fn join(evaluation: &Evaluation<'_>, arguments: &[Plan]) -> Result<Table, QueryError> {
    let (target, separator) = (text(arguments, 1)?, text(arguments, 2)?);
    let sources =
        (3..arguments.len()).map(|index| text(arguments, index)).collect::<Result<Vec<_>, _>>()?;
    check_label("label_join", target)?;
    let mut columns = evaluation.vector(argument(arguments, 0)?)?;
    for column in &mut columns {
        let values: Vec<&str> =
            sources.iter().map(|source| column.labels.get(source).unwrap_or("")).collect();
        column.labels = column.labels.with(target, &values.join(separator));
    }
    Ok(Table::Vector(merge(columns, SAME_LABELS)?))
}

/// Any text is a label name in Prometheus 3, but the empty one.
fn check_label(function: &str, name: &str) -> Result<(), QueryError> {
    if name.is_empty() {
        return Err(QueryError::Evaluate(format!(
            "invalid destination label name in {function}(): \"\""
        )));
    }
    Ok(())
}
