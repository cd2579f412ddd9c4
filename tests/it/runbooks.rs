//! The runbooks, the rules and the rules' unit tests belong together: no alert without its page, its links and its scenarios.
//!
//! Must not know how rules are evaluated, nor how a page is drawn.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use series::{
    promql::Query,
    rule::{RuleKind, load},
};
use webservice_monitor::telemetry::names;

use crate::{
    parts::root,
    tidy::{assert_none, files, read},
};

/// The alert that no rule knows: the receiver of the alert log writes it when it hears nothing more.
const OWN: &str = "WebserviceMonitorHeartbeatMissing";

/// What every runbook has, in this order.
const SECTIONS: [&str; 4] = ["What it means", "What to look at", "What to do", "Silence or tune"];

/// The names of the shipped alerts, each with the annotations of its rules.
fn alerts() -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut alerts: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (path, text) in files(&[".rules.yml"]) {
        if !path.starts_with("config/rules/") {
            continue;
        }
        for rule in load(&text).unwrap().groups.into_iter().flat_map(|group| group.rules) {
            if matches!(rule.kind, RuleKind::Alerting { .. }) {
                alerts.entry(rule.name).or_default().push(rule.annotations);
            }
        }
    }
    assert!(alerts.len() > 20, "the rules were not found");
    alerts
}

/// The runbooks: each alert's name and the text of its page.
fn runbooks() -> BTreeMap<String, String> {
    let pages = files(&[".md"]).into_iter().filter_map(|(path, text)| {
        let name = path.strip_prefix("docs/runbooks/")?.strip_suffix(".md")?;
        (name != "README").then(|| (name.to_owned(), text))
    });
    pages.collect()
}

/// The lines of the fenced blocks of one language.
fn lines_in(text: &str, language: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim().strip_prefix("```") {
            Some(begin) => inside = begin == language,
            None if inside => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let expected: BTreeSet<String> = alerts().into_keys().chain([OWN.to_owned()]).collect();
    let runbooks = runbooks();
    let named: BTreeSet<String> = runbooks.keys().cloned().collect();
    assert_eq!(named, expected);
    let index = read(&root().join("docs/runbooks/README.md"));
    let mut findings = Vec::new();
    for (name, text) in &runbooks {
        if !index.contains(&format!("| [{name}]({name}.md) |")) {
            findings.push(format!("{name} is not in the index"));
        }
        if !text.starts_with(&format!("# {name}\n")) {
            findings.push(format!("{name} does not begin with its name"));
        }
        let headings: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        if headings != SECTIONS {
            findings.push(format!("{name} has the sections {headings:?}"));
        }
    }
    assert_none("runbooks", &findings);
}

#[test]
fn every_alert_says_what_it_is_and_leads_to_its_runbook_and_a_dashboard() {
    let mut findings = Vec::new();
    for (name, rules) in alerts() {
        for annotations in rules {
            let text = |key: &str| annotations.get(key).map_or("", String::as_str);
            if !text("runbook_url").ends_with(&format!("/runbooks/{name}")) {
                findings.push(format!("{name}: its runbook is {:?}", text("runbook_url")));
            }
            if !text("runbook_url").starts_with("{{ $externalLabels.monitor_url }}/") {
                findings.push(format!("{name}: its runbook is somewhere else"));
            }
            if !text("dashboard_url").starts_with("{{ $externalLabels.dashboard_url }}/d/") {
                findings.push(format!("{name}: its dashboard is {:?}", text("dashboard_url")));
            }
            findings.extend(
                ["summary", "description"]
                    .iter()
                    .filter(|key| text(key).is_empty())
                    .map(|key| format!("{name} has no {key}")),
            );
        }
    }
    assert_none("annotations", &findings);
}

#[test]
fn queries_of_runbooks_parse_and_name_what_exists() {
    let metric = Regex::new(
        r"\b(?:probe|webservice_monitor|process)_[a-z0-9_]+|\b[a-z]+:[a-z0-9_]+:?[a-z0-9_]*",
    )
    .unwrap();
    let mut known: BTreeSet<String> = names::ALL.iter().map(|own| own.name.to_owned()).collect();
    let literal = Regex::new("\"(probe_[a-z0-9_]+)\"").unwrap();
    // What probes find, and what the targets were promised.
    for file in ["crates/probe/src/report/metric.rs", "src/ingest/promises.rs"] {
        let source = read(&root().join(file));
        known.extend(literal.captures_iter(&source).map(|found| found[1].to_owned()));
    }
    for (path, text) in files(&[".rules.yml"]) {
        if path.starts_with("config/rules/") {
            known.extend(load(&text).unwrap().groups.into_iter().flat_map(|group| {
                group.rules.into_iter().map(|rule| rule.name).collect::<Vec<_>>()
            }));
        }
    }
    let quoted = Regex::new("\"[^\"]*\"").unwrap();
    let mut findings = Vec::new();
    for (name, text) in runbooks() {
        for query in lines_in(&text, "promql") {
            if let Err(error) = Query::parse(&query) {
                findings.push(format!("{name}: {query}: {error}"));
            }
            for found in metric.find_iter(&quoted.replace_all(&query, "\"\"")) {
                if !known.contains(found.as_str()) {
                    findings.push(format!("{name}: {} does not exist", found.as_str()));
                }
            }
        }
    }
    assert_none("queries", &findings);
}

/// What the unit tests of the rules say of an alert.
#[derive(Default)]
struct Tested {
    /// At some time it fires.
    fires: bool,
    /// At another time it does not.
    stays: bool,
}

#[test]
fn every_alert_is_seen_to_fire_and_to_stay_away() {
    let mut tested: BTreeMap<String, Tested> =
        alerts().into_keys().map(|name| (name, Tested::default())).collect();
    for (path, text) in files(&["_test.yml"]) {
        if !path.starts_with("config/rules_test/") {
            continue;
        }
        let file: Value =
            yaml::parse(&text).unwrap_or_else(|problems| panic!("{path}: {problems:?}"));
        for test in list(&file["tests"]) {
            for check in list(&test["alert_rule_test"]) {
                let name = check["alertname"].as_str().unwrap();
                let tested = tested.get_mut(name).unwrap_or_else(|| panic!("{path}: {name}"));
                let fires = !list(&check["exp_alerts"]).is_empty();
                tested.fires |= fires;
                tested.stays |= !fires;
            }
            for check in list(&test["promql_expr_test"]) {
                look_at(check, &mut tested);
            }
        }
    }
    let mut findings = Vec::new();
    for (name, tested) in tested {
        if !tested.fires {
            findings.push(format!("{name} never fires"));
        }
        // The heartbeat always does.
        if !tested.stays && name != "Watchdog" {
            findings.push(format!("nothing tests when {name} does not fire"));
        }
    }
    assert_none("alerts in the unit tests of the rules", &findings);
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A query of the series ALERTS says of each alert that its matchers let through whether it is expected.
fn look_at(check: &Value, tested: &mut BTreeMap<String, Tested>) {
    let query = check["expr"].as_str().unwrap();
    if !query.contains("ALERTS{") {
        return;
    }
    let labels: Vec<&str> =
        list(&check["exp_samples"]).iter().filter_map(|sample| sample["labels"].as_str()).collect();
    // A query about one alert need not keep its name.
    let only = Regex::new("^[^{]*ALERTS\\{alertname=\"([^\"]*)\"[^{]*$").unwrap();
    let only = only.captures(query).map(|found| found[1].to_owned());
    let named = |name: &str| {
        let named = format!("alertname=\"{name}\"");
        labels.iter().any(|labels| labels.contains(&named) || only.as_deref() == Some(name))
    };
    // Where the names are summed away, an expected number says nothing of each.
    let names_all = labels.iter().all(|labels| labels.contains("alertname="));
    for (name, tested) in tested {
        tested.fires |= named(name);
        tested.stays |= names_all && !named(name) && lets_through(query, name);
    }
}

/// Whether the matchers of a query's label `alertname` let a name through; one without any says nothing.
fn lets_through(query: &str, name: &str) -> bool {
    let matcher = Regex::new("alertname(=~|!~|!=|=)\"([^\"]*)\"").unwrap();
    let mut found = matcher.captures_iter(query).peekable();
    found.peek().is_some()
        && found.all(|found| {
            let matches = || Regex::new(&format!("^(?:{})$", &found[2])).unwrap().is_match(name);
            match &found[1] {
                "=" => &found[2] == name,
                "!=" => &found[2] != name,
                "=~" => matches(),
                _ => !matches(),
            }
        })
}

#[test]
fn matchers_are_understood() {
    for (query, name, expected) in [
        ("ALERTS{alertname=\"A\"}", "A", true),
        ("ALERTS{alertname=\"A\"}", "B", false),
        ("ALERTS{alertname!=\"A\",alertstate=\"firing\"}", "B", true),
        ("ALERTS{alertname=~\"A|B\"}", "AB", false),
        ("ALERTS{alertname!~\"A.*\"}", "B", true),
        ("ALERTS{alertname!=\"A\",alertname=~\"B.*\"}", "BA", true),
        ("ALERTS{alertstate=\"firing\"}", "A", false),
    ] {
        assert_eq!(lets_through(query, name), expected, "{query} {name}");
    }
}
