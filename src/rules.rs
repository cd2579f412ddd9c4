//! The evaluation of the rule groups, each at its own interval, and the delivery of what they changed.
//!
//! Must not know what a rule says, nor how a notification is delivered.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use series::{
    Database as _, Labels, Timestamp,
    rule::{AlertChange, External, Group, GroupState, Transition},
    store::Store,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    monitor::{Monitor, lock},
    notify::{self, Notice, SharedNotifiers},
};

/// Evaluates the rules of a monitor.
pub struct Evaluator {
    monitor: Arc<Monitor>,
    store: Arc<Store>,
    notifiers: Arc<SharedNotifiers>,
    /// The interval of groups that set none.
    interval: Duration,
    external: Arc<External>,
    /// New rule groups, after a reload.
    reloaded: mpsc::Receiver<Vec<Group>>,
}

impl Evaluator {
    /// An evaluator; nothing happens before [`Evaluator::run`].
    pub fn new(
        monitor: Arc<Monitor>,
        store: Arc<Store>,
        notifiers: Arc<SharedNotifiers>,
        interval: Duration,
        external: External,
        reloaded: mpsc::Receiver<Vec<Group>>,
    ) -> Self {
        Self { monitor, store, notifiers, interval, external: Arc::new(external), reloaded }
    }

    /// Evaluates until the token is cancelled. One group at a time: they share the store, and a slow group must not be
    /// overtaken by itself.
    pub async fn run(mut self, stop: CancellationToken) {
        self.restore().await;
        let epoch = Instant::now();
        let mut anchor = Anchor { instant: epoch, time: self.monitor.clock.now() };
        let mut due: HashMap<String, Instant> = HashMap::new();
        loop {
            let next = self.next_group(epoch, &mut due);
            tokio::select! {
                () = stop.cancelled() => break,
                groups = self.reloaded.recv() => match groups {
                    Some(groups) => {
                        self.adopt(groups).await;
                        // Turns follow from the epoch, so none moves; one kept for a group that is gone would be
                        // taken up, long past, when the group comes back.
                        due.clear();
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(next.as_ref().map_or_else(Instant::now, |(at, _)| *at)), if next.is_some() => {
                    if let Some((turn, name)) = next {
                        let at = anchor.time_of(turn, Instant::now(), self.monitor.clock.now());
                        self.evaluate(&name, at).await;
                        due.remove(&name);
                    }
                }
            }
        }
        // What the last evaluation changed must not be lost with us.
        self.deliver(Vec::new()).await;
    }

    /// The group whose turn comes first. A group's turns come at a fixed rate, at an offset hashed from its name.
    fn next_group(
        &self,
        epoch: Instant,
        due: &mut HashMap<String, Instant>,
    ) -> Option<(Instant, String)> {
        let groups = lock(&self.monitor.rules);
        let now = Instant::now();
        groups
            .iter()
            .map(|state| {
                let group = state.group();
                let interval = group_interval(group, self.interval);
                let at = *due
                    .entry(group.key())
                    .or_insert_with(|| next_turn(&group.key(), interval, epoch, now));
                (at, group.key())
            })
            .min()
    }

    /// Takes up the alerts that the store knows from before the start, and tells the notifiers which are firing: those that
    /// had heard it already keep quiet.
    async fn restore(&self) {
        let (monitor, store, external) =
            (Arc::clone(&self.monitor), Arc::clone(&self.store), Arc::clone(&self.external));
        let changes = blocking(move || {
            let now = monitor.clock.now();
            GroupState::restore(&mut lock(&monitor.rules), store.as_ref(), now, &external)
        })
        .await;
        self.deliver(changes).await;
    }

    async fn adopt(&self, groups: Vec<Group>) {
        let monitor = Arc::clone(&self.monitor);
        let store = Arc::clone(&self.store);
        let changes = blocking(move || {
            let now = monitor.clock.now();
            let mut states = lock(&monitor.rules);
            let old = std::mem::take(&mut *states);
            let (new, reloaded) = GroupState::reload(old, groups, now);
            *states = new;
            if let Err(error) = store.append(now, &reloaded.ended) {
                error!(%error, "Staleness markers lost: the store takes none.");
            }
            reloaded.changes
        })
        .await;
        self.deliver(changes).await;
    }

    async fn evaluate(&self, name: &str, at: Timestamp) {
        let (monitor, store, external) =
            (Arc::clone(&self.monitor), Arc::clone(&self.store), Arc::clone(&self.external));
        let name = name.to_owned();
        let changes =
            blocking(move || evaluate_group(&monitor, &store, &external, &name, at)).await;
        self.deliver(changes).await;
    }

    /// Hands changes to the notifiers. The store is synced before, so that after a crash the alert is either known to
    /// both the store and the log, or will be found by the store and told again.
    async fn deliver(&self, changes: Vec<AlertChange>) {
        let (store, notifiers) = (Arc::clone(&self.store), Arc::clone(&self.notifiers));
        let monitor = Arc::clone(&self.monitor);
        blocking(move || {
            if !changes.is_empty()
                && let Err(error) = store.sync()
            {
                monitor.counters.sync_failures.fetch_add(1, Ordering::Relaxed);
                error!(%error, "The samples of this round are not on disk yet.");
            }
            for change in &changes {
                log_change(change);
            }
            let notices: Vec<Notice> = changes.iter().filter_map(notice).collect();
            if let Err(error) = notifiers.notify(&notices)
                && !notices.is_empty()
            {
                error!(%error, "Alerts not delivered; they are kept and tried again.");
            }
        })
        .await;
    }
}

/// Runs work that computes or writes, away from the tasks that serve and probe.
async fn blocking<T: Send + Default + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => {
            error!(%error, "The rules ended by a programming error.");
            T::default()
        }
    }
}

/// Ties the monotonic clock to the time of day, so that turns at a fixed rate have times at a fixed rate: with the jitter of
/// waking up in them, an alert with `for: 5m` would now and then be held up for one more interval.
#[derive(Debug)]
struct Anchor {
    instant: Instant,
    time: Timestamp,
}

impl Anchor {
    /// How far the two clocks may drift apart before they are tied anew.
    const DRIFT_MAX_MS: i64 = 500;

    /// The time of day of a turn, which may be a little in the past.
    fn time_of(&mut self, turn: Instant, now: Instant, time: Timestamp) -> Timestamp {
        let milliseconds = |from: Instant, to: Instant| {
            i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX)
        };
        let expected = self.time.saturating_add(milliseconds(self.instant, turn));
        let measured = time.saturating_sub(milliseconds(turn, now));
        if measured.abs_diff(expected) <= Self::DRIFT_MAX_MS.unsigned_abs() {
            return expected;
        }
        *self = Self { instant: turn, time: measured };
        measured
    }
}

fn evaluate_group(
    monitor: &Monitor,
    store: &Store,
    external: &External,
    key: &str,
    at: Timestamp,
) -> Vec<AlertChange> {
    let mut groups = lock(&monitor.rules);
    let Some(state) = groups.iter_mut().find(|state| state.group().key() == key) else {
        return Vec::new();
    };
    let begun = Instant::now();
    let evaluation = state.evaluate(store, at, external);
    state.set_evaluation_time(begun.elapsed());
    for failure in &evaluation.errors {
        monitor.counters.rule_failures.fetch_add(1, Ordering::Relaxed);
        warn!(group = %state.group().name, rule = %failure.rule, line = failure.line, error = %failure.message,
            "Rule not evaluated; its alerts stay as they are.");
    }
    evaluation.changes
}

/// What people are told of a change; of a pending alert they are not.
fn notice(change: &AlertChange) -> Option<Notice> {
    let transition = match change.transition {
        Transition::Firing => notify::Transition::Firing,
        Transition::Resolved => notify::Transition::Resolved,
        Transition::Pending | Transition::Cleared => return None,
    };
    Some(Notice {
        transition,
        at: change.at,
        told_at: change.at,
        active_at: change.alert.active_at,
        labels: change.alert.labels.clone(),
        annotations: Labels::new(
            change.alert.annotations.iter().map(|(name, text)| (name.as_str(), text.as_str())),
        ),
    })
}

/// Tells the operator what the alert log tells machines.
fn log_change(change: &AlertChange) {
    let alert = change.alert.labels.get("alertname").unwrap_or("");
    let instance = change.alert.labels.get("instance").unwrap_or("");
    match change.transition {
        Transition::Pending => info!(alert, instance, "Alert pending."),
        Transition::Firing => warn!(alert, instance, "Alert firing."),
        Transition::Resolved => info!(alert, instance, "Alert resolved."),
        Transition::Cleared => info!(alert, instance, "Alert no longer pending."),
    }
}

fn group_interval(group: &Group, default: Duration) -> Duration {
    let set = group.interval_ms.and_then(|milliseconds| u64::try_from(milliseconds).ok());
    set.filter(|milliseconds| *milliseconds > 0).map_or(default, Duration::from_millis)
}

/// The first turn of a group after `now`. Turns that were missed are not made up for.
fn next_turn(key: &str, interval: Duration, epoch: Instant, now: Instant) -> Instant {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    let first = epoch + Duration::from_nanos(hasher.finish() % nanoseconds);
    if first > now {
        return first;
    }
    let passed =
        u64::try_from(now.duration_since(first).as_nanos()).unwrap_or(u64::MAX) / nanoseconds;
    first + Duration::from_nanos((passed + 1).saturating_mul(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_have_times_at_a_fixed_rate_whatever_the_jitter() {
        let start = Instant::now();
        let interval = Duration::from_secs(15);
        let mut anchor = Anchor { instant: start, time: 1_000_000 };
        for (number, late_ms, slip_ms) in [(1, 3, 0), (2, 40, 1), (3, 0, -2), (4, 200, 3)] {
            let turn = start + interval * number;
            let late = Duration::from_millis(late_ms);
            let time =
                1_000_000 + 15_000 * i64::from(number) + i64::try_from(late_ms).unwrap() + slip_ms;
            assert_eq!(
                anchor.time_of(turn, turn + late, time),
                1_000_000 + 15_000 * i64::from(number)
            );
        }
        // The time of day was set: the turns follow it.
        let turn = start + interval * 5;
        assert_eq!(anchor.time_of(turn, turn, 9_000_000), 9_000_000);
        assert_eq!(anchor.time_of(turn + interval, turn + interval, 9_015_001), 9_015_000);
    }

    #[test]
    fn turns_come_at_a_fixed_rate() {
        let epoch = Instant::now();
        let interval = Duration::from_secs(15);
        let first = next_turn("group", interval, epoch, epoch);
        assert!(first - epoch <= interval);
        for missed in [0, 1, 7] {
            let late = first + interval * missed + Duration::from_millis(40);
            assert_eq!(next_turn("group", interval, epoch, late), first + interval * (missed + 1));
        }
    }
}
