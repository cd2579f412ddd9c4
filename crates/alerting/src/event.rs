//! One event of one alert: it began to fire, or was resolved.
//!
//! Must not know who is notified, nor how it is written.

use series::{Labels, Timestamp, rule::identity};

/// How far another clock, or this machine's before it was set, may be ahead, in milliseconds, for its times to be believed.
pub(crate) const AHEAD_MS: i64 = 5 * 60 * 1000;

/// The annotation with the time of the first failed check.
const STARTED_AT: &str = "started_at";
/// The annotation with the time of the latest failed check so far.
const ENDED_AT: &str = "ended_at";
/// The severity of alerts that always fire: they are heartbeats, and no news.
const HEARTBEAT_SEVERITY: &str = "none";

/// What happened to an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transition {
    /// It has been active for as long as its rule demands.
    #[default]
    Firing,
    /// It is over.
    Resolved,
}

impl Transition {
    /// The word for `event.action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl std::str::FromStr for Transition {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let all = [Self::Firing, Self::Resolved];
        all.into_iter().find(|transition| transition.as_str() == word).ok_or(())
    }
}

/// Who reported an alert, and so who knows whether it still fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The rules of this program.
    #[default]
    Rules,
    /// An Alertmanager, by its webhook.
    Alertmanager,
    /// The receiver itself, because no heartbeat came.
    Receiver,
}

impl Origin {
    const ALL: [Self; 3] = [Self::Rules, Self::Alertmanager, Self::Receiver];

    /// The word for it in the file beside the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Alertmanager => "alertmanager",
            Self::Receiver => "receiver",
        }
    }

    /// The origin of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == word)
    }
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Its condition no longer holds.
    #[default]
    WorksAgain,
    /// Its target is not in the configuration any more.
    NoLongerWatched,
    /// No rule has its name any more.
    RuleRemoved,
}

impl Ending {
    /// The words for `event.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorksAgain => "works again",
            Self::NoLongerWatched => "no longer watched",
            Self::RuleRemoved => "rule removed",
        }
    }

    /// The reason that has these words.
    pub(crate) fn of(words: &str) -> Option<Self> {
        let all = [Self::WorksAgain, Self::NoLongerWatched, Self::RuleRemoved];
        all.into_iter().find(|ending| ending.as_str() == words)
    }
}

/// A disruption as the log knows it: the same for its firing and its resolved line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disruption {
    /// The hash of the labels that identify the alert.
    pub hash: u64,
    /// A second that no other disruption of the alert has: that of its start, or a later one where that was taken.
    pub second: i64,
    /// When it began.
    pub start: Timestamp,
}

impl Disruption {
    /// The text for `event.id`.
    pub fn id(&self) -> String {
        format!("{:016x}-{}", self.hash, self.second)
    }
}

/// One transition of one alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertEvent {
    /// What happened.
    pub transition: Transition,
    /// When it happened.
    pub at: Timestamp,
    /// When it was reported to this program: the time of the line. That of an alert which an Alertmanager reports is later than `at`.
    pub reported_at: Timestamp,
    /// When the alert's condition began to hold. It is restored to the second after a restart; the moment of firing is not.
    pub active_at: Timestamp,
    /// The alert's labels, `alertname` included.
    pub labels: Labels,
    /// Its annotations; those of the shipped rules have a place of their own in the line.
    pub annotations: Labels,
    /// Who reported it.
    pub origin: Origin,
    /// Why it is over; without a meaning while it fires.
    pub ending: Ending,
    /// Whether it goes on although its start is a later one: its end was reported while nothing was known of it.
    pub continues: bool,
    /// The disruption, once the log has found out which one it is.
    pub disruption: Option<Disruption>,
}

/// FNV-1a, 64 bit (<http://www.isthe.com/chongo/tech/comp/fnv/>): what Prometheus and Alertmanager hash label sets with.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// Cannot occur in UTF-8, so it separates names from values without ambiguity.
const SEPARATOR: u8 = 255;

/// The hash of labels as Alertmanager computes it.
pub(crate) fn hash(labels: &Labels) -> u64 {
    let mut hash = FNV_OFFSET;
    for (name, value) in labels.iter() {
        for byte in name.bytes().chain([SEPARATOR]).chain(value.bytes()).chain([SEPARATOR]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }
    hash
}

/// The hash of the labels that identify an alert, whatever is edited about its target meanwhile.
pub fn fingerprint(labels: &Labels) -> u64 {
    hash(&identity(labels))
}

impl AlertEvent {
    /// The hash of the labels that identify the alert.
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.labels)
    }

    /// The hash of all labels, which is Alertmanager's `fingerprint`: several may be about one and the same.
    pub fn label_set(&self) -> u64 {
        hash(&self.labels)
    }

    /// Which disruption it is about.
    pub fn disruption(&self) -> Disruption {
        self.disruption.unwrap_or_else(|| {
            let start = self.started_at().unwrap_or(self.active_at);
            Disruption { hash: self.fingerprint(), second: start.div_euclid(1000), start }
        })
    }

    /// Identifies the disruption: the same for its firing and its resolved event.
    pub fn event_id(&self) -> String {
        self.disruption().id()
    }

    /// The first failed check, where the annotation says so and can be believed.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.time(STARTED_AT)
    }

    /// When the disruption was over: the last failed check where the annotation says so, else the end of the alert.
    pub fn ended_at(&self) -> Timestamp {
        self.time(ENDED_AT).filter(|end| *end >= self.disruption().start).unwrap_or(self.at)
    }

    /// How long the disruption lasted, in milliseconds.
    pub fn duration(&self) -> i64 {
        self.ended_at().saturating_sub(self.disruption().start).max(0)
    }

    /// Whether it is the end of an alert.
    pub fn is_end(&self) -> bool {
        self.transition == Transition::Resolved
    }

    /// Whether it is a heartbeat, which is no news.
    pub fn is_heartbeat(&self) -> bool {
        self.label("severity") == HEARTBEAT_SEVERITY
    }

    /// A label's value, or `""`.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).unwrap_or("")
    }

    /// An annotation's text, or `""`.
    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).unwrap_or("")
    }

    /// The time in an annotation; `None` for what cannot be one of the past.
    fn time(&self, name: &str) -> Option<Timestamp> {
        let latest = self.reported_at.saturating_add(AHEAD_MS);
        parse_time(self.annotation(name)).filter(|time| *time <= latest)
    }
}

/// A time as rules write it into an annotation: Unix seconds, with or without decimals, or RFC 3339.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    /// The year 9999, beyond which the calendar has no times.
    const SECONDS_MAX: f64 = 253_402_300_799.0;
    let text = text.trim();
    let Ok(seconds) = text.parse::<f64>() else {
        let time: jiff::Timestamp = text.parse().ok()?;
        return Some(time.as_millisecond()).filter(|time| *time > 0);
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    (seconds > 0.0 && seconds <= SECONDS_MAX).then(|| (seconds * 1000.0).round() as Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_alertmanager() {
        let event = |labels| AlertEvent { active_at: 1_999, labels, ..AlertEvent::default() };
        // The hash of nothing is the offset basis, as for Prometheus's empty label set.
        assert_eq!(event(Labels::default()).event_id(), "cbf29ce484222325-1");
        // Separators keep name and value apart.
        assert_ne!(hash(&Labels::new([("ab", "c")])), hash(&Labels::new([("a", "bc")])));
    }

    #[test]
    fn an_alert_about_a_target_is_the_same_whatever_is_edited() {
        let event = |severity| AlertEvent {
            labels: Labels::new([
                ("alertname", "Down"),
                ("instance", "http://a/"),
                ("severity", severity),
            ]),
            ..AlertEvent::default()
        };
        let (critical, info) = (event("critical"), event("info"));
        assert_eq!(critical.fingerprint(), info.fingerprint());
        assert_ne!(critical.label_set(), info.label_set());
    }

    #[test]
    fn times_are_read_as_rules_write_them() {
        for (text, expected) in [
            ("1795329126", Some(1_795_329_126_000)),
            ("1.795329126e+09", Some(1_795_329_126_000)),
            ("1795329126.25", Some(1_795_329_126_250)),
            (" 2026-11-22T06:32:06Z ", Some(1_795_329_126_000)),
            ("2026-11-22T07:32:06.5+01:00", Some(1_795_329_126_500)),
            ("", None),
            ("0", None),
            ("-5", None),
            ("NaN", None),
            ("+Inf", None),
            ("1e300", None),
            ("<error expanding template>", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn the_disruption_has_the_times_of_its_checks_where_they_can_be() {
        let times = |started: &str, ended: &str| {
            let event = AlertEvent {
                at: 2_000_000,
                reported_at: 2_000_000,
                active_at: 1_900_000,
                annotations: Labels::new([("started_at", started), ("ended_at", ended)]),
                ..AlertEvent::default()
            };
            (event.disruption().start, event.ended_at(), event.duration())
        };
        assert_eq!(times("1000", "1500.5"), (1_000_000, 1_500_500, 500_500));
        assert_eq!(times("", ""), (1_900_000, 2_000_000, 100_000));
        // An end before the start is not valid, nor one in the future.
        assert_eq!(times("1000", "900"), (1_000_000, 2_000_000, 1_000_000));
        assert_eq!(times("9000", "9000"), (1_900_000, 2_000_000, 100_000));
    }
}
