//! The commands and the flags of each, as a user writes them.
//!
//! Must not know what a command does, nor the flags that several share beyond their groups.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::options::{
    AlertLogOptions, AlertOptions, FileOptions, ListenOptions, LogOptions, ModuleOptions,
    RuleOptions, ServeOptions, StorageOptions, WebOptions,
};
use crate::config::MODULE_DEFAULT;

/// Health monitor for flaky web services. Without a command it runs everything: probes, store, rules, alert log, pages.
#[derive(Debug, Parser)]
#[command(
    name = "webservice-monitor",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 110
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`, which is the default command.
    #[command(flatten)]
    pub run: RunOptions,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Probe the targets, keep the series, evaluate the rules, write the alert log, serve the pages (the default)
    Run(RunOptions),
    /// Serve the multi-target exporter for a Prometheus: /probe?target=…&module=…
    Exporter(ExporterOptions),
    /// Probe once, from the terminal: all targets, or the URLs given. Exit code 0: all up, 1: some down, 2: usage
    Check(CheckOptions),
    /// Check the targets, modules and rules files; print every mistake with its place
    Validate(ValidateOptions),
    /// Run unit tests of rules, in the format of promtool
    TestRules(TestRulesOptions),
    /// Write the alerts that an Alertmanager reports into the alert log: the receiver of its webhook
    AlertLog(AlertLogCommandOptions),
    /// Ask a running program whether it is healthy; exit code 0: it is, 1: it is not. For containers, which have no curl
    Healthcheck(HealthcheckOptions),
    /// Run against bundled services, of which one is flaky, one dies and recovers, one has an expiring certificate
    Demo(DemoOptions),
}

/// `run`.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// Where the configuration's files are.
    #[command(flatten)]
    pub files: FileOptions,
    /// Where the rules are.
    #[command(flatten)]
    pub rules: RuleOptions,
    /// Where samples and alerts are kept.
    #[command(flatten)]
    pub storage: StorageOptions,
    /// Where alerts are written.
    #[command(flatten)]
    pub alert_log: AlertLogOptions,
    /// How the program is reached.
    #[command(flatten)]
    pub web: WebOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
    /// Only check the configuration and exit
    #[arg(long = "config.check")]
    pub config_check: bool,
}

/// `exporter`.
#[derive(Args, Clone, Debug)]
pub struct ExporterOptions {
    /// Where the modules are.
    #[command(flatten)]
    pub modules: ModuleOptions,
    /// Targets file to serve to Prometheus at `/sd` (HTTP service discovery); may be repeated and may be a pattern
    #[arg(
        long = "targets.file",
        env = "WEBSERVICE_MONITOR_TARGETS_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub targets: Vec<String>,
    /// Alert log for what an Alertmanager sends to /api/v1/alertmanager; `-` is standard output
    #[arg(long = "alert-log.path", env = "WEBSERVICE_MONITOR_ALERT_LOG_PATH", value_name = "FILE")]
    pub alert_log: Option<PathBuf>,
    /// How alerts are written.
    #[command(flatten)]
    pub alerts: AlertOptions,
    /// How the program is reached.
    #[command(flatten)]
    pub web: WebOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
    /// Only check the configuration and exit
    #[arg(long = "config.check")]
    pub config_check: bool,
}

/// `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckOptions {
    /// What to probe; without any, the targets of the targets file
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
    /// The module for the URLs given
    #[arg(long, value_name = "MODULE", default_value = MODULE_DEFAULT)]
    pub module: String,
    /// How to print the results
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: CheckOutput,
    /// Also print what each probe did and saw: its requests and answers, secrets hidden
    #[arg(long, short)]
    pub verbose: bool,
    /// Where the configuration's files are.
    #[command(flatten)]
    pub files: FileOptions,
    /// Where the program listens that a target such as /-/healthy means.
    #[command(flatten)]
    pub listen: ListenOptions,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckOutput {
    /// A table, with colour on a terminal.
    Table,
    /// One JSON document.
    Json,
}

/// `validate`.
#[derive(Args, Clone, Debug)]
pub struct ValidateOptions {
    /// Where the configuration's files are.
    #[command(flatten)]
    pub files: FileOptions,
    /// Where the rules are.
    #[command(flatten)]
    pub rules: RuleOptions,
}

/// `test-rules`.
#[derive(Args, Clone, Debug)]
pub struct TestRulesOptions {
    /// Files with unit tests
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `alert-log`.
#[derive(Args, Clone, Debug)]
pub struct AlertLogCommandOptions {
    /// Where alerts are written.
    #[command(flatten)]
    pub alert_log: AlertLogOptions,
    /// Targets file: an alert about a target that is not in it is over because it is no longer watched; may be repeated and may be
    /// a pattern
    #[arg(
        long = "targets.file",
        env = "WEBSERVICE_MONITOR_TARGETS_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub targets: Vec<String>,
    /// Prometheus rule files: an alert whose name is in none is over because its rule was removed; may be repeated and may be a
    /// pattern
    #[arg(
        long = "rules.file",
        env = "WEBSERVICE_MONITOR_RULES_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub rules: Vec<String>,
    /// Where the modules are that targets name.
    #[command(flatten)]
    pub modules: ModuleOptions,
    /// How the program is reached.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
}

/// `healthcheck`.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckOptions {
    /// What to ask; by default /-/healthy at the address that the program listens on
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// Where the program listens.
    #[command(flatten)]
    pub listen: ListenOptions,
}

/// `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoOptions {
    /// Where the demo keeps its files; a new directory by default
    #[arg(long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// How the program is reached.
    #[command(flatten)]
    pub web: WebOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Options::command().debug_assert();
    }
}
