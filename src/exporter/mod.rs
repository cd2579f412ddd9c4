//! The exporter's endpoints: `/probe`, `/config`, `/logs`, `/sd`, and `/metrics` and the life cycle under `/-/`.
//!
//! Names and behaviour are those of `blackbox_exporter`, which Prometheus configurations in the wild rely on. Must not know
//! the pages.

mod debug;
mod discovery;
mod endpoints;
mod logs;
mod operations;
mod probe;
mod reload;
pub mod text;

use std::sync::Arc;

pub use self::{
    endpoints::Endpoints,
    operations::{Operations, operations},
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};

use crate::http::plain;

/// The routes.
pub fn router(endpoints: Arc<Endpoints>) -> Router {
    Router::new()
        .route("/probe", get(probe::probe))
        .route("/config", get(config))
        .route("/logs", get(logs::logs))
        .route("/sd", get(discovery::targets))
        .route("/-/reload", post(reload::reload))
        .with_state(endpoints)
}

/// The modules in force, with their secrets hidden.
async fn config(State(endpoints): State<Arc<Endpoints>>) -> Response {
    let config = endpoints.monitor.config();
    let mut text = String::from("modules:\n");
    for module in config.modules.values() {
        for line in module.to_yaml().lines() {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
    }
    plain(StatusCode::OK, text)
}
