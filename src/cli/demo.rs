//! `demo`: the all-in-one mode against bundled services.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use series::store::StoreOptions;

use super::{
    commands::DemoOptions,
    common::{runtime, sources},
    serve,
};
use crate::{
    app::{Settings, Storage},
    config::Sources,
    demo,
};

/// How often the services are probed: once a minute in the time of the demo.
const INTERVAL: Duration = Duration::from_secs(1);

/// How far back queries look in milliseconds, in the time of the demo.
const LOOKBACK_MS: i64 = series::LOOKBACK_MS / demo::FACTOR;

/// How long a probe may take: longer than the slow service thinks.
const TIMEOUT: Duration = Duration::from_millis(900);

/// Starts the services and watches them.
pub(super) fn demo(options: DemoOptions) -> anyhow::Result<ExitCode> {
    serve::start_log(&options.log);
    let directory = options.directory.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("webservice-monitor-demo-{}", std::process::id()))
    });
    // The services live in a runtime of their own, so that they answer as strangers would.
    let runtime = runtime()?;
    let (services, files) =
        runtime.block_on(demo::start(&directory)).context("cannot start the demo's services")?;
    println!("The demo keeps its files in {}", directory.display());
    for service in services.list() {
        println!("  {:<16} {}", service.name, service.url);
    }
    println!(
        "Watch the alerts in another terminal:  tail -F {}",
        directory.join("alerts.jsonl").display()
    );
    println!(
        "Time passes 60 times faster for the rules: what is reported after 15 minutes is reported after 15 seconds. The service\n\
         `mortal` dies 15 s after the start and is back 45 s later: see it fail, fire and be resolved. `slow` is reported after a\n\
         quarter of a minute, `flaky` after a minute and a half.\n"
    );
    let mut settings = Settings {
        sources: Sources {
            targets: vec![files.targets.display().to_string()],
            modules: files.modules,
            modules_required: true,
            rules: vec![files.rules.display().to_string()],
            ..sources(None, None)
        },
        storage: Some(Storage {
            store: StoreOptions {
                directory: directory.join("store"),
                lookback_ms: LOOKBACK_MS,
                ..StoreOptions::default()
            },
            evaluation_interval: INTERVAL,
        }),
        destinations: Some(alerting::Settings::alert_log(
            directory.join("alerts.jsonl"),
            alerting::Format::Json,
        )),
        heartbeat_timeout: None,
        // Known when it listens.
        external_url: String::new(),
        history_limit: options.web.history_limit,
        timeout_offset_seconds: options.web.timeout_offset,
    };
    settings.sources.interval = INTERVAL;
    settings.sources.timeout = TIMEOUT;
    let outcome = serve::serve(settings, &options.web.serve);
    drop(services);
    outcome
}
