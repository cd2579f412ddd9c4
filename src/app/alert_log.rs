//! The alert log receiver alone: the webhook of an Alertmanager in, lines out. It probes nothing and answers no `/probe`.
//!
//! Wiring only.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{Router, http::StatusCode};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{NOTIFIERS_TIMEOUT, StartError, end};
use crate::{
    clock::Clock,
    config::{Config, Diagnostic, Sources},
    expose::{self, Operations, own::seconds, plain},
    notify::{self, Notifiers, Scope, SharedNotifiers},
    receive::{self, Receiver, Watched},
    telemetry::{Collectors, process::Process},
    web::serve::serve,
};

/// What is answered to whoever looks at the root in a browser.
const ABOUT: &str = "This is the alert log of webservice-monitor.\n\
    Alertmanager posts to /api/v1/alertmanager, and its heartbeat to /api/v1/heartbeat; /metrics counts both.\n";

/// What the receiver is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the lines go.
    pub notify: notify::Settings,
    /// How long the heartbeat may be missing; `None` when none is expected.
    pub heartbeat_timeout: Option<Duration>,
    /// The address under which people reach the program.
    pub external_url: String,
    /// Where the targets and the rules are that say why an alert is over; what names no files is not known.
    pub watched: Sources,
}

/// The running receiver.
pub struct AlertLogApp {
    address: SocketAddr,
    notifiers: Arc<SharedNotifiers>,
    ready: Arc<AtomicBool>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl AlertLogApp {
    /// Opens the alert log and starts all tasks.
    ///
    /// # Errors
    /// When the alert log cannot be opened.
    pub fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        listener: TcpListener,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr()?;
        let started_seconds = seconds(clock.now());
        let notifiers = Arc::new(SharedNotifiers::new(Notifiers::open(&settings.notify)?)?);
        let receiver = Arc::new(Receiver::new(
            clock,
            Arc::clone(&notifiers),
            settings.heartbeat_timeout,
            settings.external_url,
            watched(settings.watched),
        ));
        let mut collectors = Collectors::default();
        collectors.push(Arc::new(Process { started_seconds }));
        collectors.push(Arc::clone(&notifiers) as _);
        collectors.push(Arc::clone(&receiver) as _);
        let app = Self {
            address,
            notifiers,
            ready: Arc::new(AtomicBool::new(true)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        app.tasks.spawn(Arc::clone(&receiver).run(app.stop.clone()));
        let router = Router::new()
            .fallback(|| async { plain(StatusCode::NOT_FOUND, ABOUT) })
            .merge(expose::operations(Operations { collectors, ready: Arc::clone(&app.ready) }))
            .merge(receive::router(receiver));
        app.tasks.spawn(serve(listener, router, app.stop.clone()));
        Ok(app)
    }

    /// The address that requests come in on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves on to the alert log's present file, as on SIGHUP.
    pub fn reopen(&self) {
        self.notifiers.reopen();
    }

    /// Answers the requests in flight, writes what waits, and ends.
    pub async fn stop(self) {
        end(&self.ready, &self.stop, &self.tasks).await;
        self.notifiers.close(NOTIFIERS_TIMEOUT).await;
    }
}

/// What is watched by these files, read whenever it is asked for.
fn watched(sources: Sources) -> Option<Watched> {
    if sources.targets.is_empty() && sources.rules.is_empty() {
        return None;
    }
    Some(Arc::new(move || scope(&sources)))
}

fn scope(sources: &Sources) -> Scope {
    let mut scope = Scope::unknown();
    // Each by itself: a mistake in one says nothing about the other.
    if let Some(config) = load(&Sources { rules: Vec::new(), ..sources.clone() }, &sources.targets)
    {
        let targets = config.targets.iter();
        scope = scope
            .with_targets(targets.map(|target| (target.instance.clone(), target.module.clone())));
    }
    if let Some(config) = load(&Sources { targets: Vec::new(), ..sources.clone() }, &sources.rules)
    {
        let rules = config.rules.iter().flat_map(|group| &group.rules);
        scope = scope.with_rules(rules.map(|rule| rule.name.clone()));
    }
    scope
}

/// Loads files, when there are any; mistakes are logged, and then nothing is known.
fn load(sources: &Sources, files: &[String]) -> Option<Config> {
    if files.is_empty() {
        return None;
    }
    let log = |mistakes: Vec<Diagnostic>| {
        for mistake in mistakes {
            warn!(place = %mistake.location(), "It is not known why alerts are over: {}.", mistake.message);
        }
    };
    Config::load(sources).map_err(log).ok()
}
