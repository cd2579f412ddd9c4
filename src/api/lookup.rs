//! `series`, `labels` and `label/…/values`: what the store has.
//!
//! Must not know samples.

use std::{collections::BTreeSet, sync::Arc};

use axum::extract::{Path, State, rejection::PathRejection};
use series::{Labels, Matcher};

use super::{
    engine::Engine,
    parameters::Parameters,
    render::LabelObject,
    reply::{ApiError, Reply},
};

/// `GET` and `POST /api/v1/series`.
pub(super) async fn series(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    engine.store()?;
    let limit = parameters.limit("limit")?;
    let (after, until) = parameters.interval()?;
    let selectors = parameters.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    engine
        .read(parameters.timeout()?, move |store| {
            let found: BTreeSet<Labels> = selectors
                .iter()
                .flat_map(|matchers| store.series(matchers, after, until))
                .collect();
            cut(found.into_iter().map(LabelObject).collect(), limit)
        })
        .await
}

/// `GET` and `POST /api/v1/labels`.
pub(super) async fn labels(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    engine.store()?;
    let limit = parameters.limit("limit")?;
    let (after, until) = parameters.interval()?;
    let selectors = selectors_or_all(&parameters)?;
    engine
        .read(parameters.timeout()?, move |store| {
            let found: BTreeSet<String> = selectors
                .iter()
                .flat_map(|matchers| store.label_names(matchers, after, until))
                .collect();
            cut(found.into_iter().collect(), limit)
        })
        .await
}

/// `GET /api/v1/label/{name}/values`.
pub(super) async fn label_values(
    State(engine): State<Arc<Engine>>,
    name: Result<Path<String>, PathRejection>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    engine.store()?;
    let Path(name) =
        name.map_err(|error| ApiError::bad_data(format!("invalid label name: {error}")))?;
    let limit = parameters.limit("limit")?;
    let (after, until) = parameters.interval()?;
    let selectors = selectors_or_all(&parameters)?;
    engine
        .read(parameters.timeout()?, move |store| {
            let found: BTreeSet<String> = selectors
                .iter()
                .flat_map(|matchers| store.label_values(&name, matchers, after, until))
                .collect();
            cut(found.into_iter().collect(), limit)
        })
        .await
}

/// The selectors of `match[]`, or one that every series satisfies.
fn selectors_or_all(parameters: &Parameters) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let selectors = parameters.selectors()?;
    Ok(if selectors.is_empty() { vec![Vec::new()] } else { selectors })
}

fn cut<T: serde::Serialize>(mut found: Vec<T>, limit: usize) -> Result<Reply, ApiError> {
    let truncated = found.len() > limit;
    found.truncate(limit);
    Reply::cut(&found, truncated)
}
