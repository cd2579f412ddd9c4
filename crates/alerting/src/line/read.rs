//! What a line of the log says, read again after a restart.
//!
//! Must not know files, nor what is made of it.

use serde_json::Value;
use series::{Labels, Timestamp, rule::identity};

use crate::event::{Disruption, Transition, hash};

/// Up to this length a line is certain to hold every label: they are left out only of lines that would be too long otherwise.
const WHOLE_BYTES: usize = 4_000;
/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// A line of the log as it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The disruption.
    pub(crate) disruption: Disruption,
    /// What happened.
    pub(crate) transition: Transition,
    /// The time of the line.
    pub(crate) reported_at: Timestamp,
    /// The labels, as far as they are in the line.
    pub(crate) labels: Labels,
    /// The annotations that the line of the end needs, as far as they are in this one.
    pub(crate) annotations: Labels,
    /// The hash of all labels, when the line has all of them.
    pub(crate) label_set: Option<u64>,
}

/// What a line in any of the formats says; `None` when it is not one of this log.
pub(crate) fn read(line: &str) -> Option<Written> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.starts_with('{') {
        return read_json(line);
    }
    let plain = if line.starts_with("@timestamp=") { logfmt(line) } else { text(line) };
    let (reported_at, id, action) = plain?;
    let (hash, second) = parts(id)?;
    Some(Written {
        disruption: Disruption { hash, second, start: second.saturating_mul(1000) },
        transition: action.to_ascii_lowercase().parse().ok()?,
        reported_at: parse_time(&reported_at)?,
        labels: Labels::default(),
        annotations: Labels::default(),
        label_set: None,
    })
}

/// The hash and the second in an identifier.
pub(crate) fn parts(id: &str) -> Option<(u64, i64)> {
    let (hash, second) = id.split_once('-')?;
    let hash = u64::from_str_radix(hash, 16).ok().filter(|_| hash.len() == 16)?;
    Some((hash, second.parse().ok()?))
}

/// Time, identifier and action of a line whose first four words have fixed places.
fn logfmt(line: &str) -> Option<(String, &str, &str)> {
    let mut words = line.split(' ');
    let mut word = || words.next();
    let (reported_at, _level, id, action) = (word()?, word()?, word()?, word()?);
    Some((
        reported_at.strip_prefix("@timestamp=")?.to_owned(),
        id.strip_prefix("event.id=")?,
        action.strip_prefix("event.action=")?,
    ))
}

/// The same of a line for people: the date, the time, the word, and the identifier in brackets at the very end.
fn text(line: &str) -> Option<(String, &str, &str)> {
    let mut words = line.split(' ');
    let mut word = || words.next();
    let first = word()?;
    if first.contains('T') {
        // As it was up to version 0.1: one word for the time, then level, identifier and action.
        let (_level, id, action) = (word()?, word()?, word()?);
        return Some((first.to_owned(), id, action));
    }
    let (time, action) = (word()?, word()?);
    let id = line.strip_suffix(']')?.rsplit(" [").next()?;
    Some((format!("{first} {time}"), id, action))
}

fn read_json(line: &str) -> Option<Written> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name)?.as_str();
    let (hash_of_id, second) = parts(text("event.id")?)?;
    let start = text("event.start").and_then(parse_time);
    let field = |name, label| Some((label, text(name)?));
    let named = [
        field("rule.name", "alertname"),
        field("service.name", "service"),
        field("url.full", "instance"),
    ];
    let others = value.get("labels").and_then(Value::as_object).into_iter().flatten();
    let others = others.filter_map(|(name, label)| Some((name.as_str(), label.as_str()?)));
    let labels = Labels::new(named.into_iter().flatten().chain(others));
    let notes = [
        field("error.type", "error_type"),
        field("event.url", "runbook_url"),
        field("event.reference", "dashboard_url"),
    ];
    let whole =
        line.len() < WHOLE_BYTES && labels.iter().all(|(_, text)| !text.ends_with(ELLIPSIS));
    // Without the user and password of the address the hash is another, and the label set is not known.
    let all = hash(&labels);
    let same = all == hash_of_id || hash(&identity(&labels)) == hash_of_id;
    Some(Written {
        disruption: Disruption {
            hash: hash_of_id,
            second,
            start: start.unwrap_or(second.saturating_mul(1000)),
        },
        transition: text("event.action")?.parse().ok()?,
        reported_at: parse_time(text("@timestamp")?)?,
        annotations: Labels::new(notes.into_iter().flatten()),
        label_set: (whole && same).then_some(all),
        labels,
    })
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_millisecond())
}
