//! `run` and `exporter`: start the program, obey signals, stop it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use alerting::{AlertLogSettings, OpenError};
use anyhow::Context as _;
use probe::Net;
use series::store::StoreOptions;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::info;

use super::{
    commands::{ExporterOptions, RunOptions},
    common::{FAILED, MISUSED, print_diagnostics, run_until_stopped, sources},
    options::{AlertOptions, LogOptions, ServeOptions},
    validate,
};
use crate::{
    app::{App, Settings, StartError, Storage, World},
    clock::SystemClock,
    config::read_text,
    telemetry::log,
};

/// The all-in-one mode.
pub(super) fn run(options: RunOptions) -> anyhow::Result<ExitCode> {
    let sources = sources(Some(&options.files), Some(&options.rules));
    if options.config_check {
        return Ok(validate::validate(&sources));
    }
    start_log(&options.log);
    let milliseconds =
        |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let settings = Settings {
        storage: Some(Storage {
            store: StoreOptions {
                directory: options.storage.path.clone(),
                retention_ms: milliseconds(options.storage.retention_time),
                retention_bytes: Some(options.storage.retention_bytes),
                lookback_ms: milliseconds(options.storage.lookback),
                ..StoreOptions::default()
            },
            evaluation_interval: sources.interval,
        }),
        destinations: Some(destinations(options.alert_log.alert_log, &options.alert_log.alerts)),
        heartbeat_timeout: options.alert_log.alerts.heartbeat_timeout,
        sources,
        // Known when it listens.
        external_url: String::new(),
        history_limit: options.web.history_limit,
        timeout_offset_seconds: options.web.timeout_offset,
    };
    serve(settings, &options.web.serve)
}

/// The exporter.
pub(super) fn exporter(options: ExporterOptions) -> anyhow::Result<ExitCode> {
    let mut sources = sources(None, None);
    if let Some(modules) = options.modules.file {
        sources.modules = modules;
        sources.modules_required = true;
    }
    sources.targets = options.targets;
    if options.config_check {
        return Ok(validate::validate(&sources));
    }
    let AlertOptions { heartbeat_timeout, alert_stdout, command, .. } = &options.alerts;
    let wants_alerts = heartbeat_timeout.is_some() || *alert_stdout || command.program.is_some();
    if options.alert_log.is_none() && wants_alerts {
        anyhow::bail!(
            "--heartbeat.timeout, --alert-log.stdout and --alert-command.program are about an alert log, and the exporter has none\n\
             hint: name one with --alert-log.path, or start `webservice-monitor alert-log`"
        );
    }
    start_log(&options.log);
    let settings = Settings {
        sources,
        storage: None,
        destinations: options.alert_log.map(|path| destinations(path, &options.alerts)),
        heartbeat_timeout: options.alerts.heartbeat_timeout,
        // Known when it listens.
        external_url: String::new(),
        history_limit: options.web.history_limit,
        timeout_offset_seconds: options.web.timeout_offset,
    };
    serve(settings, &options.web.serve)
}

/// Where alerts are delivered to, as flags describe it.
pub(super) fn destinations(path: PathBuf, options: &AlertOptions) -> alerting::Settings {
    alerting::Settings {
        alert_log: AlertLogSettings {
            path,
            format: options.alert_format,
            stdout: options.alert_stdout,
        },
        command: options.command.settings(),
    }
}

pub(super) fn start_log(options: &LogOptions) {
    log::start(options.level, options.prober, options.format);
}

/// The URL that links begin with, without a slash at its end, of a program that listens on an address.
pub(super) fn external_url(options: &ServeOptions, listen: SocketAddr) -> String {
    let url = options.external_url.as_ref();
    let url = url.map_or_else(|| derived_url(listen), ToString::to_string);
    url.trim_end_matches('/').to_owned()
}

/// The URL that links begin with when none was given: the address that is listened on or, where that is every address of the
/// machine, the machine's name, as in Prometheus: `localhost` would lead each reader to their own machine.
fn derived_url(listen: SocketAddr) -> String {
    if !listen.ip().is_unspecified() {
        return format!("http://{listen}");
    }
    let name = read_text(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name = name.trim();
    let host = if name.is_empty() { "localhost" } else { name };
    format!("http://{host}:{}", listen.port())
}

/// Runs the program until it is asked to stop.
pub(super) fn serve(mut settings: Settings, options: &ServeOptions) -> anyhow::Result<ExitCode> {
    run_until_stopped(async {
        let listener = bind(options.listen.address).await?;
        settings.external_url = external_url(options, listener.local_addr()?);
        let net = Arc::new(Net::system());
        let all_in_one = settings.storage.is_some();
        let alert_log = settings.destinations.as_ref().map(|of| of.alert_log.path.clone());
        let world = World { clock: Arc::new(SystemClock), net, listener };
        let app = match App::start(settings, world).await {
            Ok(app) => app,
            Err(StartError::Config(diagnostics)) => {
                print_diagnostics(&diagnostics);
                return Ok(ExitCode::from(MISUSED));
            }
            Err(error) => return Ok(not_started(&error)),
        };
        let address = app.address();
        let path =
            if all_in_one { "" } else { "probe?target=https://example.com/&module=http_2xx" };
        if let Some(log) = alert_log {
            info!(alert_log = %log.display(), "Ready: http://{address}/{path}");
        } else {
            info!("Ready: http://{address}/{path}");
        }
        obey_signals(async || {
            info!("SIGHUP: loading the configuration again.");
            // The mistakes are in the log and on the page.
            let _mistakes = app.reload().await;
        })
        .await?;
        info!("Stopping.");
        app.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Opens the listener, with words for the commonest mishap of a first start.
pub(super) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let other = SocketAddr::new(listen.ip(), listen.port().wrapping_add(1));
            anyhow::anyhow!(
                "cannot listen on {listen}: the port is in use\n\
                 hint: another webservice-monitor or exporter may be running; stop it, or choose another port with \
                 --web.listen-address={other}"
            )
        }
        std::io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "cannot listen on {listen}: permission denied\nhint: ports below 1024 are reserved; choose a higher one"
        ),
        _ => anyhow::anyhow!("cannot listen on {listen}: {error}"),
    })
}

/// Says why the program did not start, and what to do about it.
pub(super) fn not_started(error: &StartError) -> ExitCode {
    eprintln!("error: {error}");
    eprintln!("hint: {}", hint(error));
    ExitCode::from(FAILED)
}

fn hint(error: &StartError) -> &'static str {
    match error {
        StartError::Store(_) => {
            "choose a directory that you can write to with --storage.path; only one program at a time may use it"
        }
        StartError::AlertLog(OpenError::Taken { .. }) => {
            "end the other one, or choose another file with --alert-log.path"
        }
        StartError::AlertLog(_) => {
            "choose a file that you can write to with --alert-log.path, or - for standard output"
        }
        StartError::Config(_) | StartError::Listener(_) => "see the messages above",
    }
}

/// Reloads on SIGHUP; returns on SIGINT and SIGTERM. A second one of those ends the process at once, because from then
/// on nobody listens for it.
pub(super) async fn obey_signals(on_hangup: impl AsyncFn()) -> anyhow::Result<()> {
    let listen = |kind: SignalKind| -> anyhow::Result<Signal> {
        signal(kind).context("cannot listen for signals")
    };
    let (mut hangup, mut interrupt, mut terminate) = (
        listen(SignalKind::hangup())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => on_hangup().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::ListenOptions;

    #[test]
    fn links_lead_to_where_the_program_listens_unless_a_flag_says_otherwise() {
        let url = |listen: &str, external: Option<&str>| {
            let address: SocketAddr = listen.parse().unwrap();
            let external_url = external.map(|url| url.parse().unwrap());
            let options = ServeOptions { listen: ListenOptions { address }, external_url };
            super::external_url(&options, address)
        };
        assert_eq!(url("127.0.0.1:9116", None), "http://127.0.0.1:9116");
        assert_eq!(url("[::1]:9116", None), "http://[::1]:9116");
        let external = Some("https://monitor.example.com/probes/");
        assert_eq!(url("0.0.0.0:9115", external), "https://monitor.example.com/probes");
        for every in ["0.0.0.0:9115", "[::]:9115"] {
            let found = url(every, None);
            assert!(found.ends_with(":9115") && found.starts_with("http://"), "{found}");
            assert!(!found.contains("0.0.0.0") && !found.contains("[::]"), "{found}");
        }
    }
}
