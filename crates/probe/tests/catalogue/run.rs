//! Runs the rows one after the other and measures what each of them costs.
//!
//! Servers run on threads of their own, the probe alone on this one, so that its processor time can be counted without theirs. Must
//! not know any row.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what a probe costs is read from the kernel and from the real clock"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use probe::{Outcome, ProbeResult};
use tokio::runtime::{Builder, Runtime};

use crate::row::{Case, Row};

/// How much later than its deadline a probe may answer.
const LATE_MAX: Duration = Duration::from_millis(100);

/// How much memory a row may need beyond what was there before: the largest body as it comes and decoded, and the server's
/// share, which is in the same process.
const MEMORY_MAX_KIB: u64 = 32 * 1024;

/// How much processor time a probe may need; code without optimisation needs several times as much.
const CPU_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 100 });

/// A row that is late or expensive is run again: on a busy machine either can be somebody else's doing.
const RUNS_MAX: usize = 3;

/// The environment variable that makes a skip an error.
const NO_SKIP: &str = "WEBSERVICE_MONITOR_NO_SKIP";

/// The numbers of the catalogue.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=136;

/// Numbers that a test outside of the catalogue holds, because it needs a network, a file or a scheduler of its own.
const ELSEWHERE: &[(u32, &str)] = &[
    (22, "crates/probe/tests/it/namespace.rs::routes_and_ports_are_distinguished"),
    (30, "crates/probe/tests/it/namespace.rs::routes_and_ports_are_distinguished"),
    (
        101,
        "crates/probe/tests/it/tls_trust.rs::files_are_read_again_when_they_change_and_serve_on_when_they_break",
    ),
    (118, "src/schedule/worker.rs::a_dead_host_does_not_keep_the_others_waiting"),
    (119, "crates/probe/src/context/tests.rs::what_fails_while_nothing_runs_is_an_internal_fault"),
];

/// How much of a probe's time may belong to none of its phases.
const UNPHASED_MAX: Duration = Duration::from_millis(5);

/// What one run cost.
struct Cost {
    late: Duration,
    /// The difference between the probe's time and that of its phases, where that matters.
    unphased: Duration,
    cpu: Duration,
    memory_kib: u64,
}

impl Cost {
    fn complaint(&self) -> Option<String> {
        if self.late > LATE_MAX {
            Some(format!("answered {:?} after the deadline", self.late))
        } else if self.unphased > UNPHASED_MAX {
            Some(format!("spent {:?} in no phase", self.unphased))
        } else if self.cpu > CPU_MAX {
            Some(format!("took {:?} of processor time", self.cpu))
        } else if self.memory_kib > MEMORY_MAX_KIB {
            Some(format!("took {} KiB of memory", self.memory_kib))
        } else {
            None
        }
    }
}

/// Runs all rows, and fails with every mistake.
pub(crate) fn all(rows: Vec<Row>) {
    // The first runtime of a process opens descriptors that stay.
    drop(Builder::new_current_thread().enable_all().build());
    let before = descriptors();
    let count = rows.len();
    let mut mistakes = uncovered(&rows);
    let mut skipped = Vec::new();
    {
        let servers = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let probes = Builder::new_current_thread().enable_all().build().unwrap();
        for row in rows {
            match run(&row, &servers, &probes) {
                Ok(found) => mistakes.extend(
                    found.into_iter().map(|what| format!("{} {}: {what}", row.number, row.name)),
                ),
                Err(reason) => skipped.push(format!("{} {}: {reason}", row.number, row.name)),
            }
        }
        let tasks = probes.metrics().num_alive_tasks();
        assert_eq!(tasks, 0, "tasks are left behind");
        servers.shutdown_timeout(Duration::from_secs(5));
    }
    assert_eq!(descriptors(), before, "descriptors are left open");
    for skip in &skipped {
        eprintln!("SKIPPED {skip}");
    }
    println!(
        "{count} situations of {} numbers, {} skipped, {} wrong",
        NUMBERS.count(),
        skipped.len(),
        mistakes.len()
    );
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
    let strict = std::env::var(NO_SKIP).is_ok_and(|value| value == "1");
    assert!(!strict || skipped.is_empty(), "skipped:\n{}", skipped.join("\n"));
}

/// The numbers that nobody holds, and the tests outside of the catalogue that are not where they are said to be.
fn uncovered(rows: &[Row]) -> Vec<String> {
    let number = |row: &Row| row.number.trim_end_matches(char::is_alphabetic).parse::<u32>();
    let held: BTreeSet<u32> = rows.iter().map(|row| number(row).expect("a number")).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut mistakes = Vec::new();
    for (number, test) in ELSEWHERE {
        let (file, name) = test.split_once("::").expect("a file and a test");
        let source = fs::read_to_string(root.join(file)).unwrap_or_default();
        if !source.contains(&format!("fn {name}()")) {
            mistakes.push(format!("{number}: there is no test {test}"));
        }
        if held.contains(number) {
            mistakes.push(format!("{number}: in the catalogue, and elsewhere too"));
        }
    }
    let elsewhere = |wanted: &u32| ELSEWHERE.iter().any(|(number, _)| number == wanted);
    mistakes.extend(
        NUMBERS
            .filter(|number| !held.contains(number) && !elsewhere(number))
            .map(|number| format!("{number}: nobody holds this situation")),
    );
    mistakes
}

/// Runs one row, again when it was too expensive; an error is the reason for which it cannot be run here.
fn run(row: &Row, servers: &Runtime, probes: &Runtime) -> Result<Vec<String>, String> {
    let mut mistakes = Vec::new();
    for _ in 0..RUNS_MAX {
        let case = servers.block_on((row.prepare)())?;
        let (result, cost) = measure(row, &case, probes);
        mistakes.clear();
        let found = verdict(&result);
        if !row.expected.split(" or ").any(|expected| expected == found) {
            mistakes
                .push(format!("expected {}, found {found}: {:?}", row.expected, result.outcome));
        }
        if let Some(Err(what)) = row.check.as_ref().map(|check| check(&result)) {
            mistakes.push(what);
        }
        // What the row was set up with may need the servers' runtime to stop.
        let Case { keep, .. } = case;
        servers.block_on(async { drop(keep) });
        match cost.complaint() {
            Some(complaint) => mistakes.push(complaint),
            None => break,
        }
    }
    Ok(mistakes)
}

fn measure(row: &Row, case: &Case, probes: &Runtime) -> (ProbeResult, Cost) {
    let text = format!("modules:\n  tested: {}\n", row.settings);
    let modules =
        probe::parse_modules(&text).unwrap_or_else(|problems| panic!("{text:.1000}{problems:?}"));
    let module = &modules.usable["tested"];
    let target = module.target(&case.target).unwrap_or_else(|error| panic!("{error}"));
    // The highest mark starts anew; where that is not allowed, the growth of the whole run counts.
    let _unsupported = fs::write("/proc/self/clear_refs", "5");
    let (memory, cpu, begun) = (memory_kib("VmRSS:"), cpu(), Instant::now());
    let result = probes.block_on(module.probe(&case.net, &target, row.timeout));
    let phases: f64 = result
        .samples
        .iter()
        .filter(|sample| sample.metric.name == "probe_http_duration_seconds")
        .map(|sample| sample.value)
        .sum();
    let unphased = if row.adds_up {
        Duration::from_secs_f64((result.elapsed.as_secs_f64() - phases).abs())
    } else {
        Duration::ZERO
    };
    let cost = Cost {
        unphased,
        late: begun.elapsed().saturating_sub(row.timeout),
        cpu: self::cpu().saturating_sub(cpu),
        memory_kib: memory_kib("VmHWM:").saturating_sub(memory),
    };
    (result, cost)
}

/// `up`, `phase/reason` for a target that is down, or `fault phase/reason`.
fn verdict(result: &ProbeResult) -> String {
    match &result.outcome {
        Outcome::Up => "up".to_owned(),
        Outcome::Down(failure) => format!("{}/{}", failure.phase, failure.reason),
        Outcome::Fault(failure) => format!("fault {}/{}", failure.phase, failure.reason),
    }
}

/// The processor time of this thread, from the scheduler's statistics (proc(5)); zero where there are none.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// A line of `/proc/self/status`, in KiB.
fn memory_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// How many descriptors are open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
