//! The HTTP API of Prometheus, through a socket: every endpoint, as Grafana, promtool and curl ask it.

mod refusals;
mod rules;
mod setup;
mod targets;

use probe::metric;
use webservice_monitor::telemetry::names;

use self::setup::{Server, monitor, store, success};

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
async fn the_build_is_described() {
    let server = Server::start(monitor(None, Vec::new())).await;
    let (_, body) = server.get("status/buildinfo").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["application"], "webservice-monitor");
    assert_eq!(body["data"]["applicationVersion"], env!("CARGO_PKG_VERSION"));
    assert!(body["data"]["version"].as_str().unwrap().starts_with("3."));
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
