//! The body of Alertmanager's webhook, version 4 (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! Fields that are not needed may be there or not. Must not know what becomes of the alerts.

use std::{collections::BTreeMap, fmt::Display};

use serde::{Deserialize, Deserializer, de::Error as _};
use series::{Labels, Timestamp};

use crate::notify::{Notice, Transition};

/// The version of the body that is understood; a body that names none is taken as well.
const VERSION: &str = "4";

/// What an Alertmanager tells at once: alerts of one group.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    #[serde(default)]
    version: Option<String>,
    /// How many alerts were left out because of `max_alerts`.
    #[serde(default, rename = "truncatedAlerts")]
    pub(super) truncated: u64,
    alerts: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "time")]
    starts_at: Timestamp,
    /// The year 1 while the alert fires.
    #[serde(default, deserialize_with = "time")]
    ends_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time: jiff::Timestamp = text.parse().map_err(|error| {
        D::Error::custom(format_args!("`{}` is not a time: {error}", text.escape_debug()))
    })?;
    Ok(time.as_millisecond())
}

impl Webhook {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it, for the log of the Alertmanager.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let problem = |error: &dyn Display| format!("not a webhook body of Alertmanager: {error}");
        let webhook: Self = serde_json::from_slice(body).map_err(|error| problem(&error))?;
        match webhook.version.as_deref() {
            None | Some(VERSION) => Ok(webhook),
            Some(other) => Err(problem(&format_args!(
                "its version is {other:?}, and {VERSION:?} is understood"
            ))),
        }
    }

    /// Whether an alert among them fires.
    pub(super) fn is_firing(&self) -> bool {
        self.alerts.iter().any(|alert| matches!(alert.status, Status::Firing))
    }

    /// The transitions that it tells, in its order, told at `now`.
    pub(super) fn notices(self, now: Timestamp) -> Vec<Notice> {
        self.alerts.into_iter().map(|alert| alert.notice(now)).collect()
    }
}

impl Alert {
    fn notice(self, now: Timestamp) -> Notice {
        let (transition, at) = match self.status {
            Status::Firing => (Transition::Firing, self.starts_at),
            // An end before the beginning is none.
            Status::Resolved if self.ends_at < self.starts_at => (Transition::Resolved, now),
            Status::Resolved => (Transition::Resolved, self.ends_at),
        };
        Notice {
            transition,
            at,
            told_at: now,
            active_at: self.starts_at,
            labels: Labels::new(self.labels),
            annotations: Labels::new(self.annotations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Alertmanager 0.33 sends it.
    const BODY: &str = r#"{"receiver":"alert-log","status":"firing","alerts":[
        {"status":"firing","labels":{"alertname":"WebserviceDown","instance":"http://a/"},"annotations":{"summary":"down"},
         "startsAt":"2026-11-22T06:32:06.25Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/graph","fingerprint":"60ecf3e2b5165701"},
        {"status":"resolved","labels":{"alertname":"WebserviceDown","instance":"http://b/"},"annotations":{},
         "startsAt":"2026-11-22T07:32:06+01:00","endsAt":"2026-11-22T06:40:00Z","generatorURL":"","fingerprint":"1"}],
        "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am","version":"4","groupKey":"{}:{}",
        "truncatedAlerts":2,"notification_reason":"first notification","somethingNew":[1]}"#;

    #[test]
    fn a_body_becomes_transitions() {
        let webhook = Webhook::read(BODY.as_bytes()).unwrap();
        assert_eq!((webhook.truncated, webhook.is_firing()), (2, true));
        let notices = webhook.notices(5);
        let facts: Vec<_> = notices
            .iter()
            .map(|notice| (notice.transition, notice.at, notice.active_at, notice.told_at))
            .collect();
        let begun = 1_795_329_126_000;
        assert_eq!(
            facts,
            [
                (Transition::Firing, begun + 250, begun + 250, 5),
                (Transition::Resolved, begun + 474_000, begun, 5)
            ]
        );
        assert_eq!(notices[0].label("instance"), "http://a/");
        assert_eq!(notices[0].annotation("summary"), "down");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        for (body, reason) in [
            ("", "EOF"),
            ("{}", "missing field `alerts`"),
            (r#"{"version":"5","alerts":[]}"#, "\"4\" is understood"),
            (
                r#"{"alerts":[{"status":"open","labels":{},"startsAt":"2026-11-22T06:32:06Z"}]}"#,
                "unknown variant `open`",
            ),
            (
                r#"{"alerts":[{"status":"firing","labels":{},"startsAt":"yesterday"}]}"#,
                "is not a time",
            ),
            (
                r#"{"alerts":[{"status":"firing","labels":{"a":1},"startsAt":"2026-11-22T06:32:06Z"}]}"#,
                "invalid type",
            ),
        ] {
            let error = Webhook::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }
}
