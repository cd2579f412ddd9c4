//! `targets`: what is probed, and how the last probe of each went.
//!
//! `health` means what it means behind Prometheus: whether the probe could be made. A service that is down is `up` there, and
//! has `probeSuccess` false. Must not know rules or samples.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::extract::State;
use notation::duration::written;
use probe::{Failure, Outcome};
use serde::Serialize;

use super::{
    engine::Engine,
    parameters::Parameters,
    render::{LabelObject, NEVER, rfc_3339},
    reply::{ApiError, Reply},
};
use crate::{
    config::{JOB, Target},
    state::ProbeRecord,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    active_targets: Vec<ActiveTarget>,
    /// Always empty: no target is dropped by relabelling.
    dropped_targets: [(); 0],
    dropped_target_counts: Option<BTreeMap<&'static str, u64>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActiveTarget {
    discovered_labels: BTreeMap<String, String>,
    labels: LabelObject,
    scrape_pool: &'static str,
    scrape_url: String,
    global_url: String,
    last_error: String,
    last_scrape: String,
    /// In seconds.
    last_scrape_duration: f64,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
    /// An addition to Prometheus's API: whether the service is up; null while nothing is known.
    probe_success: Option<bool>,
    /// An addition to Prometheus's API: why it is not.
    failure: Option<Cause>,
}

#[derive(Serialize)]
struct Cause {
    phase: &'static str,
    reason: &'static str,
    detail: String,
}

impl Cause {
    fn of(failure: &Failure) -> Self {
        Self {
            phase: failure.phase.as_str(),
            reason: failure.reason.as_str(),
            detail: failure.detail.clone(),
        }
    }
}

/// `GET /api/v1/targets`.
pub(super) async fn targets(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    let state = parameters.get("state").unwrap_or("any").to_ascii_lowercase();
    let (active, dropped) = match state.as_str() {
        "any" => (true, true),
        "active" => (true, false),
        "dropped" => (false, true),
        _ => {
            let reason = format!("{state:?} is not one of active, dropped, any");
            return Err(ApiError::parameter("state", reason));
        }
    };
    let pool_wanted = parameters.get("scrapePool").is_none_or(|pool| pool == JOB);
    let config = engine.monitor.config();
    let mut active_targets = Vec::new();
    if active && pool_wanted {
        let records = engine.monitor.latest().of(config.targets.iter().map(AsRef::as_ref));
        let both = config.targets.iter().zip(&records);
        active_targets.extend(both.map(|(target, record)| describe(target, record.as_deref())));
    }
    let dropped_target_counts = dropped.then(|| BTreeMap::from([(JOB, 0)]));
    Reply::of(&Discovered { active_targets, dropped_targets: [], dropped_target_counts })
}

fn describe(target: &Target, record: Option<&ProbeRecord>) -> ActiveTarget {
    let (health, probe_success, failure) = match record.map(|record| &record.result.outcome) {
        None => ("unknown", None, None),
        Some(Outcome::Up) => ("up", Some(true), None),
        Some(Outcome::Down(failure)) => ("up", Some(false), Some(failure)),
        Some(Outcome::Fault(failure)) => ("down", None, Some(failure)),
    };
    let last_error =
        failure.filter(|_| health == "down").map_or_else(String::new, Failure::to_string);
    ActiveTarget {
        discovered_labels: discovered_labels(target),
        labels: LabelObject(target.labels.clone()),
        scrape_pool: JOB,
        scrape_url: target.instance.clone(),
        global_url: target.instance.clone(),
        last_error,
        last_scrape: record.map_or_else(|| NEVER.to_owned(), |record| rfc_3339(record.started)),
        last_scrape_duration: record.map_or(0.0, |record| record.result.elapsed.as_secs_f64()),
        health,
        scrape_interval: duration(target.interval),
        scrape_timeout: duration(target.timeout),
        probe_success,
        failure: failure.map(Cause::of),
    }
}

/// The labels that Prometheus's discovery would have given the target, from the same targets file.
fn discovered_labels(target: &Target) -> BTreeMap<String, String> {
    let file = target.origin.rsplit_once(':').map_or(target.origin.as_str(), |(file, _line)| file);
    let own = [
        ("__address__", target.instance.clone()),
        ("__meta_filepath", file.to_owned()),
        ("__param_module", target.module.clone()),
        ("__scrape_interval__", duration(target.interval)),
        ("__scrape_timeout__", duration(target.timeout)),
    ];
    let user = target.labels.iter().filter(|(name, _)| *name != "instance");
    let user = user.map(|(name, value)| (name.to_owned(), value.to_owned()));
    user.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}

fn duration(length: Duration) -> String {
    written(length)
}
