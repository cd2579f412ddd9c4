//! Flags and environment variables that several commands have, in groups.
//!
//! Must not know which command has which group, nor what the values do.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alerting::Format as AlertFormat;
use clap::Args;

use super::{
    alert_command::AlertCommandOptions,
    value::{duration, interval, listen_address, offset, size},
};
use crate::telemetry::log::{Format as LogFormat, LogLevel};

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
