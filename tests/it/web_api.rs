//! The HTTP API of Prometheus, through a socket: every endpoint, as Grafana, promtool and curl ask it.

mod rules;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use probe::{Failure, Outcome, Phase, ProbeResult, Reason, metric};
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
    state::{About, Monitor},
    telemetry::names,
};

/// The time in all tests: one minute after the last sample.
const NOW: Timestamp = 660_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// An API that is served until it is dropped.
struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(monitor: Reader) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(
            async move { axum::serve(listener, api::router(Arc::new(monitor))).await.unwrap() },
        );
        Self { address, _tasks: tasks }
    }

    async fn send(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let text = format!(
            "{head}\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 405 {
            assert!(head.contains("content-type: application/json"), "{head}");
        }
        (status, body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(&format!("GET /api/v1/{path} HTTP/1.1"), "").await
    }

    async fn post(&self, path: &str, form: &str) -> (u16, String) {
        let kind = "content-type: application/x-www-form-urlencoded; charset=utf-8";
        self.send(&format!("POST /api/v1/{path} HTTP/1.1\r\n{kind}"), form).await
    }
}

/// `up` of two instances and `load` of one, every 15 s from 0 to 600 s.
fn store() -> Store {
    let store = Store::in_memory();
    let up = |instance| Labels::new([("__name__", "up"), ("instance", instance)]);
    let load = Labels::new([("__name__", "load"), ("core", "0")]);
    for round in 0..=40_u32 {
        let at = i64::from(round) * 15_000;
        let samples = [(up("a"), 1.0), (up("b"), 0.0), (load.clone(), f64::from(round) / 4.0)];
        store.append(at, &samples).unwrap();
    }
    store
}

fn monitor(store: Option<Store>, targets: Vec<Arc<Target>>) -> Reader {
    let modules =
        probe::Module::builtin().into_iter().map(|(name, module)| (name, Arc::new(module)));
    let config = Config {
        targets,
        modules: modules.collect(),
        unsupported_modules: BTreeMap::new(),
        rules: Vec::new(),
        files: Vec::new(),
        warnings: Vec::new(),
    };
    reader(config, store)
}

fn reader(config: Config, store: Option<Store>) -> Reader {
    let about = About { external_url: String::new(), started: NOW, data_since: NOW };
    let monitor = Monitor::new(Arc::new(Fixed), config, about, 10);
    Reader { monitor, store: store.map(Arc::new), rules: Arc::default() }
}

fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}

const UP_A: &str = r#"{"__name__":"up","instance":"a"}"#;
const UP_B: &str = r#"{"__name__":"up","instance":"b"}"#;

/// Endpoint, parameters, data.
fn answers() -> Vec<(&'static str, &'static str, String)> {
    let vector = |result: &str| format!(r#"{{"resultType":"vector","result":[{result}]}}"#);
    let matrix = |result: &str| format!(r#"{{"resultType":"matrix","result":[{result}]}}"#);
    vec![
        ("query", "query=1", r#"{"resultType":"scalar","result":[660,"1"]}"#.into()),
        (
            "query",
            "query=1%2F0&time=1.5",
            r#"{"resultType":"scalar","result":[1.500,"+Inf"]}"#.into(),
        ),
        ("query", "query=%22a%22&time=0", r#"{"resultType":"string","result":[0,"a"]}"#.into()),
        ("query", "query=nothing", vector("")),
        (
            "query",
            "query=up&timeout=5s",
            vector(&format!(
                r#"{{"metric":{UP_A},"value":[660,"1"]}},{{"metric":{UP_B},"value":[660,"0"]}}"#
            )),
        ),
        (
            "query",
            "query=sum(load)&time=1970-01-01T00:10:00.250Z",
            vector(r#"{"metric":{},"value":[600.250,"10"]}"#),
        ),
        // Left-open ranges, as in Prometheus 3.
        (
            "query",
            "query=load[30s]&time=30",
            matrix(
                r#"{"metric":{"__name__":"load","core":"0"},"values":[[15,"0.25"],[30,"0.5"]]}"#,
            ),
        ),
        ("query", "query=load&time=605&lookback_delta=1s", vector("")),
        (
            "query_range",
            "query=up%7Binstance%3D%22a%22%7D&start=0&end=30&step=15s",
            matrix(&format!(r#"{{"metric":{UP_A},"values":[[0,"1"],[15,"1"],[30,"1"]]}}"#)),
        ),
        (
            "query_range",
            "query=2&start=0&end=0.5&step=0.25",
            matrix(r#"{"metric":{},"values":[[0,"2"],[0.250,"2"],[0.500,"2"]]}"#),
        ),
        ("query_range", "query=nothing&start=0&end=11000&step=1", matrix("")),
        ("series", "match[]=up", format!("[{UP_A},{UP_B}]")),
        (
            "series",
            "match[]=up&match[]=%7Binstance%3D%22b%22%7D&start=1&end=600",
            format!("[{UP_A},{UP_B}]"),
        ),
        ("series", "match[]=up&start=601&end=700", "[]".into()),
        ("series", "match[]=up&start=600&end=600&timeout=3s", format!("[{UP_A},{UP_B}]")),
        ("labels", "", r#"["__name__","core","instance"]"#.into()),
        ("labels", "match[]=up", r#"["__name__","instance"]"#.into()),
        ("labels", "start=601", "[]".into()),
    ]
}

#[tokio::test]
async fn what_is_read_is_answered_as_prometheus_answers_it() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    for (endpoint, parameters, data) in answers() {
        let expected = (200, success(&data));
        assert_eq!(server.get(&format!("{endpoint}?{parameters}")).await, expected, "{parameters}");
        assert_eq!(server.post(endpoint, parameters).await, expected, "{parameters}");
        assert_eq!(
            server.post(&format!("{endpoint}?{parameters}"), "").await,
            expected,
            "{parameters}"
        );
    }
    for (path, data) in [
        ("label/instance/values", r#"["a","b"]"#),
        ("label/instance/values?match[]=load", "[]"),
        ("label/__name__/values?match[]=up", r#"["up"]"#),
        ("label/nothing/values", "[]"),
    ] {
        assert_eq!(server.get(path).await, (200, success(data)), "{path}");
    }
}

#[tokio::test]
async fn a_limit_cuts_the_answer_and_says_so() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    let cut = |data: &str| {
        let warnings = r#""warnings":["results truncated due to limit"]"#;
        (200, format!(r#"{{"status":"success","data":{data},{warnings}}}"#))
    };
    for (path, data) in [
        (
            "query?query=up&limit=1",
            format!(
                r#"{{"resultType":"vector","result":[{{"metric":{UP_A},"value":[660,"1"]}}]}}"#
            ),
        ),
        (
            "query_range?query=up&start=0&end=1&step=5&limit=1",
            format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{UP_A},"values":[[0,"1"]]}}]}}"#
            ),
        ),
        ("series?match[]=up&limit=1", format!("[{UP_A}]")),
        ("labels?limit=2", r#"["__name__","core"]"#.into()),
        ("label/instance/values?limit=1", r#"["a"]"#.into()),
    ] {
        assert_eq!(server.get(path).await, cut(&data), "{path}");
        let enough = server
            .get(&path.replace("limit=1", "limit=2").replace("labels?limit=2", "labels?limit=0"))
            .await;
        assert!(!enough.1.contains("warnings"), "{enough:?}");
    }
}

/// Path, status, type, and a part of the message.
const REFUSALS: &[(&str, u16, &str, &str)] = &[
    ("query", 400, "bad_data", "invalid parameter \"query\": it is missing"),
    ("query?query=", 400, "bad_data", "\"query\": it is missing"),
    ("query?query=up(", 400, "bad_data", "invalid parameter \"query\": "),
    ("query?query=no_such_function(up)", 400, "bad_data", "no_such_function"),
    (
        "query?query=up&time=soon",
        400,
        "bad_data",
        "\"time\": cannot parse \"soon\" to a valid timestamp",
    ),
    ("query?query=up&time=NaN", 400, "bad_data", "\"time\""),
    (
        "query?query=up&timeout=soon",
        400,
        "bad_data",
        "\"timeout\": cannot parse \"soon\" to a valid duration",
    ),
    ("query?query=up&limit=-1", 400, "bad_data", "\"limit\""),
    ("query?query=up&lookback_delta=0", 400, "bad_data", "\"lookback_delta\""),
    ("query?query=up%20%2B%20on()%20up", 422, "execution", ""),
    ("query?query=up&timeout=0", 503, "timeout", "timed out"),
    ("query_range?query=up&end=1&step=1", 400, "bad_data", "\"start\": it is missing"),
    ("query_range?query=up&start=1&step=1", 400, "bad_data", "\"end\": it is missing"),
    ("query_range?query=up&start=1&end=1", 400, "bad_data", "\"step\": it is missing"),
    ("query_range?query=up&start=2&end=1&step=1", 400, "bad_data", "\"end\""),
    ("query_range?query=up&start=0&end=1&step=0", 400, "bad_data", "\"step\""),
    ("query_range?query=up&start=0&end=1&step=-5s", 400, "bad_data", "\"step\""),
    ("query_range?query=up&start=0&end=1&step=1e300", 400, "bad_data", "\"step\""),
    ("query_range?query=up&start=0&end=11001&step=1", 400, "bad_data", "11,000 points"),
    ("query_range?query=up[5m]&start=0&end=1&step=1", 400, "bad_data", "not a range vector"),
    ("query_range?query=%22a%22&start=0&end=1&step=1", 400, "bad_data", "not a string"),
    ("query_range?query=up%20%2B%20on()%20up&start=0&end=1&step=1", 422, "execution", ""),
    ("series", 400, "bad_data", "no match[] parameter provided"),
    ("series?match[]=up(", 400, "bad_data", "invalid parameter \"match[]\""),
    ("series?match[]=1", 400, "bad_data", "invalid parameter \"match[]\""),
    ("series?match[]=up[5m]", 400, "bad_data", "not an instant selector"),
    ("series?match[]=%7B%7D", 400, "bad_data", "invalid parameter \"match[]\""),
    ("series?match[]=up&start=x", 400, "bad_data", "\"start\""),
    ("labels?match[]=1", 400, "bad_data", "\"match[]\""),
    ("labels?end=x", 400, "bad_data", "\"end\""),
    ("label/a/values?match[]=1", 400, "bad_data", "\"match[]\""),
    ("label/%ff/values", 400, "bad_data", "invalid label name"),
    ("metadata?limit=x", 400, "bad_data", "\"limit\""),
    ("rules?type=x", 400, "bad_data", "\"type\""),
    ("rules?exclude_alerts=perhaps", 400, "bad_data", "\"exclude_alerts\""),
    ("rules?file[]=a.yml", 400, "bad_data", "\"file[]\": it is not supported"),
    ("rules?match[]=up", 400, "bad_data", "\"match[]\": it is not supported"),
    ("targets?state=x", 400, "bad_data", "\"state\""),
];

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_its_kind() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    for (path, status, kind, part) in REFUSALS {
        let (found, body) = server.get(path).await;
        assert_eq!(found, *status, "{path}: {body}");
        let body: BTreeMap<String, String> = serde_json::from_str(&body).unwrap();
        assert_eq!(body["status"], "error", "{path}");
        assert_eq!(body["errorType"], *kind, "{path}");
        assert!(body["error"].contains(part), "{path}: {}", body["error"]);
        assert_eq!(body.len(), 3);
    }
}

/// Requests that nobody means well.
const HOSTILE: &[&str] = &[
    "query?query=up&time=1e300",
    "query?query=up&time=-1e300&lookback_delta=15000y",
    "query?query=up&lookback_delta=20000y&time=-292273086-05-16T16:47:06Z",
    "query?query=up%20offset%20290y&time=-1e300",
    "query?query=up%20%40%209e15%20offset%20-290y",
    "query?query=rate(up[290y])&time=1e300",
    "query?query=max_over_time(vector(1)[10y:1ms])",
    "query_range?query=max_over_time(vector(1)[10y:1ms])&start=0&end=11000&step=1",
    "query_range?query=up&start=-1e300&end=1e300&step=2y",
    "query_range?query=up&start=-1e300&end=1e300&step=19000y",
    "series?match[]=up&start=1e300&end=-1e300",
    "labels?start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z",
    "query?query=%00%ff%fe",
    "query?=&&=%&query=%zz",
    "label/%00/values?match[]=%7B__name__%3D~%22(a%7Ca)*b%22%7D",
];

#[tokio::test]
async fn hostile_requests_are_answered() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    for path in HOSTILE {
        let (status, body) = server.get(path).await;
        assert!(matches!(status, 200 | 400 | 422), "{path}: {status} {body}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{path}: {body}");
    }
    let deep = format!("query={}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(server.post("query", &deep).await.0, 400);
}

#[tokio::test]
async fn a_form_goes_before_the_address_and_must_say_that_it_is_one() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    let scalar =
        |value| (200, success(&format!(r#"{{"resultType":"scalar","result":[660,"{value}"]}}"#)));
    assert_eq!(server.post("query?query=1", "query=2").await, scalar(2));
    let head = "POST /api/v1/query?query=1 HTTP/1.1\r\ncontent-type: text/plain";
    assert_eq!(server.send(head, "query=2").await, scalar(1));
    let (status, body) = server.post("query", &"x".repeat((2 << 20) + 1)).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(server.post("alerts", "").await.0, 405);
}

#[tokio::test]
async fn the_exporter_has_nothing_to_read() {
    let server = Server::start(monitor(None, Vec::new())).await;
    for path in [
        "query?query=1",
        "query_range?query=1&start=0&end=1&step=1",
        "series?match[]=up",
        "labels",
        "label/a/values",
        "alerts",
        "rules",
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(
            body.starts_with(r#"{"status":"error","errorType":"not_found","error":"this exporter"#),
            "{body}"
        );
    }
    for path in ["metadata", "targets", "status/buildinfo"] {
        assert_eq!(server.get(path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn the_build_is_described() {
    let server = Server::start(monitor(None, Vec::new())).await;
    let (_, body) = server.get("status/buildinfo").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["application"], "webservice-monitor");
    assert_eq!(body["data"]["applicationVersion"], env!("CARGO_PKG_VERSION"));
    assert!(body["data"]["version"].as_str().unwrap().starts_with("3."));
}

fn result(outcome: Outcome) -> ProbeResult {
    let started = std::time::UNIX_EPOCH;
    let (elapsed, timeout) = (Duration::from_millis(250), Duration::from_secs(9));
    ProbeResult {
        outcome,
        started,
        elapsed,
        timeout,
        samples: Vec::new(),
        notes: Vec::new(),
        evidence: probe::Evidence::default(),
    }
}

fn target(instance: &str) -> Arc<Target> {
    let labels = [("instance", instance), ("job", "webservices"), ("service", "shop")];
    Arc::new(Target {
        instance: instance.to_owned(),
        address: probe::Module::builtin()["http_2xx"].target(instance).unwrap(),
        module: "http_2xx".to_owned(),
        internal_labels: Arc::default(),
        promises: Promises::default(),
        labels: Labels::new(labels),
        interval: Duration::from_secs(15),
        timeout: Duration::from_millis(9500),
        origin: "targets.yml:3".to_owned(),
    })
}

#[tokio::test]
async fn targets_tell_whether_they_could_be_probed_and_whether_they_are_up() {
    let instances =
        ["http://up.test/", "http://down.test/", "http://fault.test/", "http://new.test/"];
    let monitor = monitor(Some(store()), instances.map(target).to_vec());
    let failure = |phase, reason| Failure::new(phase, reason, "a detail");
    for (instance, outcome) in instances.into_iter().zip([
        Outcome::Up,
        Outcome::Down(failure(Phase::Connect, Reason::Refused)),
        Outcome::Fault(failure(Phase::Internal, Reason::NoFds)),
    ]) {
        monitor.results().watched(&target(instance), 1_500, result(outcome));
    }
    let server = Server::start(monitor).await;
    let tail = r#""scrapeInterval":"15s","scrapeTimeout":"9s500ms""#;
    let expected = [
        ("", "1970-01-01T00:00:01.5Z", "0.25", "up", r#"true,"failure":null"#),
        (
            "",
            "1970-01-01T00:00:01.5Z",
            "0.25",
            "up",
            r#"false,"failure":{"phase":"connect","reason":"refused","detail":"a detail"}"#,
        ),
        (
            "internal/no_fds: a detail",
            "1970-01-01T00:00:01.5Z",
            "0.25",
            "down",
            r#"null,"failure":{"phase":"internal","reason":"no_fds","detail":"a detail"}"#,
        ),
        ("", "0001-01-01T00:00:00Z", "0.0", "unknown", r#"null,"failure":null"#),
    ];
    let active: Vec<String> = instances
        .iter()
        .zip(expected)
        .map(|(instance, (error, at, took, health, own))| {
            format!(
                concat!(
                    r#"{{"discoveredLabels":{{"__address__":"{0}","__meta_filepath":"targets.yml","#,
                    r#""__param_module":"http_2xx","__scrape_interval__":"15s","__scrape_timeout__":"9s500ms","#,
                    r#""job":"webservices","service":"shop"}},"#,
                    r#""labels":{{"instance":"{0}","job":"webservices","service":"shop"}},"#,
                    r#""scrapePool":"webservices","scrapeUrl":"{0}","globalUrl":"{0}","lastError":"{1}","#,
                    r#""lastScrape":"{2}","lastScrapeDuration":{3},"health":"{4}",{5},"probeSuccess":{6}}}"#,
                ),
                instance, error, at, took, health, tail, own
            )
        })
        .collect();
    let body = |active: &str, counts: &str| {
        let dropped = r#""droppedTargets":[],"droppedTargetCounts":"#;
        (200, success(&format!(r#"{{"activeTargets":[{active}],{dropped}{counts}}}"#)))
    };
    let all = active.join(",");
    for (path, expected) in [
        ("targets", body(&all, r#"{"webservices":0}"#)),
        ("targets?state=any", body(&all, r#"{"webservices":0}"#)),
        ("targets?state=ACTIVE&scrapePool=webservices", body(&all, "null")),
        ("targets?state=dropped", body("", r#"{"webservices":0}"#)),
        ("targets?state=active&scrapePool=other", body("", "null")),
    ] {
        assert_eq!(server.get(path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn metadata_has_the_meaning_of_own_metrics_and_of_those_of_the_modules() {
    let server = Server::start(monitor(Some(store()), Vec::new())).await;
    let meaning = |name: &str, kind, help| {
        success(&format!(r#"{{"{name}":[{{"type":"{kind}","help":"{help}","unit":""}}]}}"#))
    };
    for probed in
        [&metric::SUCCESS, &metric::DNS_LOOKUP, &metric::HTTP_STATUS_CODE, &metric::TLS_VERSION]
    {
        let found = server.get(&format!("metadata?metric={}", probed.name)).await;
        assert_eq!(found, (200, meaning(probed.name, "gauge", probed.help)));
    }
    let found =
        server.get("metadata?metric=process_cpu_seconds_total&limit=5&limit_per_metric=1").await;
    let help = "Total user and system CPU time spent in seconds.";
    assert_eq!(found, (200, meaning("process_cpu_seconds_total", "counter", help)));
    assert_eq!(server.get("metadata?metric=nothing").await, (200, success("{}")));
    for (path, least, most) in
        [("metadata", names::ALL.len() + 20, 200), ("metadata?limit=2", 2, 2)]
    {
        let (_, body) = server.get(path).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let count = body["data"].as_object().unwrap().len();
        assert!((least..=most).contains(&count), "{path}: {count}");
    }
}
