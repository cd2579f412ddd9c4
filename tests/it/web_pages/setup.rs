//! A monitor whose past is known, its pages on a socket, and what to look for in them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use probe::{Failure, MetricDef, Module, Outcome, Phase, ProbeResult, Reason, Sample};
use series::{Appender as _, Labels, Timestamp, store::Store};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use webservice_monitor::{
    api::{self, Reader},
    clock::Clock,
    config::{Config, Promises, Target},
    query::{Embedded, Query},
    state::{About, Monitor, Remembered},
    web,
};

/// 2026-01-01 00:00:00 UTC.
pub(super) const NOW: Timestamp = 1_767_225_600_000;

pub(super) const MINUTE: i64 = 60_000;

pub(super) static EXPIRY: MetricDef =
    MetricDef { name: "probe_ssl_earliest_cert_expiry", help: "" };

pub(super) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// A monitor with some targets, and with the store of the all-in-one mode when asked for.
pub(super) fn monitor(targets: &[(&str, &[(&str, &str)])], with_store: bool) -> Arc<Reader> {
    let modules: BTreeMap<String, Arc<Module>> =
        Module::builtin().into_iter().map(|(name, module)| (name, Arc::new(module))).collect();
    let address = modules["http_2xx"].target("http://127.0.0.1/").unwrap();
    let targets = targets.iter().map(|(instance, labels)| {
        let own = [("job", "webservices"), ("instance", *instance)];
        Arc::new(Target {
            instance: (*instance).to_owned(),
            address: address.clone(),
            module: "http_2xx".to_owned(),
            internal_labels: Arc::default(),
            promises: Promises::default(),
            labels: Labels::new(labels.iter().copied().chain(own)),
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            origin: "config/targets.yml:3".to_owned(),
        })
    });
    let config = Config {
        targets: targets.collect(),
        modules,
        unsupported_modules: BTreeMap::new(),
        rules: Vec::new(),
        files: Vec::new(),
        warnings: Vec::new(),
    };
    let store = with_store.then(|| Arc::new(Store::in_memory()));
    // The samples come later, but belong to a program that has run for long.
    let about = About { external_url: String::new(), started: NOW, data_since: 0 };
    let monitor = Monitor::new(Arc::new(Fixed), config, about, 100);
    Arc::new(Reader { monitor, store, rules: Arc::default() })
}

pub(super) fn result(outcome: Outcome, samples: Vec<Sample>) -> ProbeResult {
    ProbeResult {
        outcome,
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_millis(42),
        timeout: Duration::from_secs(10),
        samples,
        notes: Vec::new(),
        evidence: probe::Evidence::default(),
    }
}

pub(super) fn down(phase: Phase, reason: Reason, detail: &str) -> ProbeResult {
    result(Outcome::Down(Failure::new(phase, reason, detail)), Vec::new())
}

pub(super) fn append(
    monitor: &Reader,
    at: Timestamp,
    instance: &str,
    metric: &str,
    labels: &[(&str, &str)],
    value: f64,
) {
    let own = [("__name__", metric), ("job", "webservices"), ("instance", instance)];
    let labels = Labels::new(labels.iter().copied().chain(own));
    monitor.store.as_ref().unwrap().append(at, &[(labels, value)]).unwrap();
}

/// The scheduler's probe of a target of the configuration, or of one that was removed from it.
pub(super) fn watched(
    monitor: &Reader,
    instance: &str,
    started: Timestamp,
    result: ProbeResult,
) -> Remembered {
    let config = monitor.config();
    let target = config.targets.iter().find(|target| target.instance == instance);
    let elsewhere = |first: &Arc<Target>| Target {
        instance: instance.to_owned(),
        labels: first.labels.with("instance", instance),
        ..(**first).clone()
    };
    let target = target.map_or_else(|| elsewhere(&config.targets[0]), |target| (**target).clone());
    monitor.results().watched(&target, started, result)
}

/// The pages on a socket, until dropped.
pub(super) struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

/// An answer: status, head and body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Server {
    pub(super) async fn start(monitor: &Arc<Reader>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let query = monitor.store.as_ref().map(|store| {
            Arc::new(Embedded::new(Arc::clone(store), Arc::clone(&monitor.rules))) as Arc<dyn Query>
        });
        let router =
            api::router(Arc::clone(monitor)).merge(web::router(monitor.monitor.clone(), query));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, _tasks: tasks }
    }

    pub(super) async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}Connection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }
}

/// A text as a segment of a path.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        write!(path, "%{byte:02X}").unwrap();
        path
    })
}

/// Fails when a body lacks one of the needles.
pub(super) fn assert_shows(body: &str, needles: &[&str]) {
    for needle in needles {
        assert!(body.contains(needle), "the page does not show {needle:?}:\n{body}");
    }
}

/// Where each needle begins, which must be in ascending order.
pub(super) fn assert_order(body: &str, needles: &[&str]) {
    let places: Vec<usize> =
        needles.iter().map(|needle| body.find(needle).expect(needle)).collect();
    assert!(places.is_sorted(), "{needles:?} stand at {places:?}");
}

pub(super) const UP: &str = "http://up.example/";
pub(super) const DOWN: &str = "http://down.example/";
pub(super) const NEW: &str = "http://a-new.example/";
pub(super) const RESTORED: &str = "http://restored.example/";

/// One target of each state, with an hour of history.
pub(super) fn lively() -> Arc<Reader> {
    let labels: &[(&str, &str)] = &[("service", "shop"), ("team", "payments")];
    let monitor =
        monitor(&[(NEW, &[]), (UP, labels), (DOWN, &[("service", "mail")]), (RESTORED, &[])], true);
    for minute in 0..50 {
        let at = NOW - (50 - minute) * MINUTE;
        append(&monitor, at, UP, "probe_success", labels, if minute == 20 { 0.0 } else { 1.0 });
        for (phase, seconds) in
            [("resolve", 0.001), ("connect", 0.002), ("processing", 0.03), ("transfer", 0.004)]
        {
            let labels = [("service", "shop"), ("team", "payments"), ("phase", phase)];
            append(&monitor, at, UP, "probe_http_duration_seconds", &labels, seconds);
        }
        append(&monitor, at, DOWN, "probe_success", &[], 0.0);
        append(&monitor, at, DOWN, "probe_duration_seconds", &[], 0.25);
    }
    append(
        &monitor,
        NOW - 30 * MINUTE,
        UP,
        "probe_failure_info",
        &[("phase", "body"), ("reason", "truncated")],
        1.0,
    );
    append(
        &monitor,
        NOW - 30 * MINUTE,
        UP,
        "probe_failure_info",
        &[("phase", "x"), ("exported_phase", "tls"), ("reason", "reset")],
        1.0,
    );
    append(&monitor, NOW - MINUTE, RESTORED, "probe_success", &[], 1.0);
    let expiry =
        Sample { metric: &EXPIRY, labels: Vec::new(), value: 1_767_225_600.0 + 30.5 * 86_400.0 };
    watched(&monitor, UP, NOW - 5000, result(Outcome::Up, vec![expiry]));
    watched(&monitor, DOWN, NOW - 4000, down(Phase::Connect, Reason::Refused, "os error 111"));
    monitor
}
