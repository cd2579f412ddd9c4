//! The page of one target: its state, its past, and what to look at when it fails.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use maud::{Markup, html};
use series::{Series, SourceError, Timestamp, store::Store};

use super::{
    alerts::{self, Alert},
    availability::{Availability, Failures, Range, Scan},
    chart::{self, Band},
    evidence,
    layout::{self, Page, Tab},
    overview::{last_failure, unreadable},
    status::{self, Status},
    words,
};
use crate::{
    api::Reader,
    config::{Identity, MODULE_DEFAULT, PROBER, Target},
    explain,
    http::Parameters,
};

/// The phases of an HTTP probe in the order in which they happen, with the classes of their colours.
const PHASES: [(&str, &str); 5] = [
    ("resolve", "p-resolve"),
    ("connect", "p-connect"),
    ("tls", "p-tls"),
    ("processing", "p-processing"),
    ("transfer", "p-transfer"),
];

/// The page `/targets/{instance}`.
pub(super) fn page(monitor: &Reader, instance: &str, parameters: &Parameters) -> Page {
    let Some(store) = &monitor.store else {
        return layout::not_found(
            "The exporter keeps no targets: it probes what it is asked for.",
            "Ask for a probe with /probe?target=…&module=…; the recent ones are listed under “Probes”.",
        );
    };
    let config = monitor.config();
    let siblings: Vec<&Target> = config
        .targets
        .iter()
        .map(AsRef::as_ref)
        .filter(|target| target.instance == instance)
        .collect();
    let Some(target) = chosen(&siblings, parameters) else {
        return layout::not_found(
            &format!("“{}” is not among the targets.", words::shortened(instance, 300)),
            "It may have been removed from config/targets.yml, or is spelled differently there: the address must be the \
             same to the letter.",
        );
    };
    let range = Range::parse(parameters.last("range"), monitor.now(), monitor.about().data_since);
    let alerts = alerts::active(monitor);
    let body = match status::all(monitor, store, [target], &alerts) {
        Ok(statuses) => {
            html! { @for status in &statuses { (details(monitor, store, status, &siblings, range)) } }
        }
        Err(error) => unreadable(&error),
    };
    Page {
        status: StatusCode::OK,
        title: words::shortened(instance, 80),
        tab: Some(Tab::Targets),
        body,
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

/// What the store says of the target.
struct Past {
    availability: Availability,
    failures: Failures,
    phases: Vec<Band>,
    whole: Band,
}

impl Past {
    fn read(store: &Store, target: &Target, range: Range) -> Result<Self, SourceError> {
        let instances = BTreeSet::from([target.instance.as_str()]);
        let own = target.identity();
        let interval_ms = i64::try_from(target.interval.as_millis()).unwrap_or(i64::MAX);
        let scan = Scan { store, instances: &instances, selective: true, interval_ms, range };
        let mut past = Self {
            availability: Availability::default(),
            failures: Failures::default(),
            phases: PHASES.into_iter().map(|(name, class)| Band::new(name, class)).collect(),
            whole: Band::new("whole probe", "p-whole"),
        };
        scan.run("probe_success", |identity, series| {
            let samples = series.samples.iter().filter(|_| *identity == own);
            samples.for_each(|sample| past.availability.add(&range, *sample));
        })?;
        scan.run("probe_failure_info", |identity, series| {
            if *identity == own {
                past.failures.add(series);
            }
        })?;
        scan.run("probe_http_duration_seconds", |identity, series| {
            if *identity == own {
                past.add_phase(series, &range);
            }
        })?;
        scan.run("probe_duration_seconds", |identity, series| {
            let samples = series.samples.iter().filter(|_| *identity == own);
            samples.for_each(|sample| past.whole.add(&range, *sample));
        })?;
        Ok(past)
    }

    fn add_phase(&mut self, series: &Series, range: &Range) {
        let phase = series.labels.get("exported_phase").or_else(|| series.labels.get("phase"));
        if let Some(band) = self.phases.iter_mut().find(|band| Some(band.name()) == phase) {
            series.samples.iter().for_each(|sample| band.add(range, *sample));
        }
    }
}

fn details(
    monitor: &Reader,
    store: &Store,
    status: &Status<'_>,
    siblings: &[&Target],
    range: Range,
) -> Markup {
    let now = monitor.now();
    let target = status.target;
    let identity = target.identity();
    let path = format!("/targets/{}", words::encoded(&target.instance));
    let query = words::target_query(&identity);
    let further = if query.is_empty() { query } else { format!("&{query}") };
    let remembered =
        monitor.history().of_watched(&target.instance, &target.module, &identity.prober);
    html! {
        h1.address { (target.instance) }
        p.tags {
            (words::tags(&target.labels, &["instance", "job"]))
            @if let Some(address) = words::web_address(&target.instance) {
                a href=(address) rel="noopener noreferrer" { "Open" }
            }
        }
        (others(target, siblings))
        @match Past::read(store, target, range) {
            Err(error) => (unreadable(&error)),
            Ok(past) => {
                (tiles(status, &past, &range, now))
                (range.links(&path, &further))
                h2 { "Availability" }
                div.wide { (past.availability.bar(&range)) }
                div.ends aria-hidden="true" { span { (range.label(range.start)) } span { (range.label(range.end())) } }
                h2 { "Response time" }
                (response_times(&past, &range))
                (alert_section(&status.alerts, now))
                h2 { "Failures by reason, last " (range.name) }
                (reasons(&past.failures, now))
            }
        }
        (evidence::section(&remembered, now))
        (settings(target))
        (queries(target, siblings))
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
                    a href=(words::target_path(other)) {
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
            div.tile { dt { "State" } dd { (status.badge()) @for alert in &status.alerts { " " (alert.badge()) } } }
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
            div.tile.text { dt { "Last failure" } dd { (last_failure(status, &past.failures, now)) } }
        }
    }
}

fn response_times(past: &Past, range: &Range) -> Markup {
    if past.phases.iter().any(Band::has_values) {
        chart::chart("Mean response time by phase", &past.phases, range)
    } else {
        chart::chart("Mean response time", std::slice::from_ref(&past.whole), range)
    }
}

fn alert_section(alerts: &[&Alert], now: Timestamp) -> Markup {
    html! {
        h2 { "Alerts" }
        @if alerts.is_empty() {
            p.empty { "No alert of this target is firing or pending." }
        } @else {
            (alerts::table(alerts.iter().copied(), now, true))
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

/// Links to the stored numbers, for those who want to go on by themselves.
fn queries(target: &Target, siblings: &[&Target]) -> Markup {
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
    let queries = [
        "probe_success",
        "probe_duration_seconds",
        "probe_http_duration_seconds",
        "probe_failure_info",
        "ALERTS",
    ];
    html! {
        h2 { "Numbers" }
        ul {
            @for metric in queries {
                @let query = format!("{metric}{{{matchers}}}");
                li { a href=(format!("/api/v1/query?query={}", words::encoded(&query))) { code { (query) } } }
            }
        }
    }
}
