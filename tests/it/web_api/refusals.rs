//! Requests that are refused: wrong ones with their kind of error, hostile ones, and those for what the exporter does not have.

use std::collections::BTreeMap;

use super::setup::{Server, monitor, store};

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
