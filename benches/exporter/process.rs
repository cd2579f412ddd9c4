//! The processes that are measured: started on a CPU of their own, read through `/proc`, ended with their handle.
//!
//! Must not know what they do.

use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use super::driver::Client;

/// The kernel's unit of CPU time in `/proc` (proc(5)).
const TICK: Duration = Duration::from_millis(10);

/// How long an exporter may take until it answers.
const START_MAX: Duration = Duration::from_secs(10);

/// Two CPUs: one for what is measured, one for the driver and the target.
pub(crate) struct Cpus(Option<(String, String)>);

impl Cpus {
    /// The first two that this process may use; none where there is but one, or no `taskset`.
    pub(crate) fn find() -> Self {
        let taskset = Command::new("taskset").arg("-V").output();
        let has_taskset = taskset.is_ok_and(|output| output.status.success());
        let list = status_field("self", "Cpus_allowed_list:").unwrap_or_default();
        let mut allowed = list.split(',').flat_map(|range| {
            let (first, last) =
                range.trim().split_once('-').unwrap_or((range.trim(), range.trim()));
            let ends = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
            ends.map_or(0..0, |(first, last)| first..last + 1)
        });
        let pair = allowed.next().zip(allowed.next()).filter(|_| has_taskset);
        Self(pair.map(|(first, second)| (first.to_string(), second.to_string())))
    }

    /// Those that the process before this one has found: this one is pinned to one of them already.
    pub(crate) fn given(names: &[&str]) -> Self {
        Self(match names {
            [measured, driver] => Some(((*measured).to_owned(), (*driver).to_owned())),
            _ => None,
        })
    }

    /// What [`Cpus::given`] takes.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |(measured, driver)| vec![measured.as_str(), driver.as_str()])
    }

    /// The words before a command that pin it to the driver's CPU.
    pub(crate) fn pin_driver(&self) -> Vec<&str> {
        self.0.as_ref().map_or_else(Vec::new, |(_, driver)| vec!["taskset", "-c", driver.as_str()])
    }

    /// The words before a command that pin it to the CPU of what is measured.
    pub(crate) fn pin_measured(&self) -> Vec<&str> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |(measured, _)| vec!["taskset", "-c", measured.as_str()])
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((measured, driver)) => {
                write!(
                    formatter,
                    "What is measured runs on CPU {measured}, the rest on CPU {driver}."
                )
            }
            None => write!(formatter, "Not pinned to CPUs: that needs two of them and taskset."),
        }
    }
}

/// Whether the system has `/proc` as Linux has it.
pub(crate) fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// The user and system time that a process (`self` or its number) has used.
pub(crate) fn cpu_time(process: &str) -> anyhow::Result<Duration> {
    let stat = read(&format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a stat file without a name")?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = fields.next().zip(fields.next()).context("a stat file without times")?;
    Ok(TICK * (user? + system?))
}

/// The soft limit of open files.
pub(crate) fn descriptors() -> anyhow::Result<usize> {
    let limits = read("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).context("no limit of files")?;
    Ok(soft.parse().unwrap_or(usize::MAX))
}

fn status_field(process: &str, field: &str) -> anyhow::Result<String> {
    let status = read(&format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    Ok(line.with_context(|| format!("no {field} in the status"))?.trim().to_owned())
}

fn read(path: &str) -> anyhow::Result<String> {
    Ok(String::from_utf8(std::fs::read(path).with_context(|| path.to_owned())?)?)
}

/// One of the two programs that are compared.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// A running exporter; ended when dropped.
pub(crate) struct Exporter {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Exporter {
    /// Starts an exporter and waits until it answers.
    pub(crate) async fn start(program: &Program, cpus: &Cpus) -> anyhow::Result<Self> {
        // Freed again for the exporter: the two programs report their ports differently.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = command(&cpus.pin_measured(), &program.path);
        command.args(&program.arguments).arg(format!("--web.listen-address={address}"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| program.path.display().to_string())?;
        let mut exporter = Self { child, address };
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if let Some(status) = exporter.child.try_wait()? {
                bail!("{} ended with {status}", program.path.display());
            }
            if let Ok(mut client) = Client::connect(address).await
                && client.get(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n").await.is_ok()
            {
                return Ok(exporter);
            }
            sleep(TICK).await;
        }
        bail!("{} does not answer", program.path.display())
    }

    /// The user and system time used so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(&self.child.id().to_string())
    }

    /// Resident memory in KiB, now.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        self.kib("VmRSS:")
    }

    /// The most resident memory so far, in KiB.
    pub(crate) fn resident_peak_kib(&self) -> anyhow::Result<f64> {
        self.kib("VmHWM:")
    }

    fn kib(&self, field: &str) -> anyhow::Result<f64> {
        let text = status_field(&self.child.id().to_string(), field)?;
        Ok(text.trim_end_matches("kB").trim().parse()?)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do about either error.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A command with the words before it that pin it.
pub(crate) fn command(pin: &[&str], program: &Path) -> Command {
    match pin.split_first() {
        None => Command::new(program),
        Some((taskset, rest)) => {
            let mut command = Command::new(taskset);
            command.args(rest).arg(program);
            command
        }
    }
}
