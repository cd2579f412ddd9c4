//! The body of Alertmanager's webhook, version 4 (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>).
//!
//! Fields that are not needed may be there or not, and an alert that is not understood spoils none of the others. Must not know what
//! becomes of the alerts.

use std::{collections::BTreeMap, fmt::Display};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use series::{Labels, Timestamp};

use crate::event::{AlertEvent, Origin, Transition};

/// The version of the body that is understood; a body that names none is taken as well.
const VERSION: &str = "4";

/// The annotations that are links; one without a host is a link on the receiver.
const LINKS: [&str; 2] = ["runbook_url", "dashboard_url"];

/// What an Alertmanager reports at once: alerts of one group, each as its text.
#[derive(Debug)]
pub struct Webhook {
    /// How many alerts were left out because of `max_alerts`.
    pub truncated: u64,
    /// The alerts, as they are in the body.
    pub alerts: Vec<Bytes>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    version: Option<String>,
    #[serde(default, rename = "truncatedAlerts")]
    truncated: Option<u64>,
    #[serde(borrow)]
    alerts: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
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
    /// Reads a body. What is in each alert is looked at later.
    ///
    /// # Errors
    /// What is wrong with it, for the log of the Alertmanager.
    pub fn read(body: &Bytes) -> Result<Self, String> {
        let problem = |error: &dyn Display| format!("not a webhook body of Alertmanager: {error}");
        let envelope: Envelope<'_> =
            serde_json::from_slice(body).map_err(|error| problem(&error))?;
        match envelope.version.as_deref() {
            None | Some(VERSION) => {}
            Some(other) => {
                return Err(problem(&format_args!(
                    "its version is {other:?}, and {VERSION:?} is understood"
                )));
            }
        }
        let alerts = envelope.alerts.iter().map(|alert| body.slice_ref(alert.get().as_bytes()));
        Ok(Self { truncated: envelope.truncated.unwrap_or(0), alerts: alerts.collect() })
    }
}

/// The event that an alert of a body reports, reported at `now`. Links without a host begin with `external_url`.
///
/// # Errors
/// What is wrong with it.
pub fn alert_event(alert: &[u8], now: Timestamp, external_url: &str) -> Result<AlertEvent, String> {
    let alert: Alert = serde_json::from_slice(alert)
        .map_err(|error| format!("not an alert of Alertmanager's webhook: {error}"))?;
    let (transition, at) = match alert.status {
        Status::Firing => (Transition::Firing, alert.starts_at),
        // An end before the beginning is not valid.
        Status::Resolved if alert.ends_at < alert.starts_at => (Transition::Resolved, now),
        Status::Resolved => (Transition::Resolved, alert.ends_at),
    };
    let mut annotations = alert.annotations.unwrap_or_default();
    for (_, link) in annotations.iter_mut().filter(|(name, _)| LINKS.contains(&name.as_str())) {
        if link.starts_with('/') && !link.starts_with("//") {
            link.insert_str(0, external_url);
        }
    }
    Ok(AlertEvent {
        transition,
        at,
        reported_at: now,
        active_at: alert.starts_at,
        labels: Labels::new(alert.labels),
        annotations: Labels::new(annotations),
        origin: Origin::Alertmanager,
        ..AlertEvent::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Alertmanager 0.33 sends it.
    const BODY: &str = r#"{"receiver":"alert-log","status":"firing","alerts":[
        {"status":"firing","labels":{"alertname":"WebserviceDown","instance":"http://a/"},"annotations":{"summary":"down","runbook_url":"/runbooks/x","dashboard_url":"//b/d"},
         "startsAt":"2026-11-22T06:32:06.25Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/graph","fingerprint":"60ecf3e2b5165701"},
        {"status":"resolved","labels":{"alertname":"WebserviceDown","instance":"http://b/"},"annotations":null,
         "startsAt":"2026-11-22T07:32:06+01:00","endsAt":"2026-11-22T06:40:00Z","generatorURL":"","fingerprint":"1"}],
        "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am","version":"4","groupKey":"{}:{}",
        "truncatedAlerts":2,"notification_reason":"first notification","somethingNew":[1]}"#;

    #[test]
    fn a_body_becomes_transitions() {
        let webhook = Webhook::read(&Bytes::from_static(BODY.as_bytes())).unwrap();
        assert_eq!((webhook.truncated, webhook.alerts.len()), (2, 2));
        let events: Vec<_> = webhook
            .alerts
            .iter()
            .map(|alert| alert_event(alert, 5, "http://me").unwrap())
            .collect();
        let facts: Vec<_> = events
            .iter()
            .map(|event| (event.transition, event.at, event.active_at, event.reported_at))
            .collect();
        let begun = 1_795_329_126_000;
        assert_eq!(
            facts,
            [
                (Transition::Firing, begun + 250, begun + 250, 5),
                (Transition::Resolved, begun + 474_000, begun, 5)
            ]
        );
        let first = &events[0];
        assert_eq!((first.label("instance"), first.annotation("summary")), ("http://a/", "down"));
        assert_eq!(first.annotation("runbook_url"), "http://me/runbooks/x");
        assert_eq!(first.annotation("dashboard_url"), "//b/d");
        assert!(events[1].annotations.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        for (body, reason) in [
            ("", "EOF"),
            ("{}", "missing field `alerts`"),
            (r#"{"version":"5","alerts":[]}"#, "\"4\" is understood"),
        ] {
            let error = Webhook::read(&Bytes::from_static(body.as_bytes())).unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        }
        for (alert, reason) in [
            ("7", "invalid type"),
            (
                r#"{"status":"open","labels":{},"startsAt":"2026-11-22T06:32:06Z"}"#,
                "unknown variant `open`",
            ),
            (r#"{"status":"firing","labels":{},"startsAt":"yesterday"}"#, "is not a time"),
            (r#"{"status":"firing","labels":{}}"#, "missing field `startsAt`"),
            (
                r#"{"status":"firing","labels":{"a":1},"startsAt":"2026-11-22T06:32:06Z"}"#,
                "invalid type",
            ),
        ] {
            let error = alert_event(alert.as_bytes(), 5, "").unwrap_err();
            assert!(error.contains(reason), "{alert}: {error}");
        }
    }
}
