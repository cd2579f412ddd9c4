//! `GET /sd`: the targets as Prometheus's HTTP service discovery reads them
//! (<https://prometheus.io/docs/prometheus/latest/http_sd/>).
//!
//! The list is the last good one of the targets files, so that a broken edit never takes effect in the Prometheus behind it.
//! Must not know how targets are probed.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use super::endpoints::Endpoints;
use crate::{config::Target, http::plain};

/// One target with its labels as in its file; those that Prometheus's own configuration sets are left out.
#[derive(Debug, Serialize)]
struct Entry {
    targets: [String; 1],
    labels: BTreeMap<String, String>,
}

impl Entry {
    fn of(target: &Target) -> Self {
        let own = target.labels.iter().filter(|(name, _)| !matches!(*name, "job" | "instance"));
        let internal = target.internal_labels.iter();
        let labels = own
            .chain(internal.map(|(name, value)| (name.as_str(), value.as_str())))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { targets: [target.instance.clone()], labels: labels.collect() }
    }
}

/// The targets of the configuration in force. While there is no good list an error is answered, at which a Prometheus keeps the
/// targets that it has.
pub(super) async fn targets(State(endpoints): State<Arc<Endpoints>>) -> Response {
    let config = endpoints.monitor.config();
    if config.targets.is_empty() && !endpoints.monitor.reloads().status().errors.is_empty() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the targets files have mistakes\n");
    }
    let entries: Vec<Entry> = config.targets.iter().map(|target| Entry::of(target)).collect();
    Json(entries).into_response()
}
