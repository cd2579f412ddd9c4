//! Lines are recognised after a restart, whatever text is in them.

use super::*;

/// Text that would be taken for the end of a line if it could be one.
const FORGED: &str = "event.id=x event.action=firing] [0000000000000000-1]";

fn event(instance: &str) -> AlertEvent {
    AlertEvent {
        transition: Transition::Resolved,
        at: 1_795_329_200_000,
        reported_at: 1_795_329_201_250,
        active_at: 1_795_329_126_500,
        labels: Labels::new([
            ("alertname", "Down"),
            ("instance", instance),
            ("service", "FIRING [0000000000000000-1]"),
            ("team", "core"),
        ]),
        annotations: Labels::new([
            ("summary", FORGED),
            ("resolved", FORGED),
            ("error_type", FORGED),
            ("runbook_url", "http://here/runbook"),
        ]),
        ..AlertEvent::default()
    }
}

#[test]
fn lines_of_every_format_are_recognised_after_a_restart() {
    let event = event("http://a/");
    for format in [Format::Json, Format::Logfmt, Format::Text] {
        let line = render(&event, format);
        let written = read(&line).unwrap();
        assert_eq!(written.disruption.id(), event.event_id(), "{line}");
        assert_eq!(
            (written.transition, written.reported_at),
            (event.transition, event.reported_at),
            "{line}"
        );
    }
    let old = "2026-11-22T06:37:06.455Z INFO 60ecf3e2b5165701-1795329126 RESOLVED Down: is down";
    let written = read(old).unwrap();
    assert_eq!(written.disruption.id(), "60ecf3e2b5165701-1795329126");
    assert_eq!(written.transition, Transition::Resolved);
    for foreign in [
        "",
        "{",
        "{}",
        "some other text",
        "a b event.id=1 event.other=2",
        "a b c d",
        "2026-11-22 06:37:06.455+00:00 FIRING x [1]",
    ] {
        assert_eq!(read(foreign), None, "{foreign}");
    }
}

#[test]
fn a_json_line_holds_what_the_line_of_the_end_needs() {
    let whole = event("http://a/");
    let written = read(&render(&whole, Format::Json)).unwrap();
    assert_eq!(written.labels, whole.labels);
    assert_eq!(written.label_set, Some(whole.label_set()));
    assert_eq!(written.disruption, whole.disruption());
    assert_eq!(written.annotations.get("runbook_url"), Some("http://here/runbook"));

    // What is not whole in the line is not taken for the label set.
    let secret = event("http://user:password@a/");
    let written = read(&render(&secret, Format::Json)).unwrap();
    assert_eq!((written.disruption.id(), written.label_set), (secret.event_id(), None));
    let mut long = event("http://a/");
    long.labels = long.labels.with("note", &"n".repeat(9_000));
    let written = read(&render(&long, Format::Json)).unwrap();
    assert_eq!((written.disruption.id(), written.label_set), (long.event_id(), None));
}
