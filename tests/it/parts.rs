//! Real parts that some tests use when they are installed: promtool, Prometheus, Chromium.
//!
//! A missing part skips a test aloud; with `WEBSERVICE_MONITOR_NO_SKIP=1`, as in CI, it fails it. Must not know what the
//! parts are used for.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Where `make parts` unpacks programs, relative to the repository, in the order in which they are looked for.
const FOLDERS: [&str; 2] = [".parts/bin", ".parts/root/usr/bin"];

/// The same for those of Debian's newest release.
const NEWEST: [&str; 2] = [".parts/newest/bin", ".parts/newest/usr/bin"];

/// The path of a program; `None` says that the test must end here, and why was printed.
pub(crate) fn part(name: &str) -> Option<PathBuf> {
    find(name, &FOLDERS)
}

/// The same for the newest release that can be had.
pub(crate) fn newest_part(name: &str) -> Option<PathBuf> {
    find(name, &NEWEST)
}

fn find(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let own = folders.iter().map(|folder| root().join(folder));
    let path = env::var_os("PATH").unwrap_or_default();
    let found = own
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        skip(name, "it is not installed (make parts)");
    }
    found
}

/// Says that a test is skipped because something is missing; fails where skipping is not allowed.
pub(crate) fn skip(what: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        env::var_os("WEBSERVICE_MONITOR_NO_SKIP").is_none_or(|value| value != "1"),
        "{test} needs {what}: {why}"
    );
    // Not by the macro: what it prints is kept back when a test passes.
    let _reported = writeln!(std::io::stderr(), "SKIPPED: {test} needs {what}: {why}");
}

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
