//! `query` and `query_range`: `PromQL` at one moment and over a range.
//!
//! Must not know how a query is evaluated.

use std::sync::Arc;

use axum::extract::State;
use series::{
    NoSamples, Timestamp,
    promql::{Options, Query, QueryError, Value},
};

use super::{
    engine::Engine,
    parameters::Parameters,
    render,
    reply::{ApiError, Reply},
};

/// The most points of a range query's series, as in Prometheus.
const POINTS_MAX: i64 = 11_000;

/// `GET` and `POST /api/v1/query`.
pub(super) async fn instant(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    engine.store()?;
    let limit = parameters.limit("limit")?;
    let at = parameters.time("time")?.unwrap_or_else(|| engine.monitor.now());
    let timeout = parameters.timeout()?;
    let options = options(&parameters)?;
    let query = parse(&parameters)?;
    engine
        .read(timeout, move |store| {
            let value = query.instant(store, at, &options).map_err(to_api_error)?;
            let (data, truncated) = render::instant(&value, at, limit);
            Ok(Reply::raw(&data, truncated))
        })
        .await
}

/// `GET` and `POST /api/v1/query_range`.
pub(super) async fn range(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    engine.store()?;
    let limit = parameters.limit("limit")?;
    let (start, end, step_ms) = steps(&parameters)?;
    let timeout = parameters.timeout()?;
    let options = options(&parameters)?;
    let query = parse(&parameters)?;
    engine
        .read(timeout, move |store| {
            check_type(&query, start, &options)?;
            let series = query.range(store, start, end, step_ms, &options).map_err(to_api_error)?;
            let (data, truncated) = render::matrix(&series, limit);
            Ok(Reply::raw(&data, truncated))
        })
        .await
}

/// Start, end and step in milliseconds.
fn steps(parameters: &Parameters) -> Result<(Timestamp, Timestamp, i64), ApiError> {
    let required = |name: &str| {
        parameters.required(name)?;
        parameters.time(name).map(Option::unwrap_or_default)
    };
    let (start, end) = (required("start")?, required("end")?);
    if end < start {
        return Err(ApiError::parameter("end", "the end must not be before the start"));
    }
    parameters.required("step")?;
    let step_ms = parameters.duration("step")?.unwrap_or_default();
    if step_ms <= 0 {
        return Err(ApiError::parameter("step", "the step must be at least one millisecond"));
    }
    if end.saturating_sub(start) / step_ms > POINTS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries: choose a larger step",
        ));
    }
    Ok((start, end, step_ms))
}

fn options(parameters: &Parameters) -> Result<Options, ApiError> {
    let mut options = Options::default();
    if let Some(lookback_ms) = parameters.duration("lookback_delta")? {
        if lookback_ms <= 0 {
            return Err(ApiError::parameter("lookback_delta", "it must be positive"));
        }
        options.lookback_ms = Some(lookback_ms);
    }
    Ok(options)
}

fn parse(parameters: &Parameters) -> Result<Query, ApiError> {
    let text = parameters.required("query")?;
    Query::parse(text).map_err(|error| ApiError::parameter("query", error))
}

/// Refuses a query whose type has no place in a range. The type does not depend on samples, so that the query shows it
/// when it is put to no samples at all. Subqueries without samples still take their time: call it where queries run.
fn check_type(query: &Query, at: Timestamp, options: &Options) -> Result<(), ApiError> {
    let found = match query.instant(&NoSamples, at, options) {
        Ok(Value::String(_)) => "string",
        Ok(Value::Matrix(_)) => "range vector",
        Ok(Value::Scalar(_) | Value::Vector(_)) | Err(_) => return Ok(()),
    };
    Err(ApiError::parameter(
        "query",
        format!("a range query must give a scalar or an instant vector, not a {found}"),
    ))
}

fn to_api_error(error: QueryError) -> ApiError {
    match error {
        QueryError::Parse(message) => ApiError::parameter("query", message),
        QueryError::Evaluate(message) | QueryError::Limit(message) => ApiError::execution(message),
        QueryError::Storage(error) => ApiError::internal(error.to_string()),
    }
}
