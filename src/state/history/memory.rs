//! The remembered probes and their indexes, within one bound of memory.
//!
//! Each target has a ring of its own: its last results, and its last failures, which outlive them. Beside the rings there are
//! the recent probes of all targets together, as `blackbox_exporter` has them. When the memory is full, the oldest successes
//! go first, then the oldest failures, and last of all the last failure of each target. Must not know how a probe is shown.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use probe::Outcome;

use crate::state::record::{Origin, ProbeRecord, Remembered, Trace};

/// How many of the last results of each target are remembered.
const RESULTS_MAX: usize = 5;

/// How many of the last failures of each target are remembered.
const FAILURES_MAX: usize = 10;

/// How much memory all remembered probes may take, in bytes. It holds about 10,000 probes of ordinary size.
const BYTES_MAX: usize = 32 << 20;

/// How many pairs of target and module that `/probe` was asked for have a ring. Anybody may ask for anything: those that
/// were not asked for the longest time go first.
const ASKED_MAX: usize = 10_000;

/// What the indexes take for each remembered probe, in bytes, about.
const ENTRY_BYTES: usize = 384;

/// What a ring takes without its probes, in bytes, about.
const RING_BYTES: usize = 512;

/// The remembered probes.
#[derive(Debug)]
pub(super) struct Memory {
    limits: Limits,
    next_id: u64,
    bytes: usize,
    /// Every remembered probe by its number, which rises with time.
    entries: BTreeMap<u64, Entry>,
    /// The same in the order in which they are given up.
    order: BTreeSet<(Rank, u64)>,
    rings: HashMap<Arc<str>, Vec<Ring>>,
    /// The rings of what was asked for, by their last use.
    asked: BTreeMap<u64, (Arc<str>, String)>,
    /// The recent probes of all targets; numbers of probes that were given up may be among them.
    recent: VecDeque<u64>,
    /// The failures that fell out of the recent ones.
    failures: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    recent: usize,
    bytes: usize,
    asked: usize,
}

/// How long a probe is kept when there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Success,
    Failure,
    LastFailure,
}

#[derive(Debug)]
struct Entry {
    remembered: Remembered,
    origin: Origin,
    rank: Rank,
    bytes: usize,
    /// In how many of the lists of its ring and of all targets it is.
    holders: usize,
}

/// What distinguishes the rings of one address: why it was probed, by which module, from which place.
type Key<'a> = (Origin, &'a str, &'a str);

/// The remembered probes of one target.
#[derive(Debug)]
struct Ring {
    origin: Origin,
    module: String,
    prober: String,
    recent: VecDeque<u64>,
    failures: VecDeque<u64>,
    last_use: u64,
    bytes: usize,
}

impl Remembered {
    /// How many bytes of memory this takes, about.
    fn bytes(&self) -> usize {
        let record = &self.record;
        let detail = match &record.result.outcome {
            Outcome::Up => 0,
            Outcome::Down(failure) | Outcome::Fault(failure) => failure.detail.len(),
        };
        let samples = record.result.samples.iter().map(|sample| {
            let labels = sample
                .labels
                .iter()
                .map(|label| size_of_val(label) + label.0.len() + label.1.len());
            size_of_val(sample) + labels.sum::<usize>()
        });
        let notes = self.trace.notes.iter().map(|note| size_of_val(note) + note.1.len());
        let own = size_of::<ProbeRecord>() + size_of::<Trace>() + ENTRY_BYTES;
        own + record.instance.len()
            + record.module.len()
            + record.prober.len()
            + detail
            + samples.sum::<usize>()
            + notes.sum::<usize>()
            + self.trace.evidence.bytes()
    }
}

impl Memory {
    /// An empty memory that keeps the recent `limit` probes of all targets, and `limit` older failures, beside each target's
    /// own.
    pub(super) fn new(limit: usize) -> Self {
        Self::within(Limits { recent: limit, bytes: BYTES_MAX, asked: ASKED_MAX })
    }

    fn within(limits: Limits) -> Self {
        Self {
            limits,
            next_id: 1,
            bytes: 0,
            entries: BTreeMap::new(),
            order: BTreeSet::new(),
            rings: HashMap::new(),
            asked: BTreeMap::new(),
            recent: VecDeque::new(),
            failures: VecDeque::new(),
        }
    }

    /// Takes a finished probe in and gives it a number.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        mut record: ProbeRecord,
        trace: Trace,
    ) -> Remembered {
        let id = self.next_id;
        self.next_id += 1;
        record.id = id;
        if let Some((shared, _)) = self.rings.get_key_value(&record.instance) {
            record.instance = Arc::clone(shared);
        }
        let remembered = Remembered { record: Arc::new(record), trace: Arc::new(trace) };
        let (bytes, failed) = (remembered.bytes(), !remembered.is_up());
        let rank = if failed { Rank::LastFailure } else { Rank::Success };
        let holders = if failed { 3 } else { 2 };
        self.bytes += bytes;
        self.order.insert((rank, id));
        let entry = Entry { remembered: remembered.clone(), origin, rank, bytes, holders };
        self.entries.insert(id, entry);
        self.push_to_ring(origin, &remembered.record, failed);
        self.push_to_all(id);
        while self.asked.len() > self.limits.asked {
            let Some((_, (instance, module))) = self.asked.pop_first() else { break };
            self.drop_ring(&instance, (Origin::Asked, &module, ""));
        }
        while self.bytes > self.limits.bytes {
            let Some((_, oldest)) = self.order.first().copied() else { break };
            self.drop_entry(oldest);
        }
        remembered
    }

    /// Drops what is remembered of a target that is no longer watched; the recent probes of all targets keep theirs.
    pub(super) fn forget(&mut self, instance: &str, module: &str, prober: &str) {
        self.drop_ring(instance, (Origin::Watched, module, prober));
    }

    /// The recent probes of all targets and the failures before them, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Remembered> {
        let ids = self.failures.iter().chain(&self.recent);
        ids.filter_map(|id| self.entries.get(id)).map(|entry| &entry.remembered)
    }

    /// A probe by its number.
    pub(super) fn get(&self, id: u64) -> Option<&Remembered> {
        self.entries.get(&id).map(|entry| &entry.remembered)
    }

    /// The probes of a watched target, newest first: its last results, and its failures before them.
    pub(super) fn of_watched(&self, instance: &str, module: &str, prober: &str) -> Vec<Remembered> {
        let key = (Origin::Watched, module, prober);
        let ring = self.rings.get(instance).into_iter().flatten().find(|ring| ring.is(key));
        let ids: BTreeSet<u64> = ring.into_iter().flat_map(Ring::ids).collect();
        ids.into_iter().rev().filter_map(|id| self.get(id).cloned()).collect()
    }

    /// The latest probe of a target, watched or asked for; of one module or of failures only, where asked for.
    pub(super) fn latest(
        &self,
        instance: &str,
        module: Option<&str>,
        failed: bool,
    ) -> Option<&Remembered> {
        let wanted = |remembered: &&Remembered| {
            module.is_none_or(|module| remembered.record.module == module)
                && !(failed && remembered.is_up())
        };
        let rings = self.rings.get(instance).into_iter().flatten();
        let own = rings.flat_map(Ring::ids).filter_map(|id| self.get(id)).filter(wanted);
        // What is no longer watched may still be among the recent probes.
        let mut all = self.iter().rev().filter(|other| *other.record.instance == *instance);
        own.max_by_key(|remembered| remembered.record.id).or_else(|| all.find(wanted))
    }

    fn push_to_ring(&mut self, origin: Origin, record: &ProbeRecord, failed: bool) {
        let (id, instance) = (record.id, &record.instance);
        let rings = self.rings.entry(Arc::clone(instance)).or_default();
        let key = (origin, record.module.as_str(), record.prober.as_str());
        let index = rings.iter().position(|ring| ring.is(key));
        let index = index.unwrap_or_else(|| {
            let names = instance.len() + record.module.len() + record.prober.len();
            let ring = Ring::new(key, RING_BYTES + names);
            self.bytes += ring.bytes;
            rings.push(ring);
            rings.len() - 1
        });
        let Some(ring) = rings.get_mut(index) else { return };
        if origin == Origin::Asked {
            self.asked.remove(&ring.last_use);
            self.asked.insert(id, (Arc::clone(instance), record.module.clone()));
        }
        ring.last_use = id;
        let mut released = [None, None];
        let mut demoted = None;
        ring.recent.push_back(id);
        if ring.recent.len() > RESULTS_MAX {
            released[0] = ring.recent.pop_front();
        }
        if failed {
            demoted = ring.failures.back().copied();
            ring.failures.push_back(id);
            if ring.failures.len() > FAILURES_MAX {
                released[1] = ring.failures.pop_front();
            }
        }
        if let Some(id) = demoted {
            self.demote(id);
        }
        for id in released.into_iter().flatten() {
            self.release(id);
        }
    }

    fn push_to_all(&mut self, id: u64) {
        self.recent.push_back(id);
        while self.recent.len() > self.limits.recent {
            let Some(oldest) = self.recent.pop_front() else { break };
            if self.get(oldest).is_some_and(|oldest| !oldest.is_up()) {
                self.failures.push_back(oldest);
            } else {
                self.release(oldest);
            }
        }
        while self.failures.len() > self.limits.recent {
            let Some(oldest) = self.failures.pop_front() else { break };
            self.release(oldest);
        }
    }

    /// A probe left one of the lists; it is dropped with the last one.
    fn release(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders == 0 {
            self.drop_entry(id);
        }
    }

    /// A failure is no longer the last one of its target.
    fn demote(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.order.remove(&(entry.rank, id));
        entry.rank = entry.rank.min(Rank::Failure);
        self.order.insert((entry.rank, id));
    }

    fn drop_entry(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.order.remove(&(entry.rank, id));
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        let record = &entry.remembered.record;
        let key = (entry.origin, record.module.as_str(), record.prober.as_str());
        let rings = self.rings.get_mut(&record.instance).into_iter().flatten();
        let Some(ring) = rings.into_iter().find(|ring| ring.is(key)) else { return };
        ring.recent.retain(|other| *other != id);
        ring.failures.retain(|other| *other != id);
        // A ring lives as long as it holds something, so that rings are within the bound too.
        if ring.recent.is_empty() && ring.failures.is_empty() {
            self.drop_ring(&record.instance, key);
        }
    }

    fn drop_ring(&mut self, instance: &str, key: Key<'_>) {
        let Some(rings) = self.rings.get_mut(instance) else { return };
        let Some(index) = rings.iter().position(|ring| ring.is(key)) else { return };
        let ring = rings.swap_remove(index);
        if rings.is_empty() {
            self.rings.remove(instance);
        }
        self.bytes = self.bytes.saturating_sub(ring.bytes);
        self.asked.remove(&ring.last_use);
        for id in ring.ids() {
            self.demote(id);
            self.release(id);
        }
    }
}

impl Ring {
    fn new((origin, module, prober): Key<'_>, bytes: usize) -> Self {
        let (recent, failures) = (VecDeque::new(), VecDeque::new());
        let (module, prober) = (module.to_owned(), prober.to_owned());
        Self { origin, module, prober, recent, failures, last_use: 0, bytes }
    }

    fn is(&self, key: Key<'_>) -> bool {
        (self.origin, self.module.as_str(), self.prober.as_str()) == key
    }

    /// The numbers of its probes; a recent failure comes twice.
    fn ids(&self) -> impl Iterator<Item = u64> {
        self.recent.iter().chain(&self.failures).copied()
    }
}

#[cfg(test)]
mod tests;
