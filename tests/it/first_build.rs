//! What the first `cargo run --release` costs a newcomer: how many crates it compiles, and how many CPU-seconds that takes.
//!
//! Must not know what the crates are for.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Write as _,
    path::Path,
    process::Command,
    time::Duration,
};

use tokio::time::Instant;

use crate::{parts::root, tidy::read};

/// The most crates that the first build may compile, those of build scripts and macros included.
const MAX_CRATES: usize = 250;

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Prints a figure. Not by the macro: what it prints is kept back when a test passes.
fn show(line: &str) {
    let _closed = writeln!(std::io::stderr(), "{line}");
}

/// The settings of a section of the workspace's manifest that are a name and a value in one line.
fn section(name: &str) -> BTreeMap<String, String> {
    let manifest = read(&root().join("Cargo.toml"));
    let (_, rest) = manifest.split_once(&format!("\n[{name}]\n")).unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let settings = lines.filter_map(|line| line.split_once(" = "));
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn few_crates_are_compiled() {
    let arguments =
        ["tree", "--edges", "normal,build", "--prefix", "none", "--locked", "--offline"];
    let output = cargo().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, rest.split(' ').next()))
        .collect();
    show(&format!(
        "The first build compiles {} crates; {MAX_CRATES} are allowed. `make first-build` prints its CPU-seconds.",
        crates.len()
    ));
    assert!(crates.len() > 50, "only {} crates: {tree}", crates.len());
    assert!(crates.len() <= MAX_CRATES, "{} crates, {MAX_CRATES} are allowed", crates.len());
}

/// Settings for packages are inherited, and stronger than the general ones.
#[test]
fn what_release_saves_is_not_saved_in_what_is_packaged() {
    let release = section("profile.release.package");
    let dist = section("profile.dist.package");
    assert_eq!(section("profile.dist")["opt-level"], "3");
    assert!(release.len() > 10, "{release:?}");
    for (package, level) in &release {
        let level = dist.get(package).unwrap_or(level);
        assert_eq!(level, "3", "{package} in the profile `dist`");
    }
}

/// It takes minutes, so `make test` runs it and `cargo test` does not.
#[test]
#[ignore = "builds everything anew: make first-build"]
fn a_cold_build_prints_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    // What would make it another build than a newcomer's, or take its results from elsewhere.
    let foreign = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PROFILE_")
            || name.ends_with("RUSTFLAGS")
            || name.ends_with("_WRAPPER")
    });
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--target-dir"]).arg(folder.path());
    for name in foreign {
        build.env_remove(name);
    }
    let (before, clock) = (children_cpu(), Instant::now());
    let status = build.status().unwrap();
    let (cpu, elapsed) = (children_cpu().saturating_sub(before), clock.elapsed());
    assert!(status.success());
    show(&format!(
        "The first build took {} CPU-seconds and {} s.",
        cpu.as_secs(),
        elapsed.as_secs()
    ));
}

/// The user and system time of all processes that this one started, and those started in turn, which have ended.
fn children_cpu() -> Duration {
    let stat = read(Path::new("/proc/self/stat"));
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks =
        fields.split_whitespace().skip(13).take(2).map(|field| field.parse::<u32>().unwrap());
    Duration::from_millis(10) * ticks.sum::<u32>()
}
