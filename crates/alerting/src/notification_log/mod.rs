//! The notification log: what a destination was notified of each alert already, so that each transition is delivered once however
//! often it is reported.
//!
//! An alert is known by the labels that identify it. Its target's other labels may be edited while it fires, and several probers
//! may see it: it begins with the first label set that fires, and is over when none fires any more. A small file keeps all that over
//! a restart. Each destination has a notification log of its own. Must not know how a line looks, nor who reports.

mod decide;
mod entry;
mod held;
mod journal;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use series::{Labels, Timestamp};

use self::{
    decide::{begin, end_of, ends, goes_on, unheard},
    entry::Entry,
    held::{HeldEnds, record},
    journal::Journal,
};
pub(crate) use self::{entry::Step, held::Holding};
use crate::{
    event::{AHEAD_MS, AlertEvent, Ending, Origin, Transition},
    line::Written,
    present::Present,
};

/// Of how many alerts the last line is remembered; beyond it the oldest of those that are over is forgotten first.
const ALERTS_MAX: usize = 50_000;
/// How many of them are forgotten at once, so that it is not done for each line.
const FORGOTTEN_AT_ONCE: usize = 5_000;
/// How much memory the labels and annotations of alerts that fire may take; what is beyond it ends in a line without them.
const FACTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the end of a disruption is kept in the file, in milliseconds: what was sent before it arrives by then.
const END_KEPT_MS: i64 = 60 * 60 * 1000;

/// What a destination was notified of each alert.
#[derive(Default)]
pub(crate) struct NotificationLog {
    /// What it was notified of, or will be once everything that waits is delivered.
    alerts: Alerts,
    /// What is delivered.
    written: Alerts,
    /// Ends that are not believed yet.
    held: HeldEnds,
    /// When the rules were last evaluated, as far as a heartbeat said so.
    heartbeat: Option<Timestamp>,
    journal: Journal,
    /// The keys of alerts whose identifiers an earlier version made from all of their labels, by the hash in those.
    aliases: BTreeMap<u64, u64>,
}

/// The last line about each alert, by the hash of the labels that identify it.
#[derive(Default)]
struct Alerts {
    entries: BTreeMap<u64, Entry>,
    facts_bytes: usize,
}

impl NotificationLog {
    /// Takes an event in. Returns what to deliver: nothing when the event is not new. Returned events carry their disruption: an end
    /// has the identifier under which its beginning was written.
    pub(crate) fn admit(&mut self, event: &AlertEvent) -> Vec<Step> {
        let steps = self.follows(event);
        for step in &steps {
            self.alerts.insert(step.key, step.entry.clone());
        }
        steps
    }

    /// What follows from an event.
    fn follows(&mut self, event: &AlertEvent) -> Vec<Step> {
        let key = self.key(event);
        let newest = self.alerts.entries.get(&key);
        // A line from the future was written before this machine's clock was set back, and would mute the alert until then.
        let last =
            newest.filter(|last| last.reported_at <= event.reported_at.saturating_add(AHEAD_MS));
        match (event.transition, last) {
            (Transition::Firing, Some(open)) if open.is_open() => {
                goes_on(key, open, event, self.alerts.facts_bytes < FACTS_BYTES_MAX)
            }
            (Transition::Firing, last) => begin(key, last, event).into_iter().collect(),
            (Transition::Resolved, Some(open)) if open.is_open() => ends(key, open, event),
            (Transition::Resolved, last) => {
                let steps = unheard(key, last, event);
                // After such a line the beginning may be in the log already; a duplicate would be worse than none.
                let known = usize::from(last.is_none() && newest.is_some());
                steps.into_iter().skip(known).collect()
            }
        }
    }

    /// Notes that a step is delivered. `is_planned` says whether it was noted as planned before.
    pub(crate) fn delivered(&mut self, step: Step, is_planned: bool) {
        let is_planned = is_planned && step.event.is_some();
        self.journal.written(step.key, &step.entry, is_planned);
        self.written.insert(step.key, step.entry);
    }

    /// Notes what is about to be written into a log that can be read again: after a kill everything is then known in full.
    pub(crate) fn plan<'a>(
        &mut self,
        steps: impl Iterator<Item = &'a Step>,
    ) -> std::io::Result<()> {
        for step in steps.filter(|step| step.event.is_some()) {
            self.journal.plan(step.key, &step.entry);
        }
        self.journal.flush(0)
    }

    /// Stops keeping a file.
    pub(crate) fn keep_nothing(&mut self) {
        self.journal.disable();
    }

    /// Reads a line of an alert log, unless a later one about its alert is known.
    pub(crate) fn replay(&mut self, line: &Written) {
        // A line that was planned and that the file does not know as written is later than all that it knows.
        if let Some((key, entry)) =
            self.journal.take_planned(&line.disruption.id(), line.transition)
        {
            self.set(key, entry);
            return;
        }
        let (key, entry) = self.rebuild(line);
        let is_news = |known: &Entry| is_newer(&entry, known) || knows_more(&entry, known);
        if self.alerts.entries.get(&key).is_none_or(is_news) {
            self.set(key, entry);
        }
    }

    /// What a line says, with what is known of the disruption already.
    fn rebuild(&self, line: &Written) -> (u64, Entry) {
        let key = self.aliases.get(&line.disruption.hash).copied().unwrap_or(line.disruption.hash);
        let known = self.alerts.entries.get(&key);
        match known.filter(|known| known.disruption.id() == line.disruption.id()) {
            Some(known) if line.transition == Transition::Resolved => {
                let mut entry = known.clone();
                entry.close(line.reported_at);
                (key, entry)
            }
            // Of an alert from an earlier version the line knows more than the file.
            Some(known) if known.is_open() && known.facts.is_none() => {
                let of_line = Entry::of_line(line);
                (key, Entry { disruption: line.disruption, facts: of_line.facts, ..known.clone() })
            }
            Some(known) => (key, known.clone()),
            None => (key, Entry::of_line(line)),
        }
    }

    fn set(&mut self, key: u64, entry: Entry) {
        if entry.disruption.hash != key {
            self.aliases.insert(entry.disruption.hash, key);
        }
        self.alerts.insert(key, entry.clone());
        self.written.insert(key, entry);
    }

    /// The start of the disruption of an alert that is not over, whose end only `origin` knows from now on.
    pub(crate) fn claim(&mut self, fingerprint: u64, origin: Origin) -> Option<Timestamp> {
        for alerts in [&mut self.alerts, &mut self.written] {
            if let Some(entry) = alerts.entries.get_mut(&fingerprint) {
                entry.origin = origin;
            }
        }
        let last = self.alerts.entries.get(&fingerprint)?;
        last.is_open().then_some(last.disruption.start)
    }

    /// When the rules were last evaluated, as far as a heartbeat said so.
    pub(crate) fn heartbeat(&self) -> Option<Timestamp> {
        self.heartbeat
    }

    /// Notes when the rules were last evaluated.
    pub(crate) fn beat(&mut self, evaluated_at: Timestamp) {
        self.heartbeat = Some(evaluated_at);
        self.journal.beat(evaluated_at);
    }

    /// Which alerts of the rules are open in the log and not among those that are present, with the reason, and whether nothing is
    /// left to be found out.
    pub(crate) fn gone(&self, present: &Present) -> (Vec<(u64, Ending)>, bool) {
        let firing: BTreeSet<u64> = present.firing.iter().map(AlertEvent::fingerprint).collect();
        let mut settled = true;
        let mut gone = Vec::new();
        for (key, entry) in &self.alerts.entries {
            if !entry.is_open() || entry.origin != Origin::Rules || firing.contains(key) {
                continue;
            }
            let none = Labels::default();
            let labels = entry.facts.as_ref().map_or(&none, |facts| &facts.labels);
            let name = labels.get("alertname").unwrap_or("");
            if present.pending.contains(key) || present.unknown.contains(name) {
                settled = false;
            } else if labels.get("severity") == Some("none") {
                // Written by an earlier version; such an alert is a heartbeat, and never over.
                gone.push((*key, Ending::NoLongerWatched));
            } else {
                gone.push((*key, present.watched.ending(labels)));
            }
        }
        (gone, settled)
    }

    /// The end of an alert that no one reported.
    pub(crate) fn end(&mut self, key: u64, at: Timestamp, ending: Ending) -> Option<Step> {
        let open = self.alerts.entries.get(&key).filter(|entry| entry.is_open())?;
        let event = AlertEvent { ending, ..end_of(open, at, at) };
        let mut entry = open.clone();
        entry.close(at);
        self.alerts.insert(key, entry.clone());
        Some(Step { key, entry, event: Some(event) })
    }

    /// Notes under which label sets each alert of the rules fires: its other label sets are over.
    pub(crate) fn keep_label_sets(&mut self, present: &Present) -> Vec<Step> {
        let firing: BTreeSet<u64> = present.firing.iter().map(AlertEvent::label_set).collect();
        let keys: BTreeSet<u64> = present.firing.iter().map(AlertEvent::fingerprint).collect();
        let mut steps = Vec::new();
        for key in keys {
            let Some(open) = self.alerts.entries.get(&key) else { continue };
            if !open.is_open() || open.origin != Origin::Rules {
                continue;
            }
            let mut entry = open.clone();
            for set in &mut entry.sets {
                if set.over_at.is_none() && !firing.contains(&set.hash) {
                    set.over_at = Some(present.at);
                }
            }
            if entry != *open {
                self.alerts.insert(key, entry.clone());
                steps.push(Step { key, entry, event: None });
            }
        }
        steps
    }

    /// Keeps an end until it is released, or its label set is reported as firing.
    pub(crate) fn hold(&mut self, end: &AlertEvent) -> Holding {
        let known = self.held.get(end.label_set());
        if known.is_some_and(|known| {
            *known == AlertEvent { reported_at: known.reported_at, ..end.clone() }
        }) {
            return Holding::Waiting;
        }
        let is_known = known.is_some();
        if self.follows(end).is_empty() {
            return if is_known { Holding::Waiting } else { Holding::Needless };
        }
        if !self.held.has_room(end) {
            return Holding::Full;
        }
        self.journal.hold(&record(end));
        self.held.insert(end.clone());
        if is_known { Holding::Waiting } else { Holding::New }
    }

    /// Drops the waiting end of a label set, because it was written or is no end after all. Returns whether there was one.
    pub(crate) fn unhold(&mut self, label_set: u64) -> bool {
        let removed = self.held.remove(label_set);
        if removed {
            self.journal.unhold(label_set);
        }
        removed
    }

    /// Up to so many of the waiting ends, as if they were reported now, in the order in which they happened.
    pub(crate) fn held(&self, limit: usize, now: Timestamp) -> Vec<AlertEvent> {
        let ends = self.held.earliest(limit);
        ends.map(|end| AlertEvent { reported_at: now, ..end.clone() }).collect()
    }

    /// Whether an alert was firing when it was last reported.
    #[cfg_attr(not(test), expect(dead_code, reason = "for stages that suppress"))]
    pub(crate) fn is_open(&self, fingerprint: u64) -> bool {
        self.alerts.entries.get(&fingerprint).is_some_and(Entry::is_open)
    }

    /// How many ends wait.
    pub(crate) fn held_count(&self) -> usize {
        self.held.count()
    }

    /// Whether the log is kept in a file, so that a restart changes nothing.
    pub(crate) fn is_kept(&self) -> bool {
        self.journal.is_open()
    }

    /// The log that is kept in the file at a path; where there is none, an empty one.
    pub(crate) fn open(path: PathBuf) -> Self {
        let read = Journal::read(path);
        let mut log = Self {
            held: read.held,
            heartbeat: read.heartbeat,
            journal: read.journal,
            ..Self::default()
        };
        for (key, entry) in read.entries {
            log.set(key, entry);
        }
        log
    }

    /// Writes what is new to the file. `bytes` is how many were written to the log since the last call.
    ///
    /// # Errors
    /// When it cannot be written. Then the end of an alert log alone says what was written.
    pub(crate) fn keep(&mut self, bytes: usize) -> std::io::Result<()> {
        if self.journal.is_due() {
            let newest =
                self.written.entries.values().map(|last| last.reported_at).max().unwrap_or(0);
            let is_kept = |entry: &&Entry| {
                entry.is_open() || entry.reported_at.saturating_add(END_KEPT_MS) > newest
            };
            let entries = self.written.entries.iter().filter(|(_, entry)| is_kept(entry));
            return self.journal.rewrite(entries, &self.held, self.heartbeat);
        }
        self.journal.flush(bytes)
    }

    /// The key of an alert. Version 0.1 knew alerts by all of their labels: such an entry moves to its present key.
    fn key(&mut self, event: &AlertEvent) -> u64 {
        let (key, old) = (event.fingerprint(), event.label_set());
        let moves = key != old
            && self.alerts.entries.contains_key(&old)
            && self.alerts.entries.get(&key).is_none_or(|entry| !entry.is_open());
        if moves {
            for alerts in [&mut self.alerts, &mut self.written] {
                if let Some(entry) = alerts.remove(old) {
                    alerts.insert(key, entry);
                }
            }
            self.journal.moved(old, key, self.written.entries.get(&key));
        }
        key
    }
}

impl Alerts {
    fn insert(&mut self, key: u64, mut entry: Entry) {
        self.remove(key);
        let bytes = entry.facts.as_ref().map_or(0, |facts| facts.bytes());
        if self.facts_bytes + bytes > FACTS_BYTES_MAX {
            entry.facts = None;
        } else {
            self.facts_bytes += bytes;
        }
        self.entries.insert(key, entry);
        if self.entries.len() > ALERTS_MAX {
            let rank = |entry: &Entry| (entry.is_open(), entry.reported_at);
            let mut ranks: Vec<_> = self.entries.values().map(rank).collect();
            ranks.sort_unstable();
            let limit = ranks.get(FORGOTTEN_AT_ONCE).copied();
            self.entries.retain(|_, entry| Some(rank(entry)) >= limit);
            let facts = self.entries.values().filter_map(|entry| entry.facts.as_ref());
            self.facts_bytes = facts.map(|facts| facts.bytes()).sum();
        }
    }

    fn remove(&mut self, key: u64) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        let bytes = entry.facts.as_ref().map_or(0, |facts| facts.bytes());
        self.facts_bytes = self.facts_bytes.saturating_sub(bytes);
        Some(entry)
    }
}

/// Whether an entry of the same disruption has what its end needs, and the other has not.
fn knows_more(entry: &Entry, known: &Entry) -> bool {
    let same = entry.disruption.id() == known.disruption.id() && known.is_open();
    same && entry.facts.is_some() && known.facts.is_none()
}

/// Whether an entry was written after another about the same alert.
fn is_newer(entry: &Entry, known: &Entry) -> bool {
    let order = |entry: &Entry| (entry.reported_at, entry.disruption.second, !entry.is_open());
    order(entry) > order(known)
}

#[cfg(test)]
mod tests;
