//! The program: reads the command line, runs one command, turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use webservice_monitor::cli::{self, Options};

/// A probe that waits holds several buffers that nobody has written to yet. This allocator keeps its own notes elsewhere, so
/// that such a buffer takes no memory; it also takes less time for the hundred small things that a probe needs.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::run(Options::parse())
}
