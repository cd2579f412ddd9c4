//! What several commands share: exit codes, the files that flags name, printed mistakes, the runtime.
//!
//! Must not know which commands there are.

use std::{net::SocketAddr, num::NonZero, process::ExitCode, thread, time::Duration};

use super::options::{FileOptions, RuleOptions};
use crate::config::{Diagnostic, Sources, diagnostic::Error};

/// The exit code of a check that failed.
pub(super) const FAILED: u8 = 1;

/// The exit code of wrong use and of wrong configuration.
pub(super) const MISUSED: u8 = 2;

/// The modules file that is read when it is there and no other is named.
pub(super) const MODULES_FILE: &str = "config/modules.yml";

/// The port that the program listens on by default.
pub(super) const PORT_DEFAULT: u16 = 9115;

/// The files that flags name; without file options those of the exporter, which has no targets of its own.
pub(super) fn sources(files: Option<&FileOptions>, rules: Option<&RuleOptions>) -> Sources {
    let modules = files.and_then(|files| files.modules.file.clone());
    let (interval, timeout) = files.map_or_else(
        || (Duration::from_secs(15), Duration::from_secs(10)),
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
        listen: SocketAddr::from(([127, 0, 0, 1], PORT_DEFAULT)),
    }
}

/// Prints every mistake, and how many there are.
pub(super) fn print_diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        eprintln!("{}\n", Error(diagnostic));
    }
    let noun = if diagnostics.len() == 1 { "mistake" } else { "mistakes" };
    eprintln!("{} {noun} found; nothing was started", diagnostics.len());
}

/// How long work that cannot be interrupted, such as a write to a disk that hangs, may take when the program ends.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a command that serves until it is asked to stop.
pub(super) fn run_until_stopped(
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(END_TIMEOUT);
    outcome
}

/// Starts the asynchronous runtime: a few threads suffice, because probes wait most of the time.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    const WORKERS_MAX: usize = 4;
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX);
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}
