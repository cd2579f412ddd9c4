//! Prometheus rule files: loading, evaluation, alert states and unit tests.
//!
//! ```text
//! rule file ──load──> Group ──> GroupState ──evaluate──> samples to the storage, alert changes to the caller
//! ```
//!
//! The meaning is Prometheus's (`rules/alerting.go`, `rules/recording.go`, `rules/group.go`). Must not know where alerts are
//! sent to, nor the wall clock.

mod active;
mod alert;
mod carry;
mod group;
mod identity;
mod load;
mod model;
mod names;
mod relabel;
mod reload;
mod restore;

mod state;
mod template;
pub mod unit_test;
mod view;

use self::names::{ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE};
pub use self::{
    active::{ActiveAlerts, alert_names, certain_changes},
    alert::{Alert, AlertChange, AlertState, EndReason, Transition},
    group::{Evaluation, GroupState, RuleError},
    identity::{identity, is_about_a_target},
    load::{Loaded, load},
    model::{External, Group, Rule, RuleKind},
    reload::Reloaded,
    state::{Health, RuleState},
    view::{GroupView, RuleView},
};
