//! Which source file of a crate names items of which other one, read from the source as text.
//!
//! An import is a path to an item of another file, in a `use` or in code. A path that leads through a re-export counts for the file
//! that defines the item. A declaration such as `mod x;` is no import, and neither is a re-export that its own file makes no use of.
//! Must not know which imports are allowed.

use std::collections::{BTreeMap, BTreeSet};

/// How many re-exports and imported names a path may lead through.
const STEPS_MAX: usize = 16;

/// The modules of one crate by their paths.
type Tree = BTreeMap<Vec<String>, Module>;

/// A file of the crate.
struct Module {
    file: String,
    uses: Vec<Use>,
    /// The code without `use` declarations.
    code: String,
}

/// One name that a `use` declares.
#[derive(Debug, PartialEq)]
struct Use {
    public: bool,
    path: Vec<String>,
    /// The name within the file; `*` for all of a module.
    name: String,
}

/// All imports between files of the same crate, as pairs of paths: who imports, and from whom. Tests within the files are left out
/// unless they are asked for.
pub(crate) fn imports(
    sources: &[(String, String)],
    with_tests: bool,
) -> BTreeSet<(String, String)> {
    let mut crates: BTreeMap<&str, Tree> = BTreeMap::new();
    for (file, text) in sources {
        let Some((root, path)) = module_path(file) else { continue };
        if !with_tests && path.iter().any(|name| name == "tests") {
            continue;
        }
        let text = if with_tests { text } else { without_tests(text) };
        let (uses, code) = split(text);
        crates.entry(root).or_default().insert(path, Module { file: file.clone(), uses, code });
    }
    let mut found = BTreeSet::new();
    for tree in crates.values() {
        for (path, module) in tree {
            let targets = targets(tree, path, module);
            let others = targets.into_iter().filter(|target| *target != module.file);
            found.extend(others.map(|target| (module.file.clone(), target)));
        }
    }
    found
}

/// The source folder of a file's crate, and the file's module path in it. A binary's `main.rs` is a crate of its own.
fn module_path(file: &str) -> Option<(&str, Vec<String>)> {
    let at = if file.starts_with("src/") { 0 } else { file.find("/src/")? + 1 };
    if at > 0 && !file.starts_with("crates/") {
        return None;
    }
    let (root, rest) = file.split_at(at + "src/".len());
    let mut path: Vec<String> = rest.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    match path.last().map(String::as_str) {
        Some("main") if path.len() == 1 => return None,
        Some("mod" | "lib") => drop(path.pop()),
        _ => {}
    }
    Some((root, path))
}

/// A file's text before its tests, which come last.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").and_then(|at| text.get(..at)).unwrap_or(text)
}

/// The names that a file's `use` declarations declare, and the rest of its code.
fn split(text: &str) -> (Vec<Use>, String) {
    let (mut uses, mut code) = (Vec::new(), String::new());
    let mut declaration: Option<(bool, String)> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let begun = declaration.take().or_else(|| {
            let (public, rest) = visibility(line);
            rest.starts_with("use ").then(|| (public, String::new()))
        });
        let Some((public, mut whole)) = begun else {
            code.push_str(line);
            code.push('\n');
            continue;
        };
        whole.push_str(line);
        if !line.ends_with(';') {
            declaration = Some((public, whole));
            continue;
        }
        let (_, rest) = visibility(&whole);
        let tree = rest.trim_start_matches("use ").trim_end_matches(';');
        flatten(public, &[], tree, &mut uses);
    }
    (uses, code.replace("pub(in crate::", "pub(in "))
}

/// Whether a declaration is visible outside of its module, and the declaration without its `pub(…)`.
fn visibility(line: &str) -> (bool, &str) {
    let Some(rest) = line.strip_prefix("pub") else { return (false, line) };
    let rest = match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    };
    (true, rest.trim_start())
}

/// Takes a tree such as `a::{b, c as d}` apart.
fn flatten(public: bool, prefix: &[String], tree: &str, uses: &mut Vec<Use>) {
    let tree = tree.trim();
    if let Some((head, list)) = tree.split_once('{') {
        let prefix = joined(prefix, head);
        for item in items(list.rsplit_once('}').map_or(list, |(inner, _)| inner)) {
            flatten(public, &prefix, item, uses);
        }
        return;
    }
    let (path, alias) =
        tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
    let mut path = joined(prefix, path);
    // `a::{self}` names `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = alias.map(str::to_owned).or_else(|| path.last().cloned()) {
        uses.push(Use { public, path, name });
    }
}

fn joined(prefix: &[String], path: &str) -> Vec<String> {
    let names = path.trim().split("::").filter(|name| !name.is_empty()).map(str::to_owned);
    prefix.iter().cloned().chain(names).collect()
}

/// The items of a list, whose commas within braces part nothing.
fn items(list: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(list.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(list.get(start..));
    found.into_iter().filter(|item| !item.trim().is_empty()).collect()
}

/// The files that a module names items of.
fn targets(tree: &Tree, path: &[String], module: &Module) -> BTreeSet<String> {
    let words: BTreeSet<&str> = module.code.split(|c: char| !is_name(c)).collect();
    let declared = module.uses.iter().filter(|one| !one.public || words.contains(&*one.name));
    let mut found: BTreeSet<String> =
        declared.filter_map(|one| file_of(tree, path, &one.path, STEPS_MAX)).collect();
    found.extend(paths(&module.code).iter().filter_map(|one| file_of(tree, path, one, STEPS_MAX)));
    found
}

/// The file that defines what a path names, seen from a module; nothing for other crates and for whole modules.
fn file_of(tree: &Tree, from: &[String], path: &[String], steps: usize) -> Option<String> {
    let whole = absolute(tree, from, path, steps)?;
    let depth = (0..=whole.len()).rev().find(|depth| tree.contains_key(&whole[..*depth]))?;
    let module = &tree[&whole[..depth]];
    let item = whole.get(depth)?;
    if item == "*" {
        return Some(module.file.clone());
    }
    match module.uses.iter().find(|one| one.name == *item) {
        // The name may also be that of the module's own item, imported under it elsewhere.
        Some(one) => file_of(tree, &whole[..depth], &one.path, steps.checked_sub(1)?),
        None => Some(module.file.clone()),
    }
}

/// A path from the root of the crate; nothing when it leads to another crate.
fn absolute(tree: &Tree, from: &[String], path: &[String], steps: usize) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let join = |base: &[String]| Some(base.iter().chain(rest).cloned().collect::<Vec<_>>());
    match first.as_str() {
        "crate" => return join(&[]),
        "self" => return absolute_after(tree, from, rest, steps),
        "super" => {
            let parent = from.split_last()?.1;
            return absolute_after(tree, parent, rest, steps);
        }
        _ => {}
    }
    let child: Vec<String> = from.iter().chain([first]).cloned().collect();
    if tree.contains_key(&child) {
        return join(&child);
    }
    let imported = tree.get(from)?.uses.iter().find(|one| one.name == *first)?;
    join(&absolute(tree, from, &imported.path, steps.checked_sub(1)?)?)
}

/// What follows `self` or `super`, which may be another `super`.
fn absolute_after(
    tree: &Tree,
    base: &[String],
    rest: &[String],
    steps: usize,
) -> Option<Vec<String>> {
    if rest.first().is_some_and(|name| name == "super") {
        return absolute(tree, base, rest, steps);
    }
    Some(base.iter().chain(rest).cloned().collect())
}

/// The paths of at least two names in code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    let mut before = ' ';
    while let Some(start) = rest.find(is_name) {
        before = rest[..start].chars().next_back().unwrap_or(before);
        let length = rest[start..]
            .char_indices()
            .find(|(at, character)| !(is_name(*character) || is_link(&rest[start..], *at)))
            .map_or(rest.len() - start, |(at, _)| at);
        let path = &rest[start..start + length];
        if path.contains("::") && !matches!(before, ':' | '.' | '\'') {
            found.push(joined(&[], path));
        }
        before = path.chars().next_back().unwrap_or(' ');
        rest = &rest[start + length..];
    }
    found
}

/// Whether the colon at a place is one of the two between names of a path.
fn is_link(text: &str, at: usize) -> bool {
    let from = |at: usize| text.get(at..).unwrap_or("");
    let before = at.checked_sub(1).map_or("", from);
    from(at).starts_with("::") || (from(at).starts_with(':') && before.starts_with("::"))
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn declarations_are_read_in_every_notation() {
    let text = "pub(in crate::a) use self::x::X;\nuse crate::{\n    b::{self, C},\n    d as e, // why\n    f::*,\n};\nfn g() { crate::h(); }\n";
    let text = text.replace(" // why", "");
    let (uses, code) = split(&text);
    let names: Vec<(bool, String, &str)> =
        uses.iter().map(|one| (one.public, one.path.join("::"), one.name.as_str())).collect();
    let expected = [
        (true, "self::x::X", "X"),
        (false, "crate::b", "b"),
        (false, "crate::b::C", "C"),
        (false, "crate::d", "e"),
        (false, "crate::f::*", "*"),
    ];
    assert_eq!(names, expected.map(|(public, path, name)| (public, path.to_owned(), name)));
    assert_eq!(code, "fn g() { crate::h(); }\n");
}

#[test]
fn imports_lead_to_the_file_that_defines_the_item() {
    let source = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let sources = [
        source("src/lib.rs", "pub mod a;\npub mod b;\n"),
        source("src/main.rs", "fn main() { one::a::run(); }"),
        source(
            "src/a/mod.rs",
            "mod x;\nmod y;\npub use self::x::X;\nuse crate::b;\nfn f() -> b::B { y::go() }\npub struct A;\n",
        ),
        source("src/a/x.rs", "pub struct X;\n#[cfg(test)]\nmod tests {\nuse crate::b::B;\n}\n"),
        source("src/a/y.rs", "use super::{A, X};\npub fn go() {}\n"),
        source("src/b.rs", "use crate::a;\nuse std::fmt;\npub struct B(a::X, fmt::Error);\n"),
        source("tests/it/c.rs", "use crate::a;"),
    ];
    let pair = |(from, to): (&str, &str)| (from.to_owned(), to.to_owned());
    let mut expected: BTreeSet<_> = [
        ("src/a/mod.rs", "src/a/y.rs"),
        ("src/a/mod.rs", "src/b.rs"),
        ("src/a/y.rs", "src/a/mod.rs"),
        ("src/a/y.rs", "src/a/x.rs"),
        ("src/b.rs", "src/a/x.rs"),
    ]
    .map(pair)
    .into();
    assert_eq!(imports(&sources, false), expected);
    expected.insert(pair(("src/a/x.rs", "src/b.rs")));
    assert_eq!(imports(&sources, true), expected);
}
