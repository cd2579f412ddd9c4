//! The exporter's endpoints: `/probe`, `/config`, `/logs`, `/sd`, and `/metrics` and the life cycle under `/-/`.
//!
//! Names and behaviour are those of `blackbox_exporter`, which Prometheus configurations in the wild rely on. Must not know
//! the pages.

mod discovery;
pub(crate) mod evidence;
mod operations;
pub mod probe;
pub mod text;

use std::{net::SocketAddr, sync::Arc};

pub use self::operations::{Operations, operations};
use ::probe::Net;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    config::watch::ReloadRequest,
    state::Monitor,
    telemetry::process::{affordable, descriptors_max},
};

/// How many probes may be asked for at once, where descriptors are plenty. Each holds about 35 KiB.
const PROBES_MAX: usize = 8192;

/// How many descriptors a probe takes: the request's, its own, and a share of the name resolution's and all else.
const DESCRIPTORS_PER_PROBE: u64 = 3;

/// What the endpoints need.
pub struct Exposer {
    /// The state of the program.
    pub monitor: Monitor,
    /// Name resolution and trusted roots.
    pub net: Arc<Net>,
    /// Subtracted from Prometheus's scrape timeout (`--timeout-offset`), in seconds.
    pub timeout_offset_seconds: f64,
    /// Where the program listens: what a target that is only a path is asked of.
    pub listen: SocketAddr,
    /// Where wishes to reload go.
    pub reloads: mpsc::Sender<ReloadRequest>,
    permits: Semaphore,
}

impl Exposer {
    /// The endpoints' state.
    pub fn new(
        monitor: Monitor,
        net: Arc<Net>,
        timeout_offset_seconds: f64,
        listen: SocketAddr,
        reloads: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        // Beyond this the answer is a fault of ours at once, instead of one for want of descriptors in the middle.
        let permits =
            Semaphore::new(affordable(descriptors_max(), DESCRIPTORS_PER_PROBE, PROBES_MAX));
        Self { monitor, net, timeout_offset_seconds, listen, reloads, permits }
    }
}

/// The routes.
pub fn router(exposer: Arc<Exposer>) -> Router {
    Router::new()
        .route("/probe", get(probe::probe))
        .route("/config", get(config))
        .route("/logs", get(probe::logs))
        .route("/sd", get(discovery::targets))
        .route("/-/reload", post(reload))
        .with_state(exposer)
}

/// A plain text answer.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}

/// The modules in force, with their secrets hidden.
async fn config(State(exposer): State<Arc<Exposer>>) -> Response {
    let config = exposer.monitor.config();
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

/// Reloads the configuration; 500 with every mistake when it is not valid.
async fn reload(State(exposer): State<Arc<Exposer>>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        return plain(
            StatusCode::FORBIDDEN,
            "reload refused: the request comes from another site\n",
        );
    }
    let (answer, answered) = oneshot::channel();
    if exposer.reloads.send(answer).await.is_err() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "reload refused: the program is stopping\n");
    }
    match answered.await {
        Ok(Ok(())) => plain(StatusCode::OK, "Configuration reloaded.\n"),
        Ok(Err(diagnostics)) => {
            let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
            let text = format!(
                "failed to reload; the previous configuration runs on\n\n{}\n",
                texts.join("\n\n")
            );
            plain(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        Err(_) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "reload refused: the program is stopping\n")
        }
    }
}

/// Whether a browser sent the request from a page of another site: a page that somebody looks at must not be able to
/// change anything here. Programs such as curl send neither header.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    origin.is_some_and(|origin| {
        origin.split_once("://").is_none_or(|(_, authority)| authority != host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_other_sites_are_refused() {
        for (pairs, refused) in [
            (&[("host", "127.0.0.1:9115")][..], false),
            (&[("host", "127.0.0.1:9115"), ("origin", "http://127.0.0.1:9115")], false),
            (&[("host", "127.0.0.1:9115"), ("origin", "http://evil.example")], true),
            (&[("host", "127.0.0.1:9115"), ("origin", "null")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-origin")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_cross_site(&headers), refused, "{pairs:?}");
        }
    }
}
