//! The documents say what is: commands, flags, links and tests that they name exist.
//!
//! Must not know how the program does what they describe.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;

use crate::{
    parts::{part, root},
    tidy::{assert_none, files, read},
};

fn document(name: &str) -> String {
    read(&root().join(name))
}

/// What the program answers to arguments, if it ends well.
fn program(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_webservice-monitor")).args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// The lines of the fenced code blocks that are to be typed into a shell.
fn shell_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside && line.trim_end().ends_with("sh");
        } else if inside && !line.trim_start().starts_with('#') {
            lines.push(line.trim());
        }
    }
    lines
}

#[test]
fn every_command_in_the_documents_exists() {
    let makefile = document("Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with('\t'))
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    let mut findings = Vec::new();
    for (path, text) in files(&[".md"]) {
        for line in shell_lines(&text) {
            let words: Vec<&str> =
                line.split_whitespace().filter(|word| !word.contains('=')).collect();
            let arguments = match words.as_slice() {
                ["make", target, ..] if !targets.contains(target) => {
                    findings.push(format!("{path}: make {target}"));
                    continue;
                }
                ["cargo", "run", "--release", "--", arguments @ ..]
                | ["webservice-monitor", arguments @ ..] => arguments,
                _ => continue,
            };
            let subcommand = arguments.first().filter(|word| !word.starts_with('-'));
            let known = |name: &&&str| {
                program(&[name, "--help"]).is_some_and(|help| help.contains("Usage:"))
            };
            if let Some(unknown) = subcommand.filter(|name| !known(name)) {
                findings.push(format!("{path}: webservice-monitor {unknown}"));
            }
        }
    }
    assert_none("commands that do not exist", &findings);
}

#[test]
fn the_readme_names_the_flags_that_exist_and_no_others() {
    let help = program(&["run", "--help"]).unwrap();
    let flag = Regex::new(r"--[a-z][a-z0-9.-]*[a-z]").unwrap();
    let existing: BTreeSet<&str> = flag.find_iter(&help).map(|found| found.as_str()).collect();
    let readme = document("README.md");
    let (_, section) = readme.split_once("\n## Flags\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let named: BTreeSet<&str> = section
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .filter_map(|line| flag.find(line).map(|found| found.as_str()))
        .collect();
    let mut findings: Vec<String> =
        named.difference(&existing).map(|flag| format!("{flag} does not exist")).collect();
    // Every dotted flag and the others that change what the program does; help and version speak for themselves.
    findings.extend(
        existing
            .difference(&named)
            .filter(|flag| !matches!(**flag, "--help" | "--version"))
            .map(|flag| format!("{flag} is missing")),
    );
    assert_none("the flags table of README.md", &findings);
}

#[test]
fn prometheus_takes_the_readme_s_configuration() {
    let Some(promtool) = part("promtool") else { return };
    let readme = document("README.md");
    let (_, block) = readme.split_once("```yaml\nscrape_configs:").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("targets.yml"), "- targets: [https://example.com/]\n")
        .unwrap();
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, format!("scrape_configs:{}", block.split("```").next().unwrap()))
        .unwrap();
    let output = Command::new(promtool).args(["check", "config"]).arg(&file).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn links_between_files_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#\s]+)[^)]*\)").unwrap();
    let comment = Regex::new(r"(?s)<!--.*?-->").unwrap();
    let mut findings = Vec::new();
    for (path, text) in files(&[".md"]) {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for found in link.captures_iter(&comment.replace_all(&text, "")) {
            let target = &found[1];
            if !target.contains("://")
                && !target.starts_with("mailto:")
                && !folder.join(target).exists()
            {
                findings.push(format!("{path}: {target}"));
            }
        }
    }
    assert_none("dead links", &findings);
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let architecture = document("ARCHITECTURE.md");
    let (_, section) = architecture.split_once("\n## Invariants\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let named = Regex::new(r"`([a-z_/.-]+\.rs)::([a-z0-9_]+)`").unwrap();
    let invariants: Vec<&str> = section.split("\n- ").skip(1).collect();
    assert!(invariants.len() >= 8);
    let mut findings = Vec::new();
    for invariant in invariants {
        let Some((_, tests)) = invariant.split_once("test:") else {
            findings.push(format!("no test: {}", invariant.lines().next().unwrap()));
            continue;
        };
        assert!(named.is_match(tests), "{invariant}");
        for found in named.captures_iter(tests) {
            let path = root().join(&found[1]);
            let defined = path.is_file() && read(&path).contains(&format!("fn {}(", &found[2]));
            if !defined {
                findings.push(format!("no such test: {}::{}", &found[1], &found[2]));
            }
        }
    }
    assert_none("invariants of ARCHITECTURE.md", &findings);
}

#[test]
fn the_changelog_knows_the_version() {
    let changelog = document("CHANGELOG.md");
    assert!(changelog.contains("\n## [Unreleased]\n"));
    assert!(changelog.contains(&format!("\n## [{}]", env!("CARGO_PKG_VERSION"))));
}

/// The source in which the settings of a kind are declared.
fn settings_of(kind: &str) -> String {
    let folder = root().join("crates/probe/src/kind").join(kind);
    let found = ["settings/mod.rs", "settings.rs", "mod.rs"]
        .iter()
        .map(|name| folder.join(name))
        .filter(|path| path.is_file())
        .map(|path| read(&path))
        .find_map(|source| {
            let mut name = kind[..1].to_uppercase();
            name.push_str(&kind[1..]);
            let (_, settings) = source.split_once(&format!("pub struct {name} {{"))?;
            Some(settings.split_once("\n}\n")?.0.to_owned())
        });
    found.unwrap_or_else(|| panic!("the settings of {kind}"))
}

/// The metrics that a kind may yield.
fn metrics_of(kind: &str) -> BTreeSet<&'static str> {
    let modules = probe::Module::builtin();
    let module = modules.values().find(|module| module.kind() == kind).expect("a built-in module");
    module.check().metrics().map(|metric| metric.name).collect()
}

#[test]
fn each_kind_has_a_page_with_all_its_keys_and_metrics() {
    let field = Regex::new(r"(?m)^    (?:pub\S* )?([a-z0-9_]+): ").unwrap();
    let mut missing = Vec::new();
    for kind in probe::KINDS {
        let name = format!("docs/{kind}-module.md");
        let page = document(&name);
        let settings = settings_of(kind);
        let keys: Vec<&str> =
            field.captures_iter(&settings).map(|found| found.get(1).unwrap().as_str()).collect();
        assert!(keys.len() > 3, "{kind}: {keys:?}");
        let metrics = metrics_of(kind);
        let words = keys.into_iter().chain(metrics);
        missing.extend(
            words
                .filter(|word| !page.contains(&format!("`{word}`")))
                .map(|word| format!("{name}: {word}")),
        );
    }
    assert_none("words that the pages of the kinds lack", &missing);
}

#[test]
fn the_page_about_http_modules_has_every_reason() {
    let page = document("docs/http-module.md");
    let phases = probe::Phase::ALL.iter().map(|phase| phase.as_str());
    let reasons = probe::Reason::ALL.iter().map(|reason| reason.as_str());
    let missing: Vec<String> = phases
        .chain(reasons)
        .filter(|word| !page.contains(&format!("`{word}`")))
        .map(str::to_owned)
        .collect();
    assert_none("words that docs/http-module.md lacks", &missing);
}
