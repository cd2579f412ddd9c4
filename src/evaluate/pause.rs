//! How long the first evaluation after a start waits.
//!
//! After a pause that is longer than queries look back, a target that was not probed yet is missing, and rules would take its
//! alerts for over. Must not know what a rule says.

use std::time::Duration;

use series::{Matcher, Queryable as _, Timestamp, is_stale, labels::METRIC_NAME, store::Store};
use tracing::error;

use crate::ingest::UP;

/// The time of a `round`, after which each target was probed once, when the store has samples from before the start but none that
/// queries still see by then; nothing otherwise.
pub(super) fn before_first_evaluation(
    store: &Store,
    round: Duration,
    started: Timestamp,
) -> Duration {
    let earlier = store.statistics().oldest.is_some_and(|oldest| oldest < started);
    let until = i64::try_from(round.as_millis()).unwrap_or(i64::MAX).saturating_add(started);
    // What is seen then.
    let after = until.saturating_sub(store.lookback_ms());
    if earlier && !is_scraped(store, after, started) { round } else { Duration::ZERO }
}

/// Whether any target has a sample in a span of time.
fn is_scraped(store: &Store, after: Timestamp, before: Timestamp) -> bool {
    let up = [Matcher::equal(METRIC_NAME, UP)];
    match store.select(&up, after, before.saturating_sub(1)) {
        Ok(found) => {
            found.iter().any(|series| series.samples.iter().any(|sample| !is_stale(sample.value)))
        }
        Err(error) => {
            error!(%error, "The store cannot be read; rules are evaluated at once.");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use series::{Appender as _, LOOKBACK_MS, Labels, stale_marker};

    use super::*;

    #[test]
    fn it_waits_for_a_round_when_nothing_is_seen_of_the_time_before() {
        let round = Duration::from_secs(11);
        let (started, at) = (10 * LOOKBACK_MS, |ago: i64| 10 * LOOKBACK_MS - ago);
        let up = || Labels::new([("__name__", UP), ("job", "webservices")]);
        for (samples, expected) in [
            // A first start; one with samples of its own already.
            (vec![], Duration::ZERO),
            (vec![(started, 1.0)], Duration::ZERO),
            // A short pause, a long one, and one that is longer than queries look back when the round is over.
            (vec![(at(60_000), 1.0)], Duration::ZERO),
            (vec![(at(LOOKBACK_MS), 1.0), (started, 1.0)], round),
            (vec![(at(LOOKBACK_MS - 10_000), 1.0)], round),
            // It ended in order.
            (vec![(at(60_000), 1.0), (at(50_000), stale_marker())], Duration::ZERO),
        ] {
            let store = Store::in_memory();
            for (at, value) in &samples {
                store.append(*at, &[(up(), *value)]).unwrap();
            }
            let wait = before_first_evaluation(&store, round, started);
            assert_eq!(wait, expected, "{samples:?}");
        }
    }
}
