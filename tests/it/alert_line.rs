//! A line of the alert log as its document promises it, whatever text is in the alert.
//!
//! Must not know files.

use alerting::{AlertEvent, Format, MAX_LINE_BYTES, Transition, render};
use proptest::prelude::*;
use series::Labels;

use crate::alert_log::{START, event};

/// Which event, in which format, and the line; `ID` stands for the hash of the labels, `LOCAL` for the time where the test runs.
const LINES: &[(&str, Format, &str)] = &[
    (
        "firing",
        Format::Json,
        concat!(
            r#"{"@timestamp":"2026-11-22T06:37:06.455Z","log.level":"error","message":"FIRING WebserviceDown: http://a/ is down","#,
            r#""ecs.version":"8.11.0","event.kind":"alert","event.dataset":"webservice_monitor.alert","event.action":"firing","#,
            r#""event.id":"ID-1795329126","event.start":"2026-11-22T06:32:06.000Z","#,
            r#""event.severity":3,"event.category":["network","web"],"event.type":["start","error"],"#,
            r#""event.reason":"No answer for 5 minutes.","error.type":"connect/refused","rule.name":"WebserviceDown","#,
            r#""event.url":"https://example.com/runbook","event.reference":"https://example.com/dashboard","#,
            r#""url.full":"http://a/","service.name":"a","labels":{"job":"webservices","severity":"critical","team":"core"}}"#
        ),
    ),
    (
        "resolved",
        Format::Json,
        concat!(
            r#"{"@timestamp":"2026-11-22T06:37:06.455Z","log.level":"info","#,
            r#""message":"RESOLVED WebserviceDown: http://a/ works again after 5 min","#,
            r#""ecs.version":"8.11.0","event.kind":"alert","event.dataset":"webservice_monitor.alert","event.action":"resolved","#,
            r#""event.id":"ID-1795329126","event.start":"2026-11-22T06:32:06.000Z","event.end":"2026-11-22T06:37:06.455Z","#,
            r#""event.duration":300455000000,"event.severity":3,"event.category":["network","web"],"event.type":["end","info"],"#,
            r#""event.reason":"works again","error.type":"connect/refused","rule.name":"WebserviceDown","#,
            r#""event.url":"https://example.com/runbook","event.reference":"https://example.com/dashboard","#,
            r#""url.full":"http://a/","service.name":"a","labels":{"job":"webservices","severity":"critical","team":"core"}}"#
        ),
    ),
    (
        "firing",
        Format::Logfmt,
        concat!(
            "@timestamp=2026-11-22T06:37:06.455Z log.level=error event.id=ID-1795329126 event.action=firing ",
            "event.dataset=webservice_monitor.alert event.start=2026-11-22T06:32:06.000Z event.severity=3 ",
            "event.category=network,web event.type=start,error ",
            r#"message="FIRING WebserviceDown: http://a/ is down" event.reason="No answer for 5 minutes." "#,
            "error.type=connect/refused rule.name=WebserviceDown event.url=https://example.com/runbook ",
            "event.reference=https://example.com/dashboard url.full=http://a/ service.name=a ",
            "labels.job=webservices labels.severity=critical labels.team=core"
        ),
    ),
    (
        "measured",
        Format::Logfmt,
        concat!(
            "@timestamp=2026-11-22T06:37:06.455Z log.level=info event.id=ID-1795329066 event.action=resolved ",
            "event.dataset=webservice_monitor.alert event.start=2026-11-22T06:31:06.500Z ",
            "event.end=2026-11-22T06:31:36.500Z event.duration=30000000000 event.severity=3 ",
            "event.category=network,web event.type=end,info ",
            r#"message="RESOLVED WebserviceDown: http://a/ works again after 30 s" event.reason="works again" "#,
            "error.type=connect/refused rule.name=WebserviceDown event.url=https://example.com/runbook ",
            "event.reference=https://example.com/dashboard url.full=http://a/ service.name=a ",
            "labels.job=webservices labels.severity=critical labels.team=core"
        ),
    ),
    (
        "firing",
        Format::Text,
        "LOCAL FIRING a WebserviceDown: http://a/ is down (connect/refused) [ID-1795329126]",
    ),
    (
        "resolved",
        Format::Text,
        "LOCAL RESOLVED a WebserviceDown: http://a/ works again after 5 min (connect/refused) [ID-1795329126]",
    ),
];

#[test]
fn lines_are_as_documented() {
    let firing = event("a", Transition::Firing);
    let resolved = event("a", Transition::Resolved);
    // The first and the last failed check, where the rules say when they were.
    let mut measured = event("a", Transition::Resolved);
    measured.annotations = measured
        .annotations
        .with("started_at", "1795329066.5")
        .with("ended_at", "1.7953290965e+09");
    let local = jiff::Timestamp::from_millisecond(START + 300_455)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S%.3f%:z")
        .to_string();
    for (which, format, expected) in LINES {
        let event = match *which {
            "firing" => &firing,
            "resolved" => &resolved,
            _ => &measured,
        };
        let fingerprint = format!("{:016x}", event.fingerprint());
        assert_eq!(
            render(event, *format),
            expected.replace("ID", &fingerprint).replace("LOCAL", &local) + "\n",
            "{format:?}"
        );
    }
}

#[test]
fn severities_set_the_level() {
    for (severity, level, number) in [
        ("critical", "error", 3),
        ("warning", "warn", 2),
        ("info", "info", 1),
        ("none", "info", 0),
        ("", "info", 0),
    ] {
        let mut event = event("a", Transition::Firing);
        event.labels = event.labels.with("severity", severity);
        let line: serde_json::Value = serde_json::from_str(&render(&event, Format::Json)).unwrap();
        assert_eq!(
            (line["log.level"].as_str(), line["event.severity"].as_i64()),
            (Some(level), Some(number))
        );
    }
}

#[test]
fn an_instance_that_is_no_url_stays_a_label() {
    let mut event = event("a", Transition::Firing);
    event.labels = event.labels.with("instance", "db:5432");
    let line: serde_json::Value = serde_json::from_str(&render(&event, Format::Json)).unwrap();
    assert_eq!(line.get("url.full"), None);
    assert_eq!(line["labels"]["instance"], "db:5432");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_becomes_one_short_valid_line(
        name in any::<String>(), value in "\\PC{0,40}|[\u{0}-\u{ff}\u{2028}\u{202e}]{0,9000}", many in 0_usize..300,
    ) {
        let mut labels = vec![("alertname".to_owned(), value.clone()), (name, value.clone())];
        labels.extend((0..many).map(|index| (format!("label_{index}"), value.clone())));
        let event = AlertEvent {
            transition: Transition::Firing,
            at: i64::MAX,
            reported_at: i64::MAX,
            active_at: i64::MIN,
            labels: Labels::new(labels),
            annotations: Labels::new([
                ("summary", value.as_str()), ("description", &value), ("error_type", &value), ("runbook_url", &value),
                ("dashboard_url", &value), ("resolved", &value), ("started_at", &value),
            ]),
            ..AlertEvent::default()
        };
        for format in [Format::Json, Format::Logfmt, Format::Text] {
            let line = render(&event, format);
            prop_assert!(line.len() <= MAX_LINE_BYTES);
            prop_assert_eq!(line.chars().filter(|each| each.is_control()).collect::<String>(), "\n");
            let hostile = |each: char| matches!(each, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            prop_assert!(!line.contains(hostile));
            if format == Format::Json {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{}", line);
            }
        }
    }
}
