//! Which room may import from which: one table for the program and its crates.
//!
//! A room is a module at the root of a source folder. Must not know what is in it.

use std::collections::BTreeSet;

use crate::{
    circles::circles,
    imports::imports,
    tidy::{assert_none, files},
};

/// The rooms of one source folder, and the rooms that each may import from.
type Rooms = &'static [(&'static str, &'static [&'static str])];

/// Everything that is allowed. What is not here is not, and what is here is made use of. Among crates the same is said by their
/// manifests.
const ROOMS: &[(&str, Rooms)] = &[
    (
        "src/",
        &[
            ("clock", &[]),
            ("explain", &[]),
            ("telemetry", &["clock"]),
            ("http", &[]),
            ("config", &[]),
            ("state", &["clock", "telemetry", "config"]),
            ("schedule", &["clock", "telemetry", "config"]),
            ("ingest", &["telemetry", "config", "state", "schedule"]),
            ("webhook", &["clock", "telemetry", "http"]),
            ("exporter", &["explain", "telemetry", "http", "config", "state", "ingest"]),
            ("evaluate", &["config", "state", "schedule", "ingest"]),
            ("query", &["config", "evaluate"]),
            ("api", &["telemetry", "http", "config", "state", "evaluate"]),
            ("web", &["explain", "http", "config", "state", "query"]),
            (
                "app",
                &[
                    "clock",
                    "telemetry",
                    "http",
                    "config",
                    "state",
                    "schedule",
                    "ingest",
                    "webhook",
                    "exporter",
                    "evaluate",
                    "query",
                    "api",
                    "web",
                ],
            ),
            ("demo", &["clock"]),
            ("cli", &["clock", "explain", "telemetry", "config", "app", "demo"]),
        ],
    ),
    // Values at the ground, then the probe in progress and the network, which do not know each other, then the kinds.
    (
        "crates/probe/src/",
        &[
            ("closed_set", &[]),
            ("clocks", &[]),
            ("file", &[]),
            ("target", &[]),
            ("report", &[]),
            ("setting", &["report"]),
            ("context", &["clocks", "report"]),
            ("net", &["clocks", "file", "report", "setting"]),
            ("kind", &["file", "target", "report", "setting", "context", "net"]),
            ("kinds", &["target", "report", "setting", "context", "net", "kind"]),
            ("module", &["target", "report", "context", "net", "kinds"]),
            ("seeds", &[]),
        ],
    ),
    // Values, the traits between a store and its users, and what works with them. Unit tests of rules run on a store of their own.
    (
        "crates/series/src/",
        &[
            ("model", &[]),
            ("storage", &["model"]),
            ("store", &["model", "storage"]),
            ("promql", &["model", "storage"]),
            ("rule", &["model", "storage", "store", "promql"]),
        ],
    ),
    // The event at the ground, then what becomes of it, then where it goes.
    (
        "crates/alerting/src/",
        &[
            ("event", &[]),
            ("escape", &[]),
            ("watched", &["event"]),
            ("answer", &[]),
            ("line", &["escape", "event"]),
            ("present", &["event", "watched"]),
            ("notification_log", &["event", "line", "present"]),
            ("pipeline", &["event", "notification_log"]),
            ("destination", &["line", "notification_log"]),
            (
                "delivery",
                &["destination", "event", "line", "notification_log", "pipeline", "present"],
            ),
            ("destinations", &["delivery", "destination", "escape", "line", "notification_log"]),
            ("queue", &["answer", "delivery", "destination", "destinations", "event", "present"]),
            ("doubt", &["event"]),
            ("heartbeat", &["event"]),
            ("webhook", &["event"]),
        ],
    ),
];

#[test]
fn rooms_import_only_what_the_table_allows() {
    let all = imports(&files(&[".rs"]), false);
    for (folder, table) in ROOMS {
        assert_rooms(folder, table, &all);
    }
}

/// Holds the modules of a source folder against the table of their imports.
fn assert_rooms(folder: &str, table: &[(&str, &[&str])], all: &BTreeSet<(String, String)>) {
    let room = |path: &str| path.strip_prefix(folder)?.split(['/', '.']).next().map(str::to_owned);
    let mut rooms: BTreeSet<String> =
        files(&[".rs"]).iter().filter_map(|(path, _)| room(path)).collect();
    // The roots of the library and of the program declare and start everything.
    rooms.retain(|name| !matches!(name.as_str(), "lib" | "main"));
    let known: BTreeSet<String> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, rooms, "{folder}: the rooms in the table and those that there are");
    let allowed: BTreeSet<(String, String)> = table
        .iter()
        .flat_map(|(from, list)| list.iter().map(|to| ((*from).to_owned(), (*to).to_owned())))
        .collect();
    let around = circles(&allowed);
    assert!(around.is_empty(), "rooms must not import each other in a circle: {around:?}");
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for (from, to) in all {
        let Some(pair) = room(from).zip(room(to)) else { continue };
        if pair.0 == pair.1 || !rooms.contains(&pair.0) || !rooms.contains(&pair.1) {
            continue;
        }
        if !allowed.contains(&pair) {
            findings
                .push(format!("{from} imports {to}: `{}` must not import `{}`", pair.0, pair.1));
        }
        used.insert(pair);
    }
    assert_none("imports that the table does not allow (see ARCHITECTURE.md)", &findings);
    let unused: Vec<String> = allowed
        .difference(&used)
        .map(|(from, to)| format!("`{from}` does not import `{to}`"))
        .collect();
    assert_none("entries of the table that no import makes use of", &unused);
}
