//! The timetable: fixed-rate slots with an offset that is hashed from the target's identity.
//!
//! A slot depends on the target and its interval alone, so a reload moves nobody, and targets of one interval are spread
//! evenly over it. Must not know how a probe is made, nor spawn anything.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::config::{Identity, Target};

/// New targets are probed at once, but not all in one moment: this much time for each of them.
const FIRST_PROBE_SPACING: Duration = Duration::from_millis(1);

/// The shortest time over which the first probes are spread.
const FIRST_PROBE_SPREAD_MIN: Duration = Duration::from_secs(1);

/// The shortest interval that the timetable reckons with.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Over how much time the first probes of so many targets are spread.
fn spread(targets: usize) -> Duration {
    FIRST_PROBE_SPREAD_MIN.max(FIRST_PROBE_SPACING * u32::try_from(targets).unwrap_or(u32::MAX))
}

/// How long after a start each target has been probed once, however long a probe takes.
pub fn first_round(targets: &[Arc<Target>]) -> Duration {
    let longest = targets.iter().map(|target| target.timeout).max().unwrap_or_default();
    spread(targets.len()) + longest
}

/// Who is probed when. Holds no timer: the caller sleeps until [`Plan::next_due`].
#[derive(Debug)]
pub struct Plan {
    /// The moment that all slots are counted from.
    epoch: Instant,
    targets: BTreeMap<Arc<Identity>, Arc<Target>>,
    /// The next slot of each target; entries of removed or changed targets are skipped when they come up.
    queue: BinaryHeap<Reverse<(Instant, Arc<Identity>)>>,
    /// The slot that counts for each target, to recognise stale queue entries.
    slots: BTreeMap<Arc<Identity>, Instant>,
}

/// A target whose slot has come.
#[derive(Clone, Debug)]
pub struct Due {
    /// The target.
    pub target: Arc<Target>,
    /// How many slots passed before it was taken out: none is made up for.
    pub slots_passed: u64,
}

/// What an update of the plan changed.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Targets that are gone: their series end.
    pub removed: Vec<Arc<Target>>,
    /// How many targets are new.
    pub added: usize,
    /// How many targets have other labels or times than before.
    pub changed: usize,
}

impl Plan {
    /// An empty timetable.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, targets: BTreeMap::new(), queue: BinaryHeap::new(), slots: BTreeMap::new() }
    }

    /// Replaces the targets. Unchanged ones keep their slots; new and changed ones are probed within about a second, then
    /// in their slots.
    pub fn update(&mut self, targets: &[Arc<Target>], now: Instant) -> Changes {
        let mut changes = Changes::default();
        let mut next: BTreeMap<Arc<Identity>, Arc<Target>> = BTreeMap::new();
        for target in targets {
            next.insert(Arc::new(target.identity()), Arc::clone(target));
        }
        for (identity, old) in &self.targets {
            match next.get(identity) {
                Some(new) if same_probe(old, new) => continue,
                Some(_) => changes.changed += 1,
                None => changes.removed.push(Arc::clone(old)),
            }
            self.slots.remove(identity);
        }
        let spread = spread(next.len());
        for (identity, target) in &next {
            if self.slots.contains_key(identity) {
                continue;
            }
            changes.added += usize::from(!self.targets.contains_key(identity));
            self.push(identity, now + offset(identity, spread.min(target.interval)));
        }
        self.targets = next;
        changes
    }

    /// Takes out every target whose slot has come, and books its next slot. Slots that were missed, for example while the
    /// machine slept, are not made up for, but counted.
    pub fn take_due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        while let Some(Reverse((at, _))) = self.queue.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((at, identity))) = self.queue.pop() else { break };
            if self.slots.get(&identity) != Some(&at) {
                continue;
            }
            let Some(target) = self.targets.get(&identity).map(Arc::clone) else { continue };
            let next = self.next_slot(&identity, &target, now);
            let missed = next.saturating_duration_since(self.next_slot(&identity, &target, at));
            self.push(&identity, next);
            let interval = target.interval.max(INTERVAL_MIN).as_nanos();
            let slots_passed = u64::try_from(missed.as_nanos() / interval).unwrap_or(u64::MAX);
            due.push(Due { target, slots_passed });
        }
        due
    }

    /// When the next slot comes; `None` without targets.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// A target as it is to be probed at present.
    pub fn current(&self, identity: &Identity) -> Option<&Arc<Target>> {
        self.targets.get(identity)
    }

    /// Whether the target is still to be probed as it is.
    pub fn contains(&self, target: &Target) -> bool {
        self.current(&target.identity()).is_some_and(|current| same_probe(current, target))
    }

    /// The first slot that is at least half an interval away, so that a first probe out of turn is not doubled.
    fn next_slot(&self, identity: &Identity, target: &Target, now: Instant) -> Instant {
        let interval = target.interval.max(INTERVAL_MIN);
        let first = self.epoch + offset(identity, interval);
        let earliest = now + interval / 2;
        let behind = earliest.saturating_duration_since(first).as_nanos();
        let slots = behind.div_ceil(interval.as_nanos());
        first
            + Duration::from_nanos(
                u64::try_from(slots.saturating_mul(interval.as_nanos())).unwrap_or(u64::MAX),
            )
    }

    fn push(&mut self, identity: &Arc<Identity>, at: Instant) {
        self.slots.insert(Arc::clone(identity), at);
        self.queue.push(Reverse((at, Arc::clone(identity))));
    }
}

/// Whether two targets are probed alike and write the same series; where in a file they stand does not matter.
pub(super) fn same_probe(left: &Target, right: &Target) -> bool {
    left.address == right.address
        && left.module == right.module
        && left.labels == right.labels
        && left.interval == right.interval
        && left.timeout == right.timeout
}

/// A fixed place for a target within a span of time.
fn offset(identity: &Identity, span: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(hasher.finish() % nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Promises;

    fn target(instance: &str, interval: Duration) -> Arc<Target> {
        let module = probe::Module::builtin().remove("http_2xx").unwrap();
        Arc::new(Target {
            instance: instance.to_owned(),
            address: module.target(instance).unwrap(),
            module: "http_2xx".to_owned(),
            internal_labels: Arc::default(),
            promises: Promises::default(),
            labels: series::Labels::new([("instance", instance)]),
            interval,
            timeout: Duration::from_secs(1),
            origin: String::new(),
        })
    }

    /// Runs the plan for a span of virtual time; every probe as (seconds since the start, instance).
    fn follow(plan: &mut Plan, from: Instant, span: Duration) -> Vec<(f64, String)> {
        let mut probes = Vec::new();
        while let Some(at) = plan.next_due().filter(|at| *at <= from + span) {
            for due in plan.take_due(at) {
                assert_eq!(due.slots_passed, 0, "who is in time misses nothing");
                probes.push(((at - from).as_secs_f64(), due.target.instance.clone()));
            }
        }
        probes
    }

    #[test]
    fn each_target_is_probed_at_once_and_then_at_a_fixed_rate() {
        let start = Instant::now();
        let targets: Vec<_> = (0..50)
            .map(|number| target(&format!("http://host{number}/"), Duration::from_secs(10)))
            .collect();
        let mut plan = Plan::new(start);
        assert_eq!(plan.update(&targets, start).added, 50);
        let probes = follow(&mut plan, start, Duration::from_secs(100));
        for target in &targets {
            let times: Vec<f64> = probes
                .iter()
                .filter(|(_, name)| *name == target.instance)
                .map(|(at, _)| *at)
                .collect();
            assert!(times[0] < 1.0, "the first probe waited {} s", times[0]);
            assert!(times.len() >= 10, "{times:?}");
            for pair in times[1..].windows(2) {
                assert!((pair[1] - pair[0] - 10.0).abs() < 1e-6, "{times:?}");
            }
            assert!(times[1] - times[0] >= 5.0, "{times:?}");
        }
        // The slots are spread: no second of the interval holds more than a third of the targets.
        let within =
            |from: f64| probes.iter().filter(|(at, _)| *at >= from && *at < from + 1.0).count();
        let busiest = (0..10).map(|second| within(50.0 + f64::from(second))).max();
        assert!(busiest < Some(17), "{busiest:?}");
    }

    #[test]
    fn an_update_moves_nobody_and_names_who_left() {
        let start = Instant::now();
        let interval = Duration::from_secs(10);
        let [one, two, three] =
            ["http://one/", "http://two/", "http://three/"].map(|name| target(name, interval));
        let mut plan = Plan::new(start);
        plan.update(&[Arc::clone(&one), Arc::clone(&two)], start);
        follow(&mut plan, start, Duration::from_secs(30));
        let slot = plan.slots[&one.identity()];
        let changes = plan.update(&[Arc::clone(&one), three], start + Duration::from_secs(30));
        assert_eq!(changes, Changes { removed: vec![Arc::clone(&two)], added: 1, changed: 0 });
        assert_eq!(plan.slots[&one.identity()], slot);
        let later = follow(&mut plan, start + Duration::from_secs(30), Duration::from_secs(20));
        assert!(later.iter().all(|(_, name)| name != "http://two/"), "{later:?}");
        // A target whose labels change is not removed, and is probed at once.
        let labels = one.labels.with("team", "shop");
        let changed = Arc::new(Target { labels, interval: interval * 20, ..(*one).clone() });
        let edited = start + Duration::from_secs(50);
        let changes = plan.update(&[Arc::clone(&changed)], edited);
        assert_eq!((changes.changed, changes.added, changes.removed.len()), (1, 0, 1));
        assert!(!changes.removed.contains(&one) && plan.contains(&changed) && !plan.contains(&one));
        assert!(plan.next_due().unwrap() < edited + Duration::from_secs(1));
    }

    #[test]
    fn two_modules_of_one_address_are_two_targets() {
        let start = Instant::now();
        let one = target("http://one/", Duration::from_secs(10));
        let labels = one.labels.with("module", "http_post_2xx");
        let module = "http_post_2xx".to_owned();
        let other = Arc::new(Target { module, labels, ..(*one).clone() });
        let mut plan = Plan::new(start);
        assert_eq!(plan.update(&[Arc::clone(&one), Arc::clone(&other)], start).added, 2);
        assert_eq!(follow(&mut plan, start, Duration::from_secs(1)).len(), 2);
        let changes = plan.update(&[Arc::clone(&one)], start + Duration::from_secs(2));
        assert_eq!(changes, Changes { removed: vec![other], added: 0, changed: 0 });
        assert!(plan.contains(&one));
    }

    #[test]
    fn missed_slots_are_counted_and_not_made_up_for() {
        let start = Instant::now();
        let mut plan = Plan::new(start);
        plan.update(&[target("http://one/", Duration::from_secs(10))], start);
        let first = plan.next_due().unwrap();
        plan.take_due(first);
        // (how late after a slot, how many slots pass with it).
        for (late, passed) in [(0, 0), (4, 0), (6, 1), (14, 1), (16, 2), (3600, 360)] {
            let slot = plan.next_due().unwrap();
            let woken = slot + Duration::from_secs(late);
            let due = plan.take_due(woken);
            assert_eq!(due.len(), 1);
            assert_eq!(due[0].slots_passed, passed, "{late} s late");
            let next = plan.next_due().unwrap();
            assert!(next >= woken + Duration::from_secs(5), "{late} s late");
            let slots = (next - slot).as_secs_f64() / 10.0;
            assert!((slots - slots.round()).abs() < 1e-6, "a slot of the timetable");
        }
    }
}
