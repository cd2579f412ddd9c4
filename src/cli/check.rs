//! `check`: probe once, print a table or JSON, and report by the exit code whether all is up.

use std::{
    collections::BTreeMap, fmt::Write as _, io::IsTerminal as _, process::ExitCode, sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use probe::{Evidence, Failure, Hop, Module, Net, Outcome, ProbeResult};
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    commands::{CheckOptions, CheckOutput},
    common::{FAILED, MISUSED, print_diagnostics, runtime, sources},
};
use crate::{
    config::Config,
    explain::{self, evidence::evidence_text},
};

/// How many probes run at once.
const IN_FLIGHT_MAX: usize = 64;

/// One thing to probe.
struct Job {
    instance: String,
    module: Arc<Module>,
    target: probe::Target,
    timeout: Duration,
}

/// One line of the answer; the JSON document is a list of these.
#[derive(Debug, Serialize)]
struct Row {
    instance: String,
    module: String,
    /// `up`, `down`, or `fault` when nothing can be said about the target.
    state: &'static str,
    duration_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_days_left: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What the reason means, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    /// What is wrong with the answer although it is accepted.
    warnings: Vec<&'static str>,
    /// What was seen, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Vec<Exchange>>,
    /// The same and what was done, for the terminal.
    #[serde(skip)]
    trace: String,
}

/// A request with its answer, in the JSON document.
#[derive(Debug, Serialize)]
struct Exchange {
    attempt: u32,
    title: String,
    peer: Option<String>,
    request: String,
    head: String,
    body: String,
    times_seconds: BTreeMap<&'static str, f64>,
}

impl Exchange {
    fn of(hop: &Hop) -> Self {
        let times = hop.times.iter().map(|(timing, time)| (timing.as_str(), time.as_secs_f64()));
        Self {
            attempt: hop.attempt,
            title: hop.title.clone(),
            peer: hop.peer.map(|peer| peer.to_string()),
            request: hop.request.clone(),
            head: hop.head.clone(),
            body: hop.body.clone(),
            times_seconds: times.collect(),
        }
    }
}

/// Probes and prints.
pub(super) fn check(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let mut sources = sources(Some(&options.files), None);
    sources.listen = options.listen.address;
    if !options.urls.is_empty() {
        // The URLs given are all that is wanted; the targets file may be missing.
        sources.targets.clear();
    }
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(diagnostics) => {
            print_diagnostics(&diagnostics);
            return Ok(ExitCode::from(MISUSED));
        }
    };
    let jobs = jobs(options, &config)?;
    if jobs.is_empty() {
        anyhow::bail!(
            "there is nothing to check\nhint: name a URL, or add targets to {}",
            options.files.targets.join(", ")
        );
    }
    let rows = runtime()?.block_on(probe_all(jobs, options.verbose))?;
    match options.output {
        CheckOutput::Json => println!("{}", serde_json::to_string_pretty(&rows)?),
        CheckOutput::Table => {
            if options.verbose {
                print!("{}", traces(&rows));
            }
            print!("{}", table(&rows, std::io::stdout().is_terminal()));
        }
    }
    Ok(if rows.iter().all(|row| row.state == "up") {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn jobs(options: &CheckOptions, config: &Config) -> anyhow::Result<Vec<Job>> {
    let find = |name: &str| {
        let known = || config.modules.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        config
            .modules
            .get(name)
            .map(Arc::clone)
            .with_context(|| format!("unknown module `{name}`; there are {}", known()))
    };
    if options.urls.is_empty() {
        let job = |target: &Arc<crate::config::Target>| {
            Ok(Job {
                instance: target.instance.clone(),
                module: find(&target.module)?,
                target: target.address.clone(),
                timeout: target.timeout,
            })
        };
        return config.targets.iter().map(job).collect();
    }
    let module = find(&options.module)?;
    let job = |url: &String| {
        let target = module
            .target_lenient(url)
            .map_err(|mistake| anyhow::Error::msg(mistake.with_hint_line()))
            .with_context(|| format!("`{url}` cannot be checked"))?;
        Ok(Job {
            instance: url.clone(),
            module: Arc::clone(&module),
            target,
            timeout: options.files.timeout,
        })
    };
    options.urls.iter().map(job).collect()
}

/// Probes all at once, within bounds; the rows come in the order of the jobs.
async fn probe_all(jobs: Vec<Job>, verbose: bool) -> anyhow::Result<Vec<Row>> {
    let net = Arc::new(Net::system());
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut probes = JoinSet::new();
    for (index, job) in jobs.into_iter().enumerate() {
        let (net, permits) = (Arc::clone(&net), Arc::clone(&permits));
        probes.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let result = job.module.probe(&net, &job.target, job.timeout).await;
            (index, row(&job, result, verbose))
        });
    }
    let mut rows = probes.join_all().await;
    rows.sort_by_key(|(index, _)| *index);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn row(job: &Job, result: ProbeResult, verbose: bool) -> Row {
    let value = |name: &str| {
        result.samples.iter().find(|sample| sample.metric.name == name).map(|sample| sample.value)
    };
    let started_seconds = result
        .started
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let days_left = |expiry: f64| ((expiry - started_seconds) / 86_400.0 * 10.0).round() / 10.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a status code has three digits"
    )]
    let status_code =
        value("probe_http_status_code").filter(|code| *code > 0.0).map(|code| code as u16);
    let certificate_days_left = value("probe_ssl_earliest_cert_expiry").map(days_left);
    let trace = if verbose { trace(&result.notes, &result.evidence) } else { String::new() };
    let evidence = verbose.then(|| result.evidence.hops.iter().map(Exchange::of).collect());
    let warnings = result.evidence.warnings.iter().map(|warning| warning.as_str()).collect();
    let (state, failure) = match result.outcome {
        Outcome::Up => ("up", None),
        Outcome::Down(failure) => ("down", Some(failure)),
        Outcome::Fault(failure) => ("fault", Some(failure)),
    };
    Row {
        instance: job.instance.clone(),
        module: job.module.name().to_owned(),
        state,
        duration_seconds: result.elapsed.as_secs_f64(),
        status_code,
        certificate_days_left,
        phase: failure.as_ref().map(|failure| failure.phase.as_str()),
        reason: failure.as_ref().map(|failure| failure.reason.as_str()),
        meaning: failure.as_ref().map(meaning),
        detail: failure.map(|failure| failure.detail).filter(|detail| !detail.is_empty()),
        warnings,
        evidence,
        trace,
    }
}

fn meaning(failure: &Failure) -> String {
    explain::meaning(failure.phase.as_str(), failure.reason.as_str())
}

/// What a probe did and saw.
fn trace(notes: &[(Duration, String)], evidence: &Evidence) -> String {
    let mut text = String::new();
    for (offset, note) in notes {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{:>9.3} ms  {note}", offset.as_secs_f64() * 1000.0);
    }
    text.push_str(&evidence_text(evidence));
    text
}

/// What all probes did and saw, one after the other.
fn traces(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let _infallible = writeln!(text, "{} ({})", printable(&row.instance), row.module);
        for line in row.trace.lines() {
            let _infallible = writeln!(text, "  {}", printable(line));
        }
        if let (Some(phase), Some(reason)) = (row.phase, row.reason) {
            let _infallible = writeln!(text, "  {}", explain::advice(phase, reason));
        }
        text.push('\n');
    }
    text
}

/// The rows as aligned columns.
fn table(rows: &[Row], colour: bool) -> String {
    let header = ["STATE", "TARGET", "HTTP", "TIME", "CERT", "WHY"].map(str::to_owned);
    let cells = |row: &Row| {
        [
            row.state.to_owned(),
            printable(&row.instance),
            row.status_code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
            format!("{:.0} ms", row.duration_seconds * 1000.0),
            row.certificate_days_left.map_or_else(|| "-".to_owned(), |days| format!("{days:.0} d")),
            why(row),
        ]
    };
    let lines: Vec<[String; 6]> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let mut padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        if let Some(state) = padded.first_mut().filter(|_| colour) {
            let code = match rows.get(index.wrapping_sub(1)).map(|row| row.state) {
                None => "1",
                Some("up") => "32",
                Some("down") => "31",
                Some(_) => "33",
            };
            *state = format!("\u{1b}[{code}m{state}\u{1b}[0m");
        }
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    let down = rows.iter().filter(|row| row.state != "up").count();
    let summary = if down == 0 {
        format!("all {} up", rows.len())
    } else {
        format!("{down} of {} not up", rows.len())
    };
    format!("{text}\n{summary}\n")
}

/// Why a target is not up, or what is wrong with it although it is.
fn why(row: &Row) -> String {
    let mut text = String::new();
    if let (Some(phase), Some(reason)) = (row.phase, row.reason) {
        let _infallible = write!(text, "{phase}/{reason}");
    }
    if let Some(meaning) = &row.meaning {
        let _infallible = write!(text, ": {meaning}");
    }
    if let Some(detail) = &row.detail {
        let _infallible = write!(text, " ({})", printable(detail));
    }
    if !row.warnings.is_empty() {
        let separator = if text.is_empty() { "" } else { "; " };
        let _infallible = write!(text, "{separator}warning: {}", row.warnings.join(", "));
    }
    text
}

/// Text that came from a target must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &'static str, instance: &str, reason: Option<&'static str>) -> Row {
        Row {
            instance: instance.to_owned(),
            module: "http_2xx".to_owned(),
            state,
            duration_seconds: 0.012,
            status_code: reason.is_none().then_some(200),
            certificate_days_left: None,
            phase: reason.map(|_| "connect"),
            reason,
            detail: reason.map(|_| "to \u{1b}[31m127.0.0.1".to_owned()),
            meaning: reason.map(|reason| explain::meaning("connect", reason)),
            warnings: if reason.is_none() { vec!["downgrade"] } else { Vec::new() },
            evidence: None,
            trace: "1. GET \u{1b}[31m\n   > Host: a\n".to_owned(),
        }
    }

    #[test]
    fn the_table_is_aligned_and_no_target_steers_the_terminal() {
        let text = table(
            &[row("up", "http://a/", None), row("down", "http://long.example/", Some("refused"))],
            false,
        );
        let expected = "STATE  TARGET                HTTP  TIME   CERT  WHY\n\
                        up     http://a/             200   12 ms  -     warning: downgrade\n\
                        down   http://long.example/  -     12 ms  -     connect/refused: the connection was refused: nothing listens on the port (to \u{fffd}[31m127.0.0.1)\n\
                        \n1 of 2 not up\n";
        assert_eq!(text, expected);
        assert!(table(&[row("up", "http://a/", None)], true).contains("\u{1b}[32mup"));
        assert_eq!(
            traces(&[row("down", "http://a/", Some("refused"))]),
            "http://a/ (http_2xx)\n  1. GET \u{fffd}[31m\n     > Host: a\n  Check whether the service runs, and on which address and port it listens.\n\n"
        );
    }
}
