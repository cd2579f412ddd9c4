//! Alerts and rules as the pages show them.
//!
//! Must not know how a rule is evaluated.

use series::{Labels, Timestamp};

/// The severity of the heartbeat.
const SEVERITY_NONE: &str = "none";

/// An alert that is firing or pending.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` included.
    pub labels: Labels,
    /// Whether it fires; otherwise it is pending.
    pub firing: bool,
    /// Since when its condition holds.
    pub since: Timestamp,
    /// Since when its condition no longer holds, although it fires on for a while.
    pub recovering_since: Option<Timestamp>,
    /// The value of its expression.
    pub value: f64,
    /// What happened, in a few words.
    pub summary: String,
    /// More about it.
    pub description: String,
    /// Where its runbook is, as the rule says; empty when it says nothing.
    pub runbook_url: String,
}

impl Alert {
    /// The rule's name.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or("")
    }

    /// Whether it only shows that alerts arrive: it always fires, and nothing is wrong.
    pub fn is_heartbeat(&self) -> bool {
        self.labels.get("severity") == Some(SEVERITY_NONE)
    }

    /// Whether it fires and says that something is wrong.
    pub fn needs_attention(&self) -> bool {
        self.firing && !self.is_heartbeat()
    }
}

/// A rule and how its last evaluation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSummary {
    /// The name of its group.
    pub group: String,
    /// Its own name.
    pub name: String,
    /// What it evaluates.
    pub expression: String,
    /// `ok`, `unknown` or `err`.
    pub health: &'static str,
    /// Why the last evaluation failed, when it did.
    pub error: Option<String>,
    /// How many of its alerts fire.
    pub firing: usize,
    /// How many of its alerts are pending.
    pub pending: usize,
    /// Whether its alert is the heartbeat.
    pub heartbeat: bool,
}

impl RuleSummary {
    /// Whether a rule with this severity is the heartbeat's.
    pub(super) fn is_heartbeat(severity: Option<&str>) -> bool {
        severity == Some(SEVERITY_NONE)
    }
}
