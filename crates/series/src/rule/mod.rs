//! Prometheus rule files: loading, evaluation, alert states and unit tests.
//!
//! ```text
//! rule file ──load──> Group ──> GroupState ──evaluate──> samples to the database, alert changes to the caller
//! ```
//!
//! The meaning is Prometheus's (`rules/alerting.go`, `rules/recording.go`, `rules/group.go`). Must not know where alerts are
//! sent to, nor the wall clock.

mod alert;
mod carry;
mod group;
mod identity;
mod load;
mod model;
mod reload;
mod restore;
mod standing;
mod state;
mod template;
pub mod unit_test;
mod view;

pub use self::{
    alert::{Alert, AlertChange, AlertState, EndReason, Transition},
    group::{Evaluation, GroupState, Reloaded, RuleError},
    identity::{identity, is_about_a_target},
    load::{Loaded, load},
    model::{External, Group, Rule, RuleKind},
    standing::{Standing, alert_names, certain_changes},
    state::{Health, RuleState},
    view::{GroupView, RuleView},
};

/// The metric with one series for each pending or firing alert.
const ALERTS: &str = "ALERTS";

/// The metric whose value is the time, in seconds, from which on an alert has been active.
const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// The label with the name of the alerting rule.
const ALERT_NAME: &str = "alertname";

/// The label of [`ALERTS`] that tells pending from firing.
const ALERT_STATE: &str = "alertstate";
