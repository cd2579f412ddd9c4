//! What is reported in which order, and what is written of it.

mod kept;

use std::path::Path;

use series::Labels;

use super::*;
use crate::{
    line::{Format, read, render},
    watched::Watched,
};

fn event(transition: Transition, begun: i64, at: i64, reported_at: i64) -> AlertEvent {
    AlertEvent {
        transition,
        at: at * 1000,
        reported_at: reported_at * 1000,
        active_at: begun * 1000,
        labels: Labels::new([("alertname", "Down")]),
        origin: Origin::Alertmanager,
        ..AlertEvent::default()
    }
}

/// An alert about a target, of the rules of this program, with one more label.
fn of_target(transition: Transition, begun: i64, at: i64, label: (&str, &str)) -> AlertEvent {
    let labels = [("alertname", "Down"), ("job", "webservices"), ("instance", "http://a/"), label];
    AlertEvent {
        labels: Labels::new(labels),
        origin: Origin::Rules,
        annotations: Labels::new([("resolved", "it works"), ("summary", "it is down")]),
        ..event(transition, begun, at, at)
    }
}

/// The file of the notification log of an alert log.
fn beside(log: &Path) -> PathBuf {
    log.with_file_name(".alerts.jsonl.known")
}

fn opened(log: &Path) -> NotificationLog {
    NotificationLog::open(beside(log))
}

/// Takes an event in as if it were written at once.
fn admit(known: &mut NotificationLog, event: &AlertEvent) -> Vec<AlertEvent> {
    let steps = known.admit(event);
    write(known, steps)
}

fn write(known: &mut NotificationLog, steps: Vec<Step>) -> Vec<AlertEvent> {
    known.plan(steps.iter()).unwrap();
    let events = steps.iter().filter_map(|step| step.event.clone()).collect();
    for step in steps {
        known.delivered(step, true);
    }
    events
}

fn transitions(events: &[AlertEvent]) -> Vec<(Transition, i64)> {
    events.iter().map(|event| (event.transition, event.disruption().second)).collect()
}

/// What happened, its start, when it happened, when it was reported; and what is written of it, each with its start.
type Reported = (Transition, i64, i64, i64, &'static [(Transition, i64)]);

const STORIES: &[(&str, &[Reported])] = {
    use Transition::{Firing, Resolved};
    &[
        (
            "repeats",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Firing, 10, 10, 50, &[]),
                (Resolved, 10, 60, 61, &[(Resolved, 10)]),
                (Resolved, 10, 60, 300, &[]),
                (Firing, 90, 90, 91, &[(Firing, 90)]),
            ],
        ),
        (
            "a second Prometheus had seen it earlier",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Firing, 8, 8, 50, &[]),
                (Resolved, 8, 60, 61, &[(Resolved, 10)]),
                (Resolved, 8, 60, 62, &[]),
                (Firing, 8, 8, 63, &[]),
                (Resolved, 10, 60, 64, &[]),
            ],
        ),
        (
            "out of order",
            &[
                (Resolved, 10, 60, 61, &[(Firing, 10), (Resolved, 10)]),
                (Firing, 10, 10, 62, &[]),
                (Resolved, 10, 60, 63, &[]),
            ],
        ),
        (
            "over and begun again while its group was not reported",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Resolved, 30, 60, 61, &[(Resolved, 10)]),
                (Resolved, 30, 60, 62, &[]),
                (Firing, 30, 30, 63, &[]),
                (Firing, 70, 70, 71, &[(Firing, 70)]),
            ],
        ),
        (
            "begun again, the end of the first was never reported",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Firing, 30, 30, 31, &[(Resolved, 10), (Firing, 30)]),
                (Firing, 30, 30, 32, &[]),
                (Resolved, 30, 60, 61, &[(Resolved, 30)]),
            ],
        ),
        (
            "a late repeat of an end does not end the next disruption",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Resolved, 10, 20, 21, &[(Resolved, 10)]),
                (Firing, 30, 30, 31, &[(Firing, 30)]),
                (Resolved, 10, 20, 40, &[]),
                (Resolved, 30, 60, 61, &[(Resolved, 30)]),
            ],
        ),
        (
            "taken for over because nothing was heard of it, and then heard of again",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Resolved, 10, 250, 251, &[(Resolved, 10)]),
                (Firing, 10, 10, 600, &[(Firing, 600)]),
                (Firing, 10, 10, 700, &[]),
                (Resolved, 10, 900, 901, &[(Resolved, 600)]),
                (Resolved, 10, 900, 950, &[]),
            ],
        ),
        (
            "begun and over before it was reported",
            &[
                (Firing, 10, 10, 11, &[(Firing, 10)]),
                (Resolved, 10, 20, 21, &[(Resolved, 10)]),
                (Resolved, 30, 40, 41, &[(Firing, 30), (Resolved, 30)]),
                (Resolved, 30, 40, 42, &[]),
            ],
        ),
        (
            "our own clock is set back",
            &[
                (Firing, 100_000, 100_000, 100_001, &[(Firing, 100_000)]),
                (Resolved, 100_000, 100_020, 100_021, &[(Resolved, 100_000)]),
                (Firing, 500, 500, 501, &[(Firing, 500)]),
                (Firing, 500, 500, 502, &[]),
                (Resolved, 500, 520, 521, &[(Resolved, 500)]),
            ],
        ),
        (
            "a clock that is years ahead mutes nothing for years",
            &[
                (Firing, 9_999_999, 9_999_999, 11, &[(Firing, 11)]),
                (Firing, 9_999_999, 9_999_999, 12, &[]),
                (Resolved, 9_999_999, 20, 21, &[(Resolved, 11)]),
                (Firing, 30, 30, 31, &[(Firing, 30)]),
            ],
        ),
    ]
};

#[test]
fn what_is_reported_again_or_otherwise_is_recognised() {
    for (story, reported) in STORIES {
        let mut known = NotificationLog::default();
        for (transition, begun, at, reported_at, expected) in *reported {
            let written = admit(&mut known, &event(*transition, *begun, *at, *reported_at));
            assert_eq!(
                transitions(&written),
                *expected,
                "{story}: {transition:?} reported at {reported_at}"
            );
        }
    }
}

/// Of starts that were only reported the lines know nothing, nor in which order they were written when their times go back.
const FILE_ONLY: &[&str] =
    &["over and begun again while its group was not reported", "our own clock is set back"];

/// The same stories with a restart before each event: from the file alone, from the lines alone, and killed between line and file.
#[test]
fn a_restart_changes_no_story() {
    for from in ["file", "lines", "both"] {
        for (story, reported) in STORIES {
            if from == "lines" && FILE_ONLY.contains(story) {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("alerts.jsonl");
            let mut lines: Vec<String> = Vec::new();
            for (transition, begun, at, reported_at, expected) in *reported {
                let mut known = NotificationLog::default();
                if from != "lines" {
                    known = opened(&log);
                }
                if from != "file" {
                    lines.iter().filter_map(|line| read(line)).for_each(|line| known.replay(&line));
                }
                known.keep(0).unwrap();
                let steps = known.admit(&event(*transition, *begun, *at, *reported_at));
                known.plan(steps.iter()).unwrap();
                let events: Vec<_> = steps.iter().filter_map(|step| step.event.clone()).collect();
                lines.extend(events.iter().map(|event| render(event, Format::Json)));
                let has_line = steps.iter().any(|step| step.event.is_some());
                if from != "both" || !has_line {
                    for step in steps {
                        known.delivered(step, true);
                    }
                    known.keep(0).unwrap();
                }
                assert_eq!(
                    transitions(&events),
                    *expected,
                    "{from}, {story}: reported at {reported_at}"
                );
            }
        }
    }
}

#[test]
fn an_older_line_does_not_undo_what_the_file_knows() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let mut known = opened(&log);
    known.keep(0).unwrap();
    let open = event(Transition::Firing, 30, 30, 31);
    assert_eq!(admit(&mut known, &open).len(), 1);
    known.keep(0).unwrap();
    let mut restarted = opened(&log);
    for old in [event(Transition::Firing, 10, 10, 11), event(Transition::Resolved, 10, 20, 21)] {
        restarted.replay(&read(&render(&old, Format::Json)).unwrap());
    }
    assert_eq!(restarted.claim(open.fingerprint(), Origin::Rules), Some(30_000));
    assert_eq!(transitions(&admit(&mut restarted, &open)), []);
}

#[test]
fn an_alert_is_over_when_none_of_its_label_sets_fires() {
    use Transition::{Firing, Resolved};
    let (a, b) = (("prober", "a"), ("prober", "b"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    for restarts in [false, true] {
        let mut known = opened(&log);
        known.keep(0).unwrap();
        let base = if restarts { 10_000 } else { 0 };
        for (transition, begun, at, label, expected) in [
            (Firing, 100, 100, a, vec![(Firing, 100)]),
            (Firing, 130, 130, b, vec![]),
            (Resolved, 100, 200, a, vec![]),
            // It comes and goes while the other fires.
            (Firing, 300, 300, a, vec![]),
            (Resolved, 300, 330, a, vec![]),
            // An edit: the old labels end after the new ones fire.
            (Firing, 400, 400, ("prober", "c"), vec![]),
            (Resolved, 130, 430, b, vec![]),
            (Resolved, 400, 500, ("prober", "c"), vec![(Resolved, 100)]),
            (Resolved, 400, 500, ("prober", "c"), vec![]),
            (Firing, 600, 600, b, vec![(Firing, 600)]),
            (Resolved, 600, 610, b, vec![(Resolved, 600)]),
        ] {
            if restarts {
                known.keep(0).unwrap();
                known = opened(&log);
                known.keep(0).unwrap();
            }
            let written = admit(&mut known, &of_target(transition, base + begun, base + at, label));
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(transition, second)| (transition, base + second))
                .collect();
            assert_eq!(transitions(&written), expected, "{transition:?} {label:?} at {at}");
        }
        known.keep(0).unwrap();
    }
}

#[test]
fn the_first_failed_check_names_the_disruption_and_keeps_it_one() {
    let at = |transition, begun, at, started: &str| AlertEvent {
        annotations: Labels::new([("started_at", started)]),
        ..of_target(transition, begun, at, ("team", "web"))
    };
    let mut known = NotificationLog::default();
    let firing = admit(&mut known, &at(Transition::Firing, 1000, 1000, "100.5"));
    assert_eq!((firing[0].disruption().second, firing[0].disruption().start), (100, 100_500));
    // The rules forgot when it became active, but not since when it fails.
    assert_eq!(admit(&mut known, &at(Transition::Firing, 2000, 2000, "100.5")), []);
    // What the end says of the beginning changes nothing.
    let end = admit(&mut known, &at(Transition::Resolved, 2000, 3000, "700"));
    assert_eq!((end[0].event_id(), end[0].disruption().start), (firing[0].event_id(), 100_500));
    // The same second again: the identifier is another anyway.
    let again = admit(&mut known, &at(Transition::Firing, 4000, 4000, "100.5"));
    assert_eq!(again[0].disruption().second, 4000);
}

/// What may be present when the rules have no alert like `firing` any more: how it ends, if it does, and whether that is settled.
fn presents(firing: &AlertEvent) -> Vec<(&'static str, Present, Option<Ending>, bool)> {
    let watched = Watched::unknown()
        .with_rules(["Down".to_owned()])
        .with_targets([("http://a/".to_owned(), "http_2xx".to_owned())]);
    let present = Present { at: 900_000, watched, ..Present::default() };
    vec![
        ("gone", present.clone(), Some(Ending::WorksAgain), true),
        (
            "no longer watched",
            Present { watched: present.watched.clone().with_targets([]), ..present.clone() },
            Some(Ending::NoLongerWatched),
            true,
        ),
        (
            "removed",
            Present { watched: present.watched.clone().with_rules([]), ..present.clone() },
            Some(Ending::RuleRemoved),
            true,
        ),
        (
            "not evaluated",
            Present { unknown: ["Down".to_owned()].into(), ..present.clone() },
            None,
            false,
        ),
        (
            "pending",
            Present { pending: [firing.fingerprint()].into(), ..present.clone() },
            None,
            false,
        ),
        (
            "edited",
            Present {
                firing: vec![of_target(Transition::Firing, 800, 800, ("team", "data"))],
                ..present.clone()
            },
            None,
            true,
        ),
    ]
}

#[test]
fn what_no_rule_has_any_more_ends_with_what_is_known_of_it() {
    let firing = of_target(Transition::Firing, 100, 100, ("team", "web"));
    let other = event(Transition::Firing, 100, 100, 100);
    for (case, present, expected, settled) in presents(&firing) {
        let mut known = NotificationLog::default();
        // What an Alertmanager reported is not for the rules to end.
        assert_eq!(admit(&mut known, &other).len(), 1);
        assert_eq!(admit(&mut known, &firing).len(), 1);
        for event in &present.firing {
            assert_eq!(admit(&mut known, event), []);
        }
        let kept = known.keep_label_sets(&present);
        write(&mut known, kept);
        let (gone, is_settled) = known.gone(&present);
        assert_eq!(is_settled, settled, "{case}");
        let ends: Vec<_> = gone
            .into_iter()
            .filter_map(|(key, ending)| known.end(key, present.at, ending)?.event)
            .collect();
        assert_eq!(ends.iter().map(|end| end.ending).next(), expected, "{case}");
        for end in &ends {
            assert_eq!((end.event_id(), &end.labels), (firing.event_id(), &firing.labels));
            assert_eq!((end.annotation("resolved"), end.duration()), ("it works", 800_000));
        }
        if case == "edited" {
            // Only the new labels fire now, so that their end is the end.
            let end = of_target(Transition::Resolved, 800, 950, ("team", "data"));
            assert_eq!(transitions(&admit(&mut known, &end)), [(Transition::Resolved, 100)]);
        }
    }
}

#[test]
fn an_alert_of_the_rules_that_begins_again_within_a_second_is_another_disruption() {
    let mut known = NotificationLog::default();
    let label = ("team", "web");
    admit(&mut known, &of_target(Transition::Firing, 100, 100, label));
    admit(&mut known, &of_target(Transition::Resolved, 100, 100, label));
    for restored in [false, true] {
        let mut again = of_target(Transition::Firing, 100, 100, label);
        again.at += if restored { 700 } else { 300 };
        again.reported_at = if restored { 150_000 } else { again.at };
        let second = if restored { 150 } else { 101 };
        assert_eq!(transitions(&admit(&mut known, &again)), [(Transition::Firing, second)]);
        let mut end = of_target(Transition::Resolved, 100, 100, label);
        end.at = again.reported_at + 200;
        end.reported_at = end.at;
        assert_eq!(transitions(&admit(&mut known, &end)), [(Transition::Resolved, second)]);
    }
}

/// The beginning was refused because too much waited, or the program was killed before it was written.
#[test]
fn an_end_without_its_beginning_is_written_with_it() {
    let mut known = NotificationLog::default();
    let label = ("team", "web");
    let both = |second| [(Transition::Firing, second), (Transition::Resolved, second)];
    let mut end = |begun, at| {
        transitions(&admit(&mut known, &of_target(Transition::Resolved, begun, at, label)))
    };
    assert_eq!(end(100, 200), both(100));
    assert_eq!(end(100, 210), []);
    assert_eq!(end(500, 600), both(500));
}

#[test]
fn an_alert_from_before_a_restart_whose_end_is_written_does_not_begin_again() {
    let mut known = NotificationLog::default();
    let label = ("team", "web");
    admit(&mut known, &of_target(Transition::Firing, 100, 100, label));
    admit(&mut known, &of_target(Transition::Resolved, 100, 200, label));
    // The end did not reach the disk of the store.
    let restored =
        AlertEvent { reported_at: 900_000, ..of_target(Transition::Firing, 100, 100, label) };
    assert_eq!(admit(&mut known, &restored), []);
}
