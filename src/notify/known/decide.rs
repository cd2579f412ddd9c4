//! What follows from a report about an alert whose last line is known: a line, another label set, or nothing.
//!
//! Must not know where lines and entries are kept.

use std::sync::Arc;

use series::Timestamp;

use super::{
    Step,
    entry::{Entry, Facts},
};
use crate::notify::notice::{AHEAD_MS, Ending, Event, Notice, Origin, Transition};

/// How late an alert that fired before its end was reported may arrive, in milliseconds. An Alertmanager reports a group one
/// request after the other, so only another member of a cluster can be late.
const LATE_MS: i64 = 60 * 1000;

/// An alert fires of which that is known already, or another of its label sets. `room` says whether what its end needs may be kept.
pub(super) fn goes_on(key: u64, open: &Entry, notice: &Notice, room: bool) -> Vec<Step> {
    let hash = notice.label_set();
    let start = seconds(notice.active_at).min(seconds(notice.told_at));
    let mut entry = open.clone();
    let begins_anew = match open.set(hash) {
        Some(set) => match set.over_at {
            // A message that came late, and others of its label sets still fire.
            Some(over_at)
                if start <= set.latest && notice.told_at <= over_at.saturating_add(LATE_MS) =>
            {
                return Vec::new();
            }
            Some(_) => false,
            None => is_believed(notice) && start > set.latest,
        },
        None => false,
    };
    let alone = open.sets.iter().all(|set| set.hash == hash || set.over_at.is_some());
    let same_start = notice.started_at().is_some_and(|at| seconds(at) <= seconds(open.event.start));
    if begins_anew && alone && !same_start && !notice.continues {
        // It was over and began again before that was reported.
        let mut over = end_of(open, notice.active_at.min(notice.told_at), notice.told_at);
        over.labels = notice.labels.clone();
        let mut closed = entry;
        closed.close(notice.told_at);
        let again = begin(key, Some(&closed), notice);
        let over = Step { key, entry: closed, notice: Some(over) };
        return std::iter::once(over).chain(again).collect();
    }
    let latest = if is_believed(notice) { start } else { open.opened };
    entry.note(hash, latest, None);
    if entry.facts.is_none() && room {
        entry.facts = Some(Arc::new(Facts::of(notice)));
    }
    if entry == *open { Vec::new() } else { vec![Step { key, entry, notice: None }] }
}

/// The beginning of a disruption; `None` when the message came late.
pub(super) fn begin(key: u64, last: Option<&Entry>, notice: &Notice) -> Option<Step> {
    let (start, now) = (seconds(notice.active_at), seconds(notice.told_at));
    let hash = notice.label_set();
    // It was reported later than it happened, and its end is in the log already.
    if notice.at < notice.told_at && last.is_some_and(|last| is_own_past(notice, last)) {
        return None;
    }
    let old_start = last.is_some_and(|last| start <= last.latest());
    let opened = if !is_believed(notice) {
        now
    } else if let Some(last) = last.filter(|_| old_start) {
        // Its end was reported already. Soon after that it is a message that came late. Otherwise it is not over after all: an
        // Alertmanager that heard nothing of it for a while took it for over, and hears of it again, with its old start. The rules of
        // this program are never late: it began again within a second, which is as much as a start is known after a restart.
        let may_be_late = notice.origin != Origin::Rules;
        let known = may_be_late && (last.sets.is_empty() || last.set(hash).is_some());
        if known && notice.told_at <= last.told_at.saturating_add(LATE_MS) {
            return None;
        }
        now
    } else {
        start
    };
    let event = event(key, last, notice, opened);
    let mut sets: Vec<_> = Vec::new();
    if let Some(last) = last {
        sets.clone_from(&last.sets);
    }
    let mut entry = Entry {
        transition: Transition::Firing,
        event,
        opened,
        told_at: notice.told_at,
        origin: notice.origin,
        sets,
        facts: Some(Arc::new(Facts::of(notice))),
    };
    entry.note(hash, opened, None);
    let notice = Notice { event: Some(event), ..notice.clone() };
    Some(Step { key, entry, notice: Some(notice) })
}

/// The end of an alert whose beginning the log does not have: both are written, so that no line is without its counterpart.
/// Nothing when it is an end that the log has.
pub(super) fn unheard(key: u64, last: Option<&Entry>, notice: &Notice) -> Vec<Step> {
    let start = seconds(notice.active_at);
    if last.is_some_and(|last| start <= last.latest() || notice.at <= last.told_at) {
        return Vec::new();
    }
    let event = event(key, last, notice, start);
    let mut open = Entry {
        transition: Transition::Firing,
        event,
        opened: start,
        told_at: notice.told_at,
        origin: notice.origin,
        sets: last.map(|last| last.sets.clone()).unwrap_or_default(),
        facts: Some(Arc::new(Facts::of(notice))),
    };
    open.note(notice.label_set(), start.min(seconds(notice.told_at)), None);
    let mut over = open.clone();
    over.close(notice.told_at);
    let begun = Notice {
        transition: Transition::Firing,
        at: notice.active_at.min(notice.at),
        ending: Ending::default(),
        event: Some(event),
        ..notice.clone()
    };
    let ended = Notice { event: Some(event), ..notice.clone() };
    vec![
        Step { key, entry: open, notice: Some(begun) },
        Step { key, entry: over, notice: Some(ended) },
    ]
}

/// A label set of an open alert no longer fires: the end of the alert when it was the last.
pub(super) fn ends(key: u64, open: &Entry, notice: &Notice) -> Vec<Step> {
    // The end of an earlier disruption, which the next one has overtaken.
    if seconds(notice.at) < open.opened {
        return Vec::new();
    }
    let hash = notice.label_set();
    let mut entry = open.clone();
    if !open.sets.is_empty() && open.set(hash).is_none() && open.fires() {
        return Vec::new();
    }
    let start = seconds(notice.active_at).min(seconds(notice.told_at));
    entry.note(hash, start, Some(notice.told_at));
    if entry.fires() {
        let changed = entry != *open;
        return changed.then_some(Step { key, entry, notice: None }).into_iter().collect();
    }
    entry.close(notice.told_at);
    // Where the end says less than is known of the beginning, the line has that.
    let mut annotations = notice.annotations.clone();
    for (name, text) in open.facts.iter().flat_map(|facts| facts.annotations.iter()) {
        if annotations.get(name).is_none() {
            annotations = annotations.with(name, text);
        }
    }
    let notice = Notice { event: Some(open.event), annotations, ..notice.clone() };
    vec![Step { key, entry, notice: Some(notice) }]
}

/// The end of an open alert as far as the log knows it.
pub(super) fn end_of(open: &Entry, at: Timestamp, told_at: Timestamp) -> Notice {
    let (labels, annotations) = open
        .facts
        .as_ref()
        .map(|facts| (facts.labels.clone(), facts.annotations.clone()))
        .unwrap_or_default();
    Notice {
        transition: Transition::Resolved,
        at,
        told_at,
        active_at: open.event.start,
        labels,
        annotations,
        origin: open.origin,
        event: Some(open.event),
        ..Notice::default()
    }
}

/// The identifier of a disruption: the second of its first failed check, unless an earlier disruption had that one.
fn event(key: u64, last: Option<&Entry>, notice: &Notice, opened: i64) -> Event {
    let taken = last.map_or(i64::MIN, |last| last.event.second);
    let active = if opened == seconds(notice.active_at) {
        notice.active_at
    } else {
        opened.saturating_mul(1000)
    };
    let first = notice.started_at().filter(|_| active == notice.active_at).unwrap_or(active);
    let now = seconds(notice.told_at).max(taken.saturating_add(1)).saturating_mul(1000);
    let starts = [first, active, now];
    let start = starts.into_iter().find(|start| seconds(*start) > taken).unwrap_or(now);
    Event { hash: key, second: seconds(start), start }
}

/// Whether the rules say of an alert from before a restart that it fires, and the log has its end.
fn is_own_past(notice: &Notice, last: &Entry) -> bool {
    notice.origin == Origin::Rules && last.told_at >= notice.at
}

/// Whether the start of an alert can be one.
fn is_believed(notice: &Notice) -> bool {
    notice.active_at <= notice.told_at.saturating_add(AHEAD_MS)
}

fn seconds(at: Timestamp) -> i64 {
    at.div_euclid(1000)
}
