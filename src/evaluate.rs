//! The evaluation of the rule groups, each at its own interval, and the delivery of what they changed.
//!
//! Must not know what a rule says, nor how a notification is delivered.

mod outbox;
mod pause;
mod rules;
mod snapshot;

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

use alerting::{AlertEvent, Destinations};
use series::{
    Appender as _, Timestamp,
    rule::{AlertChange, External, Group, GroupState, GroupView, Transition, alert_names},
    store::Store,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::outbox::{Batch, Outbox};
pub use self::rules::Rules;
use crate::{
    config::Config,
    ingest::Disk,
    schedule::first_round,
    state::{Counters, Monitor, lock},
};

/// How rules are evaluated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The interval of groups that set none.
    pub interval: Duration,
    /// What the rules know of the program's surroundings.
    pub external: External,
}

/// Evaluates the rules of a monitor.
pub struct Evaluator {
    monitor: Monitor,
    /// The groups with their alerts. Only one evaluation at a time looks at them; everybody else sees what is published.
    groups: Arc<Mutex<Vec<GroupState>>>,
    published: Arc<Rules>,
    store: Arc<Store>,
    disk: Arc<Disk>,
    destinations: Arc<Destinations>,
    /// The interval of groups that set none.
    interval: Duration,
    external: Arc<External>,
    /// New rule groups, after a reload.
    reloaded: mpsc::Receiver<Vec<Group>>,
    /// The groups that were evaluated since the start or the last reload.
    evaluated: BTreeSet<String>,
    /// Whether the destinations have to hear of every alert, not only of changes.
    snapshot_due: bool,
}

impl Evaluator {
    /// An evaluator; nothing happens before [`Evaluator::run`].
    pub fn new(
        monitor: Monitor,
        published: Arc<Rules>,
        disk: Arc<Disk>,
        destinations: Arc<Destinations>,
        settings: Settings,
        reloaded: mpsc::Receiver<Vec<Group>>,
    ) -> Self {
        let groups: Vec<GroupState> =
            monitor.config().rules.iter().cloned().map(GroupState::new).collect();
        published.publish(groups.iter().map(GroupView::of));
        Self {
            monitor,
            groups: Arc::new(Mutex::new(groups)),
            published,
            store: Arc::clone(disk.store()),
            disk,
            destinations,
            interval: settings.interval,
            external: Arc::new(settings.external),
            reloaded,
            evaluated: BTreeSet::new(),
            snapshot_due: true,
        }
    }

    /// Evaluates until the token is cancelled. One group at a time: they share the store, and an evaluation of a slow group must not
    /// overlap with its next one. What changed is delivered meanwhile, however slow the disk is.
    pub async fn run(self, stop: CancellationToken) {
        let (changes, outbox) = Outbox::new(Arc::clone(&self.disk), Arc::clone(&self.destinations));
        tokio::join!(self.evaluate_all(stop, changes), outbox.run());
    }

    async fn evaluate_all(mut self, stop: CancellationToken, outbox: mpsc::Sender<Batch>) {
        self.restore(&outbox).await;
        let round = first_round(&self.monitor.config().targets);
        let wait = pause::before_first_evaluation(&self.store, round, self.monitor.about().started);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let epoch = Instant::now();
        let mut anchor = Anchor { instant: epoch, time: self.monitor.now() };
        let mut due: HashMap<String, Instant> = HashMap::new();
        loop {
            let next = self.next_group(epoch, &mut due);
            tokio::select! {
                () = stop.cancelled() => break,
                groups = self.reloaded.recv() => match groups {
                    Some(groups) => {
                        self.adopt(groups, &outbox).await;
                        // Turns follow from the epoch, so none moves; one kept for a group that is gone would be
                        // taken up, long past, when the group comes back.
                        due.clear();
                    }
                    None => break,
                },
                () = tokio::time::sleep_until(next.as_ref().map_or_else(Instant::now, |(at, _)| *at)), if next.is_some() => {
                    if let Some((turn, name)) = next {
                        let at = anchor.time_of(turn, Instant::now(), self.monitor.now());
                        self.evaluate(&name, at, &outbox).await;
                        due.remove(&name);
                    }
                }
            }
        }
    }

    /// The group whose turn comes first. A group's turns come at a fixed rate, at an offset hashed from its name.
    fn next_group(
        &self,
        epoch: Instant,
        due: &mut HashMap<String, Instant>,
    ) -> Option<(Instant, String)> {
        let groups = lock(&self.groups);
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

    /// What work on a blocking thread needs of this one.
    fn shared(&self) -> (Monitor, Arc<Mutex<Vec<GroupState>>>, Arc<Rules>) {
        (self.monitor.clone(), Arc::clone(&self.groups), Arc::clone(&self.published))
    }

    /// Takes up the alerts that the store knows from before the start, and reports which are firing: destinations that were notified
    /// of it already are not notified again.
    async fn restore(&mut self, outbox: &mpsc::Sender<Batch>) {
        let (monitor, groups, published) = self.shared();
        let (store, external) = (Arc::clone(&self.store), Arc::clone(&self.external));
        let events = blocking(move || {
            let (now, mut groups) = (monitor.now(), lock(&groups));
            let changes = GroupState::restore(&mut groups, store.as_ref(), now, &external);
            published.publish(groups.iter().map(GroupView::of));
            changes.iter().for_each(log_change);
            (changes.iter().map(|change| snapshot::fires(&change.alert, now)).collect(), true)
        })
        .await;
        self.deliver(events, outbox).await;
    }

    async fn adopt(&mut self, groups: Vec<Group>, outbox: &mpsc::Sender<Batch>) {
        let (monitor, states, published) = self.shared();
        let store = Arc::clone(&self.store);
        let events = blocking(move || {
            let (now, mut states) = (monitor.now(), lock(&states));
            let mut changes = adopt_groups(&mut states, &store, groups, now);
            published.publish(states.iter().map(GroupView::of));
            let views = published.views();
            // Where a rule of the name is left, it is the evaluations that say whether the alert goes on.
            let names = alert_names(&views);
            changes.retain(|change| !names.contains(change.alert.name()));
            report(&views, &monitor.config(), &changes)
        })
        .await;
        self.evaluated.clear();
        self.snapshot_due = true;
        self.deliver(events, outbox).await;
    }

    async fn evaluate(&mut self, name: &str, at: Timestamp, outbox: &mpsc::Sender<Batch>) {
        let (monitor, groups, published) = self.shared();
        let (store, external) = (Arc::clone(&self.store), Arc::clone(&self.external));
        let key = name.to_owned();
        let events = blocking(move || {
            let mut groups = lock(&groups);
            let found = groups.iter_mut().enumerate().find(|(_, state)| state.group().key() == key);
            let Some((position, state)) = found else { return Default::default() };
            let changes = evaluate_group(state, &store, &external, monitor.counters(), at);
            published.publish_one(position, &GroupView::of(state));
            report(&published.views(), &monitor.config(), &changes)
        })
        .await;
        self.evaluated.insert(name.to_owned());
        self.deliver(events, outbox).await;
    }

    /// Hands over what changed and, where it is due, a snapshot of every alert. Neither waits: what the outbox cannot take is in the
    /// next snapshot.
    async fn deliver(
        &mut self,
        (events, open): (Vec<AlertEvent>, bool),
        outbox: &mpsc::Sender<Batch>,
    ) {
        self.snapshot_due |= open;
        let present = if self.snapshot_due || self.destinations.wants_present() {
            let (monitor, views) = (self.monitor.clone(), self.published.views());
            let evaluated = self.evaluated.clone();
            blocking(move || {
                Some(snapshot::of(&views, &monitor.config(), monitor.now(), &evaluated))
            })
            .await
        } else {
            None
        };
        if events.is_empty() && present.is_none() {
            return;
        }
        self.snapshot_due = outbox.try_send(Batch { events, present }).is_err();
        if self.snapshot_due {
            warn!(
                "Changes of alerts come faster than they can be written; none is lost: all alerts are checked again later."
            );
        }
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
    /// How far the two clocks may drift apart before they are aligned again.
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
    state: &mut GroupState,
    store: &Store,
    external: &External,
    counters: &Counters,
    at: Timestamp,
) -> Vec<AlertChange> {
    let begun = Instant::now();
    let evaluation = state.evaluate(store, at, external);
    state.set_evaluation_time(begun.elapsed());
    for failure in &evaluation.errors {
        counters.rule_failed();
        warn!(group = %state.group().name, rule = %failure.rule, line = failure.line, error = %failure.message,
            "Rule not evaluated; its alerts stay as they are.");
    }
    evaluation.changes
}

/// Changes to new rules. Returns the alerts that ended because of it.
fn adopt_groups(
    states: &mut Vec<GroupState>,
    store: &Store,
    groups: Vec<Group>,
    now: Timestamp,
) -> Vec<AlertChange> {
    let old = std::mem::take(states);
    let (new, reloaded) = GroupState::reload(old, groups, now);
    *states = new;
    if let Err(error) = store.append(now, &reloaded.ended) {
        error!(%error, "Staleness markers lost: the store takes none.");
    }
    reloaded.changes
}

/// Logs changes, and makes events of those that people are notified of; says whether a snapshot of every alert is due.
fn report(
    groups: &[GroupView],
    config: &Config,
    changes: &[AlertChange],
) -> (Vec<AlertEvent>, bool) {
    changes.iter().for_each(log_change);
    snapshot::events(groups, config, changes)
}

/// Logs for the operator what the alert log records for machines. A heartbeat always fires and is left out.
fn log_change(change: &AlertChange) {
    if snapshot::is_heartbeat(&change.alert.labels) {
        return;
    }
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
