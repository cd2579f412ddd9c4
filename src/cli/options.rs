//! Flags and environment variables, as a user writes them.
//!
//! The only place that reads the environment. Must not know what the values do.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alerting::Format as AlertFormat;
use clap::{Args, Parser, Subcommand};

use super::{
    alert_command::AlertCommandOptions,
    value::{duration, interval, listen_address, offset, size},
};
use crate::{
    config::MODULE_DEFAULT,
    telemetry::log::{Format as LogFormat, LogLevel},
};

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

/// Where the modules are.
#[derive(Args, Clone, Debug)]
pub struct ModuleOptions {
    /// Modules file, in the format of blackbox.yml; config/modules.yml is read when it is there
    #[arg(long = "config.file", env = "WEBSERVICE_MONITOR_CONFIG_FILE", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Where the configuration's files are.
#[derive(Args, Clone, Debug)]
pub struct FileOptions {
    /// Targets file, in the format of Prometheus's file discovery (`file_sd`); may be repeated and may be a pattern
    #[arg(
        long = "targets.file",
        env = "WEBSERVICE_MONITOR_TARGETS_FILE",
        value_name = "FILE",
        default_value = "config/targets.yml",
        value_delimiter = ','
    )]
    pub targets: Vec<String>,
    /// Where the modules are.
    #[command(flatten)]
    pub modules: ModuleOptions,
    /// How often a target is probed that does not say so itself, 4m at most
    #[arg(long = "scrape.interval", env = "WEBSERVICE_MONITOR_SCRAPE_INTERVAL", value_name = "DURATION",
        default_value = "15s", value_parser = interval)]
    pub interval: Duration,
    /// How long a probe may take when the target does not say so itself
    #[arg(long = "scrape.timeout", env = "WEBSERVICE_MONITOR_SCRAPE_TIMEOUT", value_name = "DURATION",
        default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

/// Where the rules are.
#[derive(Args, Clone, Debug)]
pub struct RuleOptions {
    /// Prometheus rule files; may be repeated and may be a pattern
    #[arg(
        long = "rules.file",
        env = "WEBSERVICE_MONITOR_RULES_FILE",
        value_name = "FILE",
        default_value = RULES,
        value_delimiter = ','
    )]
    pub rules: Vec<String>,
}

/// Where rules are unless a flag names others.
const RULES: &str = "config/rules/*.yml";

impl RuleOptions {
    /// The rules to check; `None` where the user named none and the usual folder is not there either, as beside the targets of
    /// an exporter.
    pub fn wanted(&self) -> Option<&Self> {
        let folder = Path::new(RULES).parent().is_some_and(Path::exists);
        (folder || self.rules != [RULES]).then_some(self)
    }
}

/// Where the program listens.
#[derive(Args, Clone, Debug)]
pub struct ListenOptions {
    /// Address to listen on; in containers 0.0.0.0:9115
    #[arg(long = "web.listen-address", env = "WEBSERVICE_MONITOR_WEB_LISTEN_ADDRESS", value_name = "ADDRESS",
        default_value = "127.0.0.1:9115", value_parser = listen_address)]
    pub address: SocketAddr,
}

/// How the program is reached.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    /// Where the program listens.
    #[command(flatten)]
    pub listen: ListenOptions,
    /// The URL under which the program is reached from outside, for links in alerts
    #[arg(
        long = "web.external-url",
        env = "WEBSERVICE_MONITOR_WEB_EXTERNAL_URL",
        value_name = "URL"
    )]
    pub external_url: Option<url::Url>,
}

/// How the program is reached, and what it remembers of probes.
#[derive(Args, Clone, Debug)]
pub struct WebOptions {
    /// How the program is reached.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// How many recent probes are remembered, and how many older failures
    #[arg(
        long = "history.limit",
        env = "WEBSERVICE_MONITOR_HISTORY_LIMIT",
        value_name = "COUNT",
        default_value_t = 100
    )]
    pub history_limit: usize,
    /// Seconds to subtract from the timeout of the scrape that asks for a probe
    #[arg(long = "timeout-offset", env = "WEBSERVICE_MONITOR_TIMEOUT_OFFSET", value_name = "SECONDS",
        default_value_t = 0.5, value_parser = offset)]
    pub timeout_offset: f64,
}

/// What is logged.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// From which level on lines are logged
    #[arg(
        long = "log.level",
        env = "WEBSERVICE_MONITOR_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub level: LogLevel,
    /// How lines are logged
    #[arg(
        long = "log.format",
        env = "WEBSERVICE_MONITOR_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub format: LogFormat,
    /// From which level on the outcomes of probes are logged: `debug` logs each probe
    #[arg(
        long = "log.prober",
        env = "WEBSERVICE_MONITOR_LOG_PROBER",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub prober: LogLevel,
}

/// Where samples and alerts are kept.
#[derive(Args, Clone, Debug)]
pub struct StorageOptions {
    /// Directory of the embedded store
    #[arg(
        long = "storage.path",
        env = "WEBSERVICE_MONITOR_STORAGE_PATH",
        value_name = "DIRECTORY",
        default_value = "data"
    )]
    pub path: PathBuf,
    /// How long samples are kept
    #[arg(long = "storage.retention.time", env = "WEBSERVICE_MONITOR_STORAGE_RETENTION_TIME", value_name = "DURATION",
        default_value = "90d", value_parser = duration)]
    pub retention_time: Duration,
    /// How much samples may take, in memory and again on disk; the oldest go first
    #[arg(long = "storage.retention.size", env = "WEBSERVICE_MONITOR_STORAGE_RETENTION_SIZE", value_name = "SIZE",
        default_value = "1GB", value_parser = size)]
    pub retention_bytes: u64,
    /// How far back a query or a rule looks for the latest sample of a series; longer than any interval between two probes
    #[arg(long = "query.lookback-delta", env = "WEBSERVICE_MONITOR_QUERY_LOOKBACK_DELTA", value_name = "DURATION",
        default_value = "5m", value_parser = duration)]
    pub lookback: Duration,
}

/// How alerts are written, and what is expected of an Alertmanager.
#[derive(Args, Clone, Debug)]
pub struct AlertOptions {
    /// How alerts are written
    #[arg(
        long = "alert-log.format",
        env = "WEBSERVICE_MONITOR_ALERT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "json"
    )]
    pub alert_format: AlertFormat,
    /// Print each line of the alert log to standard output as well
    #[arg(long = "alert-log.stdout", env = "WEBSERVICE_MONITOR_ALERT_LOG_STDOUT")]
    pub alert_stdout: bool,
    /// The program that is run for each alert.
    #[command(flatten)]
    pub command: AlertCommandOptions,
    /// Write an alert when no heartbeat of an Alertmanager has come for so long; without it none is expected
    #[arg(long = "heartbeat.timeout", env = "WEBSERVICE_MONITOR_HEARTBEAT_TIMEOUT", value_name = "DURATION",
        value_parser = duration)]
    pub heartbeat_timeout: Option<Duration>,
}

/// Where alerts are written.
#[derive(Args, Clone, Debug)]
pub struct AlertLogOptions {
    /// The alert log; `-` is standard output
    #[arg(
        long = "alert-log.path",
        env = "WEBSERVICE_MONITOR_ALERT_LOG_PATH",
        value_name = "FILE",
        default_value = "data/alerts.jsonl"
    )]
    pub alert_log: PathBuf,
    /// How they are written.
    #[command(flatten)]
    pub alerts: AlertOptions,
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
