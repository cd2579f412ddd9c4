//! What a probe costs: this exporter beside `blackbox_exporter` and beside bare sockets, in turns on one machine.
//!
//! `make bench` runs it, docs/benchmark.md explains it. It judges nothing: figures are printed with their goals, and no
//! figure makes it fail. Must not know the inside of either exporter, only `/probe`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measured"
)]

mod driver;
mod floor;
mod process;
mod report;
mod rounds;
mod target;

use std::{env, process::Command, time::Duration};

use anyhow::{Context as _, bail, ensure};

use self::{process::Cpus, report::Report, rounds::Bench};

/// How long the whole run may take.
const RUN_MAX: Duration = Duration::from_mins(4);

/// The first argument of the run itself, which has its CPU and its descriptors; and that of the floor's process.
const RUN: &str = "run";
const FLOOR: &str = "floor";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [RUN, cpus @ ..] => run(Cpus::given(cpus)),
        [FLOOR, milliseconds, addresses @ ..] => floor::run(milliseconds, addresses),
        // Cargo adds `--bench`.
        [] | ["--bench"] => start(),
        other => bail!("unknown arguments {other:?}"),
    }
}

/// Starts this program again on a CPU of its own and with as many descriptors as the system grants.
fn start() -> anyhow::Result<()> {
    ensure!(process::has_proc(), "the benchmark reads /proc, which only Linux has");
    let cpus = Cpus::find();
    println!("{cpus}");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"", "sh"]);
    command.args(cpus.pin_driver()).arg(env::current_exe()?).arg(RUN).args(cpus.names());
    let status = command.status().context("cannot start sh")?;
    ensure!(status.success(), "the run ended with {status}");
    Ok(())
}

/// One thread for the driver and the target: they share a CPU, whatever is measured.
fn run(cpus: Cpus) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut report = Report::default();
        let bench = Bench::prepare(cpus).await?;
        let run = bench.run(&mut report);
        let ended = tokio::time::timeout(RUN_MAX, run).await;
        println!("{report}");
        let Ok(outcome) = ended else {
            eprintln!("Cut off after {RUN_MAX:?}; the figures are of the rounds until then.");
            return Ok(());
        };
        outcome
    })
}
