//! The Grafana dashboards and what provisions them: a lint, and the expressions for those who run them.
//!
//! Reads `config/grafana/` as it is shipped. That it is what `deploy/grafana/` generates is for `scripts/dashboards --check` to
//! say. Must not know what the panels are about.

mod asked;
mod lint;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use regex::Regex;
use serde_json::{Value, json};
use series::rule::{Rule, RuleKind, load};
use webservice_monitor::telemetry::names;

use self::lint::RULES;
use crate::{
    parts::root,
    tidy::{assert_none, read},
};

/// Metrics that Prometheus and Alertmanager themselves yield, as far as dashboards may use them.
const FOREIGN: &[&str] = &[
    "ALERTS",
    "ALERTS_FOR_STATE",
    "alertmanager_notifications_failed_total",
    "prometheus_config_last_reload_successful",
    "prometheus_notifications_dropped_total",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_sd_file_read_errors_total",
    "up",
];

/// What Grafana gets from this repository, and what it may ask for.
struct Shipped {
    /// Each dashboard by the name of its file.
    dashboards: BTreeMap<String, Value>,
    /// The provisioned data sources.
    sources: Vec<Value>,
    /// The provisioned providers of dashboards.
    providers: Vec<Value>,
    /// The names of all metrics that exist.
    metrics: BTreeSet<String>,
    /// Where alerts say that their dashboard is, by alert.
    alert_links: Vec<(String, String)>,
}

/// Every expression of the dashboards as `(dashboard, panel, expression)`, with variables replaced so that any Prometheus that
/// scrapes the exporter can answer: every target is chosen, steps are a minute and the range an hour.
///
/// Annotations and variables are among them, under their own names. A query that a panel asks for one moment may be asked over
/// a range as well.
pub(crate) fn expressions() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (file, dashboard) in &Shipped::load().dashboards {
        for query in asked::queries(dashboard) {
            found.push((file.clone(), query.title.clone(), query.for_any_target()));
        }
    }
    found
}

/// The files of a folder under `config/grafana/`, by name.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder = root().join("config/grafana").join(folder);
    fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path)))
        .collect()
}

/// The entries under `key` of all files of a provisioning folder.
fn provisioned(folder: &str, key: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (name, text) in files(&format!("provisioning/{folder}")) {
        let file: Value = yaml::parse(&text).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        assert_eq!(file["apiVersion"], json!(1), "{name}");
        found.extend(file[key].as_array().unwrap_or_else(|| panic!("{name}: {key}")).clone());
    }
    found
}

/// The shipped rules.
fn rules() -> Vec<Rule> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("config/rules")).unwrap() {
        let path = entry.unwrap().path();
        let loaded = load(&read(&path)).unwrap_or_else(|errors| panic!("{errors:?}"));
        found.extend(loaded.groups.into_iter().flat_map(|group| group.rules));
    }
    found
}

/// The names of all metrics: recorded ones, those of probes, our own, and the foreign ones.
fn metrics(rules: &[Rule]) -> BTreeSet<String> {
    let recorded = rules.iter().filter(|rule| rule.kind == RuleKind::Recording);
    let mut found: BTreeSet<String> = recorded.map(|rule| rule.name.clone()).collect();
    found.extend(FOREIGN.iter().map(|name| (*name).to_owned()));
    found.extend(names::ALL.iter().map(|metric| metric.name.to_owned()));
    // What the targets were promised.
    let promises = Regex::new("\"(probe_target_[a-z_]+)\"").unwrap();
    let flow = read(&root().join("src/ingest/promises.rs"));
    found.extend(promises.captures_iter(&flow).map(|captures| captures[1].to_owned()));
    found.extend(probe::metric::COMMON.iter().map(|metric| metric.name.to_owned()));
    for module in probe::Module::builtin().values() {
        found.extend(module.check().metrics().map(|metric| metric.name.to_owned()));
    }
    found
}

/// Where alerts say that their dashboard is.
fn alert_links(rules: &[Rule]) -> Vec<(String, String)> {
    let link =
        |rule: &Rule| Some((rule.name.clone(), rule.annotations.get("dashboard_url")?.clone()));
    rules.iter().filter_map(link).collect()
}

impl Shipped {
    fn load() -> Self {
        let parse = |(name, text): (String, String)| {
            let dashboard =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, dashboard)
        };
        let rules = rules();
        Self {
            dashboards: files("dashboards").into_iter().map(parse).collect(),
            sources: provisioned("datasources", "datasources"),
            providers: provisioned("dashboards", "providers"),
            metrics: metrics(&rules),
            alert_links: alert_links(&rules),
        }
    }

    /// Makes the first panel of the overview ask something else.
    fn ask(&mut self, expression: &str) {
        *self.at("/panels/0/targets/0/expr") = json!(expression);
    }

    /// A part of the overview, to break it.
    fn at(&mut self, pointer: &str) -> &mut Value {
        let overview = self.dashboards.get_mut("webservices.json").expect("the overview");
        overview.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
    }
}

#[test]
fn the_lint_finds_nothing() {
    let shipped = Shipped::load();
    assert_eq!(shipped.dashboards.len(), 2);
    let findings: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| {
            rule(&shipped).into_iter().map(move |found| format!("{name}: {found}"))
        })
        .collect();
    assert_none("config/grafana", &findings);
}

/// A rule of the lint and a change that it must find.
type Breakage = (&'static str, fn(&mut Shipped));

/// Each rule with the ways to break it. Panel 0 of the overview is the first number, panel 13 the table of targets.
const BREAKAGES: &[Breakage] = &[
    ("names", |shipped| *shipped.at("/uid") = json!("webservice")),
    ("names", |shipped| *shipped.at("/title") = json!("Web service")),
    ("names", |shipped| *shipped.at("/editable") = json!(false)),
    ("ids", |shipped| *shipped.at("/panels/1/id") = json!(11)),
    ("ids", |shipped| *shipped.at("/panels/1/id") = Value::Null),
    ("grid", |shipped| *shipped.at("/panels/1/gridPos/x") = json!(3)),
    ("grid", |shipped| *shipped.at("/panels/1/gridPos/w") = json!(3)),
    ("grid", |shipped| *shipped.at("/panels/5/gridPos/w") = json!(5)),
    ("grid", |shipped| *shipped.at("/panels/13/gridPos/h") = json!(12)),
    ("words", |shipped| *shipped.at("/panels/0/title") = json!("")),
    ("words", |shipped| *shipped.at("/panels/0/description") = json!("Down")),
    ("words", |shipped| *shipped.at("/panels/0/title") = json!("Up")),
    ("units", |shipped| *shipped.at("/panels/0/fieldConfig/defaults/unit") = Value::Null),
    ("units", |shipped| *shipped.at("/panels/0/fieldConfig/defaults/unit") = json!("percents")),
    ("units", |shipped| *shipped.at("/panels/13/fieldConfig/overrides") = json!([])),
    ("sources", |shipped| *shipped.at("/panels/0/datasource/uid") = json!("prometheus")),
    ("sources", |shipped| *shipped.at("/panels/0/targets/0/datasource") = Value::Null),
    ("sources", |shipped| *shipped.at("/templating/list/1/datasource/uid") = json!("long-term")),
    ("sources", |shipped| *shipped.at("/annotations/list/0/datasource/uid") = json!("x")),
    ("sources", |shipped| *shipped.at("/templating/list/0/current/value") = json!("nowhere")),
    ("references", |shipped| *shipped.at("/panels/13/targets/1/refId") = json!("A")),
    ("references", |shipped| *shipped.at("/panels/13/targets") = json!([])),
    ("variables", |shipped| shipped.ask("up{job=\"$job\"}")),
    ("variables", |shipped| *shipped.at("/links/1/url") = json!("${nobody}/alerts")),
    ("variables", |shipped| *shipped.at("/templating/list/1/name") = json!("unused")),
    ("variables", |shipped| *shipped.at("/templating/list/1/allValue") = Value::Null),
    ("links", |shipped| *shipped.at("/links/0/url") = json!("/d/nowhere/nowhere")),
    ("links", |shipped| {
        *shipped.at("/links/0/url") = json!("/d/webservice/webservice?var-target=x");
    }),
    ("links", |shipped| shipped.alert_links[0].1 = "http://localhost:3000/d/nowhere/x".to_owned()),
    ("expressions", |shipped| shipped.ask("sum(up")),
    ("expressions", |shipped| *shipped.at("/annotations/list/0/expr") = json!("ALERTS{")),
    ("metrics", |shipped| shipped.ask("up or nobody_knows_this")),
    ("metrics", |shipped| shipped.ask("{job=\"webservices\"}")),
    ("metrics", |shipped| {
        shipped.metrics.remove("target:success:ratio1h");
    }),
    ("windows", |shipped| shipped.ask("avg_over_time(probe_success[30d])")),
    ("windows", |shipped| shipped.ask("avg_over_time(target:success{job=\"webservices\"}[7d])")),
    ("windows", |shipped| shipped.ask("rate(up[5m])")),
    ("visible", |shipped| {
        *shipped.at("/panels/0/options/colorMode") = json!("value");
    }),
    ("visible", |shipped| {
        *shipped.at("/panels/13/fieldConfig/defaults/thresholds/steps/0/color") =
            json!("transparent");
    }),
    ("provisioning", |shipped| shipped.sources[0]["uid"] = json!("other")),
    ("provisioning", |shipped| shipped.sources[1]["isDefault"] = json!(true)),
    ("provisioning", |shipped| shipped.sources[1]["uid"] = json!("prometheus")),
    ("provisioning", |shipped| shipped.providers[0]["allowUiUpdates"] = json!(true)),
    ("provisioning", |shipped| shipped.providers[0]["options"]["path"] = json!("/dashboards")),
];

#[test]
fn every_rule_finds_what_it_is_for() {
    let intact = Shipped::load();
    let mut silent = Vec::new();
    for (index, (name, break_it)) in BREAKAGES.iter().enumerate() {
        let mut shipped = Shipped::load();
        break_it(&mut shipped);
        let (_, rule) = RULES.iter().find(|(rule, _)| rule == name).expect(name);
        if rule(&shipped) == rule(&intact) {
            silent.push(format!("{name} does not find breakage {index}"));
        }
    }
    let tried: BTreeSet<&str> = BREAKAGES.iter().map(|(name, _)| *name).collect();
    silent.extend(
        RULES
            .iter()
            .filter(|(name, _)| !tried.contains(name))
            .map(|(name, _)| format!("{name} is never broken")),
    );
    assert_none("rules of the lint", &silent);
}

#[test]
fn expressions_can_be_run_as_they_are() {
    let all = expressions();
    assert!(all.len() > 80, "{}", all.len());
    let with_variables: Vec<String> = all
        .iter()
        .filter(|(_, _, expression)| expression.contains('$') || expression.is_empty())
        .map(|(dashboard, panel, expression)| format!("{dashboard}: {panel}: {expression}"))
        .collect();
    assert_none("expressions with variables", &with_variables);
}
