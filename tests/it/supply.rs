//! What the program is built from: licences, banned crates and the number of crates.
//!
//! Reads `deny.toml`, so that this test and cargo-deny cannot disagree; it needs no network.

use std::{env, process::Command};

use crate::{
    parts::root,
    tidy::{assert_none, read},
};

/// The most crates that the lock file may hold, those for tests included: what keeps the first build short.
const MAX_CRATES: usize = 400;

/// The strings in quotation marks between `start` and the next line that is `]`.
fn listed(text: &str, start: &str) -> Vec<String> {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("deny.toml has no `{start}`"));
    let (list, _) = rest.split_once("\n]").unwrap();
    list.lines().filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

fn deny_file() -> String {
    read(&root().join("deny.toml"))
}

/// Whether an SPDX expression is satisfied by the allowed licences. `/` is the old way to write `OR`.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (verdict, rest) = any_of(&words, allowed);
    verdict && rest.is_empty()
}

fn any_of<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut verdict, mut rest) = all_of(words, allowed);
    while let ["OR", tail @ ..] = rest {
        let (other, after) = all_of(tail, allowed);
        (verdict, rest) = (verdict || other, after);
    }
    (verdict, rest)
}

fn all_of<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut verdict, mut rest) = licence(words, allowed);
    while let ["AND", tail @ ..] = rest {
        let (other, after) = licence(tail, allowed);
        (verdict, rest) = (verdict && other, after);
    }
    (verdict, rest)
}

fn licence<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let is_allowed = |name: &str| allowed.iter().any(|licence| licence == name);
    match words {
        ["(", tail @ ..] => match any_of(tail, allowed) {
            (verdict, [")", rest @ ..]) => (verdict, rest),
            (_, rest) => (false, rest),
        },
        [name, "WITH", exception, rest @ ..] => {
            (is_allowed(&format!("{name} WITH {exception}")), rest)
        }
        [name, rest @ ..] => (is_allowed(name), rest),
        [] => (false, words),
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: Vec<String> =
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).to_vec();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR MIT AND BSD-4-Clause", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_licence_is_allowed() {
    let allowed = listed(&deny_file(), "\nallow = [");
    assert!(allowed.contains(&"MIT".to_owned()));
    let version =
        output(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Crates for other platforms were never downloaded, so their licences cannot be read here.
    let metadata = output(
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--offline",
                "--filter-platform",
                host,
            ])
            .current_dir(root()),
    );
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let findings: Vec<String> = packages
        .iter()
        .map(|package| {
            (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("(none)"))
        })
        .filter(|(_, licence)| !satisfied(licence, &allowed))
        .map(|(name, licence)| format!("{name}: {licence}"))
        .collect();
    assert_none("licences that deny.toml does not allow", &findings);
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_banned_crate_is_locked_and_the_lock_file_stays_small() {
    let banned = listed(&deny_file(), "\ndeny = [");
    for name in ["openssl-sys", "native-tls", "serde_yaml", "serde_yml", "reqwest"] {
        assert!(banned.contains(&name.to_owned()), "deny.toml must ban {name}");
    }
    let lock = read(&root().join("Cargo.lock"));
    let locked: Vec<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let findings: Vec<String> = locked
        .iter()
        .filter(|name| banned.iter().any(|other| other == *name))
        .map(ToString::to_string)
        .collect();
    assert_none("banned crates", &findings);
    assert!(
        locked.len() <= MAX_CRATES,
        "{} crates are locked, the limit is {MAX_CRATES}",
        locked.len()
    );
}
