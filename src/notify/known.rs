//! What a log says of each alert already, so that each transition is written once however often it is reported.
//!
//! An alert is known by the labels that identify it. Its target's other labels may be edited while it fires, and several probers
//! may see it: it begins with the first label set that fires, and is over when none fires any more. Beside the log a small file
//! keeps what its end may no longer hold. Must not know how a line looks, nor who reports.

mod decide;
mod entry;
mod held;
mod journal;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use series::{Labels, Timestamp};

pub(super) use self::held::Holding;
use self::{
    decide::{begin, end_of, ends, goes_on, unheard},
    entry::Entry,
    held::HeldEnds,
    journal::Journal,
};
use super::{
    ending::Scope,
    line::Written,
    notice::{AHEAD_MS, Ending, Notice, Origin, Transition},
};

/// Of how many alerts the last line is remembered; beyond it the oldest of those that are over is forgotten first.
const ALERTS_MAX: usize = 50_000;
/// How many of them are forgotten at once, so that it is not done for each line.
const FORGOTTEN_AT_ONCE: usize = 5_000;
/// How much memory the labels and annotations of alerts that fire may take; what is beyond it ends in a line without them.
const FACTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the end of a disruption is kept in the file, in milliseconds: what was sent before it arrives by then.
const END_KEPT_MS: i64 = 60 * 60 * 1000;
/// What the log says of each alert.
#[derive(Default)]
pub(super) struct Known {
    /// What it says, or will say once everything that waits is written.
    alerts: Alerts,
    /// What is on the disk.
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

/// Something to write, and what is known once it is written.
#[derive(Debug)]
pub(super) struct Step {
    key: u64,
    entry: Entry,
    /// The line to write; none when only label sets changed.
    pub(super) notice: Option<Notice>,
}

/// What the rules of this program say at one moment, about every alert.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// When.
    pub at: Timestamp,
    /// The alerts that fire, each as a notice that it began to.
    pub firing: Vec<Notice>,
    /// The fingerprints of alerts that may fire soon: their disruptions are not over, and not certain to go on.
    pub pending: BTreeSet<u64>,
    /// The names of the alerts of rules that could not be evaluated: nothing is known of them.
    pub unknown: BTreeSet<String>,
    /// What is watched.
    pub scope: Scope,
}

impl Known {
    /// Takes a notice in; nothing comes back when it says nothing new. The notices that come back carry their disruption: an end
    /// has the identifier under which its beginning was written. What fires is not over after all: an end that waits is none then.
    pub(super) fn admit(&mut self, notice: &Notice) -> Vec<Step> {
        let is_resumed =
            !notice.is_end() && self.held_count() > 0 && self.unhold(notice.label_set());
        let steps = if is_resumed {
            self.follows(&Notice { continues: true, ..notice.clone() })
        } else {
            self.follows(notice)
        };
        for step in &steps {
            self.alerts.insert(step.key, step.entry.clone());
        }
        steps
    }

    /// What follows from a notice.
    fn follows(&mut self, notice: &Notice) -> Vec<Step> {
        let key = self.key(notice);
        let newest = self.alerts.entries.get(&key);
        // A line from the future was written before our clock was set back, and would mute the alert until then.
        let last = newest.filter(|last| last.told_at <= notice.told_at.saturating_add(AHEAD_MS));
        match (notice.transition, last) {
            (Transition::Firing, Some(open)) if open.is_open() => {
                goes_on(key, open, notice, self.alerts.facts_bytes < FACTS_BYTES_MAX)
            }
            (Transition::Firing, last) => begin(key, last, notice).into_iter().collect(),
            (Transition::Resolved, Some(open)) if open.is_open() => ends(key, open, notice),
            (Transition::Resolved, last) => {
                let steps = unheard(key, last, notice);
                // After such a line the beginning may be in the log; twice would be worse than not at all.
                let known = usize::from(last.is_none() && newest.is_some());
                steps.into_iter().skip(known).collect()
            }
        }
    }

    /// Notes that a step is on the disk.
    pub(super) fn written(&mut self, step: Step) {
        self.journal.written(step.key, &step.entry, step.notice.is_some());
        self.written.insert(step.key, step.entry);
    }

    /// Notes what is about to be written, so that it is known in full should the program be killed right after.
    pub(super) fn plan<'a>(
        &mut self,
        steps: impl Iterator<Item = &'a Step>,
    ) -> std::io::Result<()> {
        for step in steps.filter(|step| step.notice.is_some()) {
            self.journal.plan(step.key, &step.entry);
        }
        self.journal.flush(0)
    }

    /// Keeps no file beside the log.
    pub(super) fn keep_nothing(&mut self) {
        self.journal.disable();
    }

    /// Takes a line in that is in the log, unless a later one about its alert is known.
    pub(super) fn replay(&mut self, line: &Written) {
        // A line that was planned and that the file does not know as written is later than all that it knows.
        if let Some((key, entry)) = self.journal.take_planned(&line.event.id(), line.transition) {
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
        let key = self.aliases.get(&line.event.hash).copied().unwrap_or(line.event.hash);
        let known = self.alerts.entries.get(&key);
        match known.filter(|known| known.event.id() == line.event.id()) {
            Some(known) if line.transition == Transition::Resolved => {
                let mut entry = known.clone();
                entry.close(line.told_at);
                (key, entry)
            }
            // Of an alert from an earlier version the line knows more than the file.
            Some(known) if known.is_open() && known.facts.is_none() => {
                let of_line = Entry::of_line(line);
                (key, Entry { event: line.event, facts: of_line.facts, ..known.clone() })
            }
            Some(known) => (key, known.clone()),
            None => (key, Entry::of_line(line)),
        }
    }

    fn set(&mut self, key: u64, entry: Entry) {
        if entry.event.hash != key {
            self.aliases.insert(entry.event.hash, key);
        }
        self.alerts.insert(key, entry.clone());
        self.written.insert(key, entry);
    }

    /// The start of the disruption of an alert that is not over, whose end only `origin` knows from now on.
    pub(super) fn claim(&mut self, fingerprint: u64, origin: Origin) -> Option<Timestamp> {
        for alerts in [&mut self.alerts, &mut self.written] {
            if let Some(entry) = alerts.entries.get_mut(&fingerprint) {
                entry.origin = origin;
            }
        }
        let last = self.alerts.entries.get(&fingerprint)?;
        last.is_open().then_some(last.event.start)
    }

    /// When the rules were last evaluated, as far as a heartbeat said so.
    pub(super) fn heartbeat(&self) -> Option<Timestamp> {
        self.heartbeat
    }

    /// Notes when the rules were last evaluated.
    pub(super) fn beat(&mut self, evaluated_at: Timestamp) {
        self.heartbeat = Some(evaluated_at);
        self.journal.beat(evaluated_at);
    }

    /// Which alerts of the rules are open in the log and not among those that are present, with the reason, and whether nothing is
    /// left to be found out.
    pub(super) fn gone(&self, present: &Present) -> (Vec<(u64, Ending)>, bool) {
        let firing: BTreeSet<u64> = present.firing.iter().map(Notice::fingerprint).collect();
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
                gone.push((*key, present.scope.ending(labels)));
            }
        }
        (gone, settled)
    }

    /// The end of an alert that no one reported.
    pub(super) fn end(&mut self, key: u64, at: Timestamp, ending: Ending) -> Option<Step> {
        let open = self.alerts.entries.get(&key).filter(|entry| entry.is_open())?;
        let notice = Notice { ending, ..end_of(open, at, at) };
        let mut entry = open.clone();
        entry.close(at);
        self.alerts.insert(key, entry.clone());
        Some(Step { key, entry, notice: Some(notice) })
    }

    /// Under which label sets an alert of the rules fires: the others of it are over.
    pub(super) fn keep_label_sets(&mut self, present: &Present) -> Vec<Step> {
        let firing: BTreeSet<u64> = present.firing.iter().map(Notice::label_set).collect();
        let keys: BTreeSet<u64> = present.firing.iter().map(Notice::fingerprint).collect();
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
                steps.push(Step { key, entry, notice: None });
            }
        }
        steps
    }

    /// Reads the file beside a log; where there is none, nothing.
    pub(super) fn read(&mut self, log: &Path) {
        let read = Journal::read(log);
        for (key, entry) in read.entries {
            self.set(key, entry);
        }
        self.held = read.held;
        self.heartbeat = read.heartbeat;
        self.journal = read.journal;
    }

    /// Brings what is known to the file beside the log. `bytes` is how many were written to the log since the last call.
    ///
    /// # Errors
    /// When it cannot be written. Then the end of the log alone says what was written.
    pub(super) fn keep(&mut self, bytes: usize) -> std::io::Result<()> {
        if self.journal.is_due() {
            let newest = self.written.entries.values().map(|last| last.told_at).max().unwrap_or(0);
            let is_kept = |entry: &&Entry| {
                entry.is_open() || entry.told_at.saturating_add(END_KEPT_MS) > newest
            };
            let entries = self.written.entries.iter().filter(|(_, entry)| is_kept(entry));
            return self.journal.rewrite(entries, &self.held, self.heartbeat);
        }
        self.journal.flush(bytes)
    }

    /// The key of an alert. Version 0.1 knew alerts by all of their labels: such an entry moves to its present key.
    fn key(&mut self, notice: &Notice) -> u64 {
        let (key, old) = (notice.fingerprint(), notice.label_set());
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
            let rank = |entry: &Entry| (entry.is_open(), entry.told_at);
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
    let same = entry.event.id() == known.event.id() && known.is_open();
    same && entry.facts.is_some() && known.facts.is_none()
}

/// Whether an entry was written after another about the same alert.
fn is_newer(entry: &Entry, known: &Entry) -> bool {
    let order = |entry: &Entry| (entry.told_at, entry.event.second, !entry.is_open());
    order(entry) > order(known)
}

#[cfg(test)]
mod tests;
