//! One alert transition as one line: flat fields with the names of the Elastic Common Schema, the time first.
//!
//! The schema is a contract with people's log tools (`docs/alert-log.md`). Must not know files.

use std::{fmt::Write as _, str::FromStr};

use series::{Labels, Timestamp};
use url::Url;

use super::{
    escape::{escape, needs_quotes},
    known::Written,
    notice::{Notice, Transition},
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
    /// For people's eyes: time, level, event, message.
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

/// Writes a notice as one line that ends in a newline and is not longer than [`MAX_LINE_BYTES`].
pub fn render(notice: &Notice, format: Format) -> String {
    let fields = Fields::new(notice);
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

/// What a line in any of the formats tells; `None` when it is not one of ours.
pub(super) fn read(line: &str) -> Option<Written> {
    let line = line.trim_end_matches(['\r', '\n']);
    let (told_at, id, action) = if line.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        (text("@timestamp")?, text("event.id")?, text("event.action")?)
    } else {
        // In both other formats the first four words have fixed places and come before any text of the user.
        let mut words = line.split(' ');
        let mut word = || words.next();
        let (told_at, _level, id, action) = (word()?, word()?, word()?, word()?);
        let plain = |text: &str, name: &str| text.strip_prefix(name).unwrap_or(text).to_owned();
        (
            plain(told_at, "@timestamp="),
            plain(id, "event.id="),
            plain(action, "event.action=").to_ascii_lowercase(),
        )
    };
    let told_at: jiff::Timestamp = told_at.parse().ok()?;
    Some(Written { id, transition: action.parse().ok()?, told_at: told_at.as_millisecond() })
}

/// The fields of a line before they are written in a format.
struct Fields<'a> {
    notice: &'a Notice,
    id: String,
    level: &'static str,
    message: String,
    url: Option<String>,
    labels: Labels,
}

impl<'a> Fields<'a> {
    fn new(notice: &'a Notice) -> Self {
        let url = web_address(notice.label("instance"));
        let has_url = url.is_some();
        let labels = notice.labels.filtered(|name| match name {
            "alertname" | "service" => false,
            "instance" => !has_url,
            _ => true,
        });
        Self {
            notice,
            id: notice.event_id(),
            level: level(notice),
            message: message(notice),
            url,
            labels,
        }
    }

    fn json(&self, limit: usize, labels: usize) -> String {
        let notice = self.notice;
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
        text("@timestamp", &time(notice.told_at));
        text("log.level", self.level);
        text("message", &self.message);
        text("ecs.version", ECS_VERSION);
        text("event.kind", "alert");
        text("event.dataset", DATASET);
        text("event.action", notice.transition.as_str());
        text("event.id", &self.id);
        text("event.start", &time(notice.active_at));
        match notice.transition {
            Transition::Firing => line.push_str(r#","event.end":null"#),
            Transition::Resolved => {
                push(&mut line, format_args!(",\"event.end\":\"{}\"", time(notice.at)));
            }
        }
        push(&mut line, format_args!(",\"event.duration\":{}", duration(notice)));
        push(&mut line, format_args!(",\"event.severity\":{}", severity(notice)));
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
        let notice = self.notice;
        let mut line = String::with_capacity(1024);
        push(
            &mut line,
            format_args!("@timestamp={} log.level={}", time(notice.told_at), self.level),
        );
        // These two have fixed places: they are read again after a restart.
        push(
            &mut line,
            format_args!(" event.id={} event.action={}", self.id, notice.transition.as_str()),
        );
        push(
            &mut line,
            format_args!(" event.dataset={DATASET} event.start={}", time(notice.active_at)),
        );
        if notice.transition == Transition::Resolved {
            push(&mut line, format_args!(" event.end={}", time(notice.at)));
        }
        push(
            &mut line,
            format_args!(
                " event.duration={} event.severity={}",
                duration(notice),
                severity(notice)
            ),
        );
        pair(&mut line, "", "message", &self.message, limit);
        for (name, value) in self.optional() {
            pair(&mut line, "", name, value, limit);
        }
        for (name, value) in self.labels.iter().take(labels) {
            pair(&mut line, "labels.", name, value, limit);
        }
        line.push('\n');
        line
    }

    fn text(&self, limit: usize) -> String {
        let mut line = String::with_capacity(256);
        // The first four words have fixed places: they are read again after a restart.
        push(
            &mut line,
            format_args!(
                "{} {} {} ",
                time(self.notice.told_at),
                self.level.to_uppercase(),
                self.id
            ),
        );
        escape(&mut line, &self.message, limit, false);
        line.push('\n');
        line
    }

    /// The fields that a line has only when the alert has something to say there.
    fn optional(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("event.reason", self.notice.annotation("description")),
            ("rule.name", self.notice.label("alertname")),
            ("event.url", self.notice.annotation("runbook_url")),
            ("url.full", self.url.as_deref().unwrap_or("")),
            ("service.name", self.notice.label("service")),
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

/// `FIRING WebserviceDown: <summary>`.
fn message(notice: &Notice) -> String {
    let word = match notice.transition {
        Transition::Firing => "FIRING",
        Transition::Resolved => "RESOLVED",
    };
    let summary =
        [notice.annotation("summary"), notice.annotation("description"), notice.label("instance")]
            .into_iter()
            .find(|text| !text.is_empty());
    match summary {
        Some(summary) => format!("{word} {}: {summary}", notice.label("alertname")),
        None => format!("{word} {}", notice.label("alertname")),
    }
}

/// A resolved alert needs nobody; a firing one is as loud as its `severity`.
fn level(notice: &Notice) -> &'static str {
    match (notice.transition, severity(notice)) {
        (Transition::Firing, 3) => "error",
        (Transition::Firing, 2) => "warn",
        _ => "info",
    }
}

/// The severity as a number that sorts: 3 is the most urgent.
fn severity(notice: &Notice) -> u8 {
    match notice.label("severity") {
        "critical" | "page" | "error" => 3,
        "warning" | "ticket" => 2,
        "info" => 1,
        _ => 0,
    }
}

/// How long the alert was active, in nanoseconds as the schema wants it; 0 while it fires.
fn duration(notice: &Notice) -> i128 {
    match notice.transition {
        Transition::Firing => 0,
        Transition::Resolved => {
            i128::from(notice.at.saturating_sub(notice.active_at).max(0)) * 1_000_000
        }
    }
}

fn time(at: Timestamp) -> String {
    // A time that the calendar does not have is shown as its beginning.
    let timestamp = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

/// The text when it is a URL, without user and password: those are nobody's business in a log.
fn web_address(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    if url.username().is_empty() && url.password().is_none() {
        return Some(text.to_owned());
    }
    // Both can fail only for addresses without a host.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_other_instances_and_lose_their_secrets() {
        for (text, expected) in [
            ("http://a/", Some("http://a/")),
            ("https://EXAMPLE.com", Some("https://EXAMPLE.com")),
            ("https://user:secret@example.com/x", Some("https://example.com/x")),
            ("tcp://db:5432", Some("tcp://db:5432")),
            ("db:5432", None),
            ("127.0.0.1:80", None),
            ("", None),
        ] {
            assert_eq!(web_address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn lines_of_every_format_are_recognised_after_a_restart() {
        let notice = Notice {
            transition: Transition::Resolved,
            at: 1_795_329_200_000,
            told_at: 1_795_329_201_000,
            active_at: 1_795_329_126_500,
            labels: Labels::new([
                ("alertname", "Down"),
                ("instance", "event.id=x event.action=firing"),
            ]),
            annotations: Labels::new([("summary", "event.id=x event.action=firing")]),
        };
        for format in [Format::Json, Format::Logfmt, Format::Text] {
            let line = render(&notice, format);
            let written = Written {
                id: notice.event_id(),
                transition: notice.transition,
                told_at: notice.told_at,
            };
            assert_eq!(read(&line), Some(written), "{line}");
        }
        for foreign in ["", "{", "{}", "some other text", "a b event.id=1 event.other=2", "a b c d"]
        {
            assert_eq!(read(foreign), None, "{foreign}");
        }
    }
}
