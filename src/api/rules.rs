//! `rules` and `alerts`: what is evaluated, and what it found.
//!
//! The only file here that knows the rule engine's types. Must not know how rules are evaluated.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::State;
use serde::Serialize;
use series::{
    Labels,
    rule::{Alert, AlertState, GroupView, RuleKind, RuleView},
};

use super::{
    engine::Engine,
    parameters::Parameters,
    render::{LabelObject, NEVER, rfc_3339},
    reply::{ApiError, Reply},
};

#[derive(Serialize)]
struct AlertList {
    alerts: Vec<AlertBody>,
}

#[derive(Serialize)]
struct GroupList {
    groups: Vec<GroupBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertBody {
    labels: LabelObject,
    annotations: BTreeMap<String, String>,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupBody {
    name: String,
    file: String,
    rules: Vec<RuleBody>,
    /// In seconds; left out when the group goes by the program's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<f64>,
    limit: usize,
    /// In seconds.
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleBody {
    #[serde(flatten)]
    alerting: Option<AlertingBody>,
    name: String,
    query: String,
    labels: LabelObject,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    last_evaluation: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What only alerting rules have. Durations are in seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingBody {
    state: &'static str,
    duration: f64,
    keep_firing_for: f64,
    annotations: BTreeMap<String, String>,
    alerts: Vec<AlertBody>,
}

/// Which rules are asked for.
struct Filter {
    kind: Option<&'static str>,
    names: Vec<String>,
    groups: Vec<String>,
    exclude_alerts: bool,
}

/// `GET /api/v1/alerts`.
pub(super) async fn alerts(State(engine): State<Arc<Engine>>) -> Result<Reply, ApiError> {
    engine
        .look(|groups| {
            let alerts = groups.iter().flat_map(GroupView::rules).flat_map(alert_bodies).collect();
            Reply::of(&AlertList { alerts })
        })
        .await
}

/// `GET /api/v1/rules`.
pub(super) async fn rules(
    State(engine): State<Arc<Engine>>,
    parameters: Parameters,
) -> Result<Reply, ApiError> {
    let filter = Filter::of(&parameters)?;
    engine
        .look(move |groups| {
            let groups = groups.iter().filter_map(|view| group_body(view, &filter)).collect();
            Reply::of(&GroupList { groups })
        })
        .await
}

impl Filter {
    fn of(parameters: &Parameters) -> Result<Self, ApiError> {
        let kind = match parameters.get("type") {
            None => None,
            Some("alert") => Some("alerting"),
            Some("record") => Some("recording"),
            Some(other) => {
                let reason = format!("{other:?} is neither alert nor record");
                return Err(ApiError::parameter("type", reason));
            }
        };
        let exclude_alerts = match parameters.get("exclude_alerts") {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(ApiError::parameter("exclude_alerts", "it is not a boolean")),
        };
        // To leave a filter aside would answer with more than was asked for.
        for name in ["file[]", "match[]", "group_limit", "group_next_token"] {
            if parameters.get(name).is_some() {
                return Err(ApiError::parameter(name, "it is not supported here"));
            }
        }
        let all = |name| parameters.all(name).map(str::to_owned).collect();
        Ok(Self { kind, names: all("rule_name[]"), groups: all("rule_group[]"), exclude_alerts })
    }

    fn is_narrow(&self) -> bool {
        self.kind.is_some() || !self.names.is_empty()
    }
}

/// Whether a value is one of those wanted; none wanted means all.
fn wants(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == value)
}

/// The group with those of its rules that are asked for; nothing when none is.
fn group_body(view: &GroupView, filter: &Filter) -> Option<GroupBody> {
    let group = view.group();
    if !wants(&filter.groups, &group.name) {
        return None;
    }
    let last_evaluation = view.last_evaluation().map_or_else(|| NEVER.to_owned(), rfc_3339);
    let rules: Vec<RuleBody> = view
        .rules()
        .iter()
        .map(|rule| rule_body(rule, &last_evaluation, filter.exclude_alerts))
        .filter(|body| filter.kind.is_none_or(|kind| kind == body.kind))
        .filter(|body| wants(&filter.names, &body.name))
        .collect();
    if rules.is_empty() && filter.is_narrow() {
        return None;
    }
    Some(GroupBody {
        name: group.name.clone(),
        file: group.file.clone(),
        rules,
        interval: group.interval_ms.map(seconds),
        limit: group.limit,
        evaluation_time: view.evaluation_time().as_secs_f64(),
        last_evaluation,
    })
}

fn rule_body(view: &RuleView, last_evaluation: &str, exclude_alerts: bool) -> RuleBody {
    let rule = view.rule();
    let alerting = match rule.kind {
        RuleKind::Recording => None,
        RuleKind::Alerting { for_ms, keep_firing_for_ms } => Some(AlertingBody {
            state: view.state().as_str(),
            duration: seconds(for_ms),
            keep_firing_for: seconds(keep_firing_for_ms),
            annotations: rule.annotations.clone(),
            alerts: if exclude_alerts { Vec::new() } else { alert_bodies(view).collect() },
        }),
    };
    let labels = rule.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    RuleBody {
        kind: if alerting.is_some() { "alerting" } else { "recording" },
        alerting,
        name: rule.name.clone(),
        query: rule.query.text().to_owned(),
        labels: LabelObject(Labels::new(labels)),
        health: view.health().as_str(),
        last_error: view.last_error().map(str::to_owned),
        last_evaluation: last_evaluation.to_owned(),
    }
}

/// The alerts that are pending or firing; those that ended are history.
fn alert_bodies(view: &RuleView) -> impl Iterator<Item = AlertBody> {
    view.alerts().filter(|alert| alert.state != AlertState::Inactive).map(alert_body)
}

fn alert_body(alert: &Alert) -> AlertBody {
    AlertBody {
        labels: LabelObject(alert.labels.clone()),
        annotations: alert.annotations.clone(),
        state: alert.state.as_str(),
        active_at: rfc_3339(alert.active_at),
        keep_firing_since: alert.keep_firing_since.map(rfc_3339),
        value: notation::number::with_exponent(alert.value),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of rules are far below 2^53 milliseconds"
)]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
