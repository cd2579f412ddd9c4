//! The first page: every target with its state, what needs attention on top.
//!
//! One selection for each metric serves all targets, so that ten thousand of them are no harder on the store than one.

use std::collections::{BTreeSet, HashMap};

use axum::http::StatusCode;
use maud::{Markup, html};
use probe::Outcome;
use series::{SourceError, Timestamp, store::Store};

use super::{
    alerts,
    availability::{Availability, Failures, Range, Scan},
    layout::{Page, Tab},
    status::{self, State, Status},
    words,
};
use crate::{
    api::Reader,
    config::{Identity, MODULE_DEFAULT, Target},
    explain,
    http::Parameters,
};

/// How many targets are listed. The filter reaches the others.
const ROWS_MAX: usize = 500;

/// The labels that a row does not repeat.
const HIDDEN: &[&str] =
    &["instance", "job", "module", "severity", "alert_after", "slo", "max_latency"];

/// The page `/` of the all-in-one mode.
pub(super) fn page(monitor: &Reader, store: &Store, parameters: &Parameters) -> Page {
    let config = monitor.config();
    let query = parameters.last("q").unwrap_or("").trim();
    let range = Range::parse(parameters.last("range"), monitor.now(), monitor.about().data_since);
    let alerts = alerts::active(monitor);
    let targets = config.targets.iter().map(AsRef::as_ref);
    let body = match status::all(monitor, store, targets, &alerts) {
        Ok(statuses) => overview(monitor, store, statuses, query, range),
        Err(error) => unreadable(&error),
    };
    let firing = alerts.iter().filter(|alert| alert.needs_attention()).count();
    let title =
        if firing > 0 { format!("Targets ({firing} firing)") } else { "Targets".to_owned() };
    Page { status: StatusCode::OK, title, tab: Some(Tab::Targets), body }
}

/// What stands in place of data that cannot be read.
pub(super) fn unreadable(error: &SourceError) -> Markup {
    html! { p.banner role="alert" { "The stored data cannot be read: " (error) } }
}

fn overview(
    monitor: &Reader,
    store: &Store,
    statuses: Vec<Status<'_>>,
    query: &str,
    range: Range,
) -> Markup {
    let now = monitor.now();
    let all = statuses.len();
    let interval_ms =
        statuses.iter().map(|status| status.target.interval.as_millis()).min().unwrap_or(0);
    let counts = counts(&statuses);
    let mut shown: Vec<Status<'_>> =
        statuses.into_iter().filter(|status| fits(status.target, query)).collect();
    let found = shown.len();
    shown.sort_by_cached_key(|status| {
        (!status.is_firing(), status.state != State::Down, status.target.identity())
    });
    shown.truncate(ROWS_MAX);
    let instances: BTreeSet<&str> =
        shown.iter().map(|status| status.target.instance.as_str()).collect();
    let scan = Scan {
        store,
        instances: &instances,
        selective: shown.len() < all,
        interval_ms: i64::try_from(interval_ms).unwrap_or(i64::MAX),
        range,
    };
    let past = if shown.is_empty() { Ok(HashMap::new()) } else { past(&scan, &shown) };
    html! {
        h1 { "Targets" }
        (counts)
        @if all == 0 {
            p.empty { "No targets yet: add a URL to " code { "config/targets.yml" } "; it appears here within seconds." }
            pre { "- targets: [https://www.example.com/]\n  labels: { service: shop }" }
        } @else {
            (controls(query, &range))
            @match past {
                Err(error) => (unreadable(&error)),
                Ok(_) if shown.is_empty() => p.empty {
                    "No target has “" (query) "” in its address, module or labels. " a href="/" { "Show all" }
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
fn fits(target: &Target, query: &str) -> bool {
    let has = |word: &str| {
        let within = |text: &str| text.to_lowercase().contains(word);
        within(&target.instance)
            || within(&target.module)
            || target.labels.iter().any(|(name, value)| within(&format!("{name}={value}")))
    };
    query.to_lowercase().split_whitespace().all(has)
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

fn controls(query: &str, range: &Range) -> Markup {
    let further =
        if query.is_empty() { String::new() } else { format!("&q={}", words::encoded(query)) };
    html! {
        div.controls {
            form method="get" action="/" role="search" {
                input type="hidden" name="range" value=(range.name);
                label for="q" { "Filter" }
                input #q type="search" name="q" value=(query) placeholder="address, label or module" maxlength="200";
                button type="submit" { "Show" }
            }
            (range.links("/", &further))
        }
    }
}

/// What the store says of each target.
type Past = HashMap<Identity, (Availability, Failures)>;

fn past(scan: &Scan<'_>, shown: &[Status<'_>]) -> Result<Past, SourceError> {
    let identities = shown.iter().map(|status| status.target.identity());
    let mut past: Past = identities.map(|identity| (identity, Default::default())).collect();
    scan.run("probe_success", |identity, series| {
        if let Some((availability, _)) = past.get_mut(identity) {
            series.samples.iter().for_each(|sample| availability.add(&scan.range, *sample));
        }
    })?;
    scan.run("probe_failure_info", |identity, series| {
        if let Some((_, failures)) = past.get_mut(identity) {
            failures.add(series);
        }
    })?;
    Ok(past)
}

fn table(shown: &[Status<'_>], past: &Past, range: &Range, now: Timestamp) -> Markup {
    let nothing = Default::default();
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
                    @let (availability, failures) = past.get(&status.target.identity()).unwrap_or(&nothing);
                    (row(status, availability, failures, range, now))
                }
            }
        }
    }
}

fn row(
    status: &Status<'_>,
    availability: &Availability,
    failures: &Failures,
    range: &Range,
    now: Timestamp,
) -> Markup {
    let target = status.target;
    html! {
        tr {
            td {
                (status.badge())
                @for alert in &status.alerts {
                    " " (alert.badge()) " " span.detail { (words::breakable(alert.name())) }
                }
            }
            th scope="row" {
                a href=(words::target_path(&target.identity())) { (target.instance) }
                div.tags {
                    @if target.module != MODULE_DEFAULT { span.tag { span.name { "module=" } (target.module) } " " }
                    (words::tags(&target.labels, HIDDEN))
                }
            }
            td { (availability.bar(range)) }
            td.number data-label="Uptime" { (availability.share().map_or_else(|| words::NOTHING.to_owned(), words::percentage)) }
            td.number data-label="Response" {
                (status.response_seconds().map_or_else(|| words::NOTHING.to_owned(), words::response_time))
            }
            td.number data-label="Certificate" { (status.certificate(now)) }
            td data-label="Last failure" { (last_failure(status, failures, now)) }
        }
    }
}

/// The last failure, from the last probe or else from the store.
pub(super) fn last_failure(status: &Status<'_>, failures: &Failures, now: Timestamp) -> Markup {
    let present = status.latest.as_ref().and_then(|record| match &record.result.outcome {
        Outcome::Up => None,
        Outcome::Down(failure) | Outcome::Fault(failure) => Some((failure, record.started)),
    });
    html! {
        @if let Some((failure, at)) = present {
            (explain::meaning(failure.phase.as_str(), failure.reason.as_str())) ", " (words::when(at, now))
            @if !failure.detail.is_empty() {
                div.detail { (words::shortened(&failure.detail, 160)) }
            }
        } @else if let Some((phase, reason, at)) = failures.last() {
            (explain::meaning(phase, reason)) ", " (words::when(at, now))
        } @else {
            (words::NOTHING)
        }
    }
}
