//! The commands: the only code that prints, and the only code that reads the environment.
//!
//! Exit codes: 0 all is well, 1 something that was checked is not, 2 wrong use or a wrong configuration.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to the person at the terminal"
)]

mod alert_command;
mod alert_log;
mod check;
mod commands;
mod common;
mod demo;
mod healthcheck;
mod options;
mod serve;
mod test_rules;
mod validate;
mod value;

use std::process::ExitCode;

use commands::Command;
pub use commands::Options;
use common::{MISUSED, sources};

/// Runs one command.
pub fn run(options: Options) -> ExitCode {
    let outcome = match options.command {
        None => serve::run(options.run),
        Some(Command::Run(options)) => serve::run(options),
        Some(Command::Exporter(options)) => serve::exporter(options),
        Some(Command::Check(options)) => check::check(&options),
        Some(Command::Validate(options)) => {
            Ok(validate::validate(&sources(Some(&options.files), options.rules.wanted())))
        }
        Some(Command::TestRules(options)) => Ok(test_rules::test_rules(&options)),
        Some(Command::AlertLog(options)) => alert_log::alert_log(options),
        Some(Command::Healthcheck(options)) => healthcheck::healthcheck(&options),
        Some(Command::Demo(options)) => demo::demo(options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(MISUSED)
    })
}
