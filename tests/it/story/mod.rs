//! The story that the customer asked for, on real parts: a service goes down for long and is told once, a flapping one wakes
//! nobody, the loss of the exporter is told, targets are edited live, and the dashboards have data.

mod stack;

use std::{collections::BTreeMap, time::Duration};

use testkit::{Behaviour, Certificates, Leaf, Server};
use tokio::{task::JoinSet, time::Instant};

use self::stack::{FACTOR, Stack};
use crate::dashboards::expressions;

/// What is slack: a busy machine, and parts that round their waits up to whole seconds.
const SLACK: Duration = Duration::from_secs(30);

/// A time of production in the time of the story.
fn faster(production: Duration) -> Duration {
    production / FACTOR
}

fn steady() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

/// Goes up and down for as long as it lives: two thirds of its checks succeed.
async fn flap(address: std::net::SocketAddr) {
    loop {
        let server = Server::start_on(address, steady()).await;
        tokio::time::sleep(faster(Duration::from_secs(80))).await;
        drop(server);
        tokio::time::sleep(faster(Duration::from_secs(40))).await;
    }
}

/// Whether it tells that the receiver was away, which it was: for minutes of production time.
fn of_the_receiver(line: &serde_json::Value) -> bool {
    matches!(
        line["rule.name"].as_str(),
        Some("WebserviceMonitorAlertLogDown" | "AlertmanagerNotificationsFailing")
    )
}

/// How many lines each event has in the log.
fn counts(lines: &[serde_json::Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let event = format!("{} {} {}", line["event.id"], line["event.action"], line["message"]);
        *counts.entry(event).or_default() += 1;
    }
    counts
}

/// The services of the story, as they are at its beginning.
struct Services {
    certificates: Certificates,
    good: Server,
    secure: Server,
    mortal: Server,
    flapping: Server,
    extra: Server,
}

impl Services {
    async fn start() -> Self {
        let certificates = Certificates::new();
        let secure = Server::start_tls(certificates.acceptor(Leaf::Good), steady()).await;
        Self {
            certificates,
            good: Server::start(steady()).await,
            secure,
            mortal: Server::start(steady()).await,
            flapping: Server::start(steady()).await,
            extra: Server::start(steady()).await,
        }
    }

    /// The targets file; the last service is added to it while everything runs.
    fn targets(&self, with_extra: bool) -> String {
        let mut list = vec![
            ("good", self.good.url("/"), ""),
            ("secure", self.secure.url("/"), ", module: https_story"),
            ("mortal", self.mortal.url("/"), ", slo: \"99.9\""),
            ("flapping", self.flapping.url("/"), ", slo: \"90\""),
        ];
        if with_extra {
            list.push(("extra", self.extra.url("/"), ""));
        }
        let group = |(name, url, labels): &(&str, String, &str)| {
            format!(
                "- targets: [\"{url}\"]\n  labels: {{ service: {name}, team: story{labels} }}\n"
            )
        };
        list.iter().map(group).collect()
    }

    fn modules(&self) -> String {
        format!(
            "modules:\n  https_story:\n    prober: http\n    http: {{ tls_config: {{ ca_file: {} }} }}\n",
            self.certificates.file("authority.pem").display()
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes: make story"]
async fn a_long_outage_is_told_once_and_a_flapping_service_wakes_nobody() {
    let begun = Instant::now();
    let services = Services::start().await;
    let Some(mut stack) = Stack::start(&services.targets(false), &services.modules()) else {
        return;
    };
    let up = |count: usize| format!("count(probe_success == 1) == {count}");
    stack.until_series(Duration::from_mins(1), &up(4)).await;
    stack.write_targets(&services.targets(true));
    let seen = stack.until_series(SLACK, &up(5)).await;
    println!("a target that was added has its first sample after {seen:.1?}");

    let Services { mortal, flapping, .. } = services;
    let flapping_address = flapping.address();
    drop(flapping);
    // It flaps until the end.
    let mut flapper = JoinSet::new();
    flapper.spawn(flap(flapping_address));
    let _mortal = long_outage(&mut stack, mortal).await;
    lost_exporter(&mut stack).await;
    let flaps = faster(Duration::from_hours(1)) + SLACK;
    let flapping = flapping_address.to_string();
    stack.until_line(flaps, "WebserviceFlapping", "firing", &flapping).await;

    nobody_is_woken_twice_or_in_vain(&stack.lines());
    let failures = "sum(prometheus_rule_evaluation_failures_total) > 0";
    assert!(stack.query(failures, None).await.is_empty(), "rules failed");
    dashboards_have_data(&stack, begun.elapsed()).await;
    println!("the story took {:.0?}", begun.elapsed());
}

/// A service is down for long and comes back, as it is given back. The receiver is away when it is told first, and is killed once more before the
/// end is told.
async fn long_outage(stack: &mut Stack, service: Server) -> Server {
    let address = service.address();
    drop(service);
    let alert = |state: &str| {
        format!("ALERTS{{alertname=\"WebserviceDown\",alertstate=\"{state}\",service=\"mortal\"}}")
    };
    let promised = faster(Duration::from_mins(15));
    let pending = stack.until_series(promised + SLACK, &alert("pending")).await;
    stack.kill_alert_log();
    let fired = pending + stack.until_series(promised + SLACK, &alert("firing")).await;
    println!("an outage fires after {fired:.1?}; 15 minutes are {promised:.1?} here");
    assert!(fired < promised + SLACK);
    let refused =
        "sum(alertmanager_notification_requests_failed_total{integration=\"webhook\"}) > 0";
    stack.until_series(SLACK, refused).await;
    stack.start_alert_log();
    let subject = address.to_string();
    let told = stack.until_line(SLACK, "WebserviceDown", "firing", &subject).await;
    println!("its line is there {told:.1?} after the receiver is back");

    stack.kill_alert_log();
    stack.start_alert_log();
    let service = Server::start_on(address, steady()).await;
    let end = faster(Duration::from_mins(25)) + SLACK;
    let resolved = stack.until_line(end, "WebserviceDown", "resolved", &subject).await;
    println!("it is resolved {resolved:.1?} after the service is back");
    service
}

async fn lost_exporter(stack: &mut Stack) {
    stack.stop_exporter();
    let lost = faster(Duration::from_mins(8)) + SLACK;
    let told = stack.until_line(lost, "WebserviceExporterDown", "firing", "").await;
    println!("the loss of the exporter is told after {told:.1?}");
    stack.start_exporter();
    let back = faster(Duration::from_mins(10)) + SLACK;
    let told = stack.until_line(back, "WebserviceExporterDown", "resolved", "").await;
    println!("its return is told after {told:.1?}");
}

/// Each transition has one line, and of the services only the long outage is urgent.
fn nobody_is_woken_twice_or_in_vain(lines: &[serde_json::Value]) {
    let counts = counts(lines);
    println!("{} lines: {:#?}", lines.len(), counts.keys().collect::<Vec<_>>());
    let doubled: Vec<_> = counts.into_iter().filter(|(_, count)| *count != 1).collect();
    assert!(doubled.is_empty(), "{doubled:#?}");
    let urgent: Vec<_> = lines
        .iter()
        .filter(|line| line["log.level"] == "error" && !of_the_receiver(line))
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(urgent.len(), 2, "one outage and one lost exporter: {urgent:#?}");
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
