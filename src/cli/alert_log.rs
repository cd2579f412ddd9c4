//! `alert-log`: the receiver of an Alertmanager's webhook.

use std::{process::ExitCode, sync::Arc};

use tracing::info;

use super::{
    commands::AlertLogCommandOptions,
    common::{MODULES_FILE, run_until_stopped, sources},
    serve,
};
use crate::{
    app::alert_log::{AlertLogApp, Settings},
    clock::SystemClock,
    config::Sources,
};

/// Runs the receiver until it is asked to stop.
pub(super) fn alert_log(options: AlertLogCommandOptions) -> anyhow::Result<ExitCode> {
    serve::start_log(&options.log);
    let path = options.alert_log.alert_log;
    run_until_stopped(async {
        let listener = serve::bind(options.serve.listen.address).await?;
        let settings = Settings {
            destinations: serve::destinations(path.clone(), &options.alert_log.alerts),
            heartbeat_timeout: options.alert_log.alerts.heartbeat_timeout,
            external_url: serve::external_url(&options.serve, listener.local_addr()?),
            watched: Sources {
                modules_required: options.modules.file.is_some(),
                modules: options.modules.file.unwrap_or_else(|| MODULES_FILE.into()),
                targets: options.targets,
                rules: options.rules,
                ..sources(None, None)
            },
        };
        let app = match AlertLogApp::start(settings, Arc::new(SystemClock), listener) {
            Ok(app) => app,
            Err(error) => return Ok(serve::not_started(&error)),
        };
        info!(alert_log = %path.display(), "Ready: http://{}/api/v1/alertmanager", app.address());
        serve::obey_signals(async || {
            info!("SIGHUP: moving on to the alert log's present file.");
            app.reopen();
        })
        .await?;
        info!("Stopping.");
        app.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
