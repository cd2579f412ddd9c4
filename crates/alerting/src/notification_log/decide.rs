//! What follows from a report about an alert whose last line is known: a line, another label set, or nothing.
//!
//! Must not know where lines and entries are kept.

use std::sync::Arc;

use series::Timestamp;

use super::entry::{Entry, Facts, Step};
use crate::event::{AHEAD_MS, AlertEvent, Disruption, Ending, Origin, Transition};

/// How late an alert that fired before its end was reported may arrive, in milliseconds. An Alertmanager reports a group one
/// request after the other, so only another member of a cluster can be late.
const LATE_MS: i64 = 60 * 1000;

/// An alert fires that is known to fire, under this or another of its label sets. `room` says whether what its end needs may be kept.
pub(super) fn goes_on(key: u64, open: &Entry, event: &AlertEvent, room: bool) -> Vec<Step> {
    let hash = event.label_set();
    let start = seconds(event.active_at).min(seconds(event.reported_at));
    let mut entry = open.clone();
    let begins_anew = match open.set(hash) {
        Some(set) => match set.over_at {
            // A message that came late, and others of its label sets still fire.
            Some(over_at)
                if start <= set.latest && event.reported_at <= over_at.saturating_add(LATE_MS) =>
            {
                return Vec::new();
            }
            Some(_) => false,
            None => is_believed(event) && start > set.latest,
        },
        None => false,
    };
    let alone = open.sets.iter().all(|set| set.hash == hash || set.over_at.is_some());
    let same_start =
        event.started_at().is_some_and(|at| seconds(at) <= seconds(open.disruption.start));
    if begins_anew && alone && !same_start && !event.continues {
        // It was over and began again before that was reported.
        let mut over = end_of(open, event.active_at.min(event.reported_at), event.reported_at);
        over.labels = event.labels.clone();
        let mut closed = entry;
        closed.close(event.reported_at);
        let again = begin(key, Some(&closed), event);
        let over = Step { key, entry: closed, event: Some(over) };
        return std::iter::once(over).chain(again).collect();
    }
    let latest = if is_believed(event) { start } else { open.opened };
    entry.note(hash, latest, None);
    if entry.facts.is_none() && room {
        entry.facts = Some(Arc::new(Facts::of(event)));
    }
    if entry == *open { Vec::new() } else { vec![Step { key, entry, event: None }] }
}

/// The beginning of a disruption; `None` when the message came late.
pub(super) fn begin(key: u64, last: Option<&Entry>, event: &AlertEvent) -> Option<Step> {
    let (start, now) = (seconds(event.active_at), seconds(event.reported_at));
    let hash = event.label_set();
    // It was reported later than it happened, and its end is in the log already.
    if event.at < event.reported_at && last.is_some_and(|last| is_own_past(event, last)) {
        return None;
    }
    let old_start = last.is_some_and(|last| start <= last.latest());
    let opened = if !is_believed(event) {
        now
    } else if let Some(last) = last.filter(|_| old_start) {
        // Its end was reported already. Soon after that it is a message that came late. Otherwise it is not over after all: an
        // Alertmanager that heard nothing of it for a while took it for over, and hears of it again, with its old start. The rules of
        // this program are never late: it began again within a second, which is as much as a start is known after a restart.
        let may_be_late = event.origin != Origin::Rules;
        let known = may_be_late && (last.sets.is_empty() || last.set(hash).is_some());
        if known && event.reported_at <= last.reported_at.saturating_add(LATE_MS) {
            return None;
        }
        now
    } else {
        start
    };
    let disruption = disruption(key, last, event, opened);
    let mut sets: Vec<_> = Vec::new();
    if let Some(last) = last {
        sets.clone_from(&last.sets);
    }
    let mut entry = Entry {
        transition: Transition::Firing,
        disruption,
        opened,
        reported_at: event.reported_at,
        origin: event.origin,
        sets,
        facts: Some(Arc::new(Facts::of(event))),
    };
    entry.note(hash, opened, None);
    let event = AlertEvent { disruption: Some(disruption), ..event.clone() };
    Some(Step { key, entry, event: Some(event) })
}

/// The end of an alert whose beginning the log does not have: both are written, so that no line is without its counterpart.
/// Nothing when it is an end that the log has.
pub(super) fn unheard(key: u64, last: Option<&Entry>, event: &AlertEvent) -> Vec<Step> {
    let start = seconds(event.active_at);
    if last.is_some_and(|last| start <= last.latest() || event.at <= last.reported_at) {
        return Vec::new();
    }
    let disruption = disruption(key, last, event, start);
    let mut open = Entry {
        transition: Transition::Firing,
        disruption,
        opened: start,
        reported_at: event.reported_at,
        origin: event.origin,
        sets: last.map(|last| last.sets.clone()).unwrap_or_default(),
        facts: Some(Arc::new(Facts::of(event))),
    };
    open.note(event.label_set(), start.min(seconds(event.reported_at)), None);
    let mut over = open.clone();
    over.close(event.reported_at);
    let begun = AlertEvent {
        transition: Transition::Firing,
        at: event.active_at.min(event.at),
        ending: Ending::default(),
        disruption: Some(disruption),
        ..event.clone()
    };
    let ended = AlertEvent { disruption: Some(disruption), ..event.clone() };
    vec![
        Step { key, entry: open, event: Some(begun) },
        Step { key, entry: over, event: Some(ended) },
    ]
}

/// A label set of an open alert no longer fires: the end of the alert when it was the last.
pub(super) fn ends(key: u64, open: &Entry, event: &AlertEvent) -> Vec<Step> {
    // The end of an earlier disruption, which the next one has overtaken.
    if seconds(event.at) < open.opened {
        return Vec::new();
    }
    let hash = event.label_set();
    let mut entry = open.clone();
    if !open.sets.is_empty() && open.set(hash).is_none() && open.fires() {
        return Vec::new();
    }
    let start = seconds(event.active_at).min(seconds(event.reported_at));
    entry.note(hash, start, Some(event.reported_at));
    if entry.fires() {
        let changed = entry != *open;
        return changed.then_some(Step { key, entry, event: None }).into_iter().collect();
    }
    entry.close(event.reported_at);
    // Where the end says less than is known of the beginning, the line has that.
    let mut annotations = event.annotations.clone();
    for (name, text) in open.facts.iter().flat_map(|facts| facts.annotations.iter()) {
        if annotations.get(name).is_none() {
            annotations = annotations.with(name, text);
        }
    }
    let event = AlertEvent { disruption: Some(open.disruption), annotations, ..event.clone() };
    vec![Step { key, entry, event: Some(event) }]
}

/// The end of an open alert as far as the log knows it.
pub(super) fn end_of(open: &Entry, at: Timestamp, reported_at: Timestamp) -> AlertEvent {
    let (labels, annotations) = open
        .facts
        .as_ref()
        .map(|facts| (facts.labels.clone(), facts.annotations.clone()))
        .unwrap_or_default();
    AlertEvent {
        transition: Transition::Resolved,
        at,
        reported_at,
        active_at: open.disruption.start,
        labels,
        annotations,
        origin: open.origin,
        disruption: Some(open.disruption),
        ..AlertEvent::default()
    }
}

/// The identifier of a disruption: the second of its first failed check, unless an earlier disruption had that one.
fn disruption(key: u64, last: Option<&Entry>, event: &AlertEvent, opened: i64) -> Disruption {
    let taken = last.map_or(i64::MIN, |last| last.disruption.second);
    let active = if opened == seconds(event.active_at) {
        event.active_at
    } else {
        opened.saturating_mul(1000)
    };
    let first = event.started_at().filter(|_| active == event.active_at).unwrap_or(active);
    let now = seconds(event.reported_at).max(taken.saturating_add(1)).saturating_mul(1000);
    let starts = [first, active, now];
    let start = starts.into_iter().find(|start| seconds(*start) > taken).unwrap_or(now);
    Disruption { hash: key, second: seconds(start), start }
}

/// Whether the rules say of an alert from before a restart that it fires, and the log has its end.
fn is_own_past(event: &AlertEvent, last: &Entry) -> bool {
    event.origin == Origin::Rules && last.reported_at >= event.at
}

/// Whether the start of an alert is plausible.
fn is_believed(event: &AlertEvent) -> bool {
    event.active_at <= event.reported_at.saturating_add(AHEAD_MS)
}

fn seconds(at: Timestamp) -> i64 {
    at.div_euclid(1000)
}
