//! The notation of promtool for series: `name{label="value"}` and `1+2x3 _ stale`.
//!
//! Must not know YAML.

use notation::name::is_metric_name;

use crate::{Labels, labels::METRIC_NAME, stale_marker};

/// A series has at most so many values.
const VALUES_MAX: usize = 1_000_000;

/// Reads a metric: a name, labels in braces, or both.
///
/// # Errors
/// What is wrong.
pub(super) fn metric(text: &str) -> Result<Labels, String> {
    let text = text.trim();
    let (name, rest) = text.split_at(text.find('{').unwrap_or(text.len()));
    let mut pairs = vec![(METRIC_NAME.to_owned(), name.trim().to_owned())];
    if !name.trim().is_empty() && !is_metric_name(name.trim()) {
        return Err(format!("`{}` is not a metric name", name.trim()));
    }
    let Some(inner) = rest.strip_prefix('{') else { return Ok(Labels::new(pairs)) };
    let mut rest = inner.trim_start();
    while !rest.starts_with('}') {
        let (label, after) =
            rest.split_once('=').ok_or_else(|| format!("`{text}` has no closing `}}`"))?;
        let label = label.trim();
        if !is_metric_name(label) {
            return Err(format!("`{label}` is not a label name"));
        }
        let (value, after) = quoted(after.trim_start())
            .ok_or_else(|| format!("the label `{label}` needs a value in quotes"))?;
        pairs.push((label.to_owned(), value));
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return Err(format!("`,` or `}}` is missing after the label `{label}`")),
        }
    }
    match rest.strip_prefix('}').map(str::trim) {
        Some("") => Ok(Labels::new(pairs)),
        _ => Err(format!("unexpected text after `}}` in `{text}`")),
    }
}

/// A text in quotes at the beginning, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next().filter(|(_, first)| matches!(first, '"' | '\'' | '`'))?;
    let mut value = String::new();
    while let Some((index, character)) = characters.next() {
        match character {
            _ if character == quote => {
                return Some((value, text.get(index + quote.len_utf8()..)?));
            }
            '\\' if quote != '`' => value.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Reads values, one for each step; `None` is a gap.
///
/// # Errors
/// What is wrong.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut values = Vec::new();
    if text.contains("{{") {
        return Err("native histograms are not supported".to_owned());
    }
    for word in text.split_whitespace() {
        append(&mut values, word)?;
    }
    Ok(values)
}

/// Appends the values of one word. `1x3` is a value and three repetitions, but `_x3` is three gaps.
fn append(values: &mut Vec<Option<f64>>, word: &str) -> Result<(), String> {
    let invalid =
        || format!("`{word}` is not a value such as `1`, `0+5x10`, `1x10`, `_`, `_x10` or `stale`");
    let (body, times) = match word.rsplit_once('x') {
        Some((body, times)) => (body, times.parse::<u32>().map_err(|_| invalid())?),
        None => (word, 0),
    };
    if values.len().saturating_add(usize::try_from(times).unwrap_or(usize::MAX)) >= VALUES_MAX {
        return Err(format!("the series has more than {VALUES_MAX} values"));
    }
    if body == "_" {
        values.extend((0..times.max(1)).map(|_| None));
        return Ok(());
    }
    let (start, increment) = match body {
        "stale" => (stale_marker(), None),
        _ => match body.parse() {
            Ok(value) => (value, None),
            Err(_) => split(body).ok_or_else(invalid)?,
        },
    };
    values.extend((0..=times).map(|index| {
        Some(increment.map_or(start, |increment: f64| start + increment * f64::from(index)))
    }));
    Ok(())
}

/// Start and increment: the sign between them is the last one that belongs to no exponent.
fn split(body: &str) -> Option<(f64, Option<f64>)> {
    let (index, _) = body.char_indices().rev().find(|(index, character)| {
        matches!(character, '+' | '-')
            && *index > 0
            && !body.get(..*index).is_some_and(|before| before.ends_with(['e', 'E', '+', '-']))
    })?;
    let (start, increment) = body.split_at(index);
    Some((start.parse().ok()?, Some(increment.parse().ok()?)))
}
