//! Programs that succeed, fail, hang, write too much, do not read, or do not exist.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::process::test_kill_process;
use series::Labels;

use super::*;
use crate::{delivery::Delivery, event::AlertEvent};

const SHELL: &str = "/bin/sh";

fn settings(program: &str, arguments: &[&str]) -> CommandSettings {
    CommandSettings {
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
        timeout: Duration::from_secs(10),
    }
}

/// The alert log that the program has its notification log beside.
fn alert_log(folder: &Path) -> PathBuf {
    folder.join("alerts.jsonl")
}

/// A clock that a test sets, in milliseconds.
fn clock() -> (Arc<AtomicU64>, Uptime) {
    let time = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&time);
    (time, Arc::new(move || Duration::from_millis(read.load(Ordering::SeqCst))))
}

fn delivery(settings: &CommandSettings, folder: &Path, uptime: &Uptime) -> Delivery {
    let opened = open(settings, &alert_log(folder), uptime);
    Delivery::new("command", opened, Arc::clone(uptime))
}

fn alert(name: &str) -> AlertEvent {
    AlertEvent { labels: Labels::new([("alertname", name)]), ..AlertEvent::default() }
}

fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap_or_default()).unwrap()
}

/// The names of the alerts in lines.
fn names(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["rule.name"].as_str().unwrap().to_owned()
    };
    text.lines().map(name).collect()
}

#[test]
fn the_line_is_on_its_standard_input_and_no_shell_reads_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("$(exit 3); 'taken'");
    let path = file.display().to_string();
    let (_, uptime) = clock();
    let settings = settings("tee", &["-a", &path]);
    let mut command = delivery(&settings, folder.path(), &uptime);
    assert_eq!(command.statistics().exit_code, Some(-1), "none yet");
    command.notify(&[alert("A"), alert("B"), alert("A")]).unwrap();
    assert_eq!((command.statistics().queued, read(&file).as_str()), (2, ""), "nobody waits for it");
    command.tick().unwrap();
    assert_eq!((command.statistics().queued, command.is_due()), (1, true), "one line at a time");
    command.tick().unwrap();
    assert_eq!(names(&read(&file)), ["A", "B"]);
    let statistics = command.statistics();
    assert_eq!((statistics.delivered_total, statistics.duplicates_total), (2, 1));
    assert_eq!(statistics.exit_code, Some(0));

    // After a restart it knows what the program took.
    drop(command);
    let mut command = delivery(&settings, folder.path(), &uptime);
    command.notify(&[alert("A"), alert("C")]).unwrap();
    while command.is_due() {
        command.tick().unwrap();
    }
    assert_eq!(names(&read(&file)), ["A", "B", "C"]);
}

/// Fails until a file is there, and says why.
const PICKY: &str = "if test -e \"$1\"; then cat >> \"$2\"; else echo 'no\tway' >&2; exit 7; fi";

#[test]
fn a_program_that_fails_is_run_again_after_pauses_that_grow_and_then_has_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let (there, file) = (folder.path().join("there"), folder.path().join("taken"));
    let paths = [there.display().to_string(), file.display().to_string()];
    let (time, uptime) = clock();
    let settings = settings(SHELL, &["-c", PICKY, "sh", &paths[0], &paths[1]]);
    let mut command = delivery(&settings, folder.path(), &uptime);
    command.notify(&[alert("A"), alert("B")]).unwrap();
    let error = command.tick().unwrap_err().to_string();
    assert_eq!(error, r"`/bin/sh` ended with exit status: 7: no\tway");
    assert_eq!(command.statistics().exit_code, Some(7));
    for (at, runs) in [(999, 1), (1_000, 2), (2_999, 2), (3_000, 3), (6_999, 3), (7_000, 4)] {
        time.store(at, Ordering::SeqCst);
        let _failed = command.tick();
        assert_eq!(command.statistics().errors_total, runs, "at {at} ms");
    }
    // What comes meanwhile changes nothing of that.
    command.notify(&[alert("C")]).unwrap();
    assert_eq!((command.statistics().errors_total, command.is_due()), (4, false));
    fs::write(&there, "").unwrap();
    time.store(15_000, Ordering::SeqCst);
    while command.is_due() {
        command.tick().unwrap();
    }
    assert_eq!(names(&read(&file)), ["A", "B", "C"]);

    // A line that it never takes is given up, and the next has its turn.
    fs::remove_file(&there).unwrap();
    command.notify(&[alert("D"), alert("E")]).unwrap();
    for _ in 0..ATTEMPTS_MAX {
        assert!(command.tick().is_err());
        time.fetch_add(30_000, Ordering::SeqCst);
    }
    fs::write(&there, "").unwrap();
    command.tick().unwrap();
    assert_eq!(names(&read(&file)), ["A", "B", "C", "E"]);
    let statistics = command.statistics();
    assert_eq!((statistics.given_up_total, statistics.dropped_total), (1, 0));
}

/// Writes the numbers of itself and of a child of its own, and waits for ever.
const HANGS: &str = "sleep 10000 & echo $$ $! > \"$1\"; wait";

fn processes(file: &Path) -> Vec<Pid> {
    let number = |word: &str| Pid::from_raw(word.parse().ok()?);
    read(file).split_whitespace().filter_map(number).collect()
}

#[test]
fn a_program_that_hangs_is_ended_with_its_children() {
    // As the first process of a container this one has to see its grandchildren off.
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    for stops in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("numbers");
        let numbers = file.clone();
        // The time passes once the program is known to hang; or the monitor stops then.
        let (stop, stopping) = (Stop::default(), Stop::default());
        let handle = stopping.clone();
        let uptime: Uptime = Arc::new(move || {
            let hangs = processes(&numbers).len() == 2;
            if hangs && stops {
                handle.request();
            }
            Duration::from_secs(if hangs && !stops { 10 } else { 0 })
        });
        let settings = settings(SHELL, &["-c", HANGS, "sh", &file.display().to_string()]);
        let mut opened = open(&settings, &alert_log(folder.path()), &uptime);
        let stop = if stops { &stopping } else { &stop };
        let (delivered, result) = opened.destination.deliver(&["line\n"], stop);
        let why = if stops {
            "was ended because the monitor stops"
        } else {
            "took longer than 10 s and was ended"
        };
        assert_eq!(result.unwrap_err().to_string(), format!("`/bin/sh` {why}"));
        assert_eq!((delivered, opened.destination.exit_code()), (0, Some(-1)));
        let processes = processes(&file);
        assert_eq!(processes.len(), 2);
        for process in processes {
            let gone = test_kill_process(process);
            assert_eq!(gone, Err(rustix::io::Errno::SRCH), "{process:?} is left, or a zombie");
        }
    }
}

#[test]
fn what_else_a_program_does_is_no_harm_and_what_it_writes_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (_, uptime) = clock();
    let long = "x".repeat(200 * 1024);
    for (what, program, arguments, expected, exit_code) in [
        ("it does not read", "true", vec![], Ok(()), 0),
        ("it does not read and goes on", SHELL, vec!["-c", "exec <&-; exit 0"], Ok(()), 0),
        (
            "it writes too much",
            SHELL,
            vec!["-c", "yes out | head -c 3000000; yes error | head -c 3000000 >&2; exit 1"],
            Err(format!("`/bin/sh` ended with exit status: 1: {}", r"error\n".repeat(400))),
            1,
        ),
        (
            "it is killed",
            SHELL,
            vec!["-c", "kill -9 $$"],
            Err("`/bin/sh` ended with signal: 9 (SIGKILL)".to_owned()),
            -1,
        ),
        (
            "what it leaves in the background holds up nothing",
            SHELL,
            vec!["-c", "sleep 10000 & exit 0"],
            Ok(()),
            0,
        ),
        (
            "it does not exist",
            "/does/not/exist",
            vec![],
            Err("`/does/not/exist` cannot be run: No such file or directory (os error 2)"
                .to_owned()),
            -1,
        ),
    ] {
        let settings = settings(program, &arguments);
        let mut opened = open(&settings, &alert_log(folder.path()), &uptime);
        // Longer than any line: it does not fit into a pipe.
        let (_, result) = opened.destination.deliver(&[&long], &Stop::default());
        let result = result.map_err(|error| error.to_string());
        match (result, expected) {
            // The beginning, and no more than may be.
            (Err(why), Err(expected)) if expected.len() > OUTPUT_BYTES_MAX => {
                assert!(expected.starts_with(why.trim_end_matches('…')), "{what}: {why}");
                assert!(why.len() <= OUTPUT_BYTES_MAX + 100, "{what}: {why}");
                assert!(why.len() >= OUTPUT_BYTES_MAX, "{what}: {why}");
            }
            (result, expected) => assert_eq!(result, expected, "{what}"),
        }
        assert_eq!(opened.destination.exit_code(), Some(exit_code), "{what}");
    }
}
