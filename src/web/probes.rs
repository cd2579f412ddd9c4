//! The recent probes, with links to what each of them recorded; in the exporter also how to request one.
//!
//! Must not know how a probe is made.

use std::sync::Arc;

use maud::{Markup, html};
use notation::text::shortened;
use series::Timestamp;

use super::{
    links,
    outcome::outcome,
    page::{Asked, Facts, Page},
    words,
};
use crate::state::{Monitor, ProbeRecord};

/// How many probes are listed.
const ROWS_MAX: usize = 500;

/// The page `/probes`, and `/` of the exporter.
pub(super) fn page(facts: &Facts, _asked: &Asked) -> Page {
    let monitor = &facts.monitor;
    let now = monitor.now();
    let recent = monitor.history().recent(ROWS_MAX);
    let body = html! {
        h1 { "Recent probes" }
        @if facts.query.is_none() { (how_to(monitor)) }
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
    Page::new("Probes", body)
}

/// How Prometheus asks for probes.
fn how_to(monitor: &Monitor) -> Markup {
    let config = monitor.config();
    html! {
        section.note {
            p {
                "This is the exporter: Prometheus asks it for one probe with each scrape. Try "
                a href="/probe?target=https%3A%2F%2Fexample.com%2F&module=http_2xx" {
                    code { "/probe?target=https://example.com/&module=http_2xx" }
                }
                "; with " code { "&debug=true" } " the answer says what the probe did."
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
                " (" a href="/config" { "their settings" } "). The exporter's internal metrics: "
                a href="/metrics" { "/metrics" } "."
            }
        }
    }
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
                        th scope="row" { (shortened(&record.instance, 200)) }
                        td data-label="Module" { (record.module) }
                        td { (outcome(&record.result.outcome)) }
                        td.number data-label="Duration" { (words::response_time(record.result.elapsed.as_secs_f64())) }
                        td.more {
                            a href=(links::probe(record.id)) { "evidence" } " · " a href=(links::logs(record.id)) { "debug output" }
                        }
                    }
                }
            }
        }
    }
}
