//! What is reported in which order, and what is written of it.

use series::Labels;

use super::{journal::file_beside, *};
use crate::notify::line::{Format, read, render};

fn notice(transition: Transition, begun: i64, at: i64, told_at: i64) -> Notice {
    Notice {
        transition,
        at: at * 1000,
        told_at: told_at * 1000,
        active_at: begun * 1000,
        labels: Labels::new([("alertname", "Down")]),
        origin: Origin::Alertmanager,
        ..Notice::default()
    }
}

/// An alert about a target, of the rules of this program, with one more label.
fn of_target(transition: Transition, begun: i64, at: i64, label: (&str, &str)) -> Notice {
    let labels = [("alertname", "Down"), ("job", "webservices"), ("instance", "http://a/"), label];
    Notice {
        labels: Labels::new(labels),
        origin: Origin::Rules,
        annotations: Labels::new([("resolved", "it works"), ("summary", "it is down")]),
        ..notice(transition, begun, at, at)
    }
}

/// Takes a notice in as if it were written at once.
fn admit(known: &mut Known, notice: &Notice) -> Vec<Notice> {
    let steps = known.admit(notice);
    write(known, steps)
}

fn write(known: &mut Known, steps: Vec<Step>) -> Vec<Notice> {
    known.plan(steps.iter()).unwrap();
    let notices = steps.iter().filter_map(|step| step.notice.clone()).collect();
    for step in steps {
        known.written(step);
    }
    notices
}

fn events(notices: &[Notice]) -> Vec<(Transition, i64)> {
    notices.iter().map(|notice| (notice.transition, notice.event().second)).collect()
}

/// What happened, its start, when it happened, when it was reported; and what is written of it, each with its start.
type Told = (Transition, i64, i64, i64, &'static [(Transition, i64)]);

const STORIES: &[(&str, &[Told])] = {
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
fn what_is_told_again_or_otherwise_is_recognised() {
    for (story, told) in STORIES {
        let mut known = Known::default();
        for (transition, begun, at, told_at, expected) in *told {
            let written = admit(&mut known, &notice(*transition, *begun, *at, *told_at));
            assert_eq!(events(&written), *expected, "{story}: {transition:?} told at {told_at}");
        }
    }
}

/// Of starts that were only reported the lines know nothing, nor in which order they were written when their times go back.
const FILE_ONLY: &[&str] =
    &["over and begun again while its group was not reported", "our own clock is set back"];

/// The same stories with a restart before each notice: from the file alone, from the lines alone, and killed between line and file.
#[test]
fn a_restart_changes_no_story() {
    for from in ["file", "lines", "both"] {
        for (story, told) in STORIES {
            if from == "lines" && FILE_ONLY.contains(story) {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("alerts.jsonl");
            let mut lines: Vec<String> = Vec::new();
            for (transition, begun, at, told_at, expected) in *told {
                let mut known = Known::default();
                if from != "lines" {
                    known.read(&log);
                }
                if from != "file" {
                    lines.iter().filter_map(|line| read(line)).for_each(|line| known.replay(&line));
                }
                known.keep(0).unwrap();
                let steps = known.admit(&notice(*transition, *begun, *at, *told_at));
                known.plan(steps.iter()).unwrap();
                let notices: Vec<_> = steps.iter().filter_map(|step| step.notice.clone()).collect();
                lines.extend(notices.iter().map(|notice| render(notice, Format::Json)));
                let has_line = steps.iter().any(|step| step.notice.is_some());
                if from != "both" || !has_line {
                    for step in steps {
                        known.written(step);
                    }
                    known.keep(0).unwrap();
                }
                assert_eq!(events(&notices), *expected, "{from}, {story}: told at {told_at}");
            }
        }
    }
}

#[test]
fn an_older_line_does_not_undo_what_the_file_knows() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let mut known = Known::default();
    known.read(&log);
    known.keep(0).unwrap();
    let open = notice(Transition::Firing, 30, 30, 31);
    assert_eq!(admit(&mut known, &open).len(), 1);
    known.keep(0).unwrap();
    let mut restarted = Known::default();
    restarted.read(&log);
    for old in [notice(Transition::Firing, 10, 10, 11), notice(Transition::Resolved, 10, 20, 21)] {
        restarted.replay(&read(&render(&old, Format::Json)).unwrap());
    }
    assert_eq!(restarted.claim(open.fingerprint(), Origin::Rules), Some(30_000));
    assert_eq!(events(&admit(&mut restarted, &open)), []);
}

#[test]
fn an_alert_is_over_when_none_of_its_label_sets_fires() {
    use Transition::{Firing, Resolved};
    let (a, b) = (("prober", "a"), ("prober", "b"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    for restarts in [false, true] {
        let mut known = Known::default();
        known.read(&log);
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
                known = Known::default();
                known.read(&log);
                known.keep(0).unwrap();
            }
            let written = admit(&mut known, &of_target(transition, base + begun, base + at, label));
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(transition, second)| (transition, base + second))
                .collect();
            assert_eq!(events(&written), expected, "{transition:?} {label:?} at {at}");
        }
        known.keep(0).unwrap();
    }
}

#[test]
fn the_first_failed_check_names_the_disruption_and_keeps_it_one() {
    let at = |transition, begun, at, started: &str| Notice {
        annotations: Labels::new([("started_at", started)]),
        ..of_target(transition, begun, at, ("team", "web"))
    };
    let mut known = Known::default();
    let firing = admit(&mut known, &at(Transition::Firing, 1000, 1000, "100.5"));
    assert_eq!((firing[0].event().second, firing[0].event().start), (100, 100_500));
    // The rules forgot when it became active, but not since when it fails.
    assert_eq!(admit(&mut known, &at(Transition::Firing, 2000, 2000, "100.5")), []);
    // What the end says of the beginning changes nothing.
    let end = admit(&mut known, &at(Transition::Resolved, 2000, 3000, "700"));
    assert_eq!((end[0].event_id(), end[0].event().start), (firing[0].event_id(), 100_500));
    // The same second again: the identifier is another all the same.
    let again = admit(&mut known, &at(Transition::Firing, 4000, 4000, "100.5"));
    assert_eq!(again[0].event().second, 4000);
}

#[test]
fn what_no_rule_has_any_more_ends_with_what_is_known_of_it() {
    let firing = of_target(Transition::Firing, 100, 100, ("team", "web"));
    let scope = Scope::unknown()
        .with_rules(["Down".to_owned()])
        .with_targets([("http://a/".to_owned(), "http_2xx".to_owned())]);
    let present = Present { at: 900_000, scope, ..Present::default() };
    let other = notice(Transition::Firing, 100, 100, 100);
    for (case, present, expected, settled) in [
        ("gone", present.clone(), Some(Ending::WorksAgain), true),
        (
            "no longer watched",
            Present { scope: present.scope.clone().with_targets([]), ..present.clone() },
            Some(Ending::NoLongerWatched),
            true,
        ),
        (
            "removed",
            Present { scope: present.scope.clone().with_rules([]), ..present.clone() },
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
    ] {
        let mut known = Known::default();
        // What an Alertmanager reported is not for the rules to end.
        assert_eq!(admit(&mut known, &other).len(), 1);
        assert_eq!(admit(&mut known, &firing).len(), 1);
        for notice in &present.firing {
            assert_eq!(admit(&mut known, notice), []);
        }
        let kept = known.keep_label_sets(&present);
        write(&mut known, kept);
        let (gone, is_settled) = known.gone(&present);
        assert_eq!(is_settled, settled, "{case}");
        let ends: Vec<_> = gone
            .into_iter()
            .filter_map(|(key, ending)| known.end(key, present.at, ending)?.notice)
            .collect();
        assert_eq!(ends.iter().map(|end| end.ending).next(), expected, "{case}");
        for end in &ends {
            assert_eq!((end.event_id(), &end.labels), (firing.event_id(), &firing.labels));
            assert_eq!((end.annotation("resolved"), end.duration()), ("it works", 800_000));
        }
        if case == "edited" {
            // Only the new labels fire now, so that their end is the end.
            let end = of_target(Transition::Resolved, 800, 950, ("team", "data"));
            assert_eq!(events(&admit(&mut known, &end)), [(Transition::Resolved, 100)]);
        }
    }
}

#[test]
fn an_alert_of_the_rules_that_begins_again_within_a_second_is_another_disruption() {
    let mut known = Known::default();
    let label = ("team", "web");
    admit(&mut known, &of_target(Transition::Firing, 100, 100, label));
    admit(&mut known, &of_target(Transition::Resolved, 100, 100, label));
    for restored in [false, true] {
        let mut again = of_target(Transition::Firing, 100, 100, label);
        again.at += if restored { 700 } else { 300 };
        again.told_at = if restored { 150_000 } else { again.at };
        let second = if restored { 150 } else { 101 };
        assert_eq!(events(&admit(&mut known, &again)), [(Transition::Firing, second)]);
        let mut end = of_target(Transition::Resolved, 100, 100, label);
        end.at = again.told_at + 200;
        end.told_at = end.at;
        assert_eq!(events(&admit(&mut known, &end)), [(Transition::Resolved, second)]);
    }
}

/// The beginning was refused because too much waited, or the program was killed before it was written.
#[test]
fn an_end_without_its_beginning_is_written_with_it() {
    let mut known = Known::default();
    let label = ("team", "web");
    let both = |second| [(Transition::Firing, second), (Transition::Resolved, second)];
    let mut end =
        |begun, at| events(&admit(&mut known, &of_target(Transition::Resolved, begun, at, label)));
    assert_eq!(end(100, 200), both(100));
    assert_eq!(end(100, 210), []);
    assert_eq!(end(500, 600), both(500));
}

#[test]
fn an_alert_from_before_a_restart_whose_end_is_written_does_not_begin_again() {
    let mut known = Known::default();
    let label = ("team", "web");
    admit(&mut known, &of_target(Transition::Firing, 100, 100, label));
    admit(&mut known, &of_target(Transition::Resolved, 100, 200, label));
    // The end did not reach the disk of the store.
    let restored = Notice { told_at: 900_000, ..of_target(Transition::Firing, 100, 100, label) };
    assert_eq!(admit(&mut known, &restored), []);
}

#[test]
fn what_is_remembered_has_a_limit_and_what_is_not_over_is_kept_longest() {
    let mut known = Known::default();
    let open = notice(Transition::Firing, 0, 0, 0);
    let step = known.admit(&open).remove(0);
    let over = |told_at| {
        let mut entry = step.entry.clone();
        entry.close(told_at);
        entry
    };
    let mut alerts = Alerts::default();
    alerts.insert(0, step.entry.clone());
    for key in 1..=ALERTS_MAX as u64 {
        alerts.insert(key, over(i64::try_from(key).unwrap()));
    }
    assert_eq!(alerts.entries.len(), ALERTS_MAX + 1 - FORGOTTEN_AT_ONCE);
    assert!(alerts.entries.contains_key(&0) && !alerts.entries.contains_key(&1));
    assert_eq!(alerts.facts_bytes, "alertnameDown".len());
}

#[test]
fn what_version_0_1_wrote_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let firing = of_target(Transition::Firing, 10, 10, ("team", "web"));
    let old = firing.label_set();
    std::fs::write(
        file_beside(&log).unwrap(),
        format!(
            "none\n-\nffff-1 firing 1 1\n0123456789abcdef-1 open 1 1\n\u{0}\np {{\nw\n\
             {old:016x}-10 firing 11000 10\n00000000000000aa-5 firing 11000 5\n"
        ),
    )
    .unwrap();
    // The line has the labels, and the milliseconds of the start.
    let line = format!(
        "{{\"@timestamp\":\"1970-01-01T00:00:11Z\",\"event.action\":\"firing\",\"event.id\":\"{old:016x}-10\",\
         \"event.start\":\"1970-01-01T00:00:10.250Z\",\"rule.name\":\"Down\",\"url.full\":\"http://a/\",\"labels\":{{\"team\":\"web\"}}}}"
    );
    let mut told = Known::default();
    told.read(&log);
    told.replay(&read(&line).unwrap());
    let end = told.end(old, 60_000, Ending::WorksAgain).unwrap().notice.unwrap();
    assert_eq!((end.label("team"), end.event().start), ("web", 10_250));
    let mut known = Known::default();
    known.read(&log);
    known.keep(0).unwrap();
    assert_eq!(known.alerts.entries.len(), 2);
    assert_eq!(admit(&mut known, &firing), []);
    // The move is in the file, too.
    known.keep(0).unwrap();
    let mut known = Known::default();
    known.read(&log);
    let (gone, _) =
        known.gone(&Present { at: 60_000, firing: vec![firing.clone()], ..Present::default() });
    assert_eq!(gone.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [0xaa]);
    let end = known.end(0xaa, 60_000, Ending::WorksAgain).unwrap().notice.unwrap();
    assert_eq!(end.event_id(), "00000000000000aa-5");
    let end = admit(&mut known, &of_target(Transition::Resolved, 10, 70, ("team", "web")));
    assert_eq!(end[0].event_id(), format!("{old:016x}-10"));
}

#[test]
fn the_file_does_not_grow_with_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let path = file_beside(&log).unwrap();
    let mut known = Known::default();
    known.read(&log);
    known.keep(0).unwrap();
    let mut largest = 0;
    for round in 0..3_000 {
        let at = round * 100_000;
        for transition in [Transition::Firing, Transition::Resolved] {
            let begun = of_target(transition, at, at + 10, ("note", &"n".repeat(500)));
            admit(&mut known, &begun);
        }
        known.keep(100).unwrap();
        largest = largest.max(std::fs::metadata(&path).unwrap().len());
    }
    assert!((1_000_000..1_100_000).contains(&largest), "{largest}");
}
