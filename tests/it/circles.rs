//! Circles of imports between files: none but those declared here, each with its reason.
//!
//! Must not know how imports are read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    imports::imports,
    tidy::{assert_none, files},
};

/// A circle that there may be.
struct Circle {
    folder: &'static str,
    /// Its files, without the folder and the ending.
    files: &'static [&'static str],
    /// Why it does no harm.
    reason: &'static str,
}

/// All circles that there may be.
const CIRCLES: &[Circle] = &[
    Circle {
        folder: "crates/series/src/promql/",
        files: &[
            "aggregate",
            "evaluate",
            "functions/histogram",
            "functions/instant",
            "functions/label",
            "functions/mod",
            "functions/range",
            "functions/regression",
            "operator",
            "plan",
        ],
        reason: "An expression is evaluated by evaluating its parts: operators and functions call the evaluator, which calls them.",
    },
    Circle {
        folder: "crates/yaml/src/",
        files: &["lib", "node"],
        reason: "The crate's root has the functions that read a text; the tree that they read is beside it.",
    },
    Circle {
        folder: "src/config/",
        files: &["identity", "mod"],
        reason: "A target has an identity, and an identity is that of a target.",
    },
];

/// Those that import each other, directly or by way of others: every circle, in order.
pub(crate) fn circles(imports: &BTreeSet<(String, String)>) -> Vec<BTreeSet<String>> {
    let mut graph: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports {
        graph.entry(from).or_default().push(to);
        graph.entry(to).or_default();
    }
    let mut walk =
        Walk { graph: &graph, numbers: BTreeMap::new(), open: Vec::new(), found: Vec::new() };
    for file in graph.keys() {
        walk.visit(file);
    }
    let mut found = walk.found;
    found.sort();
    found
}

/// Tarjan's search for strongly connected components (SIAM Journal on Computing 1, 1972).
struct Walk<'g, 'a> {
    graph: &'g BTreeMap<&'a str, Vec<&'a str>>,
    /// The number of each visited file, in the order of the visits.
    numbers: BTreeMap<&'a str, usize>,
    /// The visited files whose component is not complete yet.
    open: Vec<&'a str>,
    found: Vec<BTreeSet<String>>,
}

impl<'a> Walk<'_, 'a> {
    /// The lowest number of an open file that can be reached from this one.
    fn visit(&mut self, file: &'a str) -> usize {
        if let Some(number) = self.numbers.get(file) {
            return if self.open.contains(&file) { *number } else { usize::MAX };
        }
        let own = self.numbers.len();
        self.numbers.insert(file, own);
        self.open.push(file);
        let mut lowest = own;
        for next in &self.graph[file] {
            lowest = lowest.min(self.visit(next));
        }
        if lowest == own {
            let start = self.open.iter().position(|open| *open == file).unwrap();
            let component: BTreeSet<String> = self.open.drain(start..).map(str::to_owned).collect();
            if component.len() > 1 {
                self.found.push(component);
            }
        }
        lowest
    }
}

#[test]
fn files_import_each_other_only_where_it_is_declared() {
    let imports = imports(&files(&[".rs"]), false);
    let found = circles(&imports);
    let mut declared: Vec<BTreeSet<String>> = Vec::new();
    for Circle { folder, files, reason } in CIRCLES {
        assert!(reason.ends_with('.'), "{folder}: {files:?} without a reason");
        declared.push(files.iter().map(|file| format!("{folder}{file}.rs")).collect());
    }
    let shown = |circle: &BTreeSet<String>| {
        let within =
            imports.iter().filter(|(from, to)| circle.contains(from) && circle.contains(to));
        let arrows: Vec<String> = within.map(|(from, to)| format!("    {from} -> {to}")).collect();
        format!("{} files:\n{}", circle.len(), arrows.join("\n"))
    };
    let undeclared: Vec<String> =
        found.iter().filter(|circle| !declared.contains(circle)).map(shown).collect();
    assert_none("circles of imports that are not declared", &undeclared);
    let gone: Vec<String> = declared
        .iter()
        .filter(|circle| !found.contains(circle))
        .map(|circle| format!("{circle:?}"))
        .collect();
    assert_none("declared circles that are none (any more)", &gone);
}

#[test]
fn circles_are_found_whatever_leads_into_them() {
    let pairs = ["ab", "bc", "ca", "cd", "de", "ed", "fa", "gh", "hi"];
    let imports = |pairs: &[&str]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|pair| (pair[..1].to_owned(), pair[1..].to_owned())).collect()
    };
    let all = imports(&pairs);
    let circle = |files: &str| -> BTreeSet<String> { files.chars().map(String::from).collect() };
    assert_eq!(circles(&all), [circle("abc"), circle("de")]);
    assert_eq!(circles(&imports(&[&pairs[..], &["df"]].concat())), [circle("abcdef")]);
    assert!(circles(&imports(&["ab", "bc", "ac"])).is_empty());
}
