//! The story that the customer asked for: long outages are reported once and in time, with their true length, and nothing else is,
//! whatever is edited, removed, killed or cut off meanwhile.
//!
//! It is lived through twice: by the shipped stack with a real Prometheus and Alertmanager, and by `run` alone.

mod alone;
mod monitor;
mod services;
mod stack;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use self::{
    alone::Alone,
    monitor::{Monitor, events},
    services::Services,
    stack::Stack,
};
use crate::dashboards::expressions;

/// How many times faster than in production time passes: an hour's story takes three minutes.
const FACTOR: u32 = 20;

/// What is slack: a busy machine, and parts that round their waits up to whole seconds.
const SLACK: Duration = Duration::from_secs(15);

/// By how much the beginning and the end of a disruption may differ from what happened: a check each 0.75 s, whole seconds.
const EXACT: Duration = Duration::from_secs(3);

/// A time of production in the time of the story.
fn faster(production: Duration) -> Duration {
    production / FACTOR
}

fn minutes(production: u64) -> Duration {
    faster(Duration::from_mins(production))
}

/// What happened to the service that was down for long.
struct Outage {
    failed_at: Timestamp,
    worked_at: Timestamp,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes three minutes: make story"]
async fn a_long_outage_is_reported_once_and_nothing_else_is() {
    let begun = Instant::now();
    let mut services = Services::start().await;
    let Some(mut stack) = Stack::start(&services.targets(), &services.modules()) else {
        return;
    };
    let outage = outages(&mut stack, &mut services).await;
    lost_exporter(&mut stack).await;
    all_at_once(&mut stack, &mut services).await;

    let mut expected = reported_alone();
    expected.push(("WebserviceExporterDown", ""));
    each_was_reported_once(&stack, &expected);
    the_truth_was_reported(&stack, &outage);
    let failures = "sum(prometheus_rule_evaluation_failures_total) > 0";
    assert!(stack.query(failures, None).await.is_empty(), "rules failed");
    dashboards_have_data(&stack, begun.elapsed()).await;
    println!("the story took {:.0?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes three minutes: make story"]
async fn the_all_in_one_mode_reports_the_same() {
    let begun = Instant::now();
    let mut services = Services::start().await;
    let mut alone = Alone::start(&services.targets(), &services.modules());
    let outage = outages(&mut alone, &mut services).await;
    all_at_once(&mut alone, &mut services).await;
    each_was_reported_once(&alone, &reported_alone());
    the_truth_was_reported(&alone, &outage);
    println!("the story of `run` took {:.0?}", begun.elapsed());
}

/// The alerts, by name and service, that have one beginning and one end in both stories.
fn reported_alone() -> Vec<(&'static str, &'static str)> {
    vec![
        ("WebserviceDown", "crashing"),
        ("WebserviceDown", "edited"),
        ("WebserviceDown", "mortal"),
        ("WebserviceDown", "removed"),
        ("WebservicesMostlyFailing", ""),
    ]
}

/// Some services fail; labels are edited, a target is removed, the receiver is killed and what evaluates the rules is away meanwhile.
/// Then all work again.
async fn outages(monitor: &mut impl Monitor, services: &mut Services) -> Outage {
    let up = format!("count(probe_success == 1) == {}", services.count());
    monitor.until_series(Duration::from_mins(1), &up).await;
    services.fail_some();
    let begun = Instant::now();

    // Promised more time before it is reported: it is not reported at all.
    let failing = |service: &str, production: Duration| {
        let seconds = faster(production).as_secs_f64();
        format!("target:failing:seconds{{service=\"{service}\"}} >= {seconds}")
    };
    let two_minutes = Duration::from_mins(2);
    monitor.until_series(minutes(4) + SLACK, &failing("patient", two_minutes)).await;
    ", alert_after: 30m, priority: low".clone_into(&mut services.get("patient").labels);
    monitor.write_targets(&services.targets());

    monitor.until_line(minutes(5) + SLACK, "WebserviceDown", "firing", "removed").await;
    println!("5 minutes are {:.1?}; reported after {:.1?}", minutes(5), begun.elapsed());
    services.remove("removed");
    monitor.write_targets(&services.targets());
    let ended = monitor.until_line(SLACK, "WebserviceDown", "resolved", "removed").await;
    println!("the end of what is no longer watched is reported after {ended:.1?}");

    monitor.until_line(minutes(10) + SLACK, "WebserviceDown", "firing", "edited").await;
    ", alert_after: 12m, severity: warning, stage: b"
        .clone_into(&mut services.get("edited").labels);
    monitor.write_targets(&services.targets());

    // The receiver is away when the long outage is reported.
    let thirteen_minutes = Duration::from_mins(13);
    monitor.until_series(minutes(15) + SLACK, &failing("mortal", thirteen_minutes)).await;
    monitor.lose_receiver();
    let firing = "ALERTS{alertname=\"WebserviceDown\",alertstate=\"firing\",service=\"mortal\"}";
    monitor.until_series(minutes(5) + SLACK, firing).await;
    let fired = begun.elapsed();
    println!("15 minutes are {:.1?}; an outage fires after {fired:.1?}", minutes(15));
    // The check before the first one that failed may count.
    let interval = faster(Duration::from_secs(15));
    assert!(fired + interval >= minutes(15) && fired < minutes(15) + SLACK);
    monitor.start_receiver();
    monitor.until_line(SLACK, "WebserviceDown", "firing", "mortal").await;
    monitor.until_line(SLACK, "WebserviceDown", "firing", "crashing").await;

    // What evaluates the rules is away, for longer than an Alertmanager keeps what it hears no more of.
    let before = events(&monitor.lines());
    monitor.leave();
    tokio::time::sleep(minutes(7)).await;
    monitor.come_back();
    monitor.until_series(SLACK, &failing("mortal", thirteen_minutes)).await;
    monitor.lose_receiver();
    monitor.start_receiver();
    // By now whatever was held back or reported again has been written.
    tokio::time::sleep(minutes(4)).await;
    let down = |events: &BTreeMap<(String, String), Vec<String>>| {
        let mut events = events.clone();
        events.retain(|(alert, _), _| alert == "WebserviceDown");
        events
    };
    assert_eq!(down(&events(&monitor.lines())), down(&before), "{}", monitor.said());

    services.work_all().await;
    let worked = Instant::now();
    for service in ["mortal", "edited", "crashing"] {
        let limit = minutes(8) + SLACK;
        monitor.until_line(limit, "WebserviceDown", "resolved", service).await;
        println!("{service} is reported as over {:.1?} after it works", worked.elapsed());
    }
    let mortal = services.get("mortal");
    Outage { failed_at: mortal.failed_at, worked_at: mortal.worked_at }
}

async fn lost_exporter(stack: &mut Stack) {
    stack.stop_exporter();
    let lost = minutes(8) + SLACK;
    let reported = stack.until_line(lost, "WebserviceExporterDown", "firing", "").await;
    println!("the loss of the exporter is reported after {reported:.1?}");
    stack.start_exporter();
    let back = minutes(12) + SLACK;
    let reported = stack.until_line(back, "WebserviceExporterDown", "resolved", "").await;
    println!("its return is reported after {reported:.1?}");
}

/// All services but one fail at once, for longer than most are promised.
async fn all_at_once(monitor: &mut impl Monitor, services: &mut Services) {
    let up = format!("count(probe_success == 1) == {}", services.count());
    monitor.until_series(SLACK, &up).await;
    services.fail_all();
    let limit = minutes(2) + SLACK;
    let reported = monitor.until_line(limit, "WebservicesMostlyFailing", "firing", "").await;
    println!("that most targets fail is reported after {reported:.1?}");
    let long =
        format!("target:failing:seconds{{service=\"good\"}} >= {}", minutes(8).as_secs_f64());
    monitor.until_series(minutes(8) + SLACK, &long).await;
    services.work_all().await;
    let limit = minutes(8) + SLACK;
    let reported = monitor.until_line(limit, "WebservicesMostlyFailing", "resolved", "").await;
    println!("that they work again is reported after {reported:.1?}");
}

/// What may be written besides: about the receiver and about Prometheus, which were away, and that a service is flaky.
fn may_be_reported(alert: &str, service: &str) -> bool {
    match alert {
        "WebserviceMonitorAlertLogDown"
        | "WebserviceMonitorHeartbeatMissing"
        | "AlertmanagerNotificationsFailing" => true,
        "WebserviceFlaky" => service == "flapping",
        _ => false,
    }
}

/// The alerts of a story have one beginning and one end, and there are no others.
fn each_was_reported_once(monitor: &impl Monitor, expected: &[(&str, &str)]) {
    let mut reported = events(&monitor.lines());
    println!("{reported:#?}");
    reported.retain(|(alert, service), _| !may_be_reported(alert, service));
    let pair = || vec!["firing".to_owned(), "resolved".to_owned()];
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(alert, service)| (((*alert).to_owned(), (*service).to_owned()), pair()))
        .collect();
    assert_eq!(reported, expected, "{}", monitor.said());
}

/// The line of an alert about a service.
fn line<'lines>(lines: &'lines [Value], service: &str, action: &str) -> &'lines Value {
    let found = lines.iter().find(|line| {
        line["rule.name"] == "WebserviceDown"
            && line["service.name"] == service
            && line["event.action"] == action
    });
    found.unwrap_or_else(|| panic!("no line {action} of {service}"))
}

/// The log says when the disruption began and ended, and why it was one.
fn the_truth_was_reported(monitor: &impl Monitor, outage: &Outage) {
    let lines = monitor.lines();
    let time = |line: &Value, field: &str| -> Timestamp {
        line[field].as_str().unwrap_or_default().parse().unwrap_or_else(|_| panic!("{line}"))
    };
    let exactly = |reported: Timestamp, happened: Timestamp| {
        reported.duration_since(happened).unsigned_abs() < EXACT
    };
    let (firing, resolved) = (line(&lines, "mortal", "firing"), line(&lines, "mortal", "resolved"));
    assert_eq!(firing["error.type"], "connect/refused", "{firing}");
    assert!(exactly(time(firing, "event.start"), outage.failed_at), "{firing}");
    assert_eq!(resolved["event.id"], firing["event.id"]);
    assert_eq!(resolved["event.start"], firing["event.start"]);
    assert!(exactly(time(resolved, "event.end"), outage.worked_at), "{resolved}");
    let length = time(resolved, "event.end").duration_since(time(resolved, "event.start"));
    assert_eq!(resolved["event.duration"].as_i64().map(i128::from), Some(length.as_nanos()));
    let message = resolved["message"].as_str().unwrap();
    assert!(message.contains("works again after"), "{message}");
    let removed = line(&lines, "removed", "resolved")["message"].as_str().unwrap();
    assert!(removed.contains("no longer watched"), "{removed}");
}

/// Each expression of the dashboards gives data over the time of the story.
async fn dashboards_have_data(stack: &Stack, range: Duration) {
    let expressions = expressions();
    assert!(!expressions.is_empty());
    let mut empty = Vec::new();
    for (dashboard, panel, expression) in &expressions {
        if stack.query(expression, Some(range)).await.is_empty() {
            empty.push(format!("{dashboard} / {panel}: {expression}"));
        }
    }
    println!("{} expressions of the dashboards, {} without data", expressions.len(), empty.len());
    assert!(empty.is_empty(), "{empty:#?}");
}
