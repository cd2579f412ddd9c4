//! The flags of the program that is run for each alert.
//!
//! Must not know how it is run.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use alerting::CommandSettings;
use clap::Args;

use super::value::duration;

/// The program that is run for each alert.
#[derive(Args, Clone, Debug)]
pub struct AlertCommandOptions {
    /// Program to run for each line of the alert log, without a shell, with the line on its standard input
    #[arg(
        id = "command_program",
        long = "alert-command.program",
        env = "WEBSERVICE_MONITOR_ALERT_COMMAND_PROGRAM",
        value_name = "FILE"
    )]
    pub program: Option<PathBuf>,
    /// Argument of that program; may be repeated
    #[arg(
        id = "command_argument",
        long = "alert-command.argument",
        env = "WEBSERVICE_MONITOR_ALERT_COMMAND_ARGUMENT",
        value_name = "TEXT",
        allow_hyphen_values = true,
        requires = "command_program"
    )]
    pub arguments: Vec<OsString>,
    /// How long that program may take; then it is ended with all that it started
    #[arg(id = "command_timeout", long = "alert-command.timeout",
        env = "WEBSERVICE_MONITOR_ALERT_COMMAND_TIMEOUT", value_name = "DURATION",
        default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

impl AlertCommandOptions {
    /// The program, where one is named.
    pub fn settings(&self) -> Option<CommandSettings> {
        Some(CommandSettings {
            program: self.program.clone()?,
            arguments: self.arguments.clone(),
            timeout: self.timeout,
        })
    }
}
