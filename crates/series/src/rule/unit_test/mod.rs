//! Unit tests of rules, in the format of promtool
//! (<https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>): series in, alerts and answers compared.
//!
//! Must not know where files are.

mod check;
mod file;
mod values;

use std::fmt;

use notation::{Diagnostic, duration::format_prometheus};

use self::file::{Input, Test};
use super::GroupState;
use crate::{Appender as _, Labels, Timestamp, store::Store};

/// What the tests of a file came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many expectations were compared.
    pub checks: usize,
    /// What was not as expected: texts of several lines, indented as promtool does.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(formatter, "  SUCCESS ({} checks)\n", self.checks);
        }
        writeln!(formatter, "  FAILED ({} of {} checks):", self.failures.len(), self.checks)?;
        for failure in &self.failures {
            writeln!(formatter, "{failure}\n")?;
        }
        Ok(())
    }
}

/// Runs the tests of a file. `load_rule_file` gives the text of a rule file by the name that `rule_files` has for it.
///
/// As in promtool, every group is evaluated at every step of `evaluation_interval`, whatever its own interval is, in the order
/// of `group_eval_order`; groups that it does not name go with its first.
///
/// # Errors
/// Every mistake in the file, and those in the rule files at the place that names the file.
pub fn run(
    test_text: &str,
    load_rule_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Report, Vec<Diagnostic>> {
    let input = file::parse(test_text, load_rule_file)?;
    let mut report = Report::default();
    for test in &input.tests {
        run_test(&input, test, &mut report);
    }
    Ok(report)
}

fn run_test(input: &Input, test: &Test, report: &mut Report) {
    let store = Store::in_memory();
    let mut groups: Vec<GroupState> = input.groups.iter().cloned().map(GroupState::new).collect();
    let end = test.end();
    let mut loaded = 0;
    let mut at: Timestamp = 0;
    while at <= end {
        if let Err(message) = load(&store, test, &mut loaded, at) {
            report.failures.push(message);
            return;
        }
        let mut failed = false;
        for group in &mut groups {
            for error in group.evaluate(&store, at, &test.external).errors {
                failed = true;
                report.failures.push(format!(
                    "{}    rule: {}, time: {}, err: {}",
                    test.title(),
                    error.rule,
                    format_prometheus(at),
                    error.message
                ));
            }
        }
        if failed {
            return;
        }
        let next = at.saturating_add(input.evaluation_interval_ms);
        for case in test.alerts.iter().filter(|case| (at..next).contains(&case.eval_time_ms)) {
            report.checks += 1;
            report.failures.extend(check::alerts(test, case, &groups));
        }
        at = next;
    }
    for case in &test.expressions {
        report.checks += 1;
        report.failures.extend(check::expression(test, case, &store, input.fuzzy));
    }
}

/// Appends the input up to and including the time `until`, step by step as time passes.
fn load(store: &Store, test: &Test, loaded: &mut usize, until: Timestamp) -> Result<(), String> {
    loop {
        let time = i64::try_from(*loaded).unwrap_or(i64::MAX).saturating_mul(test.interval_ms);
        if time > until || *loaded >= test.steps() {
            return Ok(());
        }
        let samples: Vec<(Labels, f64)> = test
            .series
            .iter()
            .filter_map(|series| {
                let value = series.values.get(*loaded).copied().flatten()?;
                Some((series.labels.clone(), value))
            })
            .collect();
        store.append(time, &samples).map_err(|error| error.to_string())?;
        *loaded += 1;
    }
}
