//! The usual answers: plain text, and JSON.
//!
//! Must not know what they say.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

/// A plain text answer.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}

/// An answer that is JSON already. It may hold text that targets chose: no browser may take it for a page.
pub(crate) fn json(status: StatusCode, text: String) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, text).into_response()
}
