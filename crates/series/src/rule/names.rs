//! The metrics and labels that rules write besides their own, as Prometheus names them. Must not know who writes them.

/// The metric with one series for each pending or firing alert.
pub(super) const ALERTS: &str = "ALERTS";

/// The metric whose value is the time, in seconds, from which on an alert has been active.
pub(super) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// The label with the name of the alerting rule.
pub(super) const ALERT_NAME: &str = "alertname";

/// The label of [`ALERTS`] that distinguishes pending from firing.
pub(super) const ALERT_STATE: &str = "alertstate";
