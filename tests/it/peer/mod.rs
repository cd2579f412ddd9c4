//! Side by side with the peer, `blackbox_exporter`: the same modules, the same servers, and then the same numbers.
//!
//! What differs on purpose is explained in `docs/differences.md`. A difference that is not listed there fails, and so does a listed
//! one that does not happen. The rows are in `rows`, one file for each topic.

mod config;
mod exporter;
mod row;
mod rows;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use testkit::Certificates;
use tokio::{sync::Semaphore, task::JoinSet};

use self::{
    exporter::{Peer, ask, differences},
    row::Started,
    rules::{Difference, RULES},
};
use crate::{
    parts::root,
    program::Program,
    tidy::{assert_none, read},
};

/// How many rows are probed at a time.
const AT_ONCE: usize = 12;

/// The fewest rows that there may be, so that none gets lost.
const ROWS_MIN: usize = 100;

/// Files that rows name as `{files}/…`.
const FILES: &[(&str, &str)] =
    &[("user.txt", "anna\n"), ("secret.txt", "hush\n"), ("body.json", "{\"ping\": 1}\n")];

/// The keys of the table in `docs/differences.md`: the first column, in backquotes.
fn listed_keys() -> BTreeSet<String> {
    let document = read(&root().join("docs/differences.md"));
    document
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect()
}

#[test]
fn every_listed_difference_has_a_row_and_every_key_of_a_row_is_listed() {
    let mut names = BTreeSet::new();
    let mut findings = Vec::new();
    let rows = rows::all();
    for row in &rows {
        if !names.insert(row.module()) {
            findings.push(format!("two rows are called {}", row.name));
        }
    }
    let of_rows = rows.iter().flat_map(|row| &row.differs).map(|(key, _)| *key);
    let used: BTreeSet<String> =
        of_rows.chain(RULES.iter().map(|rule| rule.key)).map(str::to_owned).collect();
    let listed = listed_keys();
    findings.extend(used.difference(&listed).map(|key| format!("`{key}` is not in the document")));
    findings.extend(listed.difference(&used).map(|key| format!("`{key}` has no row")));
    assert_none("docs/differences.md", &findings);
    assert!(rows.len() >= ROWS_MIN, "{} rows are left", rows.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peer_and_we_report_the_same_but_for_what_is_listed() {
    let certificates = Certificates::new();
    for (name, text) in FILES {
        std::fs::write(certificates.file(name), text).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let mut modules = "modules:\n".to_owned();
    let mut started = Vec::new();
    let mut findings = Vec::new();
    for row in rows::all() {
        let row = row.start(&certificates).await;
        // Asked for each module by itself, because one that we refuse would take all others with it.
        match probe::parse_modules(&format!("modules:\n{}", row.yaml)) {
            Ok(_) => {
                modules.push_str(&row.yaml);
                started.push(row);
            }
            // A listed refusal.
            Err(_) if row.row.differs.iter().any(|(_, metrics)| metrics.contains(&"module")) => {}
            Err(problems) => {
                findings.push(format!("{}: we refuse {}: {problems:?}", row.row.name, row.yaml));
            }
        }
    }
    let file = directory.path().join("modules.yml");
    std::fs::write(&file, modules).unwrap();
    let Some(peer) = Peer::start(&file) else { return };
    let own = Program::start(directory.path(), false).await;

    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let exporters = [peer.address, own.address()];
    let mut comparisons = JoinSet::new();
    for row in started {
        let turns = Arc::clone(&turns);
        comparisons.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            compare(&row, exporters).await
        });
    }
    let mut explained = BTreeSet::new();
    for (found, keys) in comparisons.join_all().await {
        findings.extend(found);
        explained.extend(keys);
    }
    for rule in RULES.iter().filter(|rule| !explained.contains(rule.key)) {
        findings.push(format!("`{}` happens nowhere any more", rule.key));
    }
    own.stop().await;
    findings.sort();
    assert_none("unlisted differences, and listed ones that do not happen", &findings);
}

/// Probes a row by both exporters, one after the other, and holds what differs against what is listed. Also returns the keys
/// of what was explained.
async fn compare(
    row: &Started,
    [peer, own]: [SocketAddr; 2],
) -> (Vec<String>, BTreeSet<&'static str>) {
    let mut seen = [0, 0];
    let probe =
        |exporter| ask(exporter, row.row.module(), &row.target, row.row.query, row.row.patience);
    let (mut from_peer, _) = probe(peer).await;
    from_peer.insert("requests".to_owned(), BTreeSet::from([row.requests(&mut seen).await]));
    let (mut from_us, failure) = probe(own).await;
    from_us.insert("requests".to_owned(), BTreeSet::from([row.requests(&mut seen).await]));

    let name = row.row.name;
    let mut findings = Vec::new();
    let is_up = |answer: &exporter::Answer| answer["probe_success"].contains("1");
    if row.row.up && !(is_up(&from_peer) && is_up(&from_us)) {
        findings.push(format!("{name}: not up"));
    }
    let mut explained = BTreeSet::new();
    let mut listed: BTreeMap<&str, &str> = row
        .row
        .differs
        .iter()
        .flat_map(|(key, metrics)| metrics.iter().map(move |metric| (*metric, *key)))
        .collect();
    for (metric, (peer, own)) in differences(&from_peer, &from_us) {
        if row.row.without == Some(metric.as_str()) {
            continue;
        }
        let difference = Difference {
            metric: &metric,
            peer: &from_peer,
            own: &from_us,
            reason: (&failure.0, &failure.1),
        };
        // A rule first: what it explains must not hide behind a listed difference that is none any more.
        match RULES.iter().find(|rule| (rule.explains)(&difference)) {
            Some(rule) => {
                explained.insert(rule.key);
            }
            None if listed.remove(metric.as_str()).is_some() => {}
            None => findings.push(format!(
                "{name}: {metric}: the peer {peer}, this program {own} ({}/{})",
                failure.0, failure.1
            )),
        }
    }
    findings.extend(
        listed
            .iter()
            .map(|(metric, key)| format!("{name}: {metric}: no difference any more, but `{key}`")),
    );
    (findings, explained)
}
