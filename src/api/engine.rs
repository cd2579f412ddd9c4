//! The embedded engine as the endpoints reach it: in turns, within a time limit, away from the tasks that serve and probe.
//!
//! Must not know what is asked.

use std::{sync::Arc, time::Duration};

use series::{rule::GroupView, store::Store};

use super::{
    reader::Reader,
    reply::{ApiError, Reply},
};
use crate::http::{
    Turns, Unfinished,
    limits::{QUERIES_AT_ONCE, QUERY_TIMEOUT, RULE_LISTS_AT_ONCE},
};

/// What the endpoints need.
pub(super) struct Engine {
    pub(super) monitor: Arc<Reader>,
    queries: Turns,
    rule_lists: Turns,
}

impl Engine {
    pub(super) fn new(monitor: Arc<Reader>) -> Self {
        let (queries, rule_lists) = (Turns::new(QUERIES_AT_ONCE), Turns::new(RULE_LISTS_AT_ONCE));
        Self { monitor, queries, rule_lists }
    }

    /// The store, or the answer of the exporter, which has none.
    pub(super) fn store(&self) -> Result<Arc<Store>, ApiError> {
        self.monitor.store.clone().ok_or_else(|| {
            ApiError::not_found(
                "this exporter keeps no samples and evaluates no rules; ask the Prometheus that scrapes it",
            )
        })
    }

    /// Reads from the store.
    pub(super) async fn read(
        &self,
        limit: Duration,
        work: impl FnOnce(&Store) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Reply, ApiError> {
        let store = self.store()?;
        run(&self.queries, limit, move || work(&store)).await
    }

    /// Looks at the rules.
    pub(super) async fn look(
        &self,
        work: impl FnOnce(&[GroupView]) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Reply, ApiError> {
        self.store()?;
        let monitor = Arc::clone(&self.monitor);
        run(&self.rule_lists, QUERY_TIMEOUT, move || work(&monitor.rules.views())).await
    }
}

async fn run(
    turns: &Turns,
    limit: Duration,
    work: impl FnOnce() -> Result<Reply, ApiError> + Send + 'static,
) -> Result<Reply, ApiError> {
    match turns.run(Some(limit.min(QUERY_TIMEOUT)), work).await {
        Ok(answer) => answer,
        Err(unfinished) => Err(to_api_error(unfinished)),
    }
}

fn to_api_error(unfinished: Unfinished) -> ApiError {
    match unfinished {
        Unfinished::NoTime => ApiError::timeout("query timed out before it began"),
        Unfinished::NoTurn => {
            ApiError::timeout("query timed out while it waited for others to end")
        }
        Unfinished::TooLong => ApiError::timeout("query timed out in its evaluation"),
        Unfinished::Stopping => ApiError::unavailable("the program is stopping"),
        Unfinished::Panicked => ApiError::internal("the query ended by a programming error"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::state::Monitor;

    fn engine() -> Engine {
        let (store, rules) = (Some(Arc::new(Store::in_memory())), Arc::default());
        Engine::new(Arc::new(Reader { monitor: Monitor::for_tests(), store, rules }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_waits_for_its_turn_no_longer_than_any_may() {
        let engine = engine();
        let taken = engine.queries.take(QUERIES_AT_ONCE).await;
        for (limit, expected) in
            [(Duration::from_secs(3), Duration::from_secs(3)), (Duration::MAX, QUERY_TIMEOUT)]
        {
            let begun = Instant::now();
            let error = engine.read(limit, |_| Reply::of(&1)).await.unwrap_err();
            let waited = begun.elapsed();
            assert_eq!(error, to_api_error(Unfinished::NoTurn));
            // The timer ticks once a millisecond.
            assert!(
                waited >= expected && waited < expected + Duration::from_millis(2),
                "{waited:?}"
            );
        }
        drop(taken);
        assert!(engine.read(Duration::MAX, |_| Reply::of(&1)).await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let error = engine().read(Duration::MAX, |_: &Store| panic!("a bug")).await.unwrap_err();
        assert_eq!(error, ApiError::internal("the query ended by a programming error"));
    }
}
