//! Ends that wait until they are believed: what the log keeps of them, over restarts, and what is written in the end.

use std::path::{Path, PathBuf};

use alerting::{AlertEvent, Delivery, Format, Held, Transition, open_alert_log};
use series::Labels;

use crate::alert_log::{START, event};

const KEPT: Held = Held { waiting: 1, new: 1, kept: true };

fn open(path: &Path) -> Delivery {
    open_alert_log(path, Format::Json).unwrap()
}

/// An alert of one of several probers, at so many seconds.
fn report(prober: &str, transition: Transition, second: i64) -> AlertEvent {
    let event = event("a", transition);
    let at = START + second * 1000;
    AlertEvent { at, reported_at: at, labels: event.labels.with("prober", prober), ..event }
}

fn read(path: &Path) -> Vec<serde_json::Value> {
    let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `action` of each line, each with whether its disruption is that of the first.
fn events(path: &Path) -> Vec<(String, bool)> {
    let lines = read(path);
    let event = |line: &serde_json::Value| {
        (
            line["event.action"].as_str().unwrap().to_owned(),
            line["event.id"] == lines[0]["event.id"],
        )
    };
    lines.iter().map(event).collect()
}

fn lines(of: &[&str]) -> Vec<(String, bool)> {
    of.iter().map(|action| ((*action).to_owned(), true)).collect()
}

fn beside(path: &Path) -> PathBuf {
    path.with_file_name(".alerts.jsonl.known")
}

fn now(second: i64) -> i64 {
    START + second * 1000
}

#[test]
fn an_end_is_kept_over_restarts_and_written_once() {
    use Transition::{Firing, Resolved};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let mut log = open(&path);
    log.notify(&[report("a", Firing, 300)]).unwrap();
    assert_eq!(log.hold(&[report("a", Resolved, 600)]).unwrap(), KEPT);
    let again = Held { new: 0, ..KEPT };
    let repeated = AlertEvent { reported_at: now(650), ..report("a", Resolved, 600) };
    assert_eq!(log.hold(&[repeated]).unwrap(), again);
    drop(log);
    // The file is written anew, because it is not the one that was open.
    let mut log = open(&path);
    std::fs::remove_file(beside(&path)).unwrap();
    log.beat(now(700));
    drop(log);
    let mut log = open(&path);
    assert_eq!((log.statistics().held, events(&path)), (1, lines(&["firing"])));
    let before = std::fs::read(beside(&path)).unwrap();
    log.release(now(900)).unwrap();
    assert_eq!((log.statistics().held, events(&path)), (0, lines(&["firing", "resolved"])));
    let over = read(&path).remove(1);
    // It was over when it was, and is written when it is believed, with all its words.
    assert_eq!(over["event.end"], "2026-11-22T06:42:06.000Z");
    assert_eq!(over["@timestamp"], "2026-11-22T06:47:06.000Z");
    let message = over["message"].as_str().unwrap();
    assert!(message.starts_with("RESOLVED WebserviceDown: http://a/ works again"), "{message}");
    drop(log);
    // A kill between the line and the record of that.
    std::fs::write(beside(&path), before).unwrap();
    let mut log = open(&path);
    assert_eq!(log.statistics().held, 1);
    log.release(now(901)).unwrap();
    assert_eq!((log.statistics().held, events(&path).len()), (0, 2));
    // The end that the log has needs not wait.
    let none = Held { kept: true, ..Held::default() };
    assert_eq!(log.hold(&[report("a", Resolved, 600)]).unwrap(), none);
}

#[test]
fn an_alert_that_fires_again_is_not_over_also_after_a_restart() {
    use Transition::{Firing, Resolved};
    for restarts in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let mut log = open(&path);
        let mut step = |work: &dyn Fn(&mut Delivery)| {
            if restarts {
                // The one that was open is closed first.
                log = open_alert_log(Path::new("-"), Format::Json).unwrap();
                log = open(&path);
            }
            work(&mut log);
            log.statistics().held
        };
        step(&|log| log.notify(&[report("a", Firing, 300)]).unwrap());
        step(&|log| assert_eq!(log.hold(&[report("a", Resolved, 600)]).unwrap(), KEPT));
        // With a later start, and it goes on anyway.
        let later = AlertEvent { active_at: now(640), ..report("a", Firing, 650) };
        assert_eq!(step(&|log| log.notify(std::slice::from_ref(&later)).unwrap()), 0);
        step(&|log| log.release(now(700)).unwrap());
        assert_eq!(events(&path), lines(&["firing"]));
        let over = AlertEvent { active_at: now(640), ..report("a", Resolved, 900) };
        step(&|log| log.notify(std::slice::from_ref(&over)).unwrap());
        assert_eq!(events(&path), lines(&["firing", "resolved"]));
    }
}

/// The end of one prober's, or of the labels before an edit, while others of the alert fire.
#[test]
fn an_alert_that_fires_under_other_labels_goes_on_and_is_over_with_these() {
    use Transition::{Firing, Resolved};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let mut log = open(&path);
    log.notify(&[report("a", Firing, 300)]).unwrap();
    assert_eq!(log.hold(&[report("a", Resolved, 600)]).unwrap(), KEPT);
    log.notify(&[report("b", Firing, 650)]).unwrap();
    log.release(now(700)).unwrap();
    assert_eq!((log.statistics().held, events(&path)), (0, lines(&["firing"])));
    log.notify(&[report("b", Resolved, 800)]).unwrap();
    assert_eq!(events(&path), lines(&["firing", "resolved"]));
}

#[test]
fn an_end_whose_beginning_was_never_heard_of_is_written_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let mut log = open(&path);
    assert_eq!(log.hold(&[report("a", Transition::Resolved, 600)]).unwrap(), KEPT);
    drop(log);
    let mut log = open(&path);
    log.release(now(700)).unwrap();
    assert_eq!(events(&path), lines(&["firing", "resolved"]));
}

#[test]
fn while_the_log_cannot_be_written_an_end_that_waited_stays() {
    use Transition::{Firing, Resolved};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let mut log = open(&path);
    log.notify(&[report("a", Firing, 300)]).unwrap();
    log.hold(&[report("a", Resolved, 600)]).unwrap();
    let aside = folder.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(log.release(now(700)).is_err());
    assert!(log.hold(&[report("b", Resolved, 600)]).is_err(), "what is known is not on the disk");
    drop(log);
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    let mut log = open(&path);
    assert_eq!(log.statistics().held, 1);
    log.release(now(800)).unwrap();
    assert_eq!(events(&path), lines(&["firing", "resolved"]));
}

#[test]
fn ends_beyond_a_limit_and_those_without_a_file_are_left_to_their_sender() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(&folder.path().join("alerts.jsonl"));
    let end = |number: usize| AlertEvent {
        labels: Labels::new([("alertname", format!("Alert{number}"))]),
        ..report("a", Transition::Resolved, 600)
    };
    let ends: Vec<_> = (0..10_001).map(end).collect();
    let expected = Held { waiting: 10_001, new: 10_000, kept: false };
    assert_eq!(log.hold(&ends).unwrap(), expected);
    log.release(now(700)).unwrap();
    assert_eq!(log.statistics().held, 9_500, "some at a time");
    let huge = AlertEvent {
        annotations: Labels::new([("summary", "x".repeat(65 * 1024 * 1024))]),
        ..end(20_000)
    };
    assert!(!log.hold(&[huge]).unwrap().kept);
    let mut output = open_alert_log(Path::new("-"), Format::Json).unwrap();
    assert_eq!(output.hold(&[end(0)]).unwrap(), Held { kept: false, ..KEPT });
}
