//! The HTTP API of Prometheus, as far as Grafana, `promtool` and curl need it
//! (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Paths, parameters, JSON and status codes are Prometheus's. Must not know the pages, nor how samples come into the store.

mod engine;
mod lookup;
mod metadata;
mod parameters;
mod query;
mod reader;
mod render;
mod reply;
mod rules;
mod targets;

use std::sync::Arc;

use axum::{Router, routing::get};

use self::engine::Engine;
pub use self::reader::Reader;

/// The routes, all below `/api/v1/`. Without a store, those that read samples or rules answer 404.
pub fn router(monitor: Arc<Reader>) -> Router {
    Router::new()
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/series", get(lookup::series).post(lookup::series))
        .route("/api/v1/labels", get(lookup::labels).post(lookup::labels))
        .route("/api/v1/label/{name}/values", get(lookup::label_values))
        .route("/api/v1/metadata", get(metadata::metadata))
        .route("/api/v1/status/buildinfo", get(metadata::buildinfo))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/targets", get(targets::targets))
        .with_state(Arc::new(Engine::new(monitor)))
}
