//! The recipes of `CONTRIBUTING.md`: each example touches the files that its recipe says, and no others.
//!
//! Must not know what the examples do.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;

use crate::{
    parts::root,
    tidy::{assert_none, files, read},
};

/// How a recipe's example is found in the source.
struct Example {
    /// The heading of the recipe.
    recipe: &'static str,
    /// Where the source lies that could name it.
    within: &'static [&'static str],
    /// What naming it looks like; `{}` is its name.
    named: &'static str,
    /// How the subject of the commit begins that added it, where it was added since there are recipes.
    commit: Option<&'static str>,
}

const EXAMPLES: &[Example] = &[
    Example {
        recipe: "### Add a kind of probe",
        within: &["crates/probe/src/", "src/"],
        named: r"\bkind::{}\b|^pub\(crate\) mod {};",
        commit: Some("dns: name servers are probed"),
    },
    Example {
        recipe: "### Add a destination of alerts",
        within: &["crates/alerting/src/", "src/"],
        named: r"\bmod {};|\b{}::|(?i:\b{}Settings\b)|\balert_{}\b|(?i:\b{}_exit_code\b)",
        commit: Some("alert-command: a program that is run for each line"),
    },
    Example {
        recipe: "### Add a page",
        within: &["src/web/"],
        named: r"\bmod {};|\b{}::|^\s+{},$",
        commit: None,
    },
    Example {
        recipe: "### Add a PromQL function",
        within: &["crates/series/src/"],
        named: r"\b{}\b",
        commit: None,
    },
];

/// The most files of the program that a new kind may touch beside its own.
const KIND_FILES_MAX: usize = 6;

/// The text of a recipe.
fn recipe(heading: &str) -> String {
    let text = read(&root().join("CONTRIBUTING.md"));
    let (_, rest) =
        text.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n##").next().unwrap_or(rest).to_owned()
}

/// The name of a recipe's example, and the files that the recipe says to touch for it.
fn touched(heading: &str) -> (String, BTreeSet<String>) {
    let text = recipe(heading);
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let (_, example) = text.split_once("Example: ").unwrap();
    let name = quoted.captures(example).unwrap()[1].to_owned();
    let (_, list) = example.split_once("Touches: ").unwrap();
    let paths = quoted.captures_iter(list).map(|found| found[1].replace("<name>", &name)).collect();
    (name, paths)
}

/// Whether a file is one of the paths, or lies in one of them that is a folder.
fn is_among(path: &str, paths: &BTreeSet<String>) -> bool {
    paths.iter().any(|known| path == known || (known.ends_with('/') && path.starts_with(known)))
}

#[test]
fn an_example_touches_what_its_recipe_says() {
    let mut findings = Vec::new();
    let source = files(&[".rs"]);
    for example in EXAMPLES {
        let (name, paths) = touched(example.recipe);
        for path in &paths {
            if !root().join(path).exists() {
                findings.push(format!("{}: {path} does not exist", example.recipe));
            }
        }
        let named = Regex::new(&format!("(?m){}", example.named.replace("{}", &name))).unwrap();
        let mut found = 0;
        for (path, text) in &source {
            let is_within = example.within.iter().any(|folder| path.starts_with(folder));
            if is_within && named.is_match(text) {
                found += 1;
                if !is_among(path, &paths) {
                    findings.push(format!("{}: {path} names `{name}` too", example.recipe));
                }
            }
        }
        if found == 0 {
            findings.push(format!("{}: nothing names `{name}`", example.recipe));
        }
        let committed = example.commit.and_then(committed).unwrap_or_default();
        let others = committed.iter().filter(|path| !is_among(path, &paths));
        findings.extend(
            others.map(|path| format!("{}: its commit touched {path} too", example.recipe)),
        );
    }
    assert_none("recipes", &findings);
}

#[test]
fn a_kind_touches_few_files() {
    let (name, paths) = touched("### Add a kind of probe");
    let own = format!("crates/probe/src/kind/{name}/");
    let others = paths.iter().filter(|path| **path != own).count();
    assert!(others <= KIND_FILES_MAX, "{others} files: {paths:?}");
}

/// The program's files that a commit touched, without tests, documents and locks; `None` where the history is not at hand, as in an
/// archive of the source.
fn committed(subject: &str) -> Option<Vec<String>> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let found = git(&["log", "-1", "--format=%H", &format!("--grep=^{subject}")])?;
    let commit = found.lines().next()?;
    let names = git(&["show", "--format=", "--name-only", commit])?;
    let is_other = |path: &&str| {
        path.contains("tests/") || [".md", "Cargo.lock"].iter().any(|end| path.ends_with(end))
    };
    Some(names.lines().filter(|path| !is_other(path)).map(str::to_owned).collect())
}
