//! The dead man's switch: an alert of the receiver itself when the one that always fires stops arriving.
//!
//! The Watchdog alert of the rules comes from Prometheus through Alertmanager. While it comes, every other alert would come
//! too; when it stays away, no one else can report it. Must not know how it is written.

use std::time::Duration;

use series::{Labels, Timestamp};

use crate::event::{AlertEvent, Origin, Transition};

/// The name of the alert.
const ALERT: &str = "WebserviceMonitorHeartbeatMissing";

/// Whether heartbeats come in.
pub struct Heartbeat {
    /// How long none may come; `None` when none is expected.
    timeout: Option<Duration>,
    /// The program's address, for the link to the runbook.
    external_url: String,
    /// When the last one came, or the program started.
    last: Duration,
    /// The same as time of day.
    last_at: Timestamp,
    /// Whether one came since the start.
    came: bool,
    /// Since when they are missing, as it was reported.
    missing_since: Option<Timestamp>,
}

impl Heartbeat {
    /// A heartbeat that is expected from `now` on, which is the time of day at an `uptime`, the time of a clock that is never set.
    pub fn new(
        timeout: Option<Duration>,
        external_url: String,
        now: Timestamp,
        uptime: Duration,
    ) -> Self {
        Self { timeout, external_url, last: uptime, last_at: now, came: false, missing_since: None }
    }

    /// The hash of the alert's labels.
    pub fn fingerprint(&self) -> u64 {
        self.event(Transition::Firing, 0, 0).fingerprint()
    }

    /// Takes up an alert that was reported before a restart and is not over.
    pub fn restore(&mut self, missing_since: Option<Timestamp>) {
        self.missing_since = missing_since;
    }

    /// A heartbeat came in; the event to report when they had been missing.
    pub fn beat(&mut self, now: Timestamp, uptime: Duration) -> Option<AlertEvent> {
        self.last = uptime;
        self.last_at = now;
        self.came = true;
        let since = self.missing_since.take()?;
        Some(self.event(Transition::Resolved, since, now))
    }

    /// The event to report when they have just been missing for too long.
    pub fn overdue(&mut self, now: Timestamp, uptime: Duration) -> Option<AlertEvent> {
        let timeout = self.timeout?;
        if self.missing_since.is_some() || uptime.saturating_sub(self.last) <= timeout {
            return None;
        }
        self.missing_since = Some(self.last_at);
        Some(self.event(Transition::Firing, self.last_at, now))
    }

    /// When the last one came in; `None` before the first.
    pub fn last(&self) -> Option<Timestamp> {
        self.came.then_some(self.last_at)
    }

    fn event(&self, transition: Transition, since: Timestamp, now: Timestamp) -> AlertEvent {
        let timeout = notation::duration::written(self.timeout.unwrap_or_default());
        AlertEvent {
            transition,
            at: now,
            reported_at: now,
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
            ..AlertEvent::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reported(event: Option<AlertEvent>) -> Option<(Transition, Timestamp, Timestamp)> {
        event.map(|event| (event.transition, event.active_at, event.at))
    }

    #[test]
    fn its_absence_is_reported_once_and_so_is_its_return() {
        let timeout = Duration::from_mins(5);
        let mut heartbeat =
            Heartbeat::new(Some(timeout), "http://here".to_owned(), 1_000, 7 * SECOND);
        assert_eq!(heartbeat.last(), None);
        let mut uptime = 7 * SECOND + timeout;
        assert_eq!(reported(heartbeat.overdue(2_000, uptime)), None);
        uptime += SECOND;
        // It never came: missing since the start.
        let firing = Some((Transition::Firing, 1_000, 3_000));
        assert_eq!(reported(heartbeat.overdue(3_000, uptime)), firing);
        assert_eq!(reported(heartbeat.overdue(4_000, uptime)), None);
        let resolved = Some((Transition::Resolved, 1_000, 5_000));
        assert_eq!(reported(heartbeat.beat(5_000, uptime)), resolved);
        assert_eq!(reported(heartbeat.beat(6_000, uptime)), None);
        uptime += timeout + SECOND;
        let firing = Some((Transition::Firing, 6_000, 7_000));
        assert_eq!(reported(heartbeat.overdue(7_000, uptime)), firing);
        assert_eq!(heartbeat.last(), Some(6_000));
    }

    #[test]
    fn an_absence_that_was_reported_before_a_restart_is_over_with_the_first_one() {
        let mut heartbeat =
            Heartbeat::new(Some(Duration::from_mins(5)), String::new(), 9_000, SECOND);
        heartbeat.restore(Some(1_000));
        let uptime = Duration::from_mins(10);
        assert_eq!(heartbeat.overdue(10_000, uptime), None);
        let back = heartbeat.beat(11_000, uptime);
        assert_eq!(back.map(|event| event.active_at), Some(1_000));
    }

    #[test]
    fn where_none_is_expected_none_is_missed() {
        let mut heartbeat = Heartbeat::new(None, String::new(), 0, SECOND);
        assert_eq!(heartbeat.overdue(1, Duration::from_hours(24)), None);
    }
}
