//! What a probe saw, drawn for a reader: outcome, warnings, and each request with its answer.
//!
//! Everything is in the page itself, folded where there is much of it, and needs no script. Must not know which probes are
//! shown.

use maud::{Markup, html};
use probe::{Evidence, Hop, Outcome, ServerTiming, Stage};
use series::Timestamp;

use super::{
    links,
    outcome::outcome,
    page::{Asked, Facts, Page},
    words,
};
use crate::{
    config::PROBER,
    explain::{self, evidence::hop_facts},
    state::Remembered,
};

/// The width of the bar of a request's times, in the units of its drawing.
const BAR_WIDTH: f64 = 1000.0;

/// The page `/probes/{id}`.
pub(super) fn page(facts: &Facts, asked: &Asked) -> Page {
    let monitor = &facts.monitor;
    let id = asked.name.parse::<u64>().ok();
    let Some(remembered) = id.and_then(|id| monitor.history().get(id)) else {
        return Page::not_found(
            "This probe is no longer remembered, or there never was one with this number.",
            "The last probes and failures of each target are remembered, as far as memory allows.",
        );
    };
    let now = monitor.now();
    let record = &remembered.record;
    let config = monitor.config();
    let watched = config.targets.iter().find(|target| {
        *target.instance == *record.instance
            && target.module == record.module
            && target.labels.get(PROBER).unwrap_or("") == record.prober
    });
    let body = html! {
        h1.address { (record.instance) }
        p.tags {
            span.tag { span.name { "module=" } (record.module) } " "
            (words::time(record.started)) " UTC, " (words::when(record.started, now)) " "
            @if let Some(target) = watched { a href=(links::target(&target.identity())) { "The page of this target" } " " }
        }
        (seen(&remembered))
    };
    Page::new(format!("Probe {}", record.id), body)
}

/// The section of a target's page: the last probe, then the failures that are remembered. `remembered` is newest first.
pub(super) fn section(remembered: &[Remembered], now: Timestamp) -> Markup {
    html! {
        h2 #evidence { "Evidence" }
        @match remembered.split_first() {
            None => p.empty { "Nothing is remembered: this target has not been probed yet, or its memory was needed for others." },
            Some((latest, others)) => {
                h3 { "Last probe, " (words::when(latest.record.started, now)) }
                (seen(latest))
                h3 { "Failed probes before it" }
                @let failures = others.iter().filter(|other| !other.is_up());
                @if failures.clone().next().is_none() {
                    p.empty { "None is remembered." }
                }
                @for failure in failures { (fold(failure, now)) }
            }
        }
    }
}

/// A failed probe, folded.
fn fold(remembered: &Remembered, now: Timestamp) -> Markup {
    let record = &remembered.record;
    html! {
        details.probe {
            summary {
                (words::time(record.started)) " (" (words::when(record.started, now)) ") "
                @if let Outcome::Down(failure) | Outcome::Fault(failure) = &record.result.outcome {
                    span.reason { (failure.phase) "/" (failure.reason) }
                }
            }
            (seen(remembered))
        }
    }
}

/// All that is remembered of a probe.
fn seen(remembered: &Remembered) -> Markup {
    let Remembered { record, trace } = remembered;
    html! {
        div.outcome { (outcome(&record.result.outcome)) }
        @if let Outcome::Down(failure) | Outcome::Fault(failure) = &record.result.outcome {
            p.advice { (explain::advice(failure.phase.as_str(), failure.reason.as_str())) }
        }
        p.note {
            "It took " (words::response_time(record.result.elapsed.as_secs_f64()))
            " of at most " (words::response_time(record.result.timeout.as_secs_f64())) ". "
            a href=(links::logs(record.id)) { "debug output" }
        }
        (warnings(&trace.evidence))
        @for (index, hop) in trace.evidence.hops.iter().enumerate() { (exchange(index + 1, hop)) }
        @if trace.evidence.hops.is_empty() { p.empty { "No request was made." } }
    }
}

fn warnings(evidence: &Evidence) -> Markup {
    html! {
        @if !evidence.warnings.is_empty() {
            ul.warnings {
                @for warning in &evidence.warnings {
                    li { strong { "⚠ " (warning) } " " (explain::warning(*warning)) }
                }
            }
        }
    }
}

/// One request with its answer.
fn exchange(number: usize, hop: &Hop) -> Markup {
    let facts = hop_facts(hop);
    html! {
        section.hop {
            h4 {
                (number) ". " (hop.title)
                @if hop.attempt > 1 { " " span.tag { "attempt " (hop.attempt) } }
            }
            @if !facts.is_empty() {
                dl.settings { @for (name, value) in facts { dt { (name) } dd { (value) } } }
            }
            (times(hop))
            div.exchange {
                (block("Request", &hop.request))
                (block("Answer", &hop.head))
            }
            (server_timing(&hop.server_timing()))
            (block("First bytes of the body", &hop.body))
        }
    }
}

/// A text as it was sent; nothing when there is none.
fn block(name: &str, text: &str) -> Markup {
    html! {
        @if !text.is_empty() {
            div { h5 { (name) } pre { (text) } }
        }
    }
}

/// How long each stage took, as a bar and in numbers.
fn times(hop: &Hop) -> Markup {
    let total: f64 = hop.times.iter().map(|(_, elapsed)| elapsed.as_secs_f64()).sum();
    let mut bars = Vec::new();
    let mut begin = 0.0;
    for (stage, elapsed) in &hop.times {
        // Without any time at all there is nothing to draw.
        let width = elapsed.as_secs_f64() / total.max(1e-9) * BAR_WIDTH;
        bars.push((class(*stage), begin, width));
        begin += width;
    }
    html! {
        @if !hop.times.is_empty() {
            svg.times viewBox=(format!("0 0 {BAR_WIDTH} 10")) preserveAspectRatio="none" aria-hidden="true" {
                @for (class, begin, width) in bars {
                    rect class=(class) x=(format!("{begin:.1}")) width=(format!("{width:.1}")) height="10" {}
                }
            }
            ul.times {
                @for (stage, elapsed) in &hop.times {
                    li {
                        svg.key viewBox="0 0 10 10" aria-hidden="true" { rect class=(class(*stage)) width="10" height="10" {} }
                        " " (stage.as_str()) " " (words::response_time(elapsed.as_secs_f64()))
                    }
                }
            }
        }
    }
}

fn class(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "p-resolve",
        Stage::Connect => "p-connect",
        Stage::Tls => "p-tls",
        Stage::Processing => "p-processing",
        Stage::Transfer => "p-transfer",
    }
}

/// What the server says where its time went.
fn server_timing(timings: &[ServerTiming]) -> Markup {
    html! {
        @if !timings.is_empty() {
            h5 { "Where the server says its time went (Server-Timing)" }
            table.timing {
                tbody {
                    @for timing in timings {
                        tr {
                            th scope="row" { (timing.name) }
                            td.number { (timing.milliseconds.map_or_else(|| words::NOTHING.to_owned(), |time| words::response_time(time / 1000.0))) }
                            td { (timing.description) }
                        }
                    }
                }
            }
        }
    }
}
