//! The alerts and the rules: as a page, and for the pages of the targets. The only file of the pages that knows the rules.

use axum::http::StatusCode;
use maud::{Markup, html};
use series::{
    Labels, Timestamp,
    rule::{AlertState, GroupView},
};

use super::{
    layout::{Page, Tab},
    runbooks, words,
};
use crate::{
    api::Reader,
    config::{Identity, JOB},
};

/// The severity of the heartbeat.
const SEVERITY_NONE: &str = "none";

/// An alert that is firing or pending.
pub(super) struct Alert {
    /// Its labels, `alertname` included.
    pub(super) labels: Labels,
    /// Whether it fires; otherwise it is pending.
    pub(super) firing: bool,
    /// Since when its condition holds.
    pub(super) since: Timestamp,
    /// The value of its expression.
    value: f64,
    summary: String,
    description: String,
    runbook: Option<String>,
}

impl Alert {
    /// The rule's name.
    pub(super) fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or("")
    }

    /// Whether it only shows that alerts arrive: it always fires, and nothing is wrong.
    fn is_heartbeat(&self) -> bool {
        self.labels.get("severity") == Some(SEVERITY_NONE)
    }

    /// Whether it fires and says that something is wrong.
    pub(super) fn needs_attention(&self) -> bool {
        self.firing && !self.is_heartbeat()
    }

    /// The state in a word with a sign, so that it reads without colours.
    pub(super) fn badge(&self) -> Markup {
        html! {
            @if self.firing {
                span.badge.firing { span aria-hidden="true" { "▲" } " Firing" }
            } @else {
                span.badge.pending { span aria-hidden="true" { "△" } " Pending" }
            }
        }
    }

    /// What people are told.
    fn text(&self) -> Markup {
        html! {
            @if !self.summary.is_empty() { p { (self.summary) } }
            @if !self.description.is_empty() { p.detail { (self.description) } }
            @if let Some(runbook) = &self.runbook { p { a href=(runbook) rel="noopener noreferrer" { "Runbook" } } }
        }
    }
}

/// A rule as it stands.
struct RuleLine {
    group: String,
    name: String,
    expression: String,
    /// `ok`, `unknown` or `err`.
    health: String,
    error: Option<String>,
    firing: usize,
    pending: usize,
    heartbeat: bool,
}

/// All firing and pending alerts: firing ones first, then by name and age.
pub(super) fn active(monitor: &Reader) -> Vec<Alert> {
    let groups = monitor.rules.views();
    let mut active: Vec<Alert> = Vec::new();
    for rule in groups.iter().flat_map(GroupView::rules) {
        for alert in rule.alerts() {
            let firing = match alert.state {
                AlertState::Firing => true,
                AlertState::Pending => false,
                AlertState::Inactive => continue,
            };
            let annotation = |name: &str| alert.annotations.get(name).cloned().unwrap_or_default();
            active.push(Alert {
                labels: alert.labels.clone(),
                firing,
                since: alert.active_at,
                value: alert.value,
                summary: annotation("summary"),
                description: annotation("description"),
                runbook: runbook(monitor, &alert.labels, &annotation("runbook_url")),
            });
        }
    }
    active.sort_by(|left, right| {
        (!left.firing, left.name(), left.since, &left.labels).cmp(&(
            !right.firing,
            right.name(),
            right.since,
            &right.labels,
        ))
    });
    active
}

/// Where an alert's runbook is: a page of ours when there is one, whatever name this program is reached by.
fn runbook(monitor: &Reader, labels: &Labels, url: &str) -> Option<String> {
    let alert = labels.get("alertname").unwrap_or("");
    runbooks::own_link(alert, url, &monitor.about().external_url)
        .or_else(|| words::web_address(url))
}

fn rules(monitor: &Reader) -> Vec<RuleLine> {
    let groups = monitor.rules.views();
    let mut lines = Vec::new();
    for group in groups.iter() {
        for view in group.rules() {
            lines.push(RuleLine {
                group: group.group().name.clone(),
                name: view.rule().name.clone(),
                expression: view.rule().query.text().to_owned(),
                health: view.health().as_str().to_owned(),
                error: view.last_error().map(str::to_owned),
                heartbeat: view
                    .rule()
                    .labels
                    .get("severity")
                    .is_some_and(|severity| severity == SEVERITY_NONE),
                firing: view.count(AlertState::Firing),
                pending: view.count(AlertState::Pending),
            });
        }
    }
    lines
}

/// The page `/alerts`.
pub(super) fn page(monitor: &Reader) -> Page {
    let now = monitor.now();
    let (heartbeats, alerts): (Vec<Alert>, Vec<Alert>) =
        active(monitor).into_iter().partition(Alert::is_heartbeat);
    let firing = alerts.iter().filter(|alert| alert.firing).count();
    let body = html! {
        h1 { "Alerts" }
        @if monitor.store.is_none() {
            p.empty {
                "This is the exporter: your Prometheus evaluates the rules. Started without the word "
                code { "exporter" } ", the program evaluates them itself and shows the alerts here."
            }
        } @else {
            p { (firing) " firing, " (alerts.len() - firing) " pending" }
            @if alerts.is_empty() {
                p.empty { "Nothing is wrong: no alert is firing or pending." }
            } @else {
                (table(&alerts, now, false))
            }
            @for heartbeat in &heartbeats { (beat(heartbeat, now)) }
            (rule_list(&rules(monitor)))
        }
    };
    Page {
        status: StatusCode::OK,
        title: format!("Alerts ({firing} firing)"),
        tab: Some(Tab::Alerts),
        body,
    }
}

/// The heartbeat, which is no alert to a reader: it would be one if it were missing.
fn beat(alert: &Alert, now: Timestamp) -> Markup {
    html! {
        p.note {
            "Heartbeat: " (words::breakable(alert.name())) " "
            @if alert.firing { "beats, since " } @else { "is about to beat, since " }
            (words::when(alert.since, now)) ". It shows that rules are evaluated; nothing is wrong."
        }
    }
}

/// A table of alerts; on the page of one target its own labels say nothing new.
pub(super) fn table<'a>(
    alerts: impl IntoIterator<Item = &'a Alert>,
    now: Timestamp,
    of_one_target: bool,
) -> Markup {
    let hidden: &[&str] = if of_one_target {
        &["alertname", "instance", "job"]
    } else {
        &["alertname", "instance", "job", "severity"]
    };
    html! {
        table.cards {
            thead {
                tr {
                    th scope="col" { "State" }
                    th scope="col" { "Alert" }
                    th scope="col" { "What" }
                    th scope="col" { "Since" }
                    th.number scope="col" { "Value" }
                }
            }
            tbody {
                @for alert in alerts {
                    tr {
                        td { (alert.badge()) }
                        th scope="row" {
                            (words::breakable(alert.name()))
                            @if let Some(severity) = alert.labels.get("severity").filter(|_| !of_one_target) {
                                div.detail { (severity) }
                            }
                        }
                        td {
                            @if let Some(instance) = alert.labels.get("instance").filter(|_| !of_one_target) {
                                p { (subject(alert, instance)) }
                            }
                            (alert.text())
                            div.tags { (words::tags(&alert.labels, hidden)) }
                        }
                        td data-label="Since" { (words::when(alert.since, now)) }
                        td.number data-label="Value" { (value(alert.value)) }
                    }
                }
            }
        }
    }
}

/// What an alert is about: one of the targets has a page, other instances have none.
fn subject(alert: &Alert, instance: &str) -> Markup {
    html! {
        @if alert.labels.get("job") == Some(JOB) {
            a href=(words::target_path(&Identity::of(&alert.labels))) { (instance) }
        } @else {
            (instance)
        }
    }
}

/// A value to four decimals at most.
fn value(value: f64) -> String {
    let text = format!("{value:.4}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn rule_list(rules: &[RuleLine]) -> Markup {
    let broken = rules.iter().filter(|rule| rule.error.is_some()).count();
    html! {
        details {
            summary {
                "Rules: " (rules.len())
                @if broken > 0 { strong.bad { " · ⚠ " (words::count(broken, "failed", "failed")) } }
            }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Group" }
                            th scope="col" { "Rule" }
                            th scope="col" { "State" }
                            th scope="col" { "Health" }
                        }
                    }
                    tbody {
                        @for rule in rules {
                            tr {
                                td { (rule.group) }
                                th scope="row" {
                                    (rule.name)
                                    div.detail { code { (words::shortened(&rule.expression, 300)) } }
                                }
                                td {
                                    @if rule.heartbeat && rule.firing > 0 {
                                        "heartbeat"
                                    } @else {
                                        @if rule.firing > 0 { (rule.firing) " firing " }
                                        @if rule.pending > 0 { (rule.pending) " pending" }
                                        @if rule.firing + rule.pending == 0 { (words::NOTHING) }
                                    }
                                }
                                td {
                                    (rule.health)
                                    @if let Some(error) = &rule.error { div.bad { (error) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short() {
        for (number, text) in
            [(1.0, "1"), (0.5, "0.5"), (0.123_456, "0.1235"), (300.0, "300"), (f64::NAN, "NaN")]
        {
            assert_eq!(value(number), text);
        }
    }
}
