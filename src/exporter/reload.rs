//! `POST /-/reload`: reads the configuration again.
//!
//! Must not know what is in it.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use tokio::sync::oneshot;

use super::endpoints::Endpoints;
use crate::{
    config::diagnostic::Error,
    http::{is_cross_site, plain},
};

/// Reloads the configuration; 500 with every mistake when it is not valid.
pub(super) async fn reload(
    State(endpoints): State<Arc<Endpoints>>,
    headers: HeaderMap,
) -> Response {
    if is_cross_site(&headers) {
        return plain(
            StatusCode::FORBIDDEN,
            "reload refused: the request comes from another site\n",
        );
    }
    let (answer, answered) = oneshot::channel();
    if endpoints.reloads.send(answer).await.is_err() {
        return stopping();
    }
    match answered.await {
        Ok(Ok(())) => plain(StatusCode::OK, "Configuration reloaded.\n"),
        Ok(Err(diagnostics)) => {
            let texts: Vec<String> =
                diagnostics.iter().map(|diagnostic| Error(diagnostic).to_string()).collect();
            let text = format!(
                "failed to reload; the previous configuration runs on\n\n{}\n",
                texts.join("\n\n")
            );
            plain(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        Err(_) => stopping(),
    }
}

fn stopping() -> Response {
    plain(StatusCode::SERVICE_UNAVAILABLE, "reload refused: the program is stopping\n")
}
