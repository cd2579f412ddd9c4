//! The page of one target: its state, its past, and what to look at when it fails.
//!
//! Must not know how a target is probed.

use std::sync::Arc;

use maud::{Markup, html};
use notation::text::shortened;
use probe::PhaseMetric;
use series::Timestamp;

use super::{
    alerts,
    availability::{self, Range},
    chart::{self, Band},
    evidence, links,
    outcome::last_failure,
    page::{Asked, Facts, Page, unreadable},
    status::{self, State, Status},
    words,
};
use crate::{
    config::{DEPENDS_ON, Identity, MODULE_DEFAULT, PROBER, Target},
    explain,
    http::Parameters,
    query::{Alert, Failures, Means, Past, Query, ResponseTimes, SPANS, Unreadable},
};

/// The class of the colour of a phase.
fn class(phase: &str) -> &'static str {
    match phase {
        "resolve" => "p-resolve",
        "connect" => "p-connect",
        "tls" => "p-tls",
        "transfer" => "p-transfer",
        _ => "p-processing",
    }
}

/// The page `/targets/{instance}`.
pub(super) fn page(facts: &Facts, asked: &Asked) -> Page {
    let Some(query) = facts.query.as_deref() else {
        return Page::not_found(
            "The exporter has no list of targets: it probes what it is asked for.",
            "Ask for a probe with /probe?target=…&module=…; the recent ones are listed under “Probes”.",
        );
    };
    let (monitor, instance) = (&facts.monitor, asked.name.as_str());
    let config = monitor.config();
    let siblings: Vec<&Target> = config
        .targets
        .iter()
        .map(AsRef::as_ref)
        .filter(|target| target.instance == instance)
        .collect();
    let Some(target) = chosen(&siblings, &asked.parameters) else {
        return unknown(query, instance, monitor.now());
    };
    let name = asked.parameters.last("range");
    let range = Range::parse(name, monitor.now(), monitor.about().data_since);
    let alerts = query.alerts();
    let body = match status::all(monitor, query, [target], &alerts) {
        Ok(statuses) => {
            html! { @for status in &statuses { (details(facts, query, status, &siblings, range)) } }
        }
        Err(error) => unreadable(&error),
    };
    Page::new(shortened(instance, 80), body)
}

/// The page for an address that is not among the targets, or not any more.
fn unknown(query: &dyn Query, instance: &str, now: Timestamp) -> Page {
    let what = format!("“{}” is not among the targets.", shortened(instance, 300));
    match query.last_probed(instance, now) {
        Ok(Some(at)) => Page::not_found(
            &what,
            &format!(
                "It was removed from the targets files; its last probe was at {} UTC.",
                words::time(at)
            ),
        ),
        Ok(None) | Err(_) => Page::not_found(
            &what,
            "It may have been removed from config/targets.yml, or is spelled differently there: the address must be the \
             same to the letter.",
        ),
    }
}

/// The target that the parameters `module` and `prober` name. Without them it is the one with the default module or, where there
/// is none, the first.
fn chosen<'a>(siblings: &[&'a Target], parameters: &Parameters) -> Option<&'a Target> {
    let wanted = |name: &str| parameters.last(name).filter(|name| !name.is_empty());
    let (module, prober) = (wanted("module"), wanted(PROBER));
    let fits = |target: &&&Target| {
        let identity = target.identity();
        module.is_none_or(|module| identity.module == module)
            && prober.is_none_or(|prober| identity.prober == prober)
    };
    let fitting = siblings.iter().filter(fits);
    fitting.min_by_key(|target| target.identity().module != MODULE_DEFAULT).copied()
}

/// What is known of the target's past.
struct History {
    past: Past,
    times: ResponseTimes,
    /// Whether its failures are not reported because of a bigger one.
    waiting: bool,
}

impl History {
    fn read(
        query: &dyn Query,
        status: &Status<'_>,
        phases: Option<&PhaseMetric>,
        range: Range,
    ) -> Result<Self, Unreadable> {
        let target = status.target;
        let phases = phases.map(|phases| phases.metric.name);
        let past = query.past(&[target], &range.window)?.remove(&target.identity());
        Ok(Self {
            past: past.unwrap_or_default(),
            times: query.response_times(target, phases, &range.window)?,
            waiting: status.state == State::Down && query.is_waiting(target, range.window.end())?,
        })
    }
}

fn details(
    facts: &Facts,
    query: &dyn Query,
    status: &Status<'_>,
    siblings: &[&Target],
    range: Range,
) -> Markup {
    let now = facts.monitor.now();
    let target = status.target;
    let identity = target.identity();
    let path = format!("/targets/{}", links::encoded(&target.instance));
    let parameters = links::target_parameters(&identity);
    let further = if parameters.is_empty() { parameters } else { format!("&{parameters}") };
    let module = facts.monitor.config().modules.get(&target.module).map(Arc::clone);
    let phases = module.and_then(|module| module.check().phases());
    let history = facts.monitor.history();
    let remembered = history.of_watched(&target.instance, &target.module, &identity.prober);
    html! {
        h1.address { (target.instance) }
        p.tags {
            (words::tags(&target.labels, &["instance", "job"]))
            @if let Some(address) = links::web_address(&target.instance) {
                a href=(address) rel="noopener noreferrer" { "Open" }
            }
        }
        (others(target, siblings))
        @match History::read(query, status, phases, range) {
            Err(error) => (unreadable(&error)),
            Ok(History { past, times, waiting }) => {
                @if waiting { (why_it_waits(target)) }
                (tiles(status, &past, &range, now))
                (range.links(&path, &further))
                h2 { "Availability" }
                div.wide { (availability::bar(&past.availability, &range)) }
                div.ends aria-hidden="true" { span { (range.label(0)) } span { (range.label(SPANS)) } }
                h2 { "Response time" }
                (response_times(&times, phases, &range))
                (alert_section(&status.alerts, facts))
                h2 { "Failures by reason, last " (range.name) }
                (reasons(&past.failures, now))
            }
        }
        (evidence::section(&remembered, now))
        (settings(target))
        (queries(target, phases, siblings))
    }
}

/// Why a failing target has no alert although it may fail for long.
fn why_it_waits(target: &Target) -> Markup {
    html! {
        p.note {
            "Its failure is not reported for now, because something bigger fails or did shortly before: "
            @if let Some(service) = target.labels.get(DEPENDS_ON) {
                "the service " strong { (service) } ", which it depends on, or "
            }
            "most targets at once. If it goes on when that is over, it is reported."
        }
    }
}

/// The links to the other targets of the same address.
fn others(target: &Target, siblings: &[&Target]) -> Markup {
    let own = target.identity();
    let others: Vec<Identity> =
        siblings.iter().map(|sibling| sibling.identity()).filter(|other| *other != own).collect();
    html! {
        @if !others.is_empty() {
            p.note {
                "This is the check by " code { (target.module) }
                @if !own.prober.is_empty() { " from " (own.prober) }
                ". The address is also checked by "
                @for (index, other) in others.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(links::target(other)) {
                        (other.module)
                        @if !other.prober.is_empty() { " from " (other.prober) }
                    }
                }
                "."
            }
        }
    }
}

fn tiles(status: &Status<'_>, past: &Past, range: &Range, now: Timestamp) -> Markup {
    let uptime =
        past.availability.share().map_or_else(|| words::NOTHING.to_owned(), words::percentage);
    let response =
        status.response_seconds().map_or_else(|| words::NOTHING.to_owned(), words::response_time);
    html! {
        dl.tiles {
            div.tile { dt { "State" } dd { (status.badge()) @for alert in &status.alerts { " " (alerts::badge(alert)) } } }
            div.tile { dt { "Uptime, " (range.name) } dd { (uptime) } }
            div.tile { dt { "Response" } dd { (response) } }
            div.tile { dt { "Certificate" } dd { (status.certificate(now)) } }
            div.tile {
                dt { "Last probe" }
                dd {
                    @if let Some(record) = &status.latest {
                        a href="#evidence" { (words::when(record.started, now)) }
                    } @else {
                        (words::NOTHING)
                    }
                }
            }
            div.tile.text { dt { "Last failure" } dd { (last_failure(status.latest.as_deref(), &past.failures, now)) } }
        }
    }
}

fn response_times(
    times: &ResponseTimes,
    phases: Option<&'static PhaseMetric>,
    range: &Range,
) -> Markup {
    let nothing = Means::default();
    let names = phases.into_iter().flat_map(|phases| phases.names.iter().copied());
    let band =
        |name| Band { name, class: class(name), means: times.phases.get(name).unwrap_or(&nothing) };
    let phases: Vec<Band<'_>> = names.map(band).collect();
    if phases.iter().any(|band| band.means.has_values()) {
        chart::chart("Mean response time by phase", &phases, range)
    } else {
        let whole = Band { name: "whole probe", class: "p-whole", means: &times.whole };
        chart::chart("Mean response time", &[whole], range)
    }
}

fn alert_section(alerts: &[&Alert], facts: &Facts) -> Markup {
    html! {
        h2 { "Alerts" }
        @if alerts.is_empty() {
            p.empty { "No alert of this target is firing or pending." }
        } @else {
            (alerts::table(alerts.iter().copied(), facts, true))
        }
    }
}

fn reasons(failures: &Failures, now: Timestamp) -> Markup {
    let mut kinds: Vec<_> = failures.kinds.iter().collect();
    kinds.sort_by_key(|(_, (count, at))| std::cmp::Reverse((*count, *at)));
    html! {
        @if kinds.is_empty() {
            p.empty { "None." }
        } @else {
            table.cards {
                thead {
                    tr {
                        th scope="col" { "Reason" }
                        th scope="col" { "In words" }
                        th.number scope="col" { "Probes" }
                        th scope="col" { "Last" }
                    }
                }
                tbody {
                    @for ((phase, reason), (count, at)) in kinds {
                        tr {
                            th scope="row" { (phase) "/" (reason) }
                            td { (explain::meaning(phase, reason)) div.detail { (explain::advice(phase, reason)) } }
                            td.number data-label="Probes" { (count) }
                            td data-label="Last" { (words::when(*at, now)) }
                        }
                    }
                }
            }
        }
    }
}

fn settings(target: &Target) -> Markup {
    let length = |length: std::time::Duration| notation::duration::written(length);
    html! {
        h2 { "Settings" }
        dl.settings {
            dt { "Module" } dd { (target.module) " (" a href="/config" { "all modules" } ")" }
            dt { "Interval" } dd { (length(target.interval)) }
            dt { "Timeout" } dd { (length(target.timeout)) }
            dt { "Comes from" } dd { (target.origin) }
        }
    }
}

/// Links to the stored numbers, for those who want to query them.
fn queries(target: &Target, phases: Option<&'static PhaseMetric>, siblings: &[&Target]) -> Markup {
    let matcher = |name: &str| {
        let text = target.labels.get(name).unwrap_or("");
        let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{text}\"")
    };
    let differs = |name: &&str| {
        siblings.iter().any(|sibling| sibling.labels.get(name) != target.labels.get(name))
    };
    let names = ["module", PROBER].into_iter().filter(differs);
    let matchers: Vec<String> = ["instance"].into_iter().chain(names).map(matcher).collect();
    let matchers = matchers.join(",");
    let queries = ["probe_success", "probe_duration_seconds"]
        .into_iter()
        .chain(phases.map(|phases| phases.metric.name))
        .chain(["probe_failure_info", "ALERTS"]);
    html! {
        h2 { "Numbers" }
        ul {
            @for metric in queries {
                @let query = format!("{metric}{{{matchers}}}");
                li { a href=(format!("/api/v1/query?query={}", links::encoded(&query))) { code { (query) } } }
            }
        }
    }
}
