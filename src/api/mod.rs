//! The HTTP API of Prometheus, as far as Grafana, `promtool` and curl need it
//! (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Paths, parameters, JSON and status codes are Prometheus's. Must not know the pages, nor how samples come into the store.

mod lookup;
mod metadata;
mod parameters;
mod query;
mod reader;
mod render;
mod reply;
mod rules;
mod targets;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use series::{rule::GroupView, store::Store};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

pub use self::reader::Reader;
use self::reply::{ApiError, Reply};

/// How many queries run at once; the others wait. Each may hold as many samples as the query options allow.
const QUERIES_MAX: usize = 4;

/// How many requests look at the rules at once; they never wait for queries.
const LOOKS_MAX: usize = 2;

/// How long a request may take, its wait for a turn included. Prometheus's default of `--query.timeout`.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What the endpoints need.
struct Api {
    monitor: Arc<Reader>,
    turns: Arc<Semaphore>,
    looks: Arc<Semaphore>,
}

/// The routes, all below `/api/v1/`. Without a store, those that read samples or rules answer 404.
pub fn router(monitor: Arc<Reader>) -> Router {
    Api::new(monitor).router()
}

impl Api {
    fn new(monitor: Arc<Reader>) -> Self {
        let turns = Arc::new(Semaphore::new(QUERIES_MAX));
        Self { monitor, turns, looks: Arc::new(Semaphore::new(LOOKS_MAX)) }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/api/v1/query", get(query::instant).post(query::instant))
            .route("/api/v1/query_range", get(query::range).post(query::range))
            .route("/api/v1/series", get(lookup::series).post(lookup::series))
            .route("/api/v1/labels", get(lookup::labels).post(lookup::labels))
            .route("/api/v1/label/{name}/values", get(lookup::label_values))
            .route("/api/v1/metadata", get(metadata::metadata))
            .route("/api/v1/status/buildinfo", get(metadata::buildinfo))
            .route("/api/v1/alerts", get(rules::alerts))
            .route("/api/v1/rules", get(rules::rules))
            .route("/api/v1/targets", get(targets::targets))
            .with_state(Arc::new(self))
    }

    /// The store, or the answer of the exporter, which has none.
    fn store(&self) -> Result<Arc<Store>, ApiError> {
        self.monitor.store.clone().ok_or_else(|| {
            ApiError::not_found(
                "this exporter keeps no samples and evaluates no rules; ask the Prometheus that scrapes it",
            )
        })
    }

    /// Reads from the store away from the tasks that serve and probe.
    async fn read(
        &self,
        limit: Duration,
        work: impl FnOnce(&Store) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Reply, ApiError> {
        let store = self.store()?;
        run(&self.turns, limit, move || work(&store)).await
    }

    /// Looks at the rules away from the tasks that serve and probe: there may be ten thousand alerts.
    async fn look(
        &self,
        work: impl FnOnce(&[GroupView]) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Reply, ApiError> {
        self.store()?;
        let monitor = Arc::clone(&self.monitor);
        run(&self.looks, TIMEOUT, move || work(&monitor.rules.views())).await
    }
}

/// Waits for a turn and works, both within the time limit.
///
/// Work that takes too long cannot be interrupted. It keeps its turn until it ends, so that those who ask again and again
/// do not add to it.
async fn run(
    turns: &Arc<Semaphore>,
    limit: Duration,
    work: impl FnOnce() -> Result<Reply, ApiError> + Send + 'static,
) -> Result<Reply, ApiError> {
    if limit.is_zero() {
        return Err(ApiError::timeout("query timed out before it began"));
    }
    let deadline = Instant::now() + limit.min(TIMEOUT);
    let turn = match timeout_at(deadline, Arc::clone(turns).acquire_owned()).await {
        Ok(Ok(turn)) => turn,
        Ok(Err(_closed)) => return Err(ApiError::unavailable("the program is stopping")),
        Err(_elapsed) => {
            return Err(ApiError::timeout("query timed out while it waited for others to end"));
        }
    };
    let running = spawn_blocking(move || {
        let answer = work();
        drop(turn);
        answer
    });
    match timeout_at(deadline, running).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_cancelled() => {
            Err(ApiError::unavailable("the program is stopping"))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "A query ended by a programming error.");
            Err(ApiError::internal("the query ended by a programming error"))
        }
        Err(_elapsed) => Err(ApiError::timeout("query timed out in its evaluation")),
    }
}
