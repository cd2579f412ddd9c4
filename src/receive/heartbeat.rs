//! The dead man's switch: an alert of our own when the one that always fires stops arriving.
//!
//! The Watchdog alert of the rules comes from Prometheus through Alertmanager. While it comes, every other alert would come
//! too; when it stays away, no one else can tell. Must not know how it is written.

use std::{sync::Mutex, time::Duration};

use series::{Labels, Timestamp};
use tokio::time::Instant;

use crate::{
    notify::{Notice, Origin, Transition},
    state::lock,
};

/// The name of the alert.
const ALERT: &str = "WebserviceMonitorHeartbeatMissing";

/// Whether heartbeats come in.
pub(super) struct Heartbeat {
    /// How long none may come; `None` when none is expected.
    timeout: Option<Duration>,
    /// The program's address, for the link to the runbook.
    external_url: String,
    state: Mutex<State>,
}

struct State {
    /// When the last one came, or the program started.
    last: Instant,
    /// The same as time of day.
    last_at: Timestamp,
    /// Whether one came since the start.
    came: bool,
    /// Since when they are missing, as it was told.
    missing_since: Option<Timestamp>,
}

impl Heartbeat {
    /// A heartbeat that is expected from `now` on.
    pub(super) fn new(timeout: Option<Duration>, external_url: String, now: Timestamp) -> Self {
        let state = State { last: Instant::now(), last_at: now, came: false, missing_since: None };
        Self { timeout, external_url, state: Mutex::new(state) }
    }

    /// The hash of the alert's labels.
    pub(super) fn fingerprint(&self) -> u64 {
        self.notice(Transition::Firing, 0, 0).fingerprint()
    }

    /// Takes up an alert that was told before a restart and is not over.
    pub(super) fn restore(&self, missing_since: Option<Timestamp>) {
        lock(&self.state).missing_since = missing_since;
    }

    /// A heartbeat came in; the notice to tell when they had been missing.
    pub(super) fn beat(&self, now: Timestamp) -> Option<Notice> {
        let mut state = lock(&self.state);
        state.last = Instant::now();
        state.last_at = now;
        state.came = true;
        let since = state.missing_since.take()?;
        Some(self.notice(Transition::Resolved, since, now))
    }

    /// The notice to tell when they have just been missing for too long.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<Notice> {
        let timeout = self.timeout?;
        let mut state = lock(&self.state);
        if state.missing_since.is_some() || state.last.elapsed() <= timeout {
            return None;
        }
        let since = state.last_at;
        state.missing_since = Some(since);
        Some(self.notice(Transition::Firing, since, now))
    }

    /// When the last one came in; `None` before the first.
    pub(super) fn last(&self) -> Option<Timestamp> {
        let state = lock(&self.state);
        state.came.then_some(state.last_at)
    }

    fn notice(&self, transition: Transition, since: Timestamp, now: Timestamp) -> Notice {
        let timeout = notation::duration::format_prometheus(
            i64::try_from(self.timeout.unwrap_or_default().as_millis()).unwrap_or(i64::MAX),
        );
        Notice {
            transition,
            at: now,
            told_at: now,
            active_at: since,
            labels: Labels::new([
                ("alertname", ALERT),
                ("job", "alert-log"),
                ("severity", "critical"),
            ]),
            annotations: Labels::new([
                ("summary", "No alert can arrive: the heartbeat is missing".to_owned()),
                (
                    "description",
                    format!(
                        "The Watchdog alert, which always fires, has not arrived for {timeout}: Prometheus or Alertmanager is down, or cannot reach the alert log."
                    ),
                ),
                ("runbook_url", format!("{}/runbooks/{ALERT}", self.external_url)),
                ("resolved", "Heartbeats arrive again".to_owned()),
            ]),
            origin: Origin::Receiver,
            ..Notice::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn its_absence_is_told_once_and_so_is_its_return() {
        let heartbeat =
            Heartbeat::new(Some(Duration::from_mins(5)), "http://here".to_owned(), 1_000);
        let told = |notice: Option<Notice>| {
            notice.map(|notice| (notice.transition, notice.active_at, notice.at))
        };
        assert_eq!(heartbeat.last(), None);
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(told(heartbeat.overdue(2_000)), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        // It never came: missing since the start.
        assert_eq!(told(heartbeat.overdue(3_000)), Some((Transition::Firing, 1_000, 3_000)));
        assert_eq!(told(heartbeat.overdue(4_000)), None);
        assert_eq!(told(heartbeat.beat(5_000)), Some((Transition::Resolved, 1_000, 5_000)));
        assert_eq!(told(heartbeat.beat(6_000)), None);
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(told(heartbeat.overdue(7_000)), Some((Transition::Firing, 6_000, 7_000)));
        assert_eq!(heartbeat.last(), Some(6_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_absence_that_was_told_before_a_restart_is_over_with_the_first_one() {
        let heartbeat = Heartbeat::new(Some(Duration::from_mins(5)), String::new(), 9_000);
        heartbeat.restore(Some(1_000));
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!(heartbeat.overdue(10_000), None);
        assert_eq!(heartbeat.beat(11_000).map(|notice| notice.active_at), Some(1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn where_none_is_expected_none_is_missed() {
        let heartbeat = Heartbeat::new(None, String::new(), 0);
        tokio::time::advance(Duration::from_hours(24)).await;
        assert_eq!(heartbeat.overdue(1), None);
    }
}
