//! What is remembered, for how long, and what of it an earlier version wrote.

use super::*;

#[test]
fn what_is_remembered_has_a_limit_and_what_is_not_over_is_kept_longest() {
    let mut known = NotificationLog::default();
    let open = event(Transition::Firing, 0, 0, 0);
    let step = known.admit(&open).remove(0);
    let over = |reported_at| {
        let mut entry = step.entry.clone();
        entry.close(reported_at);
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
        beside(&log),
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
    let mut reported = opened(&log);
    reported.replay(&read(&line).unwrap());
    let end = reported.end(old, 60_000, Ending::WorksAgain).unwrap().event.unwrap();
    assert_eq!((end.label("team"), end.disruption().start), ("web", 10_250));
    let mut known = opened(&log);
    known.keep(0).unwrap();
    assert_eq!(known.alerts.entries.len(), 2);
    assert_eq!(admit(&mut known, &firing), []);
    // The move is in the file, too.
    known.keep(0).unwrap();
    let mut known = opened(&log);
    let (gone, _) =
        known.gone(&Present { at: 60_000, firing: vec![firing.clone()], ..Present::default() });
    assert_eq!(gone.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [0xaa]);
    let end = known.end(0xaa, 60_000, Ending::WorksAgain).unwrap().event.unwrap();
    assert_eq!(end.event_id(), "00000000000000aa-5");
    let end = admit(&mut known, &of_target(Transition::Resolved, 10, 70, ("team", "web")));
    assert_eq!(end[0].event_id(), format!("{old:016x}-10"));
}

#[test]
fn the_file_does_not_grow_with_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.jsonl");
    let path = beside(&log);
    let mut known = opened(&log);
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
