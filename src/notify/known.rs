//! What a log tells of each alert already, so that each transition is written once however often it is told.
//!
//! Beside the log a small file keeps what the end of the log may no longer hold: an alert may be told again days after its line
//! was written. Must not know how a line looks, nor who tells.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use series::Timestamp;

use super::{Notice, Transition};

/// Of how many alerts the last line is remembered; beyond it the oldest of those that are over is forgotten first.
const ALERTS_MAX: usize = 50_000;
/// How many of them are forgotten at once, so that it is not done for each line.
const FORGOTTEN_AT_ONCE: usize = 5_000;
/// How long the end of a disruption is kept in the file, in milliseconds: what was sent before it arrives by then.
const END_KEPT_MS: i64 = 60 * 60 * 1000;
/// How late an alert that fired before its end was told may arrive, in milliseconds. An Alertmanager tells of a group one request
/// after the other, so only another member of a cluster can be late.
const LATE_MS: i64 = 60 * 1000;
/// How far another clock, or our own before it was set, may be ahead of ours, in milliseconds, for its times to be believed.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// What the log tells of each alert.
#[derive(Default)]
pub(super) struct Known {
    /// What it tells, or will tell once everything that waits is written.
    alerts: Alerts,
    /// What is on the disk.
    written: Alerts,
    /// Whether that is other than in the file.
    changed: bool,
}

/// The last line about each alert, by the hash of its labels.
#[derive(Default)]
struct Alerts(BTreeMap<u64, Last>);

/// What is known once a line is written.
pub(super) struct Entry(u64, Last);

/// The last line about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    transition: Transition,
    /// The start of the disruption as it stands in the line, in seconds.
    begun: i64,
    /// The latest start that was told of this disruption, in seconds. Alertmanager moves the start of an alert back when another
    /// Prometheus had seen it earlier, and tells a later one when it was over and began again before its group was told.
    latest: i64,
    /// When it was told.
    told_at: Timestamp,
}

/// A line of the log as it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The identifier of the disruption.
    pub(super) id: String,
    /// What happened.
    pub(super) transition: Transition,
    /// The time of the line.
    pub(super) told_at: Timestamp,
}

impl Known {
    /// Takes a notice in, or `None` when it tells nothing new. What comes back is the notice to write: the end of a disruption
    /// carries the identifier under which its beginning was written.
    pub(super) fn admit(&mut self, notice: &Notice) -> Option<(Notice, Entry)> {
        let fingerprint = notice.fingerprint();
        // A line from the future was written before our clock was set back, and would mute the alert until then.
        let last = self.alerts.0.get(&fingerprint).copied();
        let last = last.filter(|last| last.told_at <= notice.told_at.saturating_add(AHEAD_MS));
        let begun = match notice.transition {
            Transition::Firing => firing(notice, last)?,
            Transition::Resolved => resolved(notice, last)?,
        };
        let start = seconds(notice.active_at);
        let told_at = notice.told_at;
        let same = last.filter(|last| last.begun == begun);
        let latest = same.map_or(begun, |last| last.latest).max(start.min(seconds(told_at)));
        let last = Last { transition: notice.transition, begun, latest, told_at };
        self.alerts.insert(fingerprint, last);
        let active_at = if begun == start { notice.active_at } else { begun.saturating_mul(1000) };
        Some((Notice { active_at, ..notice.clone() }, Entry(fingerprint, last)))
    }

    /// Notes that the line of an admitted notice is on the disk.
    pub(super) fn written(&mut self, Entry(fingerprint, last): Entry) {
        self.written.insert(fingerprint, last);
        self.changed = true;
    }

    /// Takes a line in that stands in the log, unless a later one about its alert is known.
    pub(super) fn replay(&mut self, line: &Written) {
        let Some((fingerprint, begun)) = parts(&line.id) else { return };
        let last =
            Last { transition: line.transition, begun, latest: begun, told_at: line.told_at };
        self.replay_last(fingerprint, last);
    }

    fn replay_last(&mut self, fingerprint: u64, last: Last) {
        let newer = |known: &Last| {
            let order = known.told_at.cmp(&last.told_at);
            order.is_lt() || order.is_eq() && known.transition != last.transition
        };
        if self.alerts.0.get(&fingerprint).is_none_or(newer) {
            self.alerts.insert(fingerprint, last);
            self.written(Entry(fingerprint, last));
        }
    }

    /// The start of the disruption of an alert that is not over.
    pub(super) fn open_since(&self, fingerprint: u64) -> Option<Timestamp> {
        let last = self.alerts.0.get(&fingerprint)?;
        (last.transition == Transition::Firing).then(|| last.begun.saturating_mul(1000))
    }

    /// Reads the file beside a log; where there is none, nothing.
    pub(super) fn read(&mut self, log: &Path) {
        let bytes = file(log).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some((fingerprint, last)) = parse(line) {
                self.replay_last(fingerprint, last);
            }
        }
    }

    /// Writes the file beside a log, when it has to change.
    ///
    /// # Errors
    /// When it cannot be written. Then the end of the log alone tells what was written.
    pub(super) fn keep(&mut self, log: &Path) -> io::Result<()> {
        let Some(path) = file(log).filter(|_| self.changed) else { return Ok(()) };
        let newest = self.written.0.values().map(|last| last.told_at).max().unwrap_or(0);
        let mut text = String::new();
        for (fingerprint, last) in &self.written.0 {
            let Last { transition, begun, latest, told_at } = last;
            if *transition == Transition::Firing || told_at.saturating_add(END_KEPT_MS) > newest {
                let word = transition.as_str();
                // Writing to a string cannot fail.
                let _infallible =
                    writeln!(text, "{fingerprint:016x}-{begun} {word} {told_at} {latest}");
            }
        }
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &path)?;
        self.changed = false;
        Ok(())
    }
}

impl Alerts {
    fn insert(&mut self, fingerprint: u64, last: Last) {
        self.0.insert(fingerprint, last);
        if self.0.len() > ALERTS_MAX {
            let rank = |last: &Last| (last.transition == Transition::Firing, last.told_at);
            let mut ranks: Vec<_> = self.0.values().map(rank).collect();
            ranks.sort_unstable();
            let limit = ranks.get(FORGOTTEN_AT_ONCE).copied();
            self.0.retain(|_, last| Some(rank(last)) >= limit);
        }
    }
}

/// The start under which an alert that fires is to be written, in seconds; `None` when it is written already.
fn firing(notice: &Notice, last: Option<Last>) -> Option<i64> {
    let start = seconds(notice.active_at);
    let believed = notice.active_at <= notice.told_at.saturating_add(AHEAD_MS);
    let now = seconds(notice.told_at);
    match last {
        Some(last) if last.transition == Transition::Firing => {
            (believed && start > last.latest).then_some(start)
        }
        Some(last) if !believed || start <= last.latest => {
            // Its end was told already. Soon after that it is a message that came late. Otherwise it is not over after all: an
            // Alertmanager that heard nothing of it for a while took it for over, and hears of it again, with its old start.
            (notice.told_at > last.told_at.saturating_add(LATE_MS)).then_some(now)
        }
        _ if !believed => Some(now),
        _ => Some(start),
    }
}

/// The start under which the end of an alert is to be written, in seconds; `None` when it is written already.
fn resolved(notice: &Notice, last: Option<Last>) -> Option<i64> {
    let start = seconds(notice.active_at);
    match last {
        None => Some(start),
        // The end of an earlier disruption, which the next one has overtaken.
        Some(last) if last.transition == Transition::Firing && seconds(notice.at) < last.begun => {
            None
        }
        Some(last) if last.transition == Transition::Firing => Some(last.begun),
        // It began and ended without a word; otherwise it is the end that was told.
        Some(last) => (start > last.latest && notice.at > last.told_at).then_some(start),
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.div_euclid(1000)
}

/// The fingerprint and the second of the start in an identifier.
fn parts(id: &str) -> Option<(u64, i64)> {
    let (fingerprint, begun) = id.split_once('-')?;
    let fingerprint =
        u64::from_str_radix(fingerprint, 16).ok().filter(|_| fingerprint.len() == 16)?;
    Some((fingerprint, begun.parse().ok()?))
}

/// A line of the file.
fn parse(line: &str) -> Option<(u64, Last)> {
    let mut words = line.split(' ');
    let (fingerprint, begun) = parts(words.next()?)?;
    let transition = words.next()?.parse().ok()?;
    let (told_at, latest) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((fingerprint, Last { transition, begun, latest, told_at }))
}

/// Where the file stands: hidden beside the log, so that patterns for the log and its rotated files do not match it.
fn file(log: &Path) -> Option<PathBuf> {
    let name = log.file_name()?.to_str()?;
    Some(log.with_file_name(format!(".{name}.known")))
}

#[cfg(test)]
mod tests;
