//! Which alerts the rules have at present, and of which they cannot say: what a log of alerts is compared with.
//!
//! Must not know what becomes of the answers.

use std::collections::BTreeSet;

use super::{ALERT_NAME, AlertState, EndReason, GroupState, Health};
use crate::Labels;

/// The identities of all alerts that fire now, see [`super::Alert::identity`].
pub fn firing_identities(groups: &[GroupState]) -> BTreeSet<Labels> {
    Standing::of(groups).firing
}

/// What the rules say of alerts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The identities of the alerts that fire.
    pub firing: BTreeSet<Labels>,
    /// The identities of the alerts that do not fire yet.
    pub pending: BTreeSet<Labels>,
    /// The names of all alerts that have a rule.
    pub names: BTreeSet<String>,
    /// The names of those of which the rules cannot say whether there are any: a rule of their group was never evaluated, or
    /// failed the last time.
    pub undecided: BTreeSet<String>,
}

impl Standing {
    /// What these groups say.
    pub fn of(groups: &[GroupState]) -> Self {
        let mut standing = Self::default();
        for group in groups {
            // A rule reads what those before it have recorded, so one that failed makes the others doubtful.
            let decided = group.last_evaluation().is_some()
                && group.rules().iter().all(|rule| rule.health() == Health::Ok);
            for state in group.rules().iter().filter(|state| state.rule().is_alerting()) {
                standing.names.insert(state.rule().name.clone());
                if !decided {
                    standing.undecided.insert(state.rule().name.clone());
                }
                for alert in state.alerts() {
                    let identities = match alert.state {
                        AlertState::Firing => &mut standing.firing,
                        AlertState::Pending => &mut standing.pending,
                        AlertState::Inactive => continue,
                    };
                    identities.insert(alert.identity.clone());
                }
            }
        }
        standing
    }

    /// Whether each rule was evaluated at least once, and the last time well.
    pub fn is_decided(&self) -> bool {
        self.undecided.is_empty()
    }

    /// Why an alert with this identity that was firing before is over; `None` while it fires, or while the rules cannot say.
    pub fn ended(&self, identity: &Labels) -> Option<EndReason> {
        let name = identity.get(ALERT_NAME).unwrap_or("");
        if self.firing.contains(identity) || self.undecided.contains(name) {
            return None;
        }
        let has_rule = self.names.contains(name);
        Some(if has_rule { EndReason::ConditionOver } else { EndReason::RuleRemoved })
    }
}
