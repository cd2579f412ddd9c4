//! Ends that are not believed yet: while Prometheus is silent an Alertmanager takes its alerts for over, and goes on repeating the
//! heartbeat.
//!
//! The heartbeat says when the rules were last evaluated. While that is long ago, ends wait; they count once evaluations have been
//! heard of again for longer than Prometheus takes to repeat an alert, unless the alert was heard of as well. Must not know how
//! alerts come in or are written.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use series::Timestamp;

use crate::{
    monitor::lock,
    notify::{Notice, Transition},
};

/// How old the last evaluation may be; two fifths of the heartbeat's timeout when there is one.
const STALE_AFTER: Duration = Duration::from_mins(2);
/// How long evaluations must have been heard of again; a quarter of the timeout when there is one. Prometheus repeats an alert that
/// fires after a minute at the latest.
const RELEASED_AFTER: Duration = Duration::from_secs(75);
/// How far ahead of this machine's clock an evaluation may be to be believed.
const AHEAD: Duration = Duration::from_mins(5);
/// How many ends are kept; beyond it only their Alertmanager keeps them.
const ENDS_MAX: usize = 10_000;

/// Whether ends are believed, and those that wait.
pub(super) struct Hold {
    stale_after: i64,
    released_after: i64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the rules were last evaluated; `None` when no heartbeat ever said.
    evaluated_at: Option<Timestamp>,
    /// Whether ends wait.
    holding: bool,
    /// From when on evaluations have been heard of again.
    fresh_since: Option<Timestamp>,
    /// The ends that wait, by the hash of their labels.
    ends: BTreeMap<u64, Notice>,
}

impl Hold {
    /// With what was known before a restart.
    pub(super) fn new(
        heartbeat_timeout: Option<Duration>,
        evaluated_at: Option<Timestamp>,
    ) -> Self {
        let part = |of: fn(Duration) -> Duration, other: Duration| {
            milliseconds(heartbeat_timeout.map_or(other, of))
        };
        Self {
            stale_after: part(|timeout| timeout * 2 / 5, STALE_AFTER),
            released_after: part(|timeout| timeout / 4, RELEASED_AFTER),
            state: Mutex::new(State { evaluated_at, ..State::default() }),
        }
    }

    /// How often [`Hold::released`] should be asked at least.
    pub(super) fn pace(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.released_after / 4).unwrap_or(1).max(1))
    }

    /// A heartbeat said when the rules were evaluated; whether that is news that can be believed.
    pub(super) fn beat(&self, evaluated_at: Timestamp, now: Timestamp) -> bool {
        if evaluated_at > now.saturating_add(milliseconds(AHEAD)) {
            return false;
        }
        let mut state = lock(&self.state);
        // What it was until now decides whether ends have to wait for some more time.
        self.advance(&mut state, now);
        let is_news = state.evaluated_at.is_none_or(|last| evaluated_at > last);
        if is_news {
            state.evaluated_at = Some(evaluated_at);
        }
        self.advance(&mut state, now);
        is_news
    }

    /// Takes out the ends that have to wait, and keeps them; says how many they are, and how many of these are new. An alert that
    /// fires is not over after all: it goes on, also when its start is a later one.
    pub(super) fn sift(&self, notices: &mut Vec<Notice>, now: Timestamp) -> (usize, usize) {
        let mut state = lock(&self.state);
        self.advance(&mut state, now);
        for notice in notices.iter_mut().filter(|notice| !notice.is_end()) {
            notice.continues |= state.ends.remove(&notice.label_set()).is_some();
        }
        if !state.holding {
            return (0, 0);
        }
        let is_end = |notice: &mut Notice| notice.transition == Transition::Resolved;
        let (mut held, mut new) = (0, 0);
        for end in notices.extract_if(.., is_end) {
            held += 1;
            let key = end.label_set();
            let known = state.ends.contains_key(&key);
            if known || state.ends.len() < ENDS_MAX {
                state.ends.insert(key, end);
            }
            new += usize::from(!known);
        }
        (held, new)
    }

    /// The ends that waited and count now.
    pub(super) fn released(&self, now: Timestamp) -> Vec<Notice> {
        let mut state = lock(&self.state);
        self.advance(&mut state, now);
        if state.holding {
            return Vec::new();
        }
        let ends = std::mem::take(&mut state.ends);
        ends.into_values().map(|end| Notice { told_at: now, ..end }).collect()
    }

    fn advance(&self, state: &mut State, now: Timestamp) {
        let stale = |at| now.saturating_sub(at) > self.stale_after;
        if state.evaluated_at.is_some_and(stale) {
            state.holding = true;
            state.fresh_since = None;
        } else if state.holding {
            let since = *state.fresh_since.get_or_insert(now);
            state.holding = now.saturating_sub(since) < self.released_after;
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use series::Labels;

    use super::*;

    const SECOND: i64 = 1000;

    fn notice(name: &str, transition: Transition) -> Notice {
        Notice { transition, labels: Labels::new([("alertname", name)]), ..Notice::default() }
    }

    fn sift(hold: &Hold, notices: &[(&str, Transition)], now: i64) -> (Vec<Notice>, usize) {
        let mut notices = notices.iter().map(|(name, each)| notice(name, *each)).collect();
        let (held, _) = hold.sift(&mut notices, now * SECOND);
        (notices, held)
    }

    fn released(hold: &Hold, now: i64) -> Vec<String> {
        let ends = hold.released(now * SECOND);
        ends.iter().map(|end| end.label("alertname").to_owned()).collect()
    }

    #[test]
    fn ends_wait_while_nothing_is_evaluated_and_some_time_longer() {
        use Transition::{Firing, Resolved};
        let hold = Hold::new(None, None);
        // No heartbeat said when.
        assert_eq!(sift(&hold, &[("a", Resolved)], 10_000).1, 0);
        assert!(hold.beat(10_000 * SECOND, 10_000 * SECOND));
        assert_eq!(sift(&hold, &[("a", Resolved)], 10_120).1, 0);
        let (rest, held) = sift(&hold, &[("a", Resolved), ("b", Firing), ("c", Resolved)], 10_121);
        assert_eq!((rest.len(), held), (1, 2));
        // The same repeated is no news.
        assert!(!hold.beat(10_000 * SECOND, 10_200 * SECOND));
        assert_eq!(released(&hold, 10_210), [""; 0]);
        assert!(hold.beat(10_215 * SECOND, 10_220 * SECOND));
        // Fresh again: the ends that come now are as doubtful as those before.
        assert_eq!(sift(&hold, &[("d", Resolved)], 10_230).1, 1);
        let (rest, _) = sift(&hold, &[("c", Firing)], 10_260);
        assert!(rest[0].continues);
        assert_eq!(released(&hold, 10_294), [""; 0]);
        let mut ends = released(&hold, 10_295);
        ends.sort();
        assert_eq!(ends, ["a", "d"]);
        assert_eq!(sift(&hold, &[("a", Resolved)], 10_300).1, 0);
    }

    #[test]
    fn silence_while_it_recovers_begins_anew() {
        let hold = Hold::new(None, Some(0));
        assert_eq!(sift(&hold, &[("a", Transition::Resolved)], 200).1, 1);
        hold.beat(210 * SECOND, 210 * SECOND);
        // The next evaluation that is heard of is long after.
        assert_eq!(released(&hold, 331), [""; 0]);
        hold.beat(340 * SECOND, 340 * SECOND);
        assert_eq!(released(&hold, 400), [""; 0]);
        assert_eq!(released(&hold, 415), ["a"]);
    }

    #[test]
    fn a_clock_far_ahead_is_not_believed() {
        let hold = Hold::new(None, None);
        assert!(!hold.beat(301 * SECOND, 0));
        assert!(hold.beat(300 * SECOND, 0));
    }

    #[test]
    fn a_restart_forgets_no_silence_and_the_times_follow_the_timeout() {
        let hold = Hold::new(Some(Duration::from_secs(10)), Some(0));
        assert_eq!(sift(&hold, &[("a", Transition::Resolved)], 4).1, 0);
        assert_eq!(sift(&hold, &[("a", Transition::Resolved)], 5).1, 1);
        hold.beat(6 * SECOND, 6 * SECOND);
        assert_eq!(hold.released(8_499).len(), 0);
        assert_eq!(hold.released(8_500).len(), 1);
    }
}
