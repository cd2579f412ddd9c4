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
use options::{FileOptions, RuleOptions};

use crate::config::{Diagnostic, Sources, diagnostic::Error};

/// The exit code of a check that failed.
const FAILED: u8 = 1;

/// The exit code of wrong use and of wrong configuration.
const MISUSED: u8 = 2;

/// The modules file that is read when it is there and no other is named.
const MODULES_FILE: &str = "config/modules.yml";

/// The port that the program listens on by default.
const PORT_DEFAULT: u16 = 9115;

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

/// The files that flags name; without file options those of the exporter, which has no targets of its own.
fn sources(files: Option<&FileOptions>, rules: Option<&RuleOptions>) -> Sources {
    let modules = files.and_then(|files| files.modules.file.clone());
    let (interval, timeout) = files.map_or_else(
        || (std::time::Duration::from_secs(15), std::time::Duration::from_secs(10)),
        |files| (files.interval, files.timeout),
    );
    Sources {
        targets: files.map(|files| files.targets.clone()).unwrap_or_default(),
        modules_required: modules.is_some(),
        modules: modules.unwrap_or_else(|| MODULES_FILE.into()),
        rules: rules.map(|rules| rules.rules.clone()).unwrap_or_default(),
        interval,
        timeout,
        // Commands that listen set their own address; the others mean a program that listens where it does by default.
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], PORT_DEFAULT)),
    }
}

/// Prints every mistake, and how many there are.
fn print_diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{}\n", Error(diagnostic));
    }
    let noun = if diagnostics.len() == 1 { "mistake" } else { "mistakes" };
    eprintln!("{} {noun} found; nothing was started", diagnostics.len());
}

/// How long work that cannot be interrupted, such as a write to a disk that hangs, may take when the program ends.
const END_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs a command that serves until it is asked to stop.
fn run_until_stopped(
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(END_TIMEOUT);
    outcome
}

/// Starts the asynchronous runtime: a few threads suffice, because probes wait most of the time.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    const WORKERS_MAX: usize = 4;
    let workers =
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(WORKERS_MAX);
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}
