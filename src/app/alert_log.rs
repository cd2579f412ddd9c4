//! The alert log receiver alone: the webhook of an Alertmanager in, lines out. It probes nothing and answers no `/probe`.
//!
//! Wiring only.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use alerting::{Destinations, Watched};
use axum::{Router, http::StatusCode};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{StartError, destinations, end};
use crate::{
    clock::{Clock, uptime},
    config::{Config, Diagnostic, Sources},
    exporter::{self, Operations},
    http::{plain, serve},
    state::lock,
    telemetry::{Collectors, process::Process, seconds},
    webhook::{self, Receiver, WatchedSource},
};

/// What is answered to whoever looks at the root in a browser.
const ABOUT: &str = "This is the alert log of webservice-monitor.\n\
    Alertmanager posts to /api/v1/alertmanager, and its heartbeat to /api/v1/heartbeat; /metrics counts both.\n";

/// What the receiver is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the lines go.
    pub destinations: alerting::Settings,
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
    destinations: Arc<Destinations>,
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
        let destinations = Arc::new(Destinations::open(&settings.destinations, &uptime())?);
        let receiver = Arc::new(Receiver::new(
            clock,
            Arc::clone(&destinations),
            settings.heartbeat_timeout,
            settings.external_url,
            watched_source(settings.watched),
        ));
        let mut collectors = Collectors::default();
        collectors.push(Arc::new(Process { started_seconds }));
        collectors.push(Arc::clone(&destinations) as _);
        collectors.push(Arc::clone(&receiver) as _);
        let app = Self {
            address,
            destinations,
            ready: Arc::new(AtomicBool::new(true)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        app.tasks.spawn(Arc::clone(&receiver).run(app.stop.clone()));
        let router = Router::new()
            .fallback(|| async { plain(StatusCode::NOT_FOUND, ABOUT) })
            .merge(exporter::operations(Operations { collectors, ready: Arc::clone(&app.ready) }))
            .merge(webhook::router(receiver));
        app.tasks.spawn(serve(listener, router, app.stop.clone()));
        Ok(app)
    }

    /// The address that requests come in on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves on to the alert log's present file, as on SIGHUP.
    pub fn reopen(&self) {
        self.destinations.reopen();
    }

    /// Answers the requests in flight, writes what waits, and ends.
    pub async fn stop(self) {
        end(&self.ready, &self.stop, &self.tasks).await;
        destinations::close(self.destinations).await;
    }
}

/// What is watched by these files, read whenever it is asked for.
fn watched_source(sources: Sources) -> Option<WatchedSource> {
    if sources.targets.is_empty() && sources.rules.is_empty() {
        return None;
    }
    // How often Prometheus probes is not known here, and does not matter.
    let sources = Sources { interval: Duration::ZERO, ..sources };
    let reported = Mutex::new([Reported::default(), Reported::default()]);
    Some(Arc::new(move || watched(&sources, &mut lock(&reported))))
}

/// The mistakes that were reported last, so that they are reported once and not at every end.
#[derive(Default)]
struct Reported(Vec<Diagnostic>);

impl Reported {
    /// Whether these are others.
    fn is_news(&mut self, mistakes: &[Diagnostic]) -> bool {
        let before = std::mem::replace(&mut self.0, mistakes.to_vec());
        self.0 != before
    }
}

/// What is known, and the mistakes in the files of targets and in those of rules.
fn watched(sources: &Sources, [of_targets, of_rules]: &mut [Reported; 2]) -> Watched {
    let mut watched = Watched::unknown();
    // Each by itself: a mistake in one says nothing about the other.
    let targets = Sources { rules: Vec::new(), ..sources.clone() };
    if let Some(config) = load(&targets, &sources.targets, of_targets) {
        let targets = config.targets.iter();
        watched = watched
            .with_targets(targets.map(|target| (target.instance.clone(), target.module.clone())));
    }
    let rules = Sources { targets: Vec::new(), ..sources.clone() };
    if let Some(config) = load(&rules, &sources.rules, of_rules) {
        let rules = config.rules.iter().flat_map(|group| &group.rules);
        watched = watched.with_rules(rules.map(|rule| rule.name.clone()));
    }
    watched
}

/// Loads files, when there are any; new mistakes are logged, and while there are some, nothing is known.
fn load(sources: &Sources, files: &[String], reported: &mut Reported) -> Option<Config> {
    if files.is_empty() {
        return None;
    }
    let (config, mistakes) = match Config::load(sources) {
        Ok(config) => (Some(config), Vec::new()),
        Err(mistakes) => (None, mistakes),
    };
    if reported.is_news(&mistakes) {
        for mistake in &mistakes {
            warn!(place = %mistake.location(), "It is not known why alerts are over: {}.", mistake.message);
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_do_not_matter_and_mistakes_are_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.yml");
        let sources = Sources {
            listen: SocketAddr::from(([127, 0, 0, 1], 9115)),
            targets: vec![path.display().to_string()],
            modules: "modules.yml".into(),
            modules_required: false,
            rules: Vec::new(),
            interval: Duration::ZERO,
            timeout: Duration::from_secs(10),
        };
        let mut reported = Reported::default();
        let mut read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let known = watched(&sources, &mut Default::default()) != Watched::unknown();
            (known, reported.is_news(&Config::load(&sources).err().unwrap_or_default()))
        };
        // Right where Prometheus probes each second, or for each of several probers at its own pace.
        let fast = "- targets: [http://a/]\n  labels: {alert_after: 5s, __scrape_timeout__: 20s, prober: a}\n";
        let slow = "- targets: [http://a/]\n  labels: {alert_after: 5s, __scrape_interval__: 4s, prober: b}\n";
        assert_eq!(read(fast), (true, false));
        assert_eq!(read(&format!("{fast}{slow}")), (true, false));
        assert_eq!(read("- targets: 7\n"), (false, true));
        assert_eq!(read("- targets: 7\n"), (false, false));
        assert_eq!(read("- targets: 7\n- targets: 8\n"), (false, true));
        // Correct again, so that the next mistake is new.
        assert_eq!(read(fast), (true, true));
        assert_eq!(read("- targets: 7\n"), (false, true));
    }
}
