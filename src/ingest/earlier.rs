//! What the store holds from before the start of the program: series of targets that were removed or edited meanwhile.
//!
//! Without an end they would be taken for live for some minutes, and their alerts with them. Must not know how results are written.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use series::{
    Labels, Matcher, Queryable as _, StorageError, Timestamp, is_stale, labels::METRIC_NAME,
    store::Store,
};

use super::UP;
use crate::config::{Identity, JOB, Target};

/// The series from before the start that are no longer written.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Of targets that are no longer watched.
    pub(super) gone: Vec<Labels>,
    /// Of targets whose labels have changed.
    pub(super) edited: HashMap<Identity, Old>,
}

/// A target as it was.
#[derive(Debug)]
pub(super) struct Old {
    /// Its labels.
    pub(super) target: Labels,
    /// Its series.
    pub(super) series: Vec<Labels>,
}

/// Looks for live series of targets that are not as they were. Only series without labels of their own can be distinguished from
/// those of other targets; the rest goes stale by itself after some minutes.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn find(
    store: &Store,
    targets: &[Arc<Target>],
    now: Timestamp,
) -> Result<Earlier, StorageError> {
    let present: HashMap<Identity, &Labels> =
        targets.iter().map(|target| (target.identity(), &target.labels)).collect();
    let mut earlier = Earlier::default();
    for up in live(store, Matcher::equal(METRIC_NAME, UP), now)? {
        let (identity, target) = (Identity::of(&up), up.without_metric_name());
        let labels = present.get(&identity);
        if labels.is_some_and(|labels| **labels == target) {
            continue;
        }
        let mut series = live(store, Matcher::equal("instance", &identity.instance), now)?;
        series.retain(|labels| labels.without_metric_name() == target);
        if labels.is_none() {
            earlier.gone.extend(series);
            continue;
        }
        match earlier.edited.entry(identity) {
            Entry::Occupied(mut entry) => entry.get_mut().series.extend(series),
            Entry::Vacant(entry) => {
                entry.insert(Old { target, series });
            }
        }
    }
    Ok(earlier)
}

/// The series of targets that queries see at a time.
fn live(store: &Store, matcher: Matcher, now: Timestamp) -> Result<Vec<Labels>, StorageError> {
    let matchers = [Matcher::equal("job", JOB), matcher];
    let found = store.select(&matchers, now.saturating_sub(store.lookback_ms()), now)?;
    let last = |series: &series::Series| series.samples.last().map(|sample| sample.value);
    let live =
        found.into_iter().filter(|series| last(series).is_some_and(|value| !is_stale(value)));
    Ok(live.map(|series| series.labels).collect())
}
