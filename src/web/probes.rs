//! The recent probes, with the way to what each of them noted; for the exporter also how to ask for one.

use std::sync::Arc;

use axum::http::StatusCode;
use maud::{Markup, html};
use probe::Outcome;
use series::Timestamp;

use super::{
    evidence,
    layout::{Page, Tab},
    words,
};
use crate::{api::Reader, explain, state::ProbeRecord};

/// How many probes are listed.
const ROWS_MAX: usize = 500;

/// The page `/probes`, and `/` of the exporter.
pub(super) fn page(monitor: &Reader, tab: Tab) -> Page {
    let now = monitor.now();
    let recent = monitor.history().recent(ROWS_MAX);
    let body = html! {
        h1 { "Recent probes" }
        @if monitor.store.is_none() { (how_to(monitor)) }
        @if recent.is_empty() {
            p.empty { "No probe yet." }
        } @else {
            p.note {
                "The last probes, newest first, and older failures. How many are remembered is set by "
                code { "--history.limit" } "."
            }
            (table(&recent, now))
        }
    };
    Page { status: StatusCode::OK, title: "Probes".to_owned(), tab: Some(tab), body }
}

/// How Prometheus asks for probes.
fn how_to(monitor: &Reader) -> Markup {
    let config = monitor.config();
    html! {
        section.note {
            p {
                "This is the exporter: Prometheus asks it for one probe with each scrape. Try "
                a href="/probe?target=https%3A%2F%2Fexample.com%2F&module=http_2xx" {
                    code { "/probe?target=https://example.com/&module=http_2xx" }
                }
                "; with " code { "&debug=true" } " it tells what it did."
            }
            pre {
                "scrape_configs:\n  - job_name: webservices\n    metrics_path: /probe\n    file_sd_configs:\n"
                "      - files: [targets.yml]\n    relabel_configs:\n"
                "      - regex: (module|alert_after|max_latency|slo)\n        action: labelmap\n        replacement: __param_${1}\n"
                "      - source_labels: [__address__]\n        target_label: __param_target\n"
                "      - source_labels: [__param_target]\n        target_label: instance\n"
                "      - target_label: __address__\n        replacement: the address of this exporter"
            }
            p {
                "Modules: "
                @for (index, name) in config.modules.keys().enumerate() {
                    @if index > 0 { ", " }
                    code { (name) }
                }
                " (" a href="/config" { "their settings" } "). The exporter's own numbers: "
                a href="/metrics" { "/metrics" } "."
            }
        }
    }
}

/// The address of what a probe noted.
pub(super) fn logs_path(record: &ProbeRecord) -> String {
    format!("/logs?id={}", record.id)
}

fn table(records: &[Arc<ProbeRecord>], now: Timestamp) -> Markup {
    html! {
        table.cards.probes {
            thead {
                tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Target" }
                    th scope="col" { "Module" }
                    th scope="col" { "Outcome" }
                    th.number scope="col" { "Duration" }
                    th scope="col" { "More" }
                }
            }
            tbody {
                @for record in records {
                    tr {
                        td data-label="Time" { (words::time(record.started)) " (" (words::when(record.started, now)) ")" }
                        th scope="row" { (words::shortened(&record.instance, 200)) }
                        td data-label="Module" { (record.module) }
                        td { (outcome(&record.result.outcome)) }
                        td.number data-label="Duration" { (words::response_time(record.result.elapsed.as_secs_f64())) }
                        td.more {
                            a href=(evidence::path(record.id)) { "evidence" } " · " a href=(logs_path(record)) { "debug output" }
                        }
                    }
                }
            }
        }
    }
}

/// What a probe found: a badge, and of a failure its meaning, name and particulars.
pub(super) fn outcome(outcome: &Outcome) -> Markup {
    let (class, word, failure) = match outcome {
        Outcome::Up => ("up", "● Up", None),
        Outcome::Down(failure) => ("down", "✕ Down", Some(failure)),
        Outcome::Fault(failure) => ("none", "○ Impossible", Some(failure)),
    };
    html! {
        span class={ "badge " (class) } { (word) }
        @if let Some(failure) = failure {
            " " (explain::meaning(failure.phase.as_str(), failure.reason.as_str()))
            div.detail {
                (failure.phase) "/" (failure.reason)
                @if !failure.detail.is_empty() { ": " (words::shortened(&failure.detail, 300)) }
            }
        }
    }
}
