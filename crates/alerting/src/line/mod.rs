//! One alert transition as one line: flat fields with the names of the Elastic Common Schema, the time first.
//!
//! The schema is a contract with people's log tools (`docs/alert-log.md`). Must not know files.

mod read;
mod words;

use std::{fmt::Write as _, str::FromStr};

use series::{Labels, Timestamp, rule::is_about_a_target};

pub(crate) use self::read::{Written, parts, read};
use self::words::{local_time, message, time, web_address};
use crate::{
    escape::{escape, needs_quotes},
    event::{AlertEvent, Transition},
};

/// The longest line, its newline included: rsyslog cuts messages at 8,096 bytes, other log shippers split lines above 8 KiB.
pub const MAX_LINE_BYTES: usize = 8_000;
/// The longest field as written; a longer one is cut and ends in `…`.
pub const MAX_FIELD_BYTES: usize = 4 * 1024;
/// Fields shrink down to this before labels are left out.
const MIN_FIELD_BYTES: usize = 128;
/// The version of the Elastic Common Schema that the field names follow.
const ECS_VERSION: &str = "8.11.0";
/// What says in `event.dataset` which program wrote the line.
const DATASET: &str = "webservice_monitor.alert";

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A JSON object.
    #[default]
    Json,
    /// `name=value` pairs.
    Logfmt,
    /// For people's eyes: when, what, of which service, why; the identifier last.
    Text,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "logfmt" => Ok(Self::Logfmt),
            "text" => Ok(Self::Text),
            _ => Err(format!("`{text}` is not a format: use json, logfmt or text")),
        }
    }
}

/// Writes an event as one line that ends in a newline and is not longer than [`MAX_LINE_BYTES`].
pub fn render(event: &AlertEvent, format: Format) -> String {
    let fields = Fields::new(event);
    let mut limit = MAX_FIELD_BYTES;
    let mut labels = fields.labels.len();
    loop {
        let line = match format {
            Format::Json => fields.json(limit, labels),
            Format::Logfmt => fields.logfmt(limit, labels),
            Format::Text => fields.text(limit),
        };
        if line.len() <= MAX_LINE_BYTES {
            return line;
        }
        // The fixed fields at their smallest are far below the limit, so this ends at the latest without labels.
        if limit > MIN_FIELD_BYTES {
            limit /= 2;
        } else {
            labels /= 2;
        }
    }
}

/// The fields of a line before they are written in a format.
struct Fields<'a> {
    event: &'a AlertEvent,
    id: String,
    level: &'static str,
    start: Timestamp,
    /// When it ended and how long it lasted in nanoseconds, as the schema wants it; `None` while it fires.
    end: Option<(Timestamp, i128)>,
    url: Option<String>,
    labels: Labels,
}

impl<'a> Fields<'a> {
    fn new(event: &'a AlertEvent) -> Self {
        let url = web_address(event.label("instance"));
        let has_url = url.is_some();
        let labels = event.labels.filtered(|name| match name {
            "alertname" | "service" => false,
            "instance" => !has_url,
            _ => true,
        });
        let disruption = event.disruption();
        let end = match event.transition {
            Transition::Firing => None,
            Transition::Resolved => {
                Some((event.ended_at(), i128::from(event.duration()) * 1_000_000))
            }
        };
        Self {
            event,
            id: disruption.id(),
            level: level(event),
            start: disruption.start,
            end,
            url,
            labels,
        }
    }

    fn json(&self, limit: usize, labels: usize) -> String {
        let event = self.event;
        let mut line = String::with_capacity(1024);
        line.push('{');
        let mut text = |name: &str, value: &str| {
            if line.len() > 1 {
                line.push(',');
            }
            quote(&mut line, name, limit);
            line.push(':');
            quote(&mut line, value, limit);
        };
        text("@timestamp", &time(event.reported_at));
        text("log.level", self.level);
        text("message", &message(event, false));
        text("ecs.version", ECS_VERSION);
        text("event.kind", "alert");
        text("event.dataset", DATASET);
        text("event.action", event.transition.as_str());
        text("event.id", &self.id);
        text("event.start", &time(self.start));
        if let Some((end, duration)) = self.end {
            let end = time(end);
            push(&mut line, format_args!(",\"event.end\":\"{end}\",\"event.duration\":{duration}"));
        }
        push(&mut line, format_args!(",\"event.severity\":{}", severity(event)));
        for (name, words) in [("event.category", category(event)), ("event.type", types(event))] {
            push(&mut line, format_args!(",\"{name}\":[\"{}\"]", words.join("\",\"")));
        }
        for (name, value) in self.optional() {
            line.push(',');
            quote(&mut line, name, limit);
            line.push(':');
            quote(&mut line, value, limit);
        }
        line.push_str(",\"labels\":{");
        for (index, (name, value)) in self.labels.iter().take(labels).enumerate() {
            if index > 0 {
                line.push(',');
            }
            quote(&mut line, name, limit);
            line.push(':');
            quote(&mut line, value, limit);
        }
        line.push_str("}}\n");
        line
    }

    fn logfmt(&self, limit: usize, labels: usize) -> String {
        let event = self.event;
        let mut line = String::with_capacity(1024);
        push(
            &mut line,
            format_args!("@timestamp={} log.level={}", time(event.reported_at), self.level),
        );
        // These two have fixed places: they are read again after a restart.
        push(
            &mut line,
            format_args!(" event.id={} event.action={}", self.id, event.transition.as_str()),
        );
        push(&mut line, format_args!(" event.dataset={DATASET} event.start={}", time(self.start)));
        if let Some((end, duration)) = self.end {
            let end = time(end);
            push(&mut line, format_args!(" event.end={end} event.duration={duration}"));
        }
        push(&mut line, format_args!(" event.severity={}", severity(event)));
        for (name, words) in [("event.category", category(event)), ("event.type", types(event))] {
            push(&mut line, format_args!(" {name}={}", words.join(",")));
        }
        pair(&mut line, "", "message", &message(event, false), limit);
        for (name, value) in self.optional() {
            pair(&mut line, "", name, value, limit);
        }
        for (name, value) in self.labels.iter().take(labels) {
            pair(&mut line, "labels.", name, value, limit);
        }
        line.push('\n');
        line
    }

    /// The time and the word have fixed places, and the identifier ends the line: both are read again after a restart, and no
    /// text of a user can stand there.
    fn text(&self, limit: usize) -> String {
        let mut line = String::with_capacity(256);
        push(&mut line, format_args!("{} ", local_time(self.event.reported_at)));
        escape(&mut line, &message(self.event, true), limit, false);
        let error_type = self.event.annotation("error_type");
        if !error_type.is_empty() {
            line.push_str(" (");
            escape(&mut line, error_type, limit.min(MIN_FIELD_BYTES), false);
            line.push(')');
        }
        push(&mut line, format_args!(" [{}]\n", self.id));
        line
    }

    /// The fields that a line has only when the alert has something to say there.
    fn optional(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let reason = match self.event.transition {
            Transition::Firing => self.event.annotation("description"),
            Transition::Resolved => self.event.ending.as_str(),
        };
        [
            ("event.reason", reason),
            ("error.type", self.event.annotation("error_type")),
            ("rule.name", self.event.label("alertname")),
            ("event.url", self.event.annotation("runbook_url")),
            ("event.reference", self.event.annotation("dashboard_url")),
            ("url.full", self.url.as_deref().unwrap_or("")),
            ("service.name", self.event.label("service")),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }
}

/// Appends formatted text.
fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _infallible = line.write_fmt(text);
}

fn quote(line: &mut String, text: &str, limit: usize) {
    line.push('"');
    escape(line, text, limit, true);
    line.push('"');
}

fn pair(line: &mut String, prefix: &str, name: &str, value: &str, limit: usize) {
    line.push(' ');
    line.push_str(prefix);
    // A name with a blank or an equals sign in it would read as two fields.
    let name: String = name
        .chars()
        .map(|each| if needs_quotes(each.encode_utf8(&mut [0; 4])) { '_' } else { each })
        .collect();
    escape(line, &name, limit, true);
    line.push('=');
    if needs_quotes(value) {
        quote(line, value, limit);
    } else {
        escape(line, value, limit, true);
    }
}

/// A resolved alert needs nobody; a firing one is as loud as its `severity`.
fn level(event: &AlertEvent) -> &'static str {
    match (event.transition, severity(event)) {
        (Transition::Firing, 3) => "error",
        (Transition::Firing, 2) => "warn",
        _ => "info",
    }
}

/// The severity as a number that sorts: 3 is the most urgent.
fn severity(event: &AlertEvent) -> u8 {
    match event.label("severity") {
        "critical" | "page" | "error" => 3,
        "warning" | "ticket" => 2,
        "info" => 1,
        _ => 0,
    }
}

/// `event.category`: an alert about a target is about the web and the network on the way; any other is about the programs that watch
/// (<https://www.elastic.co/guide/en/ecs/8.11/ecs-allowed-values-event-category.html>).
fn category(event: &AlertEvent) -> &'static [&'static str] {
    if is_about_a_target(&event.labels) { &["network", "web"] } else { &["process"] }
}

/// `event.type`: values that the schema expects with these categories.
fn types(event: &AlertEvent) -> &'static [&'static str] {
    match (event.transition, is_about_a_target(&event.labels)) {
        (Transition::Firing, true) => &["start", "error"],
        (Transition::Firing, false) => &["start", "info"],
        (Transition::Resolved, _) => &["end", "info"],
    }
}

#[cfg(test)]
mod tests;
