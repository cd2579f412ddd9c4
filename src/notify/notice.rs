//! One thing to tell: an alert began to fire, or was resolved.
//!
//! Must not know who is told, nor how it is written.

use series::{Labels, Timestamp};

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It has been active for as long as its rule demands.
    Firing,
    /// Its condition no longer holds.
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

/// One transition of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub transition: Transition,
    /// When it happened.
    pub at: Timestamp,
    /// When we learnt of it: the time of the line. That of an alert which an Alertmanager tells is later than `at`.
    pub told_at: Timestamp,
    /// When the alert's condition began to hold. It is restored to the second after a restart, so it identifies the
    /// disruption; the moment of firing would not.
    pub active_at: Timestamp,
    /// The alert's labels, `alertname` included.
    pub labels: Labels,
    /// Its annotations: `summary`, `description`, `runbook_url` have a place of their own.
    pub annotations: Labels,
}

/// FNV-1a, 64 bit (<http://www.isthe.com/chongo/tech/comp/fnv/>): what Prometheus and Alertmanager hash label sets with.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// Cannot occur in UTF-8, so it separates names from values without ambiguity.
const SEPARATOR: u8 = 255;

impl Notice {
    /// The label set's hash as Alertmanager computes it, so that a line can be found there and the reverse.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = FNV_OFFSET;
        for (name, value) in self.labels.iter() {
            for byte in name.bytes().chain([SEPARATOR]).chain(value.bytes()).chain([SEPARATOR]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
            }
        }
        hash
    }

    /// Identifies the disruption: the same for its firing and its resolved notice.
    pub fn event_id(&self) -> String {
        format!("{:016x}-{}", self.fingerprint(), self.active_at.div_euclid(1000))
    }

    /// A label's value, or `""`.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).unwrap_or("")
    }

    /// An annotation's text, or `""`.
    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_that_of_alertmanager() {
        let notice = |labels: Labels| Notice {
            transition: Transition::Firing,
            at: 0,
            told_at: 0,
            active_at: 1_999,
            labels,
            annotations: Labels::default(),
        };
        // The hash of nothing is the offset basis, as for Prometheus's empty label set.
        assert_eq!(notice(Labels::default()).event_id(), "cbf29ce484222325-1");
        // Separators keep name and value apart.
        assert_ne!(
            notice(Labels::new([("ab", "c")])).fingerprint(),
            notice(Labels::new([("a", "bc")])).fingerprint()
        );
    }
}
