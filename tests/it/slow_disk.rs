//! A disk whose every fdatasync takes seconds: probes are made in their slots and stored, the program answers at once, and its log
//! and metrics name the disk. `make slow-disk` plays it with 20 s and 45 slots.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, interval, timeout},
};

use crate::{
    parts::root,
    program::{Running, Service, request, wait_for},
};

/// How long a sync takes and how many slots of a second are looked at, where the environment names no others.
const SYNC_SECONDS: u64 = 3;
const SLOTS: u64 = 6;

/// How long an answer may take on a machine that is busy with other tests. Where the disk is waited for, it takes seconds.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long `/-/healthy` may take when nothing else runs, as in `make slow-disk`.
const HEALTHY_MAX_ALONE: Duration = Duration::from_millis(100);

/// What is played.
struct Play {
    sync_seconds: u64,
    slots: u64,
    /// Which files are slow; all of them in the long version, which takes longer to start and to end for it.
    only: Option<&'static str>,
    healthy_max: Duration,
}

impl Play {
    #[expect(
        clippy::disallowed_methods,
        reason = "the long version is asked for by the environment"
    )]
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
        let sync_seconds = number("SLOW_DISK_SECONDS");
        Self {
            sync_seconds: sync_seconds.unwrap_or(SYNC_SECONDS),
            slots: number("SLOW_DISK_SLOTS").unwrap_or(SLOTS),
            only: sync_seconds.is_none().then_some("/wal-"),
            healthy_max: if sync_seconds.is_some() { HEALTHY_MAX_ALONE } else { ANSWER_MAX },
        }
    }
}

/// Compiles the library that slows the disk down.
fn compile(folder: &Path) -> PathBuf {
    let library = folder.join("slow_sync.so");
    let source = root().join("tests/torture/slow_sync.c");
    let compiled = Command::new("cc")
        .args(["-Wall", "-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(compiled.expect("cc, a C compiler, is needed").success());
    library
}

fn start(folder: &Path, address: SocketAddr, slow: Option<(&Path, &Play)>) -> Running {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"));
    command
        .args(["--scrape.interval=1s", "--scrape.timeout=900ms"])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(log.unwrap());
    if let Some((library, Play { sync_seconds, only, .. })) = slow {
        command.env("LD_PRELOAD", library);
        command.env("SLOW_SYNC_MILLISECONDS", (sync_seconds * 1000).to_string());
        command.envs(only.map(|only| ("SLOW_SYNC_ONLY", only)));
    }
    Running(command.spawn().unwrap())
}

/// Ends a program as a service manager does, and waits until it has ended.
async fn stop(mut program: Running) {
    let pid = program.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut ticks = interval(Duration::from_millis(50));
    while program.0.try_wait().unwrap().is_none() {
        ticks.tick().await;
    }
}

/// The number that a query answers with, if any.
fn number(body: &str) -> Option<f64> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// The value of one of the program's own metrics.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_stops_no_probe_and_is_named() {
    let play = Play::from_environment();
    let folder = tempfile::tempdir().unwrap();
    let library = compile(folder.path());
    let service = Service::start(0, "200 OK").await;
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    std::fs::create_dir_all(folder.path().join("config/rules")).unwrap();
    write("config/targets.yml", &format!("- targets: [\"{}\"]\n", service.url()));
    // What fires is written to the disk at once.
    write(
        "config/rules/test.yml",
        "groups:\n- name: test\n  rules:\n  - alert: Up\n    expr: probe_success == 1\n",
    );
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = start(folder.path(), address, Some((&library, &play)));

    // The first probe is out of turn; the slots are counted from the middle between two later ones.
    let second = "/api/v1/query?query=timestamp(probe_success)+and+count_over_time(probe_success%5B1m%5D)%3E1";
    // It syncs several files before it answers.
    let started = async {
        let mut ticks = interval(Duration::from_millis(50));
        while TcpStream::connect(address).await.is_err() {
            ticks.tick().await;
        }
        request(address, "GET", "/-/healthy", "").await
    };
    timeout(Duration::from_secs(30 + 10 * play.sync_seconds), started).await.unwrap();
    let body = wait_for(address, second, "the second probe", |body| number(body).is_some()).await;
    let begin = number(&body).unwrap() + 0.5;
    let end = begin + f64::from(u32::try_from(play.slots).unwrap());
    let begun = Instant::now();
    let mut slowest: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut ticks = interval(Duration::from_millis(20));
    for path in ["/-/healthy", "/-/healthy", "/metrics", "/"].iter().cycle() {
        if begun.elapsed() > Duration::from_secs(play.slots + 1) {
            break;
        }
        ticks.tick().await;
        let asked = Instant::now();
        assert_eq!(request(address, "GET", path, "").await.0, 200, "{path}");
        let slowest = slowest.entry(path).or_default();
        *slowest = asked.elapsed().max(*slowest);
    }
    let count = format!(
        "/api/v1/query?time={end}&query=count_over_time(probe_success%5B{}s%5D)",
        play.slots
    );
    let made = number(&request(address, "GET", &count, "").await.1);
    let metrics = request(address, "GET", "/metrics", "").await.1;
    stop(program).await;
    let log = std::fs::read(folder.path().join("log")).unwrap();
    let log = String::from_utf8(log).unwrap();
    println!("{made:?} of {} probes, slowest answers {slowest:.0?}", play.slots);
    log.lines().filter(|line| line.contains("The disk is")).for_each(|line| println!("{line}"));
    assert_eq!(made, Some(f64::from(u32::try_from(play.slots).unwrap())), "{log}");
    assert!(slowest["/-/healthy"] < play.healthy_max, "{slowest:?}");
    assert!(slowest.values().all(|slowest| *slowest < ANSWER_MAX), "{slowest:?}");
    assert!(metric(&metrics, "webservice_monitor_disk_sync_seconds") >= 1.0, "{metrics}");
    assert!(metric(&metrics, "webservice_monitor_probe_slots_missed_total") < 0.5, "{metrics}");
    assert_eq!(log.matches("The disk is slow").count(), 1, "{log}");

    // What was made is on the disk: another program finds it.
    let program = start(folder.path(), address, None);
    wait_for(address, &count, "the stored samples", |body| number(body) == made).await;
    stop(program).await;
}
