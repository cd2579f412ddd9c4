//! The running program: builds every part, wires them together, reloads and stops them.
//!
//! Wiring only. The whole program runs in-process in tests, which bring their own [`World`].

pub mod alert_log;
mod destinations;
mod reload;
mod self_scrape;
mod settings;
mod upkeep;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alerting::Destinations;
use probe::Net;
use series::{
    Labels,
    rule::{External, Group},
    store::StoreError,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch as latest},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use self::reload::{Reloader, load_first, log_configuration, log_mistakes};
pub use self::settings::{Settings, Storage};
use crate::{
    api::{self, Reader},
    clock::{Clock, uptime},
    config::{
        Config, Diagnostic,
        watch::{Fingerprint, ReloadRequest, watch},
    },
    evaluate::{self, Evaluator, Rules},
    exporter::{self, Endpoints, Operations},
    http::serve,
    ingest::{self, Disk},
    query::{Embedded, Query},
    schedule::{self, Scheduler},
    state::{About, Monitor},
    telemetry::{
        Collectors,
        process::{Process, descriptors_max},
        seconds,
    },
    web,
    webhook::{self, Receiver},
};

/// How long requests and probes in flight may take to end when the program stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The outside world, which tests replace.
pub struct World {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Name resolution and trusted roots for probes.
    pub net: Arc<Net>,
    /// Where requests come in.
    pub listener: TcpListener,
}

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes.
    #[error("the configuration has {} mistake(s)", .0.len())]
    Config(Vec<Diagnostic>),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The alert log cannot be opened.
    #[error(transparent)]
    AlertLog(#[from] alerting::OpenError),
    /// The address of the listener is unknown.
    #[error("cannot find out the address that is listened on: {0}")]
    Listener(#[from] std::io::Error),
}

/// The running program.
pub struct App {
    monitor: Monitor,
    address: SocketAddr,
    /// The embedded store on its disk; absent in the exporter.
    disk: Option<Arc<Disk>>,
    rules: Arc<Rules>,
    destinations: Option<Arc<Destinations>>,
    reloads: mpsc::Sender<ReloadRequest>,
    ready: Arc<AtomicBool>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Loads the configuration, opens the store and starts all tasks.
    ///
    /// # Errors
    /// When the configuration is not valid, or the store or the alert log cannot be opened. Nothing is left running then.
    pub async fn start(mut settings: Settings, world: World) -> Result<Self, StartError> {
        let address = world.listener.local_addr()?;
        settings.sources.listen = address;
        // Taken before the files are read: an edit in between is then seen as one.
        let fingerprint = Fingerprint::of(&settings.sources);
        let (config, mistakes) = load_first(&settings).await.map_err(StartError::Config)?;
        world.net.add_own_address(address);
        let disk = settings.storage.as_ref().map(upkeep::open).transpose()?;
        let destinations = match &settings.destinations {
            Some(settings) => Some(Arc::new(Destinations::open(settings, &uptime())?)),
            None => None,
        };
        log_configuration(&config, "Configuration loaded.");
        let monitor = new_monitor(&settings, &world, config, disk.as_deref());
        if !mistakes.is_empty() {
            log_mistakes(
                &mistakes,
                "Targets not loaded, there are none to discover until they are fixed",
            );
            monitor.reloads().failed(mistakes, monitor.now());
        }
        let (reloads, requests) = mpsc::channel(reload::WAITING_MAX);
        let app = Self {
            monitor,
            address,
            disk,
            rules: Arc::default(),
            destinations,
            reloads,
            ready: Arc::new(AtomicBool::new(true)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        app.spawn_all(settings, fingerprint, world, requests);
        Ok(app)
    }

    /// The shared state.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The address that requests come in on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loads the configuration again and moves on to the alert log's present file, as on SIGHUP.
    ///
    /// # Errors
    /// Every mistake in the files; the previous configuration then runs on.
    pub async fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        if let Some(destinations) = &self.destinations {
            destinations.reopen();
        }
        let (answer, answered) = oneshot::channel();
        if self.reloads.send(answer).await.is_err() {
            return Ok(());
        }
        answered.await.unwrap_or(Ok(()))
    }

    /// Stops all tasks and writes everything to disk. Requests in flight are answered; probes in flight are dropped.
    pub async fn stop(self) {
        end(&self.ready, &self.stop, &self.tasks).await;
        if let Some(destinations) = self.destinations {
            destinations::close(destinations).await;
        }
        if let Some(disk) = &self.disk
            && !disk.sync().await
        {
            error!(
                "The last samples are not on the disk, and are lost with the end of the program."
            );
        }
    }

    /// The tasks of the all-in-one mode.
    fn spawn_monitoring(
        &self,
        settings: &Settings,
        storage: &Storage,
        world: &World,
        config: latest::Receiver<Arc<Config>>,
        rules: mpsc::Receiver<Vec<Group>>,
        collectors: &mut Collectors,
    ) {
        let (Some(disk), Some(destinations)) = (&self.disk, &self.destinations) else { return };
        collectors.push(Arc::clone(disk) as _);
        let (recorder, writer) = ingest::channel(&self.monitor, Arc::clone(disk.store()));
        collectors.push(Arc::clone(&writer) as _);
        let recorder = Arc::new(recorder);
        let counts = Arc::new(schedule::worker::Counts::default());
        collectors.push(Arc::clone(&counts) as _);
        let scheduler = Scheduler {
            config,
            net: Arc::clone(&world.net),
            sink: Arc::clone(&recorder) as _,
            clock: Arc::clone(&world.clock),
            settings: schedule::Settings::within(descriptors_max()),
            counts,
        };
        let evaluation = evaluate::Settings {
            interval: storage.evaluation_interval,
            external: external(&settings.external_url),
        };
        let evaluator = Evaluator::new(
            self.monitor.clone(),
            Arc::clone(&self.rules),
            Arc::clone(disk),
            Arc::clone(destinations),
            evaluation,
            rules,
        );
        let own = self_scrape::run(
            self.monitor.clone(),
            recorder,
            collectors.clone(),
            self.address.to_string(),
            settings.sources.interval,
        );
        // Ends when the last recorder is gone, with everything stored.
        self.tasks.spawn(writer.run());
        self.tasks.spawn(scheduler.run(self.stop.clone()));
        self.tasks.spawn(evaluator.run(self.stop.clone()));
        self.tasks.spawn(upkeep::keep(self.monitor.clone(), Arc::clone(disk), self.stop.clone()));
        self.tasks.spawn(until(self.stop.clone(), own));
    }

    /// The way in for an Alertmanager, where there is something to write to.
    fn spawn_receiver(
        &self,
        settings: &Settings,
        world: &World,
        collectors: &mut Collectors,
    ) -> Option<Arc<Receiver>> {
        let destinations = self.destinations.as_ref()?;
        collectors.push(Arc::clone(destinations) as _);
        let receiver = Arc::new(Receiver::new(
            Arc::clone(&world.clock),
            Arc::clone(destinations),
            settings.heartbeat_timeout,
            settings.external_url.clone(),
            None,
        ));
        collectors.push(Arc::clone(&receiver) as _);
        self.tasks.spawn(Arc::clone(&receiver).run(self.stop.clone()));
        Some(receiver)
    }

    fn spawn_all(
        &self,
        settings: Settings,
        fingerprint: Fingerprint,
        world: World,
        requests: mpsc::Receiver<ReloadRequest>,
    ) {
        let mut collectors = Collectors::default();
        collectors.push(Arc::clone(self.monitor.reloads()) as _);
        collectors.push(Arc::clone(self.monitor.counters()) as _);
        let started_seconds = seconds(self.monitor.about().started);
        collectors.push(Arc::new(Process { started_seconds }));
        let (config_changes, config) = latest::channel(self.monitor.config());
        let (rule_changes, rules) = mpsc::channel(reload::WAITING_MAX);
        let receiver = self.spawn_receiver(&settings, &world, &mut collectors);
        if let Some(storage) = &settings.storage {
            self.spawn_monitoring(&settings, storage, &world, config, rules, &mut collectors);
        }
        let reloader = Reloader {
            monitor: self.monitor.clone(),
            sources: settings.sources.clone(),
            config: config_changes,
            rules: settings.storage.is_some().then_some(rule_changes),
        };
        self.tasks.spawn(until(self.stop.clone(), reloader.run(requests)));
        self.tasks.spawn(watch(
            settings.sources,
            fingerprint,
            self.reloads.clone(),
            self.stop.clone(),
        ));
        let endpoints = Endpoints::new(
            self.monitor.clone(),
            world.net,
            settings.timeout_offset_seconds,
            self.address,
            self.reloads.clone(),
        );
        let query = self.disk.as_ref().map(|disk| {
            Arc::new(Embedded::new(Arc::clone(disk.store()), Arc::clone(&self.rules)))
                as Arc<dyn Query>
        });
        let reader = Arc::new(Reader {
            monitor: self.monitor.clone(),
            store: self.disk.as_ref().map(|disk| Arc::clone(disk.store())),
            rules: Arc::clone(&self.rules),
        });
        let ready = Arc::clone(&self.ready);
        let router = exporter::router(Arc::new(endpoints))
            .merge(exporter::operations(Operations { collectors, ready }))
            .merge(receiver.map(webhook::router).unwrap_or_default())
            .merge(api::router(Arc::clone(&reader)))
            .merge(web::router(self.monitor.clone(), query));
        self.tasks.spawn(serve(world.listener, router, self.stop.clone()));
    }
}

/// The state of a program that has just loaded its configuration.
fn new_monitor(settings: &Settings, world: &World, config: Config, disk: Option<&Disk>) -> Monitor {
    let started = world.clock.now();
    let oldest = disk.and_then(|disk| disk.store().statistics().oldest);
    let about = About {
        external_url: settings.external_url.clone(),
        started,
        data_since: oldest.unwrap_or(started),
    };
    Monitor::new(Arc::clone(&world.clock), config, about, settings.history_limit)
}

/// What the rules know of the program's surroundings: the links of their annotations begin with these labels. Behind a Prometheus
/// the second one is Grafana; here the pages of both are internal.
fn external(url: &str) -> External {
    let labels = Labels::new([("monitor_url", url), ("dashboard_url", url)]);
    External { url: url.to_owned(), labels }
}

/// Ends all tasks, once the requests in flight are answered or have taken too long.
async fn end(ready: &AtomicBool, stop: &CancellationToken, tasks: &TaskTracker) {
    ready.store(false, Ordering::Relaxed);
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(STOP_TIMEOUT, tasks.wait()).await.is_err() {
        warn!("Stopped before all was done: requests, probes or the disk took too long.");
    }
}

/// Runs a task until it ends or the program stops.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = task => {}
    }
}
