//! The files that pages load: part of the program, so that there is nothing to install beside it.
//!
//! Must not know which page loads them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

const STYLE: &str = include_str!("../../web/style.css");
const SCRIPT: &str = include_str!("../../web/app.js");
const ICON: &str = include_str!("../../web/favicon.svg");

/// Browsers ask again after a while and are answered that nothing has changed: an update of the program shows soon.
const CACHE: &str = "public, max-age=300";

/// The routes of the files.
pub(super) fn router() -> Router {
    Router::new()
        .route(
            "/assets/style.css",
            get(async |headers: HeaderMap| file(&headers, STYLE, "text/css; charset=utf-8")),
        )
        .route(
            "/assets/app.js",
            get(async |headers: HeaderMap| {
                file(&headers, SCRIPT, "text/javascript; charset=utf-8")
            }),
        )
        .route(
            "/assets/favicon.svg",
            get(async |headers: HeaderMap| file(&headers, ICON, "image/svg+xml")),
        )
}

fn file(headers: &HeaderMap, text: &'static str, kind: &'static str) -> Response {
    let tag = tag(text);
    let known =
        headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or("");
    let common = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, CACHE.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    // A cache on the way may have marked the tag as weak.
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, kind)], text).into_response()
}

fn tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
