//! Words that the project does not use, because readers know better ones. Must not know what the text is about.

use crate::{
    parts::root,
    tidy::{assert_none, files, read},
};

/// What is not written, in lower case and with `_` as a space, and what says it. A word of the left stands for its
/// identifiers as well.
const AVOIDED: &[(&[&str], &str)] = &[
    (&["told", "tells"], "reported, recorded, notified, sent; says, distinguishes"),
    (&["ours"], "our own, internal"),
    (&["stands twice", "stand twice", "stood twice"], "duplicate"),
    (&["mend", "mends", "mended", "mending"], "fix"),
    (&["all the same"], "anyway"),
    (&["farewell"], "close_notify, the end of the connection"),
    (&["gives back", "give back"], "returns"),
];

/// The endings of the files that people read.
const ENDINGS: &[&str] = &[
    ".conf",
    ".css",
    ".js",
    ".md",
    ".py",
    ".rs",
    ".sh",
    ".toml",
    ".tpl",
    ".txt",
    ".yaml",
    ".yml",
    "Dockerfile",
    "Makefile",
];

/// Where text of others lies, and this list.
const LEFT_OUT: &[&str] = &["fuzz/seeds/", "tests/it/words.rs", "web/vendor/"];

/// Keys of files that earlier versions wrote: they stay as they are.
const KEPT: &[&str] = &["told_at"];

#[test]
fn plain_words_are_used() {
    let mut findings = Vec::new();
    for (path, text) in files(ENDINGS).into_iter().chain(scripts()) {
        if LEFT_OUT.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let line = KEPT.iter().fold(line.to_owned(), |line, key| line.replace(key, ""));
            for (words, better) in AVOIDED {
                let found = words.iter().filter(|word| has(&line, word));
                findings.extend(
                    found.map(|word| format!("{path}:{}: {word:?}: say {better}", index + 1)),
                );
            }
        }
    }
    assert_none("words", &findings);
}

/// The scripts, whose names have no ending.
fn scripts() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join("scripts")).unwrap();
    folder
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.strip_prefix(root()).unwrap().display().to_string(), read(&path)))
        .collect()
}

/// Whether a line has a word or several in a row, also as an identifier or a part of one.
fn has(line: &str, words: &str) -> bool {
    let mut spaced = String::from(" ");
    let mut previous = ' ';
    for character in line.chars() {
        if character.is_uppercase() && previous.is_lowercase() {
            spaced.push(' ');
        }
        let plain = if character.is_alphanumeric() || character == '\'' { character } else { ' ' };
        spaced.extend(plain.to_lowercase());
        previous = character;
    }
    spaced.push(' ');
    spaced.contains(&format!(" {words} "))
}

#[test]
fn words_are_found_in_text_and_in_names() {
    for (line, words, expected) in [
        ("Nobody is told.", "told", true),
        ("let was_told = 1;", "told", true),
        ("struct WasTold;", "told", true),
        ("const TOLD: u8", "told", true),
        ("the key stands twice", "stands twice", true),
        ("untold", "told", false),
        ("an old way", "told", false),
        ("hours and yours", "ours", false),
    ] {
        assert_eq!(has(line, words), expected, "{line}");
    }
}
