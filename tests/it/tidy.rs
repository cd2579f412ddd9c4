//! The rules of the source that no compiler checks: file sizes, headers, the direction of imports, what is left over.
//!
//! Reads the source as text. Must not know what the program does.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::parts::root;

/// The most lines that a file may have: what one can still keep in mind.
const MAX_LINES: usize = 500;

/// Folders that are not source.
const NOT_SOURCE: &[&str] = &[".git", ".parts", "data", "node_modules", "target", "vendor"];

/// Words that may be named only by files whose path begins with one of the given ones; everything is relative to the root.
const FENCES: &[Fence] = &[
    Fence {
        within: "crates/probe/src",
        words: &["series"],
        only: &[],
        why: "probing must not know storage",
    },
    Fence {
        within: "crates/series/src",
        words: &["probe"],
        only: &[],
        why: "storage must not know probing",
    },
    Fence {
        within: "crates/series/src",
        words: &["tokio"],
        only: &[],
        why: "series is synchronous",
    },
    Fence {
        within: "crates/alerting/src",
        words: &["tokio"],
        only: &[],
        why: "alerting is synchronous: a thread for each destination",
    },
    Fence {
        within: "crates/alerting/src",
        words: &["probe"],
        only: &[],
        why: "alerting must not know probing",
    },
    Fence {
        within: "crates/probe/src",
        words: &["rustls"],
        only: TLS,
        why: "one folder knows the TLS library",
    },
    Fence {
        within: "crates/probe/src",
        words: &["tokio_rustls"],
        only: TLS,
        why: "one folder knows the TLS library",
    },
    Fence {
        within: "crates",
        words: &["promql_parser"],
        only: &["crates/series/src/promql"],
        why: "one module knows the parser",
    },
    Fence {
        within: "src",
        words: &["promql_parser"],
        only: &[],
        why: "one module knows the parser",
    },
    Fence {
        within: "crates",
        words: &["granit_parser"],
        only: &["crates/yaml"],
        why: "one crate knows the YAML library",
    },
    Fence {
        within: "src/web",
        words: &["series::store", "store", "series::promql", "promql", "series::rule", "rule"],
        only: &[],
        why: "pages ask `query`",
    },
    Fence {
        within: "src",
        words: &["granit_parser"],
        only: &[],
        why: "one crate knows the YAML library",
    },
];

const TLS: &[&str] = &["crates/probe/src/net/tls/"];

/// Crates and modules that only some files may name.
struct Fence {
    within: &'static str,
    words: &'static [&'static str],
    only: &'static [&'static str],
    why: &'static str,
}

/// Every source file with one of the endings, its path relative to the root, in order.
pub(crate) fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut folders = vec![root().to_owned()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !NOT_SOURCE.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.into_iter().map(|path| (relative(&path), read(&path))).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

pub(crate) fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code of a file without whole-line comments: what the compiler sees, near enough.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Fails with every finding at once.
pub(crate) fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut findings = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.push(format!(
                "{path} has {lines} lines, the limit is {MAX_LINES}: split it by topic"
            ));
        }
        if !text.starts_with("//! ") {
            findings.push(format!("{path} does not begin with a `//!` line about its purpose"));
        }
    }
    assert_none("files", &findings);
}

#[test]
fn nothing_is_left_to_do() {
    // Put together, so that this file does not find itself.
    let markers = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("un", "implemented!("),
    ];
    let mut findings = Vec::new();
    for (path, text) in files(&[".rs", ".md", ".yml", ".toml", ".js", ".css", "Makefile"]) {
        for (index, line) in text.lines().enumerate() {
            findings.extend(
                markers
                    .iter()
                    .filter(|marker| line.contains(**marker))
                    .map(|marker| format!("{path}:{}: {marker}", index + 1)),
            );
        }
    }
    assert_none("left-over markers", &findings);
}

#[test]
fn libraries_stay_behind_their_fences() {
    let mut findings = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let code = code(&text);
        for fence in FENCES {
            let inside = path.strip_prefix(fence.within).is_some_and(|rest| rest.starts_with('/'));
            if !inside || fence.only.iter().any(|prefix| path.starts_with(prefix)) {
                continue;
            }
            let named = fence.words.iter().filter(|word| names_crate(&code, word));
            findings.extend(named.map(|word| format!("{path} names `{word}`: {}", fence.why)));
        }
    }
    assert_none("names in the wrong place", &findings);
}

/// Whether code has `name::` or `use name` with `name` as a whole word and not as a part of a longer path.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(start, _)| {
        let before = code[..start].chars().next_back().unwrap_or(' ');
        let after = &code[start + name.len()..];
        let begins = !before.is_alphanumeric() && !matches!(before, '_' | ':' | '.' | '"' | '`');
        begins && (after.starts_with("::") || code[..start].ends_with("use "))
    })
}

#[test]
fn the_time_of_day_is_read_in_one_place_of_the_program_and_one_of_the_probes() {
    let readers = [
        "SystemTime::now(",
        "SystemTime::now)",
        "Timestamp::now(",
        "Zoned::now(",
        "Utc::now(",
        "UNIX_EPOCH.elapsed(",
        "clock_gettime(",
    ];
    let mut found = BTreeSet::new();
    for (path, text) in files(&[".rs"]) {
        let is_source = path.starts_with("src/") || path.contains("/src/");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        let code = code(text);
        let is_test = path.contains("tests") || path.starts_with("crates/testkit/");
        if is_source && !is_test && readers.iter().any(|reader| code.contains(reader)) {
            found.insert(path);
        }
    }
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["crates/probe/src/clocks.rs", "src/clock.rs"]);
}

#[test]
fn crates_are_recognised_as_whole_words() {
    for (code, expected) in [
        ("use tokio::time;", true),
        ("use tokio;", true),
        ("let a = tokio::spawn(b);", true),
        ("use my_tokio::time;", false),
        ("use crate::tokio::time;", false),
        ("let tokio = 1;", false),
    ] {
        assert_eq!(names_crate(code, "tokio"), expected, "{code}");
    }
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    let places = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tm", "p/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let mut findings = Vec::new();
    for (path, text) in files(&[".md", ".yml", ".toml", "Makefile", "scripts/parts"]) {
        for (index, line) in text.lines().enumerate() {
            findings.extend(
                places
                    .iter()
                    .filter(|place| line.contains(**place))
                    .map(|place| format!("{path}:{}: {place}", index + 1)),
            );
        }
    }
    assert_none("absolute paths", &findings);
}
