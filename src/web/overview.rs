//! The first page: every target with its state, what needs attention on top.
//!
//! Must not know where the past comes from.

use std::collections::HashMap;

use maud::{Markup, html};
use series::Timestamp;

use super::{
    alerts,
    availability::{self, Range},
    links,
    outcome::last_failure,
    page::{Asked, Facts, Page, unreadable},
    probes,
    status::{self, State, Status},
    words,
};
use crate::{
    config::{Identity, MODULE_DEFAULT, Target},
    query::{Alert, Past, Query},
};

/// How many targets are listed. The filter reaches the others.
const ROWS_MAX: usize = 500;

/// The labels that a row does not repeat.
const HIDDEN: &[&str] =
    &["instance", "job", "module", "severity", "alert_after", "slo", "max_latency"];

/// The page `/`; in the exporter, which watches no targets, the recent probes.
pub(super) fn page(facts: &Facts, asked: &Asked) -> Page {
    let Some(query) = &facts.query else { return probes::page(facts, asked) };
    let monitor = &facts.monitor;
    let config = monitor.config();
    let filter = asked.parameters.last("q").unwrap_or("").trim();
    let name = asked.parameters.last("range");
    let range = Range::parse(name, monitor.now(), monitor.about().data_since);
    let alerts = query.alerts();
    let targets = config.targets.iter().map(AsRef::as_ref);
    let body = match status::all(monitor, query.as_ref(), targets, &alerts) {
        Ok(statuses) => overview(query.as_ref(), statuses, filter, range, monitor.now()),
        Err(error) => unreadable(&error),
    };
    let firing = alerts.iter().filter(|alert| Alert::needs_attention(alert)).count();
    let title =
        if firing > 0 { format!("Targets ({firing} firing)") } else { "Targets".to_owned() };
    Page::new(title, body)
}

fn overview(
    query: &dyn Query,
    statuses: Vec<Status<'_>>,
    filter: &str,
    range: Range,
    now: Timestamp,
) -> Markup {
    let all = statuses.len();
    let counts = counts(&statuses);
    let mut shown: Vec<Status<'_>> =
        statuses.into_iter().filter(|status| fits(status.target, filter)).collect();
    let found = shown.len();
    shown.sort_by_cached_key(|status| {
        (!status.is_firing(), status.state != State::Down, status.target.identity())
    });
    shown.truncate(ROWS_MAX);
    let targets: Vec<&Target> = shown.iter().map(|status| status.target).collect();
    let past = query.past(&targets, &range.window);
    html! {
        h1 { "Targets" }
        (counts)
        @if all == 0 {
            p.empty { "No targets yet: add a URL to " code { "config/targets.yml" } "; it appears here within seconds." }
            pre { "- targets: [https://www.example.com/]\n  labels: { service: shop }" }
        } @else {
            (controls(filter, &range))
            @match past {
                Err(error) => (unreadable(&error)),
                Ok(_) if shown.is_empty() => p.empty {
                    "No target has “" (filter) "” in its address, module or labels. " a href="/" { "Show all" }
                },
                Ok(past) => {
                    @if found > shown.len() {
                        p.note { "The first " (shown.len()) " of " (found) " targets are listed; a filter shows the others." }
                    }
                    (table(&shown, &past, &range, now))
                }
            }
        }
    }
}

/// Whether a target has all words of a filter in its address, module or labels.
fn fits(target: &Target, filter: &str) -> bool {
    let has = |word: &str| {
        let within = |text: &str| text.to_lowercase().contains(word);
        within(&target.instance)
            || within(&target.module)
            || target.labels.iter().any(|(name, value)| within(&format!("{name}={value}")))
    };
    filter.to_lowercase().split_whitespace().all(has)
}

fn counts<'a>(statuses: &[Status<'a>]) -> Markup {
    let count =
        |wanted: fn(&Status<'a>) -> bool| statuses.iter().filter(|status| wanted(status)).count();
    let tiles: [(&str, &str, usize); 6] = [
        ("", "targets", statuses.len()),
        ("up", "● up", count(|status| status.state == State::Up)),
        ("down", "✕ down", count(|status| status.state == State::Down)),
        ("none", "○ no data yet", count(|status| status.state == State::Unknown)),
        ("firing", "▲ firing", count(Status::is_firing)),
        ("pending", "△ pending", count(Status::is_pending)),
    ];
    html! {
        ul.tiles aria-label="Numbers of targets" {
            @for (class, name, number) in tiles {
                li class={ "tile " (class) (if number == 0 { " zero" } else { "" }) } { strong { (number) } " " span { (name) } }
            }
        }
    }
}

fn controls(filter: &str, range: &Range) -> Markup {
    let further =
        if filter.is_empty() { String::new() } else { format!("&q={}", links::encoded(filter)) };
    html! {
        div.controls {
            form method="get" action="/" role="search" {
                input type="hidden" name="range" value=(range.name);
                label for="q" { "Filter" }
                input #q type="search" name="q" value=(filter) placeholder="address, label or module" maxlength="200";
                button type="submit" { "Show" }
            }
            (range.links("/", &further))
        }
    }
}

fn table(
    shown: &[Status<'_>],
    past: &HashMap<Identity, Past>,
    range: &Range,
    now: Timestamp,
) -> Markup {
    let nothing = Past::default();
    html! {
        table.cards.targets {
            caption.hidden { "Targets, those that need attention first" }
            thead {
                tr {
                    th scope="col" { "State" }
                    th scope="col" { "Target" }
                    th scope="col" { "Availability, " (range.name) }
                    th.number scope="col" { "Uptime" }
                    th.number scope="col" { "Response" }
                    th.number scope="col" { "Certificate" }
                    th scope="col" { "Last failure" }
                }
            }
            tbody {
                @for status in shown {
                    (row(status, past.get(&status.target.identity()).unwrap_or(&nothing), range, now))
                }
            }
        }
    }
}

fn row(status: &Status<'_>, past: &Past, range: &Range, now: Timestamp) -> Markup {
    let target = status.target;
    html! {
        tr {
            td {
                (status.badge())
                @for alert in &status.alerts {
                    " " (alerts::badge(alert)) " " span.detail { (words::breakable(alert.name())) }
                }
            }
            th scope="row" {
                a href=(links::target(&target.identity())) { (target.instance) }
                div.tags {
                    @if target.module != MODULE_DEFAULT { span.tag { span.name { "module=" } (target.module) } " " }
                    (words::tags(&target.labels, HIDDEN))
                }
            }
            td { (availability::bar(&past.availability, range)) }
            td.number data-label="Uptime" { (past.availability.share().map_or_else(|| words::NOTHING.to_owned(), words::percentage)) }
            td.number data-label="Response" {
                (status.response_seconds().map_or_else(|| words::NOTHING.to_owned(), words::response_time))
            }
            td.number data-label="Certificate" { (status.certificate(now)) }
            td data-label="Last failure" { (last_failure(status.latest.as_deref(), &past.failures, now)) }
        }
    }
}
