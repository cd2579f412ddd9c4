//! A program that is run for each line, with the line on its standard input.
//!
//! It is run directly, without a shell, in a process group of its own, and has a time limit. When it ends, or its time is over, the
//! whole group ends. Must not know what a line says.

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command as Process, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpgid,
    },
};
use tracing::info;

use super::file::file_beside;
use crate::{
    destination::{DeliveryError, Destination, Manner, Memory, Opened, Stop, Uptime},
    escape::harmless,
    line::Format,
    notification_log::NotificationLog,
};

/// How many bytes of what the program writes to its standard error are kept for the log; the rest is read and left out.
const OUTPUT_BYTES_MAX: usize = 1_000;
/// How many bytes are read at once, and how often before the clock is looked at again.
const READ_BYTES: usize = 8 * 1024;
const READS_MAX: usize = 16;
/// How often it is looked whether the program ended, when nothing else says so.
const LOOK: Duration = Duration::from_millis(20);
/// How many of these looks processes of the group that were killed get to end.
const REAPS_MAX: usize = 50;
/// The exit code in the metric when there is none.
const NO_EXIT_CODE: i32 = -1;
/// How long a line waits after the program failed; the pause doubles with each failure, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often the program is run for one line, within about a minute and a half, before the next line has its turn.
const ATTEMPTS_MAX: u32 = 8;

/// What the flags say about the program.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    /// The program (`--alert-command.program`).
    pub program: PathBuf,
    /// Its arguments (`--alert-command.argument`).
    pub arguments: Vec<OsString>,
    /// How long it may take for one line (`--alert-command.timeout`).
    pub timeout: Duration,
}

/// A program that is run for each line.
struct Command {
    settings: CommandSettings,
    uptime: Uptime,
    /// Where the notification log is, if anywhere.
    memory: Memory,
    exit_code: i32,
}

/// The program, whose notification log is beside the alert log. It is not looked at before the first line: it may be replaced at any time.
pub(super) fn open(settings: &CommandSettings, alert_log: &Path, uptime: &Uptime) -> Opened {
    // The alert log is locked, so that what is beside it is of this program alone.
    let file = file_beside(alert_log, "command.known");
    let destination = Box::new(Command {
        settings: settings.clone(),
        uptime: Arc::clone(uptime),
        memory: if file.is_some() { Memory::Kept { is_planned: false } } else { Memory::Lost },
        exit_code: NO_EXIT_CODE,
    });
    let log = file.map_or_else(NotificationLog::default, NotificationLog::open);
    Opened { destination, log, format: Format::Json }
}

impl Destination for Command {
    fn deliver(&mut self, lines: &[&str], stop: &Stop) -> (usize, Result<(), DeliveryError>) {
        for (delivered, line) in lines.iter().enumerate() {
            if !line.is_empty()
                && let Err(why) = self.run(line, stop)
            {
                let program = self.settings.program.clone();
                return (delivered, Err(DeliveryError::Program { program, why }));
            }
        }
        (lines.len(), Ok(()))
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn manner(&self) -> Manner {
        Manner {
            is_awaited: false,
            bytes_at_once: 1,
            pause: PAUSE,
            pause_max: PAUSE_MAX,
            attempts_max: Some(ATTEMPTS_MAX),
        }
    }

    fn exit_code(&self) -> Option<i32> {
        Some(self.exit_code)
    }
}

impl Command {
    /// Runs the program with one line; why it did not take it.
    fn run(&mut self, line: &str, stop: &Stop) -> Result<(), String> {
        self.exit_code = NO_EXIT_CODE;
        let deadline = (self.uptime)().saturating_add(self.settings.timeout);
        let mut run =
            Run::start(&self.settings, line).map_err(|error| format!("cannot be run: {error}"))?;
        let end = loop {
            run.feed();
            run.listen();
            match run.has_ended() {
                Ok(true) => break End::Itself,
                Ok(false) => {}
                Err(error) => break End::Lost(error),
            }
            if (self.uptime)() >= deadline {
                break End::Timeout;
            }
            if stop.is_requested() {
                break End::Stop;
            }
            run.wait();
        };
        let status = run.end();
        let said = run.said();
        match (end, status) {
            (End::Itself, Ok(status)) => {
                self.exit_code = status.code().unwrap_or(NO_EXIT_CODE);
                let program = self.settings.program.display();
                if status.success() {
                    info!(%program, exit_code = self.exit_code, "The program took an alert.");
                    return Ok(());
                }
                // `exit status: 3`, or `signal: 9 (SIGKILL)`.
                Err(format!("ended with {status}{said}"))
            }
            (End::Timeout, _) => {
                let seconds = self.settings.timeout.as_secs_f64();
                Err(format!("took longer than {seconds} s and was ended{said}"))
            }
            (End::Stop, _) => Err(format!("was ended because the monitor stops{said}")),
            (End::Lost(error), _) | (End::Itself, Err(error)) => {
                Err(format!("cannot be waited for: {error}{said}"))
            }
        }
    }
}

/// Why a run is over.
enum End {
    Itself,
    Timeout,
    Stop,
    Lost(io::Error),
}

/// A program that runs.
struct Run<'a> {
    child: Child,
    group: Pid,
    /// Closed once all is written, or nobody reads.
    input: Option<ChildStdin>,
    rest: &'a [u8],
    /// Closed at its end.
    errors: Option<ChildStderr>,
    output: Vec<u8>,
}

impl<'a> Run<'a> {
    fn start(settings: &CommandSettings, line: &'a str) -> io::Result<Self> {
        let mut child = Process::new(&settings.program)
            .args(&settings.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let group = Pid::from_child(&child);
        let run = Self { child, group, input, rest: line.as_bytes(), errors, output: Vec::new() };
        // Neither a program that does not read nor one that does not end its output may hold this up.
        let input =
            run.input.as_ref().map_or(Ok(()), |input| rustix::io::ioctl_fionbio(input, true));
        let errors =
            run.errors.as_ref().map_or(Ok(()), |errors| rustix::io::ioctl_fionbio(errors, true));
        if let Err(error) = input.and(errors) {
            let mut run = run;
            let _killed = run.end();
            return Err(error.into());
        }
        Ok(run)
    }

    /// Writes as much of the line as the program takes. A program that does not read it may take it as well.
    fn feed(&mut self) {
        while let Some(input) = &mut self.input {
            match input.write(self.rest) {
                Ok(count) if count > 0 => self.rest = self.rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => self.rest = &[],
            }
            if self.rest.is_empty() {
                self.input = None;
            }
        }
    }

    /// Reads what the program writes, and keeps the beginning.
    fn listen(&mut self) {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            let Some(errors) = &mut self.errors else { return };
            match errors.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    let room = OUTPUT_BYTES_MAX.saturating_sub(self.output.len()).min(count);
                    self.output.extend(buffer.iter().take(room));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => self.errors = None,
            }
        }
    }

    /// Whether the program ended. It keeps its number until [`Run::end`], so that no other process group can have it.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.group), options)?.is_some())
    }

    /// Waits until there is something to do, or for a short time.
    fn wait(&self) {
        let input = self.input.as_ref().map(|input| PollFd::new(input, PollFlags::OUT));
        let errors = self.errors.as_ref().map(|errors| PollFd::new(errors, PollFlags::IN));
        let mut files: Vec<_> = input.into_iter().chain(errors).collect();
        pause(&mut files);
    }

    /// Ends the whole process group and leaves no process behind.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let _none_left = kill_process_group(self.group, Signal::KILL);
        let status = self.child.wait();
        // What the program itself had started becomes a child of this process where that is the first of a container.
        for _ in 0..REAPS_MAX {
            match waitpgid(self.group, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => pause(&mut []),
                Err(_) => break,
            }
        }
        self.listen();
        status
    }

    /// What the program wrote to its standard error, as the end of a sentence.
    fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.output);
        let said = harmless(text.trim(), OUTPUT_BYTES_MAX);
        if said.is_empty() { said } else { format!(": {said}") }
    }
}

/// Waits for one of the files, or for a short time.
fn pause(files: &mut [PollFd<'_>]) {
    let timeout = Timespec::try_from(LOOK).ok();
    let _interrupted = poll(files, timeout.as_ref());
}

#[cfg(test)]
mod tests;
