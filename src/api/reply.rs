//! The envelope of every answer: `{"status":"success","data":…}` or `{"status":"error","errorType":…,"error":…}`.
//!
//! Must not know what the data is.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::http::json;

/// A successful answer: the whole body, as JSON.
#[derive(Debug)]
pub(super) struct Reply(String);

/// An answer that says why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// What is said about an answer that `limit` has cut.
const TRUNCATED: &str = "results truncated due to limit";

#[derive(Serialize)]
struct ErrorBody<'a> {
    status: &'static str,
    #[serde(rename = "errorType")]
    kind: &'static str,
    error: &'a str,
}

impl Reply {
    /// An answer with data that is JSON already.
    pub(super) fn raw(data: &str, truncated: bool) -> Self {
        let warnings =
            if truncated { format!(r#","warnings":["{TRUNCATED}"]"#) } else { String::new() };
        Self(format!(r#"{{"status":"success","data":{data}{warnings}}}"#))
    }

    /// An answer with data that has to be turned into JSON.
    pub(super) fn of(data: &impl Serialize) -> Result<Self, ApiError> {
        Self::cut(data, false)
    }

    /// As [`Reply::of`], with a warning when `limit` has cut the data.
    pub(super) fn cut(data: &impl Serialize, truncated: bool) -> Result<Self, ApiError> {
        match serde_json::to_string(data) {
            Ok(text) => Ok(Self::raw(&text, truncated)),
            Err(error) => Err(ApiError::internal(format!("cannot write the answer: {error}"))),
        }
    }
}

impl ApiError {
    /// A parameter is missing or not valid.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    /// The value of one parameter is not valid.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }

    /// A valid query cannot be evaluated.
    pub(super) fn execution(message: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { status, kind: "execution", message: message.into() }
    }

    /// The request took too long.
    pub(super) fn timeout(message: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, kind: "timeout", message: message.into() }
    }

    /// The program does not serve.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, kind: "unavailable", message: message.into() }
    }

    /// There is nothing to ask in this mode.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "not_found", message: message.into() }
    }

    /// An internal fault.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, kind: "internal", message: message.into() }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        json(StatusCode::OK, self.0)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { status: "error", kind: self.kind, error: &self.message };
        let text = serde_json::to_string(&body).unwrap_or_default();
        json(self.status, text)
    }
}
