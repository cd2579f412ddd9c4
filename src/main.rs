//! The program: reads the command line, runs one command, turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use webservice_monitor::cli::{self, Options};

fn main() -> ExitCode {
    cli::run(Options::parse())
}
