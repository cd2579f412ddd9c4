//! Follows the timetable: one task for each probe in flight, none for an idle target.
//!
//! Must not know where targets come from or where results go.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use probe::{Failure, Net, Outcome, Phase, ProbeResult, Reason};
use series::Timestamp;
use tokio::{
    sync::{Semaphore, watch},
    task::{Id, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::{
    Plan, Sink,
    plan::{Changes, Due, same_probe},
    skips::{Cause, Skips},
};
use crate::{
    clock::Clock,
    config::{Config, Identity, Target},
    telemetry::{Collect, OwnSample, names, process::affordable, value},
};

/// How probing is bounded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many probes run at once; the others wait. A probe in flight holds about 35 KiB and one descriptor.
    pub in_flight_max: usize,
    /// How many of them may be of one host, so that one that is dead does not keep the others waiting.
    pub host_in_flight_max: usize,
}

impl Settings {
    /// How many probes run at once where descriptors are plenty.
    const IN_FLIGHT_MAX: usize = 512;

    /// Two for each probe: half of the descriptors are left to the pages, the store and the logs.
    const DESCRIPTORS_PER_PROBE: u64 = 2;

    /// The share of one host: one in so many.
    const HOST_SHARE: usize = 4;

    /// Bounds for a process that may have so many descriptors.
    pub fn within(descriptors: Option<u64>) -> Self {
        let in_flight_max =
            affordable(descriptors, Self::DESCRIPTORS_PER_PROBE, Self::IN_FLIGHT_MAX);
        let host_in_flight_max = in_flight_max.div_ceil(Self::HOST_SHARE);
        Self { in_flight_max, host_in_flight_max }
    }
}

/// What the scheduler counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Probes that are running or waiting for their turn.
    pub in_flight: AtomicU64,
    /// Slots that passed unused: the target's previous probe had not ended, or the program was held up.
    pub slots_missed: AtomicU64,
}

impl Collect for Counts {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        samples.push(OwnSample::new(
            &names::PROBES_IN_FLIGHT,
            value(self.in_flight.load(Ordering::Relaxed)),
        ));
        samples.push(OwnSample::new(
            &names::SLOTS_MISSED,
            value(self.slots_missed.load(Ordering::Relaxed)),
        ));
    }
}

/// Probes the targets of a configuration as they are due.
pub struct Scheduler {
    /// The configuration in force, and its changes.
    pub config: watch::Receiver<Arc<Config>>,
    /// Name resolution and trusted roots.
    pub net: Arc<Net>,
    /// Takes the results.
    pub sink: Arc<dyn Sink>,
    /// The time of day, for the samples.
    pub clock: Arc<dyn Clock>,
    /// The bounds.
    pub settings: Settings,
    /// The counters.
    pub counts: Arc<Counts>,
}

/// A finished probe, as its task returns it.
struct Finished {
    target: Arc<Target>,
    started: Timestamp,
    result: ProbeResult,
}

/// The probes in flight.
struct InFlight {
    tasks: JoinSet<Finished>,
    /// Task and target of each, to name the target of a task that panicked.
    running: HashMap<Id, (Arc<Target>, Timestamp)>,
    identities: BTreeSet<Identity>,
    /// Targets that were edited while they were being probed, and had their turn meanwhile: theirs is when that probe ends.
    edited: BTreeSet<Identity>,
    permits: Arc<Semaphore>,
    hosts: Hosts,
    skips: Skips,
}

/// The turns of each host that is being probed.
struct Hosts {
    each_max: usize,
    permits: HashMap<String, Arc<Semaphore>>,
}

impl Hosts {
    /// What the probes of a host wait for.
    fn turns(&mut self, host: String) -> Arc<Semaphore> {
        let new = || Arc::new(Semaphore::new(self.each_max));
        Arc::clone(self.permits.entry(host).or_insert_with(new))
    }

    /// Forgets a host of which no probe waits or runs any more.
    fn tidy(&mut self, host: &str) {
        if self.permits.get(host).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            self.permits.remove(host);
        }
    }
}

impl Scheduler {
    /// Probes until the token is cancelled. Probes that are then in flight are dropped without a result: nothing is
    /// recorded about their targets.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut plan = Plan::new(Instant::now());
        let mut flight = InFlight {
            tasks: JoinSet::new(),
            running: HashMap::new(),
            identities: BTreeSet::new(),
            edited: BTreeSet::new(),
            permits: Arc::new(Semaphore::new(self.settings.in_flight_max)),
            hosts: Hosts { each_max: self.settings.host_in_flight_max, permits: HashMap::new() },
            skips: Skips::default(),
        };
        let mut config = Arc::clone(&self.config.borrow_and_update());
        self.adopt(&mut plan, &config);
        loop {
            let next_due = plan.next_due();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.config.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    config = Arc::clone(&self.config.borrow_and_update());
                    self.adopt(&mut plan, &config);
                }
                Some(joined) = flight.tasks.join_next_with_id() => {
                    if let Some(edited) = self.finish(&plan, &mut flight, joined) {
                        self.begin(&config, &mut flight, edited);
                    }
                }
                () = sleep_until(next_due.unwrap_or_else(Instant::now)), if next_due.is_some() => {
                    let now = Instant::now();
                    for Due { target, slots_passed } in plan.take_due(now) {
                        let missed = &self.counts.slots_missed;
                        flight.skips.add(missed, Cause::Late, &target.instance, slots_passed);
                        self.begin(&config, &mut flight, target);
                    }
                    flight.skips.report(now);
                }
            }
            self.counts.in_flight.store(flight.tasks.len() as u64, Ordering::Relaxed);
        }
        flight.tasks.shutdown().await;
    }

    /// Takes a new configuration: the series of removed targets end at once. Those of edited ones go on until the first probe with
    /// the new labels, which is due at once: see [`Plan::update`].
    fn adopt(&self, plan: &mut Plan, config: &Config) {
        let changes = plan.update(&config.targets, Instant::now());
        let now = self.clock.now();
        for target in &changes.removed {
            self.sink.forget(target, now);
        }
        let Changes { added, changed, removed } = changes;
        if added + changed + removed.len() > 0 {
            info!(added, changed, removed = removed.len(), "Targets changed.");
        }
    }

    fn begin(&self, config: &Config, flight: &mut InFlight, target: Arc<Target>) {
        let Some(module) = config.modules.get(&target.module).map(Arc::clone) else {
            error!(target = %target.instance, module = %target.module, "The module of a valid target is missing.");
            return;
        };
        let identity = target.identity();
        if !flight.identities.insert(identity.clone()) {
            let previous =
                flight.running.values().find(|(running, _)| running.identity() == identity);
            if previous.is_some_and(|(running, _)| !same_probe(running, &target)) {
                flight.edited.insert(identity);
                return;
            }
            flight.skips.add(&self.counts.slots_missed, Cause::Busy, &target.instance, 1);
            return;
        }
        let (net, clock, permits) =
            (Arc::clone(&self.net), Arc::clone(&self.clock), Arc::clone(&flight.permits));
        let turns = flight.hosts.turns(target.address.host());
        let begun = (Arc::clone(&target), self.clock.now());
        let task = flight.tasks.spawn(async move {
            // Waiting for a turn counts as an internal fault when it takes longer than the probe may.
            let waiting = async {
                // The host's turn first: who waits for it takes nobody else's.
                let turn = turns.acquire_owned().await.ok()?;
                Some((turn, permits.acquire_owned().await.ok()?))
            };
            let permits = tokio::time::timeout(target.interval, waiting).await;
            let started = clock.now();
            let result = match permits {
                Ok(Some(_permits)) => module.probe(&net, &target.address, target.timeout).await,
                _ => {
                    fault(started, target.timeout, Reason::Overload, "too many probes were waiting")
                }
            };
            Finished { target, started, result }
        });
        flight.running.insert(task.id(), begun);
    }

    /// Takes the result of a probe. What comes back is to be probed now, because it was edited in the meantime.
    fn finish(
        &self,
        plan: &Plan,
        flight: &mut InFlight,
        joined: Result<(Id, Finished), tokio::task::JoinError>,
    ) -> Option<Arc<Target>> {
        let id = match &joined {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let (target, started) = flight.running.remove(&id)?;
        let identity = target.identity();
        flight.identities.remove(&identity);
        flight.hosts.tidy(&target.address.host());
        let finished = match joined {
            Ok((_, finished)) => finished,
            Err(error) => {
                error!(target = %target.instance, %error, "A probe ended by a programming error.");
                let result = fault(
                    started,
                    target.timeout,
                    Reason::Bug,
                    "the probe ended by a programming error",
                );
                Finished { target, started, result }
            }
        };
        // A result that comes in after its target was removed would revive the series that have just ended.
        if plan.contains(&finished.target) {
            self.sink.record(&finished.target, finished.started, finished.result);
        } else {
            debug!(target = %finished.target.instance, "Result dropped: the target was removed or edited.");
        }
        let edited = flight.edited.remove(&identity);
        edited.then(|| plan.current(&identity).map(Arc::clone)).flatten()
    }
}

/// A result that says nothing about the target, because the fault is internal.
fn fault(started: Timestamp, timeout: Duration, reason: Reason, detail: &str) -> ProbeResult {
    let since_epoch = Duration::from_millis(u64::try_from(started).unwrap_or(0));
    ProbeResult {
        outcome: Outcome::Fault(Failure::new(Phase::Internal, reason, detail)),
        started: SystemTime::UNIX_EPOCH + since_epoch,
        elapsed: Duration::ZERO,
        timeout,
        samples: Vec::new(),
        notes: Vec::new(),
        evidence: probe::Evidence::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::config::Promises;

    #[test]
    fn probes_leave_descriptors_to_the_others() {
        for (descriptors, expected) in
            [(None, 512), (Some(1024), 512), (Some(64), 32), (Some(0), 1)]
        {
            let found = Settings::within(descriptors);
            assert_eq!(found.in_flight_max, expected, "{descriptors:?}");
            assert!((1..=expected).contains(&found.host_in_flight_max), "{found:?}");
        }
    }

    /// When each target had a result, in virtual seconds.
    #[derive(Default)]
    struct Times(Mutex<HashMap<String, Vec<f64>>>);

    struct Recorder {
        begun: Instant,
        times: Times,
    }

    impl Sink for Recorder {
        fn record(&self, target: &Arc<Target>, _: Timestamp, _: ProbeResult) {
            let mut times = self.times.0.lock().unwrap();
            let at = self.begun.elapsed().as_secs_f64();
            times.entry(target.instance.clone()).or_default().push(at);
        }

        fn forget(&self, _: &Arc<Target>, _: Timestamp) {}
    }

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            0
        }
    }

    fn config(targets: Vec<Arc<Target>>) -> Arc<Config> {
        let modules = probe::Module::builtin()
            .into_iter()
            .map(|(name, module)| (name, Arc::new(module)))
            .collect();
        Arc::new(Config {
            targets,
            modules,
            unsupported_modules: std::collections::BTreeMap::default(),
            rules: Vec::new(),
            files: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Probes the targets for a span of virtual time, and others from a moment of it on.
    async fn follow(
        targets: Vec<Arc<Target>>,
        edit: Option<(Duration, Vec<Arc<Target>>)>,
        settings: Settings,
        span: Duration,
    ) -> Arc<Recorder> {
        let (edits, changes) = watch::channel(config(targets));
        // Nobody reads what this name server is asked: only virtual time ends a look-up.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let net = Net::for_tests(silent.local_addr().ok(), &[]).unwrap();
        let sink = Arc::new(Recorder { begun: Instant::now(), times: Times::default() });
        let scheduler = Scheduler {
            config: changes,
            net: Arc::new(net),
            sink: Arc::clone(&sink) as _,
            clock: Arc::new(Stopped),
            settings,
            counts: Arc::default(),
        };
        let stop = CancellationToken::new();
        let running = scheduler.run(stop.clone());
        let stopping = async {
            let end = Instant::now() + span;
            if let Some((after, targets)) = edit {
                tokio::time::sleep(after).await;
                edits.send_replace(config(targets));
            }
            sleep_until(end).await;
            stop.cancel();
        };
        tokio::join!(running, stopping);
        sink
    }

    fn target(instance: String, interval: Duration) -> Arc<Target> {
        let module = probe::Module::builtin().remove("http_2xx").unwrap();
        Arc::new(Target {
            address: module.target(&instance).unwrap(),
            internal_labels: Arc::default(),
            promises: Promises::default(),
            labels: series::Labels::new([("instance", instance.as_str())]),
            instance,
            module: "http_2xx".to_owned(),
            interval,
            timeout: Duration::from_secs(9),
            origin: String::new(),
        })
    }

    /// Until its next slot, minutes later, nothing would be known of it under its new labels.
    #[tokio::test(start_paused = true)]
    async fn a_target_that_is_edited_while_it_is_probed_is_probed_again_at_once() {
        let old = target("http://dead.test/".to_owned(), Duration::from_mins(4));
        let new = Arc::new(Target { labels: old.labels.with("team", "b"), ..(*old).clone() });
        let settings = Settings { in_flight_max: 32, host_in_flight_max: 8 };
        let edit = Some((Duration::from_secs(3), vec![new]));
        let found = follow(vec![old], edit, settings, Duration::from_mins(1)).await;
        // The first probe waits for the name server beyond the edit and counts for nothing, the second one waits as long.
        let times = found.times.0.lock().unwrap();
        assert_eq!(times.get("http://dead.test/").map(Vec::len), Some(1), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_host_does_not_keep_the_others_waiting() {
        let interval = Duration::from_secs(10);
        let target = |instance| target(instance, interval);
        let dead = (0..1000).map(|index| target(format!("http://dead.test/{index}")));
        // Nobody listens there, which the system says at once.
        let fine = (0..20).map(|index| target(format!("http://127.0.0.{}:1/", index + 2)));
        let settings = Settings { in_flight_max: 32, host_in_flight_max: 8 };
        let found =
            follow(dead.chain(fine).collect(), None, settings, Duration::from_secs(61)).await;
        let times = found.times.0.lock().unwrap();
        for index in 0..20 {
            let times = &times[&format!("http://127.0.0.{}:1/", index + 2)];
            assert!(times.len() >= 6, "{times:?}");
            // A second for the first probe, which is out of turn, and no wait in any other.
            let late = times.windows(2).any(|pair| pair[1] - pair[0] > 15.1);
            let steady =
                times.windows(2).skip(1).all(|pair| (pair[1] - pair[0] - 10.0).abs() < 0.1);
            assert!(!late && steady, "{times:?}");
        }
    }
}
