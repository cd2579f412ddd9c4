//! `metadata`: what the metrics mean; `status/buildinfo`: what this program is.
//!
//! Must not know the values of the metrics.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::State;
use probe::metric;
use serde::Serialize;

use super::{
    engine::Engine,
    parameters::Parameters,
    reply::{ApiError, Reply},
};
use crate::{
    state::Monitor,
    telemetry::{Kind, names},
};

/// The release of Prometheus whose API this is: clients such as Grafana choose by it what they ask for, so that this
/// program's version would make them take it for a Prometheus of 2015.
const API_VERSION: &str = "3.0.0";

/// What a metric means. Prometheus's lists have one of these for each meaning that its targets report; here it is one each.
#[derive(Debug, Serialize)]
struct Meaning {
    #[serde(rename = "type")]
    kind: &'static str,
    help: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    application: &'static str,
    application_version: &'static str,
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

/// `GET /api/v1/metadata`.
pub(super) async fn metadata(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    let limit = parameters.limit("limit")?;
    parameters.limit("limit_per_metric")?;
    let wanted = parameters.get("metric");
    let found: BTreeMap<&str, [Meaning; 1]> = meanings(&engine.monitor)
        .into_iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name))
        .take(limit)
        .map(|(name, meaning)| (name, [meaning]))
        .collect();
    Reply::of(&found)
}

/// The own metrics, and those that the modules in force may yield.
fn meanings(monitor: &Monitor) -> BTreeMap<&'static str, Meaning> {
    let config = monitor.config();
    let of_modules = config.modules.values().flat_map(|module| module.check().metrics());
    let of_probes = metric::COMMON.iter().copied().chain(of_modules);
    let mut found: BTreeMap<_, _> = of_probes
        .map(|metric| (metric.name, Meaning { kind: "gauge", help: metric.help, unit: "" }))
        .collect();
    found.extend(names::ALL.iter().map(|metric| {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        (metric.name, Meaning { kind, help: metric.help, unit: "" })
    }));
    found
}

/// `GET /api/v1/status/buildinfo`.
pub(super) async fn buildinfo() -> Result<Reply, ApiError> {
    Reply::of(&BuildInfo {
        application: env!("CARGO_PKG_NAME"),
        application_version: env!("CARGO_PKG_VERSION"),
        version: API_VERSION,
        revision: "",
        branch: "",
        build_user: "",
        build_date: "",
        go_version: "",
    })
}
