//! What every command that serves answers, whatever else it does: `/metrics`, `/-/healthy` and `/-/ready`.
//!
//! Must not know what the command is for.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::text::{CONTENT_TYPE, Exposition};
use crate::{http::plain, telemetry::Collectors};

/// What the endpoints need.
pub struct Operations {
    /// Everything that counts.
    pub collectors: Collectors,
    /// Whether the program serves; false while it stops.
    pub ready: Arc<AtomicBool>,
}

/// The routes.
pub fn operations(operations: Operations) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(|| async { "Healthy\n" }))
        .route("/-/ready", get(ready))
        .with_state(Arc::new(operations))
}

/// The own metrics in the text format.
async fn metrics(State(operations): State<Arc<Operations>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], Exposition::of_own(&operations.collectors.collect()))
        .into_response()
}

async fn ready(State(operations): State<Arc<Operations>>) -> Response {
    if operations.ready.load(Ordering::Relaxed) {
        plain(StatusCode::OK, "Ready\n")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "Stopping\n")
    }
}
