//! The configuration: read at the start, and again whenever a reload is requested.
//!
//! Must not know who requests it, nor what is done with the configuration.

use std::sync::Arc;

use series::rule::Group;
use tokio::sync::{mpsc, watch as latest};
use tracing::{error, info, warn};

use super::Settings;
use crate::{
    config::{Config, Diagnostic, Sources, Summary, watch::ReloadRequest},
    state::Monitor,
};

/// How many requests may be queued; whoever sends more waits for a place.
pub(super) const WAITING_MAX: usize = 16;

/// Answers requests to reload, one after the other.
pub(super) struct Reloader {
    /// Where the configuration in force is kept.
    pub(super) monitor: Monitor,
    /// Its files.
    pub(super) sources: Sources,
    /// Takes each new configuration.
    pub(super) config: latest::Sender<Arc<Config>>,
    /// Takes the rules of each new configuration, where there is somebody who evaluates them.
    pub(super) rules: Option<mpsc::Sender<Vec<Group>>>,
}

impl Reloader {
    /// Reloads until nobody can ask any more.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<ReloadRequest>) {
        while let Some(answer) = requests.recv().await {
            let outcome = self.reload().await;
            // Whoever asked may have gone away; the reload is done anyway.
            let _asker_gone = answer.send(outcome);
        }
    }

    async fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        let (now, reloads) = (self.monitor.now(), self.monitor.reloads());
        match load(self.sources.clone()).await {
            Ok(config) => {
                log_configuration(&config, "Configuration reloaded.");
                let groups = config.rules.clone();
                let config = Arc::new(config);
                reloads.succeeded(Arc::clone(&config), now);
                self.config.send_replace(config);
                if let Some(rules) = &self.rules
                    && rules.send(groups).await.is_err()
                {
                    error!("The rules are no longer evaluated.");
                }
                Ok(())
            }
            Err(errors) => {
                log_mistakes(&errors, "Configuration not loaded, the previous one runs on");
                reloads.failed(errors.clone(), now);
                Err(errors)
            }
        }
    }
}

/// Reads the configuration away from the tasks that serve and probe.
async fn load(sources: Sources) -> Result<Config, Vec<Diagnostic>> {
    match tokio::task::spawn_blocking(move || Config::load(&sources)).await {
        Ok(loaded) => loaded,
        Err(error) => {
            let message = format!("loading ended by a programming error: {error}");
            Err(vec![Diagnostic::new(message).of_file("configuration".as_ref())])
        }
    }
}

/// Reads the configuration for a start, with the mistakes that it starts in spite of. An exporter starts although a targets
/// file is broken: its Prometheus has the targets, and would lose sight of all of them.
pub(super) async fn load_first(
    settings: &Settings,
) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mistakes = match load(settings.sources.clone()).await {
        Ok(config) => return Ok((config, Vec::new())),
        Err(mistakes) if settings.storage.is_some() => return Err(mistakes),
        Err(mistakes) => mistakes,
    };
    let without_targets = Sources { targets: Vec::new(), ..settings.sources.clone() };
    match load(without_targets).await {
        Ok(config) => Ok((config, mistakes)),
        Err(_) => Err(mistakes),
    }
}

pub(super) fn log_mistakes(mistakes: &[Diagnostic], what: &str) {
    for diagnostic in mistakes {
        error!(place = %diagnostic.location(), hint = diagnostic.hint.as_deref().unwrap_or(""),
            "{what}: {}.", diagnostic.message);
    }
}

pub(super) fn log_configuration(config: &Config, message: &str) {
    let Summary { targets, modules, rules, .. } = config.summary();
    info!(targets, modules, rules, "{message}");
    for warning in &config.warnings {
        warn!(place = %warning.location(), hint = warning.hint.as_deref().unwrap_or(""),
            "Configuration loaded, but look at this: {}.", warning.message);
    }
}
