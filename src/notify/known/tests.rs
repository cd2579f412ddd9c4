//! What is told in which order, and what is written of it.

use series::Labels;

use super::*;

fn notice(transition: Transition, begun: i64, at: i64, told_at: i64) -> Notice {
    Notice {
        transition,
        at: at * 1000,
        told_at: told_at * 1000,
        active_at: begun * 1000,
        labels: Labels::new([("alertname", "Down")]),
        annotations: Labels::default(),
    }
}

/// Takes a notice in as if it were written at once.
fn admit(known: &mut Known, notice: &Notice) -> Option<Notice> {
    let (notice, entry) = known.admit(notice)?;
    known.written(entry);
    Some(notice)
}

/// What happened, its start, when it happened, when it was told; and the start of what is written of it, or nothing.
type Told = (Transition, i64, i64, i64, Option<i64>);

const STORIES: &[(&str, &[Told])] = {
    use Transition::{Firing, Resolved};
    &[
        (
            "repeats",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Firing, 10, 10, 50, None),
                (Resolved, 10, 60, 61, Some(10)),
                (Resolved, 10, 60, 300, None),
                (Firing, 90, 90, 91, Some(90)),
            ],
        ),
        (
            "a second Prometheus had seen it earlier",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Firing, 8, 8, 50, None),
                (Resolved, 8, 60, 61, Some(10)),
                (Resolved, 8, 60, 62, None),
                (Firing, 8, 8, 63, None),
                (Resolved, 10, 60, 64, None),
            ],
        ),
        ("out of order", &[(Resolved, 10, 60, 61, Some(10)), (Firing, 10, 10, 62, None)]),
        (
            "over and begun again while its group was not told",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Resolved, 30, 60, 61, Some(10)),
                (Resolved, 30, 60, 62, None),
                (Firing, 30, 30, 63, None),
                (Firing, 70, 70, 71, Some(70)),
            ],
        ),
        (
            "begun again, told, the end of the first was never told",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Firing, 30, 30, 31, Some(30)),
                (Resolved, 30, 60, 61, Some(30)),
            ],
        ),
        (
            "a late repeat of an end does not end the next disruption",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Resolved, 10, 20, 21, Some(10)),
                (Firing, 30, 30, 31, Some(30)),
                (Resolved, 10, 20, 40, None),
                (Resolved, 30, 60, 61, Some(30)),
            ],
        ),
        (
            "taken for over because nothing was heard of it, and then heard of again",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Resolved, 10, 250, 251, Some(10)),
                (Firing, 10, 10, 600, Some(600)),
                (Firing, 10, 10, 700, None),
                (Resolved, 10, 900, 901, Some(600)),
                (Resolved, 10, 900, 950, None),
            ],
        ),
        (
            "begun and over before it was told",
            &[
                (Firing, 10, 10, 11, Some(10)),
                (Resolved, 10, 20, 21, Some(10)),
                (Resolved, 30, 40, 41, Some(30)),
                (Resolved, 30, 40, 42, None),
            ],
        ),
        (
            "our own clock is set back",
            &[
                (Firing, 100_000, 100_000, 100_001, Some(100_000)),
                (Resolved, 100_000, 100_020, 100_021, Some(100_000)),
                (Firing, 500, 500, 501, Some(500)),
                (Firing, 500, 500, 502, None),
                (Resolved, 500, 520, 521, Some(500)),
            ],
        ),
        (
            "a clock that is years ahead mutes nothing for years",
            &[
                (Firing, 9_999_999, 9_999_999, 11, Some(11)),
                (Firing, 9_999_999, 9_999_999, 12, None),
                (Resolved, 9_999_999, 20, 21, Some(11)),
                (Firing, 30, 30, 31, Some(30)),
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
            let begun = written.map(|notice| notice.active_at / 1000);
            assert_eq!(begun, *expected, "{story}: {transition:?} told at {told_at}");
        }
    }
}

/// Of starts that were only told the lines know nothing, nor in which order they were written when their times go back.
const FILE_ONLY: &[&str] =
    &["over and begun again while its group was not told", "our own clock is set back"];

/// The same stories with a restart before each notice, from the file alone and from the lines alone.
#[test]
fn a_restart_changes_no_story() {
    for with_file in [true, false] {
        for (story, told) in STORIES {
            if !with_file && FILE_ONLY.contains(story) {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("alerts.jsonl");
            let mut lines: Vec<Written> = Vec::new();
            for (transition, begun, at, told_at, expected) in *told {
                let mut known = Known::default();
                if with_file {
                    known.read(&log);
                } else {
                    for line in &lines {
                        known.replay(line);
                    }
                }
                let written = admit(&mut known, &notice(*transition, *begun, *at, *told_at));
                known.keep(&log).unwrap();
                lines.extend(written.iter().map(|notice| Written {
                    id: notice.event_id(),
                    transition: notice.transition,
                    told_at: notice.told_at,
                }));
                let begun = written.map(|notice| notice.active_at / 1000);
                assert_eq!(begun, *expected, "{story}: {transition:?} told at {told_at}");
            }
        }
    }
}

#[test]
fn an_older_line_does_not_undo_what_the_file_knows() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let mut known = Known::default();
    let open = admit(&mut known, &notice(Transition::Firing, 30, 30, 31)).unwrap();
    known.keep(&log).unwrap();
    let mut restarted = Known::default();
    restarted.read(&log);
    for (transition, told_at) in [(Transition::Firing, 11_000), (Transition::Resolved, 21_000)] {
        let id = notice(transition, 10, 10, 11).event_id();
        restarted.replay(&Written { id, transition, told_at });
    }
    assert_eq!(restarted.open_since(open.fingerprint()), Some(30_000));
    assert_eq!(admit(&mut restarted, &open), None);
}

#[test]
fn what_is_remembered_has_a_limit_and_what_is_not_over_is_kept_longest() {
    let mut known = Alerts::default();
    let first = Last { transition: Transition::Firing, begun: 0, latest: 0, told_at: 0 };
    known.insert(0, first);
    for fingerprint in 1..=ALERTS_MAX as u64 {
        let told_at = i64::try_from(fingerprint).unwrap();
        known.insert(fingerprint, Last { transition: Transition::Resolved, told_at, ..first });
    }
    assert_eq!(known.0.len(), ALERTS_MAX + 1 - FORGOTTEN_AT_ONCE);
    assert!(known.0.contains_key(&0) && !known.0.contains_key(&1));
}

#[test]
fn foreign_text_in_the_file_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    std::fs::write(
        file(&log).unwrap(),
        "none\n-\nffff-1 firing 1 1\n0123456789abcdef-1 open 1 1\n\u{0}\n",
    )
    .unwrap();
    let mut known = Known::default();
    known.read(&log);
    assert!(known.alerts.0.is_empty());
}
