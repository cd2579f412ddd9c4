//! What is known of each target at this moment.
//!
//! Must not know how it is shown.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use maud::{Markup, html};
use probe::Outcome;
use series::Timestamp;

use super::words;
use crate::{
    config::{Config, PROBER, Target},
    query::{Alert, Query, Unreadable},
    state::{Monitor, ProbeRecord},
};

/// A result that is older than this, and than two intervals, says nothing about the present.
const FRESH_MS: i64 = 5 * 60_000;

/// A certificate with fewer days than this deserves a look.
const CERTIFICATE_DAYS_FEW: f64 = 14.0;

/// Whether a target is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The last probe failed.
    Down,
    /// The last probe succeeded.
    Up,
    /// There was no probe yet, none for a long time, or it was impossible.
    Unknown,
}

/// A target with its present state.
pub(super) struct Status<'a> {
    /// The target.
    pub(super) target: &'a Target,
    /// Whether it is up.
    pub(super) state: State,
    /// Its last probe, if this program has made one.
    pub(super) latest: Option<Arc<ProbeRecord>>,
    /// Its alerts, firing ones first.
    pub(super) alerts: Vec<&'a Alert>,
}

impl Status<'_> {
    /// Whether an alert of it fires.
    pub(super) fn is_firing(&self) -> bool {
        self.alerts.iter().any(|alert| alert.firing)
    }

    /// Whether an alert of it waits to fire.
    pub(super) fn is_pending(&self) -> bool {
        self.alerts.iter().any(|alert| !alert.firing)
    }

    /// How long the last probe took, in seconds.
    pub(super) fn response_seconds(&self) -> Option<f64> {
        self.latest.as_ref().map(|record| record.result.elapsed.as_secs_f64())
    }

    /// How long the certificate is valid yet, in days.
    pub(super) fn certificate_days(&self, now: Timestamp) -> Option<f64> {
        let samples = &self.latest.as_ref()?.result.samples;
        let expiry =
            samples.iter().find(|sample| sample.metric.name == "probe_ssl_earliest_cert_expiry")?;
        Some((expiry.value - words::real(now) / 1000.0) / 86_400.0).filter(|days| days.is_finite())
    }

    /// The state in a word with a sign, so that it reads without colours.
    pub(super) fn badge(&self) -> Markup {
        let (class, sign, word) = match self.state {
            State::Up => ("up", "●", "Up"),
            State::Down => ("down", "✕", "Down"),
            State::Unknown => ("none", "○", "No data yet"),
        };
        html! {
            span class={ "badge " (class) } { span aria-hidden="true" { (sign) } " " (word) }
        }
    }

    /// The certificate's remaining life in words.
    pub(super) fn certificate(&self, now: Timestamp) -> Markup {
        html! {
            @match self.certificate_days(now) {
                None => (words::NOTHING),
                Some(days) if days < 0.0 => {
                    strong.bad { "⚠ expired" } div.detail { (format!("{:.0}", -days.floor())) " days ago" }
                }
                Some(days) if days < CERTIFICATE_DAYS_FEW => strong.bad { "⚠ " (format!("{:.0}", days.floor())) " days" },
                Some(days) => { (format!("{:.0}", days.floor())) " days" }
            }
        }
    }
}

/// The state of all targets, in the order of the configuration.
///
/// # Errors
/// When stored data cannot be read.
pub(super) fn all<'a>(
    monitor: &Monitor,
    query: &dyn Query,
    targets: impl IntoIterator<Item = &'a Target>,
    alerts: &'a [Alert],
) -> Result<Vec<Status<'a>>, Unreadable> {
    let now = monitor.now();
    let about = About::new(&monitor.config(), alerts);
    let targets: Vec<&'a Target> = targets.into_iter().collect();
    let latest = monitor.latest().of(targets.iter().copied());
    let mut statuses: Vec<Status<'a>> = targets
        .into_iter()
        .zip(latest)
        .map(|(target, record)| {
            let state = record.as_ref().map_or(State::Unknown, |record| state(target, record, now));
            let alerts = about.target(target);
            Status { target, state, latest: record, alerts }
        })
        .collect();
    // After a restart it is still known what was found shortly before.
    if statuses.iter().any(|status| status.latest.is_none()) {
        let results = query.last_results(now)?;
        for status in statuses.iter_mut().filter(|status| status.latest.is_none()) {
            status.state = match results.get(&status.target.identity()) {
                Some(true) => State::Up,
                Some(false) => State::Down,
                None => State::Unknown,
            };
        }
    }
    Ok(statuses)
}

fn state(target: &Target, record: &ProbeRecord, now: Timestamp) -> State {
    let interval_ms = i64::try_from(target.interval.as_millis()).unwrap_or(i64::MAX);
    if now.saturating_sub(record.started) > FRESH_MS.max(interval_ms.saturating_mul(2)) {
        return State::Unknown;
    }
    match record.result.outcome {
        Outcome::Up => State::Up,
        Outcome::Down(_) => State::Down,
        Outcome::Fault(_) => State::Unknown,
    }
}

/// Which alerts are about which target.
struct About<'a> {
    by_instance: HashMap<&'a str, Vec<&'a Alert>>,
    /// The addresses that some target has without the label `module`: alerts without one are about that target.
    plain: HashSet<String>,
}

impl<'a> About<'a> {
    fn new(config: &Config, alerts: &'a [Alert]) -> Self {
        let mut by_instance: HashMap<&str, Vec<&Alert>> = HashMap::new();
        for alert in alerts {
            if let Some(instance) = alert.labels.get("instance") {
                by_instance.entry(instance).or_default().push(alert);
            }
        }
        let targets = config.targets.iter();
        let plain = targets.filter(|target| target.labels.get("module").is_none());
        let plain = plain
            .filter(|target| by_instance.contains_key(target.instance.as_str()))
            .map(|target| target.instance.clone())
            .collect();
        Self { by_instance, plain }
    }

    /// The alerts of a target: of its module and, when they name one, of its prober. A rule that leaves the module out speaks of
    /// all checks of the address, unless one of them has no such label itself.
    fn target(&self, target: &Target) -> Vec<&'a Alert> {
        let is_about = |alert: &&&Alert| {
            let label = |name| alert.labels.get(name);
            let module = match (label("module"), target.labels.get("module")) {
                (None, Some(_)) => !self.plain.contains(&target.instance),
                (alert, target) => alert == target,
            };
            module && label(PROBER).is_none_or(|prober| target.labels.get(PROBER) == Some(prober))
        };
        let alerts = self.by_instance.get(target.instance.as_str());
        alerts.into_iter().flatten().filter(is_about).copied().collect()
    }
}
