//! The functions of `PromQL`: one list, and how each shape of function is called.
//!
//! Adding a function is one line in [`FUNCTIONS`] and its body in one of the files beside this one. Must not know the
//! parser; names not listed here are refused when a query is parsed.

mod date;
mod histogram;
mod instant;
mod label;
mod math;
mod range;
mod rate;
mod regression;

use super::{
    QueryError,
    evaluate::Evaluation,
    plan::Plan,
    table::{Column, SAME_LABELS, Table, Window, map_values, merge},
};

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    /// Its name in queries.
    pub(super) name: &'static str,
    keeps_name: bool,
    body: Body,
}

/// The shapes of functions.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Each value of a vector by itself.
    Value(fn(f64) -> f64),
    /// Each value of a vector with further scalar arguments; `None` leaves the element out.
    ValueWith(fn(f64, &[f64]) -> Option<f64>),
    /// Each value of a vector taken as a time; without an argument, the time of the step.
    Date(fn(f64) -> f64),
    /// The window of each series; scalar arguments are in [`Window::parameters`].
    Window(fn(&Window<'_>) -> Option<f64>),
    /// The window of each series, when nothing but its last sample matters.
    Last(fn(&Window<'_>) -> Option<f64>),
    /// Everything else.
    Special(fn(&Evaluation<'_>, &[Plan]) -> Result<Table, QueryError>),
}

const fn value(name: &'static str, body: fn(f64) -> f64) -> Function {
    Function { name, keeps_name: false, body: Body::Value(body) }
}

const fn value_with(name: &'static str, body: fn(f64, &[f64]) -> Option<f64>) -> Function {
    Function { name, keeps_name: false, body: Body::ValueWith(body) }
}

const fn date(name: &'static str, body: fn(f64) -> f64) -> Function {
    Function { name, keeps_name: false, body: Body::Date(body) }
}

const fn window(name: &'static str, body: fn(&Window<'_>) -> Option<f64>) -> Function {
    Function { name, keeps_name: false, body: Body::Window(body) }
}

const fn named_window(name: &'static str, body: fn(&Window<'_>) -> Option<f64>) -> Function {
    Function { name, keeps_name: true, body: Body::Window(body) }
}

const fn last(
    name: &'static str,
    keeps_name: bool,
    body: fn(&Window<'_>) -> Option<f64>,
) -> Function {
    Function { name, keeps_name, body: Body::Last(body) }
}

const fn special(
    name: &'static str,
    body: fn(&Evaluation<'_>, &[Plan]) -> Result<Table, QueryError>,
) -> Function {
    Function { name, keeps_name: false, body: Body::Special(body) }
}

/// Every function there is.
pub(super) const FUNCTIONS: &[Function] = &[
    value("abs", f64::abs),
    special("absent", instant::absent),
    special("absent_over_time", range::absent_over_time),
    value("acos", f64::acos),
    value("acosh", f64::acosh),
    value("asin", f64::asin),
    value("asinh", f64::asinh),
    value("atan", f64::atan),
    value("atanh", f64::atanh),
    window("avg_over_time", range::mean),
    value("ceil", f64::ceil),
    window("changes", range::changes),
    value_with("clamp", math::clamp),
    value_with("clamp_max", math::clamp_max),
    value_with("clamp_min", math::clamp_min),
    value("cos", f64::cos),
    value("cosh", f64::cosh),
    window("count_over_time", range::count),
    date("day_of_month", date::day_of_month),
    date("day_of_week", date::day_of_week),
    date("day_of_year", date::day_of_year),
    date("days_in_month", date::days_in_month),
    value("deg", f64::to_degrees),
    window("delta", rate::delta),
    window("deriv", regression::slope),
    special("double_exponential_smoothing", regression::double_exponential_smoothing),
    special("end", instant::end),
    value("exp", f64::exp),
    named_window("first_over_time", range::first),
    value("floor", f64::floor),
    special("histogram_fraction", histogram::fraction),
    special("histogram_quantile", histogram::quantile),
    special("histogram_quantiles", histogram::quantiles),
    date("hour", date::hour),
    window("idelta", rate::instant_delta),
    window("increase", rate::increase),
    window("irate", rate::instant_rate),
    special("label_join", label::join),
    special("label_replace", label::replace),
    last("last_over_time", true, range::last),
    value("ln", f64::ln),
    value("log10", f64::log10),
    value("log2", f64::log2),
    window("mad_over_time", range::median_absolute_deviation),
    special("max_of", instant::max_of),
    window("max_over_time", range::maximum),
    special("min_of", instant::min_of),
    window("min_over_time", range::minimum),
    date("minute", date::minute),
    date("month", date::month),
    special("pi", instant::pi),
    window("predict_linear", regression::predict),
    last("present_over_time", false, range::present),
    window("quantile_over_time", range::quantile),
    value("rad", f64::to_radians),
    special("range", instant::range),
    window("rate", rate::rate),
    window("resets", range::resets),
    value_with("round", math::round),
    special("scalar", instant::scalar),
    value("sgn", math::sign),
    value("sin", f64::sin),
    value("sinh", f64::sinh),
    special("sort", instant::sort),
    special("sort_by_label", instant::sort_by_label),
    special("sort_by_label_desc", instant::sort_by_label_descending),
    special("sort_desc", instant::sort_descending),
    value("sqrt", f64::sqrt),
    special("start", instant::start),
    window("stddev_over_time", range::standard_deviation),
    window("stdvar_over_time", range::variance),
    special("step", instant::step),
    window("sum_over_time", range::sum),
    value("tan", f64::tan),
    value("tanh", f64::tanh),
    special("time", instant::time),
    special("timestamp", instant::timestamp),
    window("ts_of_first_over_time", range::time_of_first),
    last("ts_of_last_over_time", false, range::time_of_last),
    window("ts_of_max_over_time", range::time_of_maximum),
    window("ts_of_min_over_time", range::time_of_minimum),
    special("vector", instant::vector),
    date("year", date::year),
];

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Evaluates a call.
pub(super) fn call(
    function: &Function,
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Table, QueryError> {
    let columns = match function.body {
        Body::Value(compute) => map_values(evaluation.vector(argument(arguments, 0)?)?, compute)?,
        Body::Date(compute) => {
            let times = match arguments.first() {
                Some(argument) => evaluation.vector(argument)?,
                None => vec![Column {
                    labels: crate::Labels::default(),
                    values: evaluation.seconds().map(Some).collect(),
                }],
            };
            map_values(times, compute)?
        }
        Body::ValueWith(compute) => value_with_parameters(compute, evaluation, arguments)?,
        Body::Window(compute) => over_windows(function, compute, evaluation, arguments)?,
        Body::Last(compute) => last_of_windows(function, compute, evaluation, arguments)?,
        Body::Special(run) => return run(evaluation, arguments),
    };
    Ok(Table::Vector(columns))
}

// Functions of their own, so that the frame of `call`, which is nested as deeply as the query, stays small.

fn over_windows(
    function: &Function,
    compute: fn(&Window<'_>) -> Option<f64>,
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Vec<Column>, QueryError> {
    let mut parameters = Vec::new();
    let mut selector = None;
    for argument in arguments {
        match argument {
            Plan::Range(range) => selector = Some(range),
            other => parameters.push(evaluation.scalar(other)?),
        }
    }
    let selector =
        selector.ok_or_else(|| QueryError::Evaluate("expected a range vector".to_owned()))?;
    named(function, evaluation.over_windows(selector, &parameters, compute)?)
}

fn last_of_windows(
    function: &Function,
    compute: fn(&Window<'_>) -> Option<f64>,
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Vec<Column>, QueryError> {
    let Plan::Range(selector) = argument(arguments, 0)? else {
        return Err(QueryError::Evaluate("expected a range vector".to_owned()));
    };
    named(function, evaluation.last_of_windows(selector, compute)?)
}

/// The results of a function over windows, with the metric names if it keeps them.
fn named(function: &Function, mut columns: Vec<Column>) -> Result<Vec<Column>, QueryError> {
    if !function.keeps_name {
        for column in &mut columns {
            column.labels = column.labels.without_metric_name();
        }
    }
    merge(columns, SAME_LABELS)
}

fn value_with_parameters(
    compute: fn(f64, &[f64]) -> Option<f64>,
    evaluation: &Evaluation<'_>,
    arguments: &[Plan],
) -> Result<Vec<Column>, QueryError> {
    let mut columns = evaluation.vector(argument(arguments, 0)?)?;
    let parameters = arguments
        .iter()
        .skip(1)
        .map(|argument| evaluation.scalar(argument))
        .collect::<Result<Vec<_>, _>>()?;
    let mut scratch = Vec::with_capacity(parameters.len());
    for column in &mut columns {
        column.labels = column.labels.without_metric_name();
        for (step, value) in column.values.iter_mut().enumerate() {
            scratch.clear();
            scratch.extend(parameters.iter().filter_map(|values| values.get(step).copied()));
            *value = value.and_then(|value| compute(value, &scratch));
        }
    }
    merge(columns, SAME_LABELS)
}

/// The argument at an index. The parser has checked the number of arguments; the error is for the type system.
fn argument(arguments: &[Plan], index: usize) -> Result<&Plan, QueryError> {
    arguments.get(index).ok_or_else(|| QueryError::Evaluate("an argument is missing".to_owned()))
}

/// The text of an argument that must be a string.
fn text(arguments: &[Plan], index: usize) -> Result<&str, QueryError> {
    match argument(arguments, index)? {
        Plan::Text(text) => Ok(text),
        _ => Err(QueryError::Evaluate("expected a string".to_owned())),
    }
}

/// One series without labels, with a value at each step.
fn single(
    values: impl Iterator<Item = Option<f64>>,
    labels: crate::Labels,
) -> Result<Table, QueryError> {
    Ok(Table::Vector(merge(vec![Column { labels, values: values.collect() }], SAME_LABELS)?))
}
