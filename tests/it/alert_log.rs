//! The alert log as log tools see it: the lines, rotation, crashes and full disks.
//!
//! Must not know how the destination works inside.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use alerting::{
    AlertEvent, CommandSettings, Delivery, Destinations, Format, Origin, Settings, Transition,
    open_alert_log, render,
};
use proptest::prelude::*;
use series::Labels;
use tempfile::TempDir;
use webservice_monitor::clock;

/// 2026-11-22T06:32:06.000Z
pub(crate) const START: i64 = 1_795_329_126_000;

pub(crate) fn event(name: &str, transition: Transition) -> AlertEvent {
    AlertEvent {
        transition,
        at: START + 300_455,
        reported_at: START + 300_455,
        active_at: START,
        labels: Labels::new([
            ("alertname", "WebserviceDown"),
            ("instance", &format!("http://{name}/")),
            ("job", "webservices"),
            ("service", name),
            ("severity", "critical"),
            ("team", "core"),
        ]),
        annotations: Labels::new([
            ("summary", format!("http://{name}/ is down")),
            ("description", "No answer for 5 minutes.".to_owned()),
            ("runbook_url", "https://example.com/runbook".to_owned()),
            ("dashboard_url", "https://example.com/dashboard".to_owned()),
            ("resolved", format!("http://{name}/ works again")),
            ("error_type", "connect/refused".to_owned()),
        ]),
        origin: Origin::Alertmanager,
        ..AlertEvent::default()
    }
}

fn open(path: &Path) -> Delivery {
    open_alert_log(path, Format::Json).unwrap()
}

fn log_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    (folder, path)
}

/// What a log tool would read: `event.action service.name` of each line; a line that is not JSON fails the test.
fn events(path: &Path) -> Vec<String> {
    let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a line without its end: {text:?}");
    text.lines()
        .map(|line| {
            let value: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            format!(
                "{} {}",
                value["event.action"].as_str().unwrap(),
                value["service.name"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn the_log_is_created_with_its_folders_and_not_for_everyone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/alerts.jsonl");
    let mut log = open(&path);
    log.notify(&[event("a", Transition::Firing)]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
    assert_eq!(events(&path), ["firing a"]);
}

#[test]
fn rotations_lose_nothing() {
    let firing = |name| [event(name, Transition::Firing)];
    let (folder, path) = log_file();
    let rotated = folder.path().join("alerts.jsonl.1");
    let mut log = open(&path);

    log.notify(&firing("first")).unwrap();
    fs::rename(&path, &rotated).unwrap();
    log.notify(&firing("after-rename")).unwrap();
    assert_eq!(
        (events(&rotated), events(&path)),
        (vec!["firing first".to_owned()], vec!["firing after-rename".to_owned()])
    );

    fs::rename(&path, &rotated).unwrap();
    fs::write(&path, "").unwrap();
    log.notify(&firing("after-rename-and-create")).unwrap();
    assert_eq!(events(&path), ["firing after-rename-and-create"]);

    fs::remove_file(&path).unwrap();
    log.notify(&firing("after-delete")).unwrap();
    assert_eq!(events(&path), ["firing after-delete"]);

    // copytruncate: the file stays the same and becomes empty.
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    log.notify(&firing("after-truncate")).unwrap();
    assert_eq!(events(&path), ["firing after-truncate"]);

    fs::remove_dir_all(folder.path()).unwrap();
    log.notify(&firing("after-folder-delete")).unwrap();
    assert_eq!(events(&path), ["firing after-folder-delete"]);

    log.reopen();
    log.notify(&firing("after-reopen")).unwrap();
    assert_eq!(events(&path), ["firing after-folder-delete", "firing after-reopen"]);
    let statistics = log.statistics();
    assert_eq!(
        (statistics.delivered_total, statistics.reopened_total, statistics.queued),
        (7, 5, 0)
    );
}

#[test]
fn a_torn_line_is_ended_and_its_event_written_again() {
    for format in [Format::Json, Format::Logfmt, Format::Text] {
        let (_folder, path) = log_file();
        let line = render(&event("a", Transition::Firing), format);
        fs::write(&path, &line.as_bytes()[..line.len() - 5]).unwrap();
        let mut log = open_alert_log(&path, format).unwrap();
        log.notify(&[event("a", Transition::Firing)]).unwrap();
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[1], line);
    }
}

#[test]
fn nothing_is_doubled_within_a_run_nor_after_a_restart() {
    for format in [Format::Json, Format::Logfmt, Format::Text] {
        let (_folder, path) = log_file();
        let lines = || String::from_utf8(fs::read(&path).unwrap()).unwrap().lines().count();
        let mut log = open_alert_log(&path, format).unwrap();
        let firing = event("a", Transition::Firing);
        log.notify(&[firing.clone(), firing.clone()]).unwrap();
        drop(log);
        assert_eq!(lines(), 1);

        let mut log = open_alert_log(&path, format).unwrap();
        log.notify(std::slice::from_ref(&firing)).unwrap();
        assert_eq!((lines(), log.statistics().duplicates_total), (1, 1));
        log.notify(&[event("a", Transition::Resolved)]).unwrap();
        // Out of order: the resolution is already known.
        log.notify(std::slice::from_ref(&firing)).unwrap();
        assert_eq!(lines(), 2);

        // The same alert in a later disruption is news.
        let later = AlertEvent {
            active_at: START + 3_600_000,
            at: START + 3_900_000,
            reported_at: START + 3_900_000,
            ..firing
        };
        log.notify(&[later]).unwrap();
        assert_eq!(lines(), 3);
    }
}

#[test]
fn a_rotation_before_a_restart_doubles_nothing() {
    for rotated in ["alerts.jsonl.1", "alerts.jsonl-20261122"] {
        let (folder, path) = log_file();
        open(&path).notify(&[event("a", Transition::Firing)]).unwrap();
        fs::rename(&path, folder.path().join(rotated)).unwrap();
        let mut log = open(&path);
        log.notify(&[event("a", Transition::Firing), event("a", Transition::Resolved)]).unwrap();
        assert_eq!(events(&path), ["resolved a"], "{rotated}");
    }
}

#[test]
fn only_the_end_of_a_large_log_is_read_and_foreign_lines_do_no_harm() {
    let (_folder, path) = log_file();
    let mut file = fs::File::create(&path).unwrap();
    for _ in 0..30_000 {
        file.write_all(
            b"someone else's line, with \xff bytes that are not text, and some more of it\n",
        )
        .unwrap();
    }
    file.write_all(render(&event("a", Transition::Firing), Format::Json).as_bytes()).unwrap();
    assert!(file.metadata().unwrap().len() > 2 * 1024 * 1024);
    let mut log = open(&path);
    log.notify(&[event("a", Transition::Firing)]).unwrap();
    assert_eq!(log.statistics().duplicates_total, 1);
}

#[test]
fn lines_wait_in_order_while_the_file_cannot_be_written() {
    let (folder, path) = log_file();
    let mut log = open(&path);
    // A folder in the place of the file refuses to be opened for writing, for root as well.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let batch = |names: &[&str]| {
        names.iter().map(|name| event(name, Transition::Firing)).collect::<Vec<_>>()
    };
    let error = log.notify(&batch(&["a", "b"])).unwrap_err();
    assert!(error.to_string().starts_with("cannot write alert log"), "{error}");
    log.notify(&batch(&["c"])).unwrap_err();
    log.tick().unwrap_err();
    let statistics = log.statistics();
    assert_eq!((statistics.errors_total, statistics.queued, statistics.delivered_total), (3, 3, 0));
    assert!(statistics.last_error.is_some());

    fs::remove_dir(&path).unwrap();
    log.tick().unwrap();
    assert_eq!(events(&path), ["firing a", "firing b", "firing c"]);
    assert_eq!(log.statistics().last_error, None);
    drop(folder);
}

#[test]
fn a_full_disk_is_survived_and_the_queue_is_bounded() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        crate::parts::skip("/dev/full", "this system does not have it");
        return;
    }
    let mut log = open(full);
    let many: Vec<_> =
        (0..10_005).map(|number| event(&format!("s{number}"), Transition::Firing)).collect();
    let error = log.notify(&many).unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    let statistics = log.statistics();
    assert_eq!(
        (statistics.queued, statistics.dropped_total, statistics.delivered_total),
        (10_000, 5, 0)
    );
}

#[test]
fn more_than_may_wait_is_written_whole_where_it_can_be() {
    let (_folder, path) = log_file();
    let mut log = open(&path);
    let many: Vec<_> =
        (0..12_000).map(|number| event(&format!("s{number}"), Transition::Firing)).collect();
    log.notify(&many).unwrap();
    let statistics = log.statistics();
    assert_eq!((statistics.dropped_total, statistics.delivered_total), (0, 12_000));
    assert_eq!(events(&path).len(), 12_000);
}

/// What is refused because too much waits is not taken for written when it is sent again.
#[test]
fn what_is_refused_can_be_sent_again() {
    let (_folder, path) = log_file();
    let mut log = open(&path);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let many: Vec<_> =
        (0..10_001).map(|number| event(&format!("s{number}"), Transition::Firing)).collect();
    log.notify(&many).unwrap_err();
    assert_eq!((log.statistics().queued, log.statistics().dropped_total), (10_000, 1));
    fs::remove_dir(&path).unwrap();
    log.notify(&many).unwrap();
    assert_eq!(events(&path).len(), 10_001);
}

#[test]
fn two_programs_do_not_write_to_one_log() {
    let (_folder, path) = log_file();
    let log = open(&path);
    let error = open_alert_log(&path, Format::Json).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.starts_with("another program writes to alert log")));
    drop(log);
    open(&path);
}

#[test]
fn a_pipe_without_a_reader_is_refused_instead_of_waited_for() {
    let (_folder, path) = log_file();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = open_alert_log(&path, Format::Json).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("named pipe")));
}

#[test]
fn every_destination_in_use_is_served_and_counted() {
    let (folder, path) = log_file();
    let taken = folder.path().join("taken");
    let settings = Settings {
        command: Some(CommandSettings {
            program: "tee".into(),
            arguments: vec!["-a".into(), taken.clone().into()],
            timeout: Duration::from_secs(30),
        }),
        ..Settings::alert_log(&path, "json".parse().unwrap())
    };
    let destinations = Destinations::open(&settings, &clock::uptime()).unwrap();
    destinations.enqueue(vec![event("a", Transition::Firing)]);
    destinations.reopen();
    destinations.enqueue(vec![event("a", Transition::Resolved)]);
    destinations.close(Duration::from_secs(30));
    assert_eq!(events(&path), ["firing a", "resolved a"]);
    assert_eq!(fs::read(&taken).unwrap(), fs::read(&path).unwrap(), "the same lines");
    let counted = destinations.statistics().into_iter();
    assert_eq!(
        counted.map(|(name, of)| (name, of.delivered_total, of.exit_code)).collect::<Vec<_>>(),
        [("alert_log", 2, None), ("command", 2, Some(0))]
    );
}

/// What happens to the log in the random test.
#[derive(Clone, Debug)]
enum Step {
    Firing(u8),
    Resolved(u8),
    Restart,
    Rename,
    Blocked,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_event_is_lost_or_doubled_whatever_happens(steps in prop::collection::vec(prop_oneof![
        4 => (0..5_u8).prop_map(Step::Firing),
        3 => (0..5_u8).prop_map(Step::Resolved),
        1 => Just(Step::Restart),
        1 => Just(Step::Rename),
        1 => Just(Step::Blocked),
    ], 1..40)) {
        let (folder, path) = log_file();
        let mut log = open(&path);
        let mut expected: Vec<String> = Vec::new();
        let mut rotated = 0;
        let mut archive = Vec::new();
        for step in steps {
            match step {
                Step::Firing(number) | Step::Resolved(number) => {
                    let transition = if matches!(step, Step::Firing(_)) { Transition::Firing } else { Transition::Resolved };
                    let name = format!("s{number}");
                    let late = transition == Transition::Firing && expected.contains(&format!("resolved {name}"));
                    // An end of which the beginning was never written is written with it.
                    let firing = (transition == Transition::Resolved).then(|| format!("firing {name}"));
                    let action = format!("{} {name}", transition.as_str());
                    for event in firing.into_iter().chain([action]) {
                        if !late && !expected.contains(&event) {
                            expected.push(event);
                        }
                    }
                    log.notify(&[event(&name, transition)]).unwrap();
                }
                Step::Restart => {
                    // Only one at a time may have it open.
                    drop(log);
                    log = open(&path);
                }
                Step::Rename => {
                    rotated += 1;
                    if path.exists() {
                        archive.extend(events(&path));
                        fs::rename(&path, folder.path().join(format!("alerts.jsonl.{rotated}"))).unwrap();
                    }
                }
                Step::Blocked => {
                    let aside = folder.path().join("aside");
                    let existed = fs::rename(&path, &aside).is_ok();
                    fs::create_dir(&path).unwrap();
                    prop_assert!(log.tick().is_err());
                    fs::remove_dir(&path).unwrap();
                    if existed {
                        fs::rename(&aside, &path).unwrap();
                    }
                    log.tick().unwrap();
                }
            }
        }
        if path.exists() {
            archive.extend(events(&path));
        }
        prop_assert_eq!(archive, expected);
    }
}
