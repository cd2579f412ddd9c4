//! The alerts and the rules: as a page, and as a table for the pages of the targets.
//!
//! Must not know how a rule is evaluated.

use maud::{Markup, html};
use notation::{number::Plain, text::shortened};
use series::Timestamp;

use super::{
    links,
    page::{Asked, Facts, Page},
    runbooks, words,
};
use crate::{
    config::{Identity, JOB},
    query::{Alert, RuleSummary},
};

/// The page `/alerts`.
pub(super) fn page(facts: &Facts, _asked: &Asked) -> Page {
    let alerts = facts.query.as_ref().map(|query| query.alerts()).unwrap_or_default();
    let (heartbeats, alerts): (Vec<Alert>, Vec<Alert>) =
        alerts.into_iter().partition(Alert::is_heartbeat);
    let firing = alerts.iter().filter(|alert| alert.firing).count();
    let body = html! {
        h1 { "Alerts" }
        @if let Some(query) = &facts.query {
            p { (firing) " firing, " (alerts.len() - firing) " pending" }
            @if alerts.is_empty() {
                p.empty { "Nothing is wrong: no alert is firing or pending." }
            } @else {
                (table(&alerts, facts, false))
            }
            @for heartbeat in &heartbeats { (beat(heartbeat, facts.monitor.now())) }
            (rule_list(&query.rules()))
        } @else {
            p.empty {
                "This is the exporter: your Prometheus evaluates the rules. Started without the word "
                code { "exporter" } ", the program evaluates them itself and shows the alerts here."
            }
        }
    };
    Page::new(format!("Alerts ({firing} firing)"), body)
}

/// The state of an alert in a word with a sign, so that it reads without colours.
pub(super) fn badge(alert: &Alert) -> Markup {
    html! {
        @if alert.firing {
            span.badge.firing { span aria-hidden="true" { "▲" } " Firing" }
        } @else {
            span.badge.pending { span aria-hidden="true" { "△" } " Pending" }
        }
    }
}

/// What an alert says.
fn text(alert: &Alert, now: Timestamp, runbook: Option<&str>) -> Markup {
    html! {
        @if !alert.summary.is_empty() { p { (alert.summary) } }
        @if !alert.description.is_empty() { p.detail { (alert.description) } }
        @if let Some(since) = alert.recovering_since {
            p.detail { "Its condition ended " (words::when(since, now)) "; the alert is resolved unless it returns." }
        }
        @if let Some(runbook) = runbook { p { a href=(runbook) rel="noopener noreferrer" { "Runbook" } } }
    }
}

/// Where an alert's runbook is: an internal page when there is one, whatever name this program is reached by.
fn runbook(alert: &Alert, external_url: &str) -> Option<String> {
    runbooks::own_link(alert.name(), &alert.runbook_url, external_url)
        .or_else(|| links::web_address(&alert.runbook_url))
}

/// The heartbeat, which is no alert to a reader: only its absence would be one.
fn beat(alert: &Alert, now: Timestamp) -> Markup {
    html! {
        p.note {
            "Heartbeat: " (words::breakable(alert.name())) " "
            @if alert.firing { "is firing, since " } @else { "is about to fire, since " }
            (words::when(alert.since, now)) ". It shows that rules are evaluated; nothing is wrong."
        }
    }
}

/// A table of alerts; on the page of one target its own labels say nothing new.
pub(super) fn table<'a>(
    alerts: impl IntoIterator<Item = &'a Alert>,
    facts: &Facts,
    of_one_target: bool,
) -> Markup {
    let now = facts.monitor.now();
    let external_url = &facts.monitor.about().external_url;
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
                        td { (badge(alert)) }
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
                            (text(alert, now, runbook(alert, external_url).as_deref()))
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
            a href=(links::target(&Identity::of(&alert.labels))) { (instance) }
        } @else {
            (instance)
        }
    }
}

/// A value to four decimals at most.
fn value(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    // Adding zero makes -0 a plain 0.
    Plain(if value.abs() < 1e11 { rounded + 0.0 } else { value }).to_string()
}

fn rule_list(rules: &[RuleSummary]) -> Markup {
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
                                    div.detail { code { (shortened(&rule.expression, 300)) } }
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
        for (number, text) in [
            (1.0, "1"),
            (0.5, "0.5"),
            (0.123_456, "0.1235"),
            (300.0, "300"),
            (-0.000_01, "0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(value(number), text);
        }
    }
}
