//! Runs the check of generated targets files over those that are kept, and sees that every fuzz target has its parts.
//!
//! Must not know what is checked.

use std::fs;

use crate::{
    parts::root,
    tidy::{assert_none, read},
};

#[path = "../../fuzz/checks/targets.rs"]
mod targets;

#[test]
fn targets_files_hold_what_is_promised_of_them() {
    let mut seeds = 0;
    for entry in fs::read_dir(root().join("fuzz/seeds/targets")).unwrap() {
        let path = entry.unwrap().path();
        // The test's output is shown only when it fails: the last line names the seed.
        println!("{}", path.display());
        targets::check(&fs::read(path).unwrap());
        seeds += 1;
    }
    assert!(seeds > 3, "{seeds} seeds");
}

#[test]
fn every_fuzz_target_is_run_and_has_seeds() {
    let makefile = read(&root().join("Makefile"));
    let mut findings = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let listed = makefile.lines().find_map(|line| line.strip_prefix("FUZZ_TARGETS ?= "));
        if !listed.is_some_and(|names| names.split(' ').any(|other| other == name)) {
            findings.push(format!("{name} is not in FUZZ_TARGETS of the Makefile"));
        }
        if fs::read_dir(root().join("fuzz/seeds").join(&name)).is_err() {
            findings.push(format!("{name} has no seeds"));
        }
    }
    assert_none("fuzz targets", &findings);
}
