//! The rules that dashboards keep, each a function from everything shipped to findings.
//!
//! Must not know single panels.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};

use super::{
    Shipped,
    asked::{list, panels, queries, text},
};

/// A rule: everything shipped in, findings out.
type Rule = fn(&Shipped) -> Vec<String>;

/// The rules by name.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("names", names),
    ("ids", ids),
    ("grid", grid),
    ("words", words),
    ("units", units),
    ("sources", sources),
    ("references", references),
    ("variables", variables),
    ("links", links),
    ("expressions", expressions),
    ("metrics", metrics),
    ("windows", windows),
    ("visible", visible),
    ("provisioning", provisioning),
];

/// Grafana's grid is so wide.
const COLUMNS: u64 = 24;

/// Where the dashboards are in the container, see compose.yaml.
const FOLDER: &str = "/var/lib/grafana/dashboards";

/// The units in use, by Grafana's names; a misspelt one would be shown behind the number.
const UNITS: &[&str] =
    &["bytes", "cps", "dateTimeAsIso", "dateTimeFromNow", "none", "percentunit", "s"];

/// The value of the data source variable.
const SOURCE: &str = "${datasource}";

/// What a rule finds in one dashboard, with its name in front.
fn each(shipped: &Shipped, find: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    let named = |(file, dashboard): (&String, &Value)| {
        let findings = find(dashboard);
        findings.into_iter().map(|found| format!("{file}: {found}")).collect::<Vec<_>>()
    };
    shipped.dashboards.iter().flat_map(named).collect()
}

/// The same for single panels.
fn each_panel(shipped: &Shipped, find: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    each(shipped, |dashboard| {
        let named = |panel: &&Value| {
            let findings = find(panel);
            let title = text(panel, "/title").to_owned();
            findings.into_iter().map(move |found| format!("{title}: {found}")).collect::<Vec<_>>()
        };
        panels(dashboard).iter().flat_map(named).collect()
    })
}

/// What occurs more than once.
fn repeated<T: Ord + Clone>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_insert(0) += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(one, _)| one).collect()
}

/// Uids and titles are unique, files are named after uids, and the dashboards are set up alike.
fn names(shipped: &Shipped) -> Vec<String> {
    let mut findings = Vec::new();
    for key in ["/uid", "/title"] {
        let all = shipped.dashboards.values().map(|dashboard| text(dashboard, key));
        findings
            .extend(repeated(all).into_iter().map(|twice| format!("{key} {twice} is there twice")));
    }
    for (file, dashboard) in &shipped.dashboards {
        if *file != format!("{}.json", text(dashboard, "/uid")) {
            findings.push(format!("{file} is not named after its uid"));
        }
        let settings = [
            ("/editable", json!(true)),
            ("/refresh", json!("30s")),
            ("/time", json!({ "from": "now-24h", "to": "now" })),
            ("/tags", json!(["webservice-monitor"])),
            ("/schemaVersion", json!(42)),
        ];
        let wrong = settings.iter().filter(|(key, value)| dashboard.pointer(key) != Some(value));
        findings.extend(wrong.map(|(key, value)| format!("{file}: {key} is not {value}")));
    }
    findings
}

/// Panels, rows included, have ids, each its own.
fn ids(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let all: Vec<Option<u64>> =
            list(dashboard, "/panels").iter().map(|panel| panel["id"].as_u64()).collect();
        let twice =
            repeated(all.iter().copied()).into_iter().map(|id| format!("id {id:?} is there twice"));
        let missing =
            all.iter().filter(|id| id.is_none()).map(|_| "a panel without an id".to_owned());
        twice.chain(missing).collect()
    })
}

/// Panels neither overlap nor leave a gap.
fn grid(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
        let mut findings = Vec::new();
        let mut bottom = 0;
        for panel in list(dashboard, "/panels") {
            let title = text(panel, "/title");
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap_or(0);
            let (left, top, width, height) = (side("x"), side("y"), side("w"), side("h"));
            if width == 0 || height == 0 || left + width > COLUMNS {
                findings.push(format!("{title} does not fit into {COLUMNS} columns"));
            }
            bottom = bottom.max(top + height);
            let cells = (top..top + height).flat_map(|y| (left..left + width).map(move |x| (y, x)));
            let covered: BTreeSet<&str> =
                cells.filter_map(|cell| taken.insert(cell, title)).collect();
            findings.extend(covered.iter().map(|other| format!("{title} lies on {other}")));
        }
        let gap = (0..bottom).find(|y| (0..COLUMNS).any(|x| !taken.contains_key(&(*y, x))));
        findings.extend(gap.map(|y| format!("a gap in line {y}")));
        findings
    })
}

/// Panels have a title, each its own, and a description in sentences.
fn words(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let all = panels(dashboard);
        let mut findings: Vec<String> = repeated(all.iter().map(|panel| text(panel, "/title")))
            .into_iter()
            .map(|twice| format!("two panels are called {twice}"))
            .collect();
        for panel in all {
            let title = text(panel, "/title");
            if title.is_empty() {
                findings.push(format!("panel {} has no title", panel["id"]));
            }
            if !text(panel, "/description").ends_with('.') {
                findings.push(format!("{title} has no description in sentences"));
            }
        }
        findings
    })
}

/// Values have a unit: those of a panel, and those of each column of a table.
fn units(shipped: &Shipped) -> Vec<String> {
    let known = |unit: &str| UNITS.contains(&unit) || unit.starts_with("suffix:");
    each_panel(shipped, |panel| {
        let mut findings = Vec::new();
        let unit = text(panel, "/fieldConfig/defaults/unit");
        if !known(unit) {
            findings.push(format!("unit {unit:?}"));
        }
        let renamed = panel.pointer("/transformations").into_iter().flat_map(|all| list(all, ""));
        let columns =
            renamed.filter_map(|one| one.pointer("/options/renameByName")?.as_object()).flatten();
        for (_, column) in columns.filter(|(source, _)| source.starts_with("Value")) {
            let overrides = list(panel, "/fieldConfig/overrides").iter();
            let own = overrides.filter(|one| one["matcher"]["options"] == *column);
            let unit = own
                .flat_map(|one| list(one, "/properties"))
                .find(|property| property["id"] == "unit")
                .map_or("", |property| text(property, "/value"));
            if !known(unit) {
                findings.push(format!("column {column}: unit {unit:?}"));
            }
        }
        findings
    })
}

/// Everything that asks something asks the chosen data source, and the one chosen at first exists.
fn sources(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let mut asking: Vec<(&str, &Value)> = Vec::new();
        for panel in panels(dashboard) {
            asking.push((text(panel, "/title"), panel));
            asking.extend(
                list(panel, "/targets").iter().map(|target| (text(panel, "/title"), target)),
            );
        }
        let variables = list(dashboard, "/templating/list");
        let queried = variables.iter().filter(|variable| variable["type"] == "query");
        asking.extend(queried.map(|variable| (text(variable, "/name"), variable)));
        asking.extend(
            list(dashboard, "/annotations/list").iter().map(|one| (text(one, "/name"), one)),
        );
        let mut findings: Vec<String> = asking
            .iter()
            .filter(|(_, one)| one["datasource"] != json!({ "type": "prometheus", "uid": SOURCE }))
            .map(|(title, _)| format!("{title} does not ask {SOURCE}"))
            .collect();
        let chooser = variables.iter().find(|variable| variable["type"] == "datasource");
        let first = chooser.map_or("", |variable| text(variable, "/current/value"));
        if !shipped.sources.iter().any(|source| source["uid"] == first) {
            findings.push(format!("the data source chosen at first is {first:?}"));
        }
        findings
    })
}

/// A panel asks something, and its queries have names of their own.
fn references(shipped: &Shipped) -> Vec<String> {
    each_panel(shipped, |panel| {
        let all = list(panel, "/targets").iter().map(|target| text(target, "/refId"));
        let mut findings: Vec<String> = repeated(all)
            .into_iter()
            .map(|twice| format!("two queries are called {twice}"))
            .collect();
        if list(panel, "/targets").is_empty() {
            findings.push("asks nothing".to_owned());
        }
        findings
    })
}

/// Each variable that is used is defined, each that is defined is used, and "All" includes targets without the label.
fn variables(shipped: &Shipped) -> Vec<String> {
    // Grafana's own begin with two underscores.
    let reference = Regex::new(r"\$\{?([a-z][A-Za-z_]*)").unwrap();
    each(shipped, |dashboard| {
        let defined = list(dashboard, "/templating/list");
        let names: BTreeSet<&str> =
            defined.iter().map(|variable| text(variable, "/name")).collect();
        let mut rest = dashboard.clone();
        rest["templating"] = Value::Null;
        let mut used: BTreeSet<String> = BTreeSet::new();
        // A variable uses others, not itself.
        let texts = std::iter::once(("", rest.to_string()))
            .chain(defined.iter().map(|variable| (text(variable, "/name"), variable.to_string())));
        for (own, text) in texts {
            let all = reference.captures_iter(&text).map(|found| found[1].to_owned());
            used.extend(all.filter(|name| name != own));
        }
        let mut findings: Vec<String> = used
            .iter()
            .filter(|name| !names.contains(name.as_str()))
            .map(|name| format!("variable {name} is not defined"))
            .collect();
        findings.extend(
            names
                .iter()
                .filter(|name| !used.contains(**name))
                .map(|name| format!("variable {name} is not used")),
        );
        let narrow =
            defined.iter().filter(|one| one["includeAll"] == true && one["allValue"] != ".*");
        findings
            .extend(narrow.map(|one| format!("All of variable {} is not all", text(one, "/name"))));
        findings
    })
}

/// Links to dashboards, those of alerts included, lead to those that exist, and set variables that they have.
fn links(shipped: &Shipped) -> Vec<String> {
    let link = Regex::new(r#"/d/([a-z-]+)/([a-z-]+)(\?[^"]*)?""#).unwrap();
    let setting = Regex::new(r"var-([a-z_]+)=").unwrap();
    let dashboards =
        shipped.dashboards.iter().map(|(file, dashboard)| (file.as_str(), dashboard.to_string()));
    let alerts =
        shipped.alert_links.iter().map(|(alert, url)| (alert.as_str(), format!("{url}\"")));
    let mut findings = Vec::new();
    for (place, text) in dashboards.chain(alerts) {
        for found in link.captures_iter(&text) {
            let Some(target) = shipped.dashboards.values().find(|other| other["uid"] == found[1])
            else {
                findings.push(format!("{place}: a link to {}", &found[1]));
                continue;
            };
            let query = found.get(3).map_or("", |query| query.as_str());
            for variable in setting.captures_iter(query) {
                if !list(target, "/templating/list").iter().any(|one| one["name"] == variable[1]) {
                    findings
                        .push(format!("{place}: a link sets {} of {}", &variable[1], &found[1]));
                }
            }
        }
    }
    findings
}

/// Every expression can be parsed and evaluated.
fn expressions(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let wrong = |query: &super::asked::Asked| {
            query.metrics().err().map(|error| format!("{}: {error}", query.title))
        };
        queries(dashboard).iter().filter_map(wrong).collect()
    })
}

/// Every metric in an expression exists.
fn metrics(shipped: &Shipped) -> Vec<String> {
    each(shipped, |dashboard| {
        let unknown = |query: &super::asked::Asked| {
            let names = query.metrics().unwrap_or_default().into_iter();
            let title = query.title.clone();
            names
                .filter(|name| !shipped.metrics.contains(name))
                .map(move |name| format!("{title}: {name}"))
                .collect::<Vec<_>>()
        };
        queries(dashboard).iter().flat_map(unknown).collect()
    })
}

/// Rates follow the step of the graph, and nothing reads more than a day of samples: that is what the series are for that have one
/// an hour.
fn windows(shipped: &Shipped) -> Vec<String> {
    let rate = Regex::new(r"\b(?:rate|increase|irate)\([^\[]*\[([^\]]+)\]").unwrap();
    let window = Regex::new(r"(?:([a-z0-9_:]+)(?:\{[^}]*\})?)?\[([0-9]+)([smhdwy])").unwrap();
    each(shipped, |dashboard| {
        let mut findings = Vec::new();
        for query in queries(dashboard) {
            let fixed = rate
                .captures_iter(&query.expression)
                .filter(|found| &found[1] != "$__rate_interval");
            findings
                .extend(fixed.map(|found| format!("{}: a rate over {}", query.title, &found[1])));
            let long = window.captures_iter(&query.expression).filter(|found| {
                let hourly = found.get(1).is_some_and(|name| name.as_str().ends_with(":ratio1h"));
                let number: u64 = found[2].parse().unwrap_or(u64::MAX);
                !hourly && matches!((number, &found[3]), (_, "w" | "y") | (2.., "d") | (25.., "h"))
            });
            findings.extend(
                long.map(|found| {
                    format!("{}: a window of {}{}", query.title, &found[2], &found[3])
                }),
            );
        }
        findings
    })
}

/// Text that takes its colour from thresholds has one: `transparent` is for backgrounds.
fn visible(shipped: &Shipped) -> Vec<String> {
    each_panel(shipped, |panel| {
        let colours_text = match text(panel, "/type") {
            "stat" => text(panel, "/options/colorMode") == "value",
            kind => kind == "table",
        };
        let base = text(panel, "/fieldConfig/defaults/thresholds/steps/0/color");
        if colours_text && base == "transparent" {
            vec!["text without a colour".to_owned()]
        } else {
            Vec::new()
        }
    })
}

/// The data sources that dashboards and alerts rely on are there, and the dashboards are found and stay as they are shipped.
fn provisioning(shipped: &Shipped) -> Vec<String> {
    let mut findings = Vec::new();
    let uids: Vec<&str> = shipped.sources.iter().map(|source| text(source, "/uid")).collect();
    if uids != ["prometheus", "long-term"] {
        findings.push(format!("data sources {uids:?}"));
    }
    for source in &shipped.sources {
        let uid = text(source, "/uid");
        if source["type"] != "prometheus" || !text(source, "/url").starts_with("http://") {
            findings.push(format!("data source {uid} is not a Prometheus"));
        }
        if source["isDefault"] != json!(uid == "prometheus") {
            findings.push(format!("data source {uid}: isDefault"));
        }
    }
    for provider in &shipped.providers {
        if provider["allowUiUpdates"] != false || provider["options"]["path"] != FOLDER {
            findings.push(format!("provider {}", text(provider, "/name")));
        }
    }
    if shipped.providers.len() != 1 {
        findings.push(format!("{} providers", shipped.providers.len()));
    }
    findings
}
