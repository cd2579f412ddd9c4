//! Whether ends are believed: while Prometheus is silent an Alertmanager takes its alerts for over, and goes on repeating the
//! heartbeat.
//!
//! The heartbeat says when the rules were last evaluated. While that is long ago, ends wait; they count once evaluations have been
//! reported again for longer than Prometheus takes to repeat an alert. Must not know how alerts come in or are written, nor where
//! ends wait.

use std::time::Duration;

use series::Timestamp;

use crate::event::AlertEvent;

/// How old the last evaluation may be; two fifths of the heartbeat's timeout when there is one.
const STALE_AFTER: Duration = Duration::from_mins(2);
/// How long evaluations must have been reported again; a quarter of the timeout when there is one. Prometheus repeats an alert that
/// fires after a minute at the latest.
const RELEASED_AFTER: Duration = Duration::from_secs(75);
/// How far ahead of this machine's clock an evaluation may be to be believed.
const AHEAD: Duration = Duration::from_mins(5);
/// After so long without a fresh heartbeat every end is believed: perhaps no one sends any more, and nothing is to stay open for
/// ever.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(1);
/// How much of the time between two looks at the clock counts: while this program, or its machine, stood still, nothing could come.
const LOOK_MAX: Duration = Duration::from_mins(1);

/// Whether ends are believed.
pub struct Doubt {
    stale_after: i64,
    released_after: i64,
    /// When the rules were last evaluated; `None` when no heartbeat ever said.
    evaluated_at: Option<Timestamp>,
    /// Whether ends wait.
    holding: bool,
    /// From when on evaluations have been reported again.
    fresh_since: Option<Timestamp>,
    /// For how long no recent evaluation has been reported.
    silence: i64,
    /// The last look at the clock.
    looked_at: Option<Timestamp>,
}

impl Doubt {
    /// With what was known before a restart. Where ends wait from then, they go on to.
    pub fn new(
        heartbeat_timeout: Option<Duration>,
        evaluated_at: Option<Timestamp>,
        holding: bool,
    ) -> Self {
        let part = |of: fn(Duration) -> Duration, other: Duration| {
            milliseconds(heartbeat_timeout.map_or(other, of))
        };
        Self {
            stale_after: part(|timeout| timeout * 2 / 5, STALE_AFTER),
            released_after: part(|timeout| timeout / 4, RELEASED_AFTER),
            evaluated_at,
            holding,
            fresh_since: None,
            silence: 0,
            looked_at: None,
        }
    }

    /// How often [`Doubt::believes`] should be asked at least.
    pub fn pace(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.released_after / 4).unwrap_or(1).max(1))
    }

    /// A heartbeat said when the rules were evaluated; whether that is news that can be believed.
    pub fn beat(&mut self, evaluated_at: Timestamp, now: Timestamp) -> bool {
        if evaluated_at > now.saturating_add(milliseconds(AHEAD)) {
            return false;
        }
        // Whether ends were doubtful until now decides whether they have to wait for some more time.
        self.advance(now);
        let is_news = self.evaluated_at.is_none_or(|last| evaluated_at > last);
        if is_news {
            self.evaluated_at = Some(evaluated_at);
            if !self.is_stale(now) {
                self.silence = 0;
                self.fresh_since.get_or_insert(now);
            }
        }
        self.advance(now);
        is_news
    }

    /// Takes out the ends that have to wait.
    pub fn sift(&mut self, events: &mut Vec<AlertEvent>, now: Timestamp) -> Vec<AlertEvent> {
        if self.believes(now) {
            return Vec::new();
        }
        events.extract_if(.., |event| event.is_end()).collect()
    }

    /// Whether ends count now, also those that waited.
    pub fn believes(&mut self, now: Timestamp) -> bool {
        self.advance(now);
        !self.holding
    }

    fn advance(&mut self, now: Timestamp) {
        let passed = now.saturating_sub(self.looked_at.replace(now).unwrap_or(now));
        self.silence = self.silence.saturating_add(passed.clamp(0, milliseconds(LOOK_MAX)));
        let is_stale = self.is_stale(now);
        if is_stale {
            self.fresh_since = None;
        }
        if self.silence >= milliseconds(GIVEN_UP_AFTER) {
            self.holding = false;
        } else if is_stale {
            self.holding = true;
        } else if let Some(since) = self.fresh_since.filter(|_| self.holding) {
            self.holding = now.saturating_sub(since) < self.released_after;
        }
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        self.evaluated_at.is_some_and(|at| now.saturating_sub(at) > self.stale_after)
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Transition;

    const SECOND: i64 = 1000;

    fn believes(doubt: &mut Doubt, now: i64) -> bool {
        doubt.believes(now * SECOND)
    }

    fn beat(doubt: &mut Doubt, evaluated_at: i64, now: i64) -> bool {
        doubt.beat(evaluated_at * SECOND, now * SECOND)
    }

    #[test]
    fn ends_wait_while_nothing_is_evaluated_and_some_time_longer() {
        let mut doubt = Doubt::new(None, None, false);
        // No heartbeat said when.
        assert!(believes(&mut doubt, 10_000));
        assert!(beat(&mut doubt, 10_000, 10_000));
        assert!(believes(&mut doubt, 10_120));
        assert!(!believes(&mut doubt, 10_121));
        let of = |transition| AlertEvent { transition, ..AlertEvent::default() };
        let mut events =
            [Transition::Resolved, Transition::Firing, Transition::Resolved].map(of).to_vec();
        assert_eq!(doubt.sift(&mut events, 10_121 * SECOND).len(), 2);
        assert_eq!(events.len(), 1);
        // The same one repeated changes nothing.
        assert!(!beat(&mut doubt, 10_000, 10_200));
        assert!(!believes(&mut doubt, 10_210));
        assert!(beat(&mut doubt, 10_215, 10_220));
        // Fresh again: the ends that come now are as doubtful as those before.
        assert!(!believes(&mut doubt, 10_294));
        assert!(believes(&mut doubt, 10_295));
    }

    #[test]
    fn silence_while_it_recovers_begins_anew() {
        let mut doubt = Doubt::new(None, Some(0), false);
        assert!(!believes(&mut doubt, 200));
        beat(&mut doubt, 210, 210);
        // The next evaluation that is reported is long after.
        assert!(!believes(&mut doubt, 331));
        beat(&mut doubt, 340, 340);
        assert!(!believes(&mut doubt, 400));
        assert!(believes(&mut doubt, 415));
    }

    #[test]
    fn a_clock_far_ahead_is_not_believed() {
        let mut doubt = Doubt::new(None, None, false);
        assert!(!beat(&mut doubt, 301, 0));
        assert!(beat(&mut doubt, 300, 0));
    }

    #[test]
    fn a_restart_forgets_no_silence_and_the_times_follow_the_timeout() {
        let mut doubt = Doubt::new(Some(Duration::from_secs(10)), Some(0), false);
        assert!(believes(&mut doubt, 4));
        assert!(!believes(&mut doubt, 5));
        beat(&mut doubt, 6, 6);
        assert!(!doubt.believes(8_499));
        assert!(doubt.believes(8_500));
    }

    #[test]
    fn ends_that_wait_over_a_restart_need_a_heartbeat_that_comes_after_it() {
        let mut doubt = Doubt::new(None, Some(90 * SECOND), true);
        // What was evaluated before the restart is not long ago, and says nothing about what is now.
        assert!(!believes(&mut doubt, 100) && !believes(&mut doubt, 200));
        assert!(!beat(&mut doubt, 90, 201));
        assert!(beat(&mut doubt, 205, 205));
        assert!(!believes(&mut doubt, 279));
        assert!(believes(&mut doubt, 280));
    }

    #[test]
    fn after_an_hour_without_a_fresh_heartbeat_every_end_is_believed() {
        for evaluated_at in [Some(0), None] {
            let mut doubt = Doubt::new(None, evaluated_at, true);
            // The machine slept, which is no silence.
            assert!(!believes(&mut doubt, 1_000) && !believes(&mut doubt, 9_000));
            // Heartbeats that are old when they come change nothing.
            let first = (9_000..20_000).find(|now| {
                beat(&mut doubt, now - 121, *now);
                believes(&mut doubt, *now)
            });
            assert_eq!(first, Some(9_000 + 3_600 - 60));
            // And it is so until a fresh one comes: from then on they wait again when it stays away.
            assert!(believes(&mut doubt, 12_600) && beat(&mut doubt, 12_600, 12_600));
            assert!(believes(&mut doubt, 12_700) && !believes(&mut doubt, 12_721));
        }
    }
}
