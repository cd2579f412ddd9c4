//! The other way into the alert log: what an Alertmanager reports by its webhook, and the heartbeat.
//!
//! An answer of 200 says that every event is on the disk, or an end that is not believed yet. Until then the Alertmanager asks again, and
//! because each event is written once, it may. Must not know how alerts come about, nor how a line looks.

mod hand_over;

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alerting::{
    AlertEvent, Destinations, Doubt, Heartbeat, Scope, Transition, Uptime, Webhook, alert_event,
    harmless, parse_time,
};
use axum::{
    Router,
    body::{self, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use notation::sync::lock;
use series::Timestamp;
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::hand_over::{deliver, hold, release};
use crate::{
    clock::{Clock, uptime},
    http::{
        Bodies, BodyError,
        limits::{ALERTS_AT_ONCE, ALERTS_BYTES_MAX, HEARTBEAT_BYTES_MAX, HEARTBEATS_AT_ONCE},
        plain,
    },
    telemetry::{Collect, OwnSample, names, seconds, value},
};

/// How many bodies are understood at once.
const UNDERSTOOD_AT_ONCE: usize = 2;

/// How many batches of alerts are on their way to the destinations at once; the others wait in the order in which they came.
const TURNS: usize = 2;

/// How many alerts are a batch: few enough that what waits behind one waits for a fraction of a second.
const BATCH: usize = 500;

/// How much of what is wrong with a request is reported, in bytes: it may quote the request.
const REASON_BYTES_MAX: usize = 200;

/// How often the heartbeat is looked at, and ends that wait.
const TICK: Duration = Duration::from_secs(1);

/// The annotation of the heartbeat that says when the rules were evaluated.
const EVALUATED_AT: &str = "evaluated_at";

/// Says what is watched at present; may read files.
pub type Watched = Arc<dyn Fn() -> Scope + Send + Sync>;

/// Takes alerts from an Alertmanager and hands them to the destinations.
pub struct Receiver {
    clock: Arc<dyn Clock>,
    uptime: Uptime,
    destinations: Arc<Destinations>,
    heartbeat: Mutex<Heartbeat>,
    doubt: Mutex<Doubt>,
    watched: Option<Watched>,
    external_url: String,
    alert_bodies: Bodies,
    heartbeat_bodies: Bodies,
    understood: Semaphore,
    turns: Semaphore,
    counters: Counters,
}

/// What became of the requests.
#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    held: AtomicU64,
    truncated_alerts: AtomicU64,
    skipped_alerts: AtomicU64,
    held_ends: AtomicU64,
}

/// Why a request was not accepted.
enum Refusal {
    /// It is none that can be understood; asking again will not help.
    Foreign(String),
    /// It is too long; asking again will not help.
    TooLong(String),
    /// It is not on the disk, although it may be kept; the sender has to ask again.
    NotWritten(String),
    /// It could not be read now; the sender has to ask again.
    Busy(String),
    /// Ends among it are not believed yet, and cannot be kept until then; the sender has to ask again.
    Held(String),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let why = error.to_string();
        match error {
            BodyError::CrossSite | BodyError::Broken(_) => Self::Foreign(why),
            BodyError::TooLong { .. } => Self::TooLong(format!("{why}: send fewer alerts at once")),
            BodyError::Busy(_) => Self::Busy(why),
        }
    }
}

/// The events of some alerts.
#[derive(Default)]
struct Batch {
    events: Vec<AlertEvent>,
    /// How many alerts were not understood, and why not the first of them.
    skipped: u64,
    problem: Option<String>,
}

impl Receiver {
    /// A receiver that expects a heartbeat at least once in `heartbeat_timeout`, if that is given. Waits for the destinations, which have
    /// nothing else to do before the start.
    pub fn new(
        clock: Arc<dyn Clock>,
        destinations: Arc<Destinations>,
        heartbeat_timeout: Option<Duration>,
        external_url: String,
        watched: Option<Watched>,
    ) -> Self {
        let uptime = uptime();
        let mut heartbeat =
            Heartbeat::new(heartbeat_timeout, external_url.clone(), clock.now(), uptime());
        heartbeat.restore(destinations.claim(heartbeat.fingerprint()));
        let (evaluated_at, holding) = (destinations.heartbeat(), destinations.held() > 0);
        let doubt = Doubt::new(heartbeat_timeout, evaluated_at, holding);
        Self {
            clock,
            uptime,
            destinations,
            heartbeat: Mutex::new(heartbeat),
            doubt: Mutex::new(doubt),
            watched,
            external_url,
            alert_bodies: Bodies::new(ALERTS_AT_ONCE, ALERTS_BYTES_MAX),
            heartbeat_bodies: Bodies::new(HEARTBEATS_AT_ONCE, HEARTBEAT_BYTES_MAX),
            understood: Semaphore::new(UNDERSTOOD_AT_ONCE),
            turns: Semaphore::new(TURNS),
            counters: Counters::default(),
        }
    }

    /// Says when the heartbeat is missing, and writes ends that waited, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(TICK.min(lock(&self.doubt).pace()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What could not be handed over is handed over again, which writes no line twice.
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let now = self.clock.now();
            let overdue = lock(&self.heartbeat).overdue(now, (self.uptime)());
            if overdue.is_some() {
                warn!(
                    "The heartbeat is missing: Prometheus or Alertmanager is down, or cannot reach the alert log."
                );
            }
            waiting.extend(overdue);
            tokio::select! {
                () = stop.cancelled() => break,
                result = deliver(&self.destinations, waiting.clone()) => if result.is_ok() {
                    waiting.clear();
                }
            }
            if self.believes(now) {
                tokio::select! {
                    () = stop.cancelled() => break,
                    // What could not be written is kept, and counted by its destination.
                    _ = release(&self.destinations, now) => {}
                }
            }
        }
    }

    fn believes(&self, now: Timestamp) -> bool {
        lock(&self.doubt).believes(now)
    }

    /// Counts and logs how a request ended, and answers it. Only a status of 5xx makes an Alertmanager ask again.
    fn answer(&self, outcome: Result<usize, Refusal>) -> Response {
        let counters = &self.counters;
        let (counter, status, text) = match outcome {
            Ok(0) => (&counters.accepted, StatusCode::OK, "Written.\n".to_owned()),
            Ok(ends) => (&counters.held, StatusCode::OK, format!("Kept; {}\n", doubt(ends))),
            Err(refusal) => self.refuse(refusal),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        plain(status, text)
    }

    fn refuse(&self, refusal: Refusal) -> (&AtomicU64, StatusCode, String) {
        let counters = &self.counters;
        match refusal {
            Refusal::Foreign(why) => {
                let why = harmless(&why, REASON_BYTES_MAX);
                warn!("Webhook refused: {why}.");
                (&counters.refused, StatusCode::BAD_REQUEST, format!("{why}\n"))
            }
            Refusal::TooLong(why) => {
                warn!("Webhook refused: {why}.");
                (&counters.refused, StatusCode::PAYLOAD_TOO_LARGE, format!("{why}\n"))
            }
            Refusal::NotWritten(why) => {
                error!(%why, "Alerts not written; Alertmanager will report them again.");
                let text = format!("not written yet: {why}\n");
                (&counters.failed, StatusCode::INTERNAL_SERVER_ERROR, text)
            }
            Refusal::Busy(why) => {
                warn!(%why, "Webhook not read; Alertmanager will send it again.");
                (&counters.failed, StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
            }
            Refusal::Held(why) => {
                (&counters.held, StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
            }
        }
    }

    /// Takes alerts in; how many ends among them have to wait.
    async fn alerts(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: body::Body,
    ) -> Result<usize, Refusal> {
        let body = self.alert_bodies.read(headers, body).await?;
        let webhook = {
            // The semaphores are never closed, so that waiting for them cannot fail.
            let _place = self.understood.acquire().await;
            understand(body.bytes.clone()).await?
        };
        self.note_truncated(&webhook);
        let alerts: Arc<[Bytes]> = webhook.alerts.into();
        let (mut held, mut kept, mut scope) = (0, true, None);
        // Firings come before ends: an alert whose labels were edited goes on. A destination sees to that within a batch.
        let passes: &[_] = if alerts.len() <= BATCH {
            &[None]
        } else {
            &[Some(Transition::Firing), Some(Transition::Resolved)]
        };
        for (index, pass) in passes.iter().enumerate() {
            let (mut understood, mut problem) = (alerts.is_empty(), None);
            for start in (0..alerts.len()).step_by(BATCH) {
                let range = start..alerts.len().min(start + BATCH);
                let length = range.len() as u64;
                let mut batch = self.batch(&alerts, range, *pass).await?;
                understood |= batch.skipped < length;
                if index == 0 {
                    self.note_skipped(&batch);
                }
                problem = problem.or(batch.problem);
                self.explain_ends(&mut batch.events, &mut scope).await;
                let ends = lock(&self.doubt).sift(&mut batch.events, self.clock.now());
                let _turn = self.turns.acquire().await;
                deliver(&self.destinations, batch.events).await.map_err(Refusal::NotWritten)?;
                let waiting = hold(&self.destinations, ends).await.map_err(Refusal::NotWritten)?;
                self.note_held(waiting.new);
                held += waiting.waiting;
                kept &= waiting.kept;
            }
            if let Some(problem) = problem.filter(|_| !understood) {
                return Err(Refusal::Foreign(problem));
            }
        }
        if kept { Ok(held) } else { Err(Refusal::Held(doubt(held))) }
    }

    /// The events of some of the alerts, of one transition when that is given.
    async fn batch(
        self: &Arc<Self>,
        alerts: &Arc<[Bytes]>,
        range: Range<usize>,
        pass: Option<Transition>,
    ) -> Result<Batch, Refusal> {
        let (receiver, alerts) = (Arc::clone(self), Arc::clone(alerts));
        let now = self.clock.now();
        let read = move || {
            let mut batch = Batch::default();
            for alert in alerts.get(range).unwrap_or_default() {
                match alert_event(alert, now, &receiver.external_url) {
                    Ok(event) if pass.is_none_or(|pass| pass == event.transition) => {
                        batch.events.push(event);
                    }
                    Ok(_) => {}
                    Err(why) => {
                        batch.skipped += 1;
                        batch.problem.get_or_insert(why);
                    }
                }
            }
            batch
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Refusal::NotWritten(format!("ended by a programming error: {error}")))
    }

    /// Gives ends their reasons, as far as it is known what is watched.
    async fn explain_ends(&self, events: &mut [AlertEvent], scope: &mut Option<Scope>) {
        let Some(watched) = &self.watched else { return };
        if !events.iter().any(AlertEvent::is_end) {
            return;
        }
        if scope.is_none() {
            let watched = Arc::clone(watched);
            *scope = tokio::task::spawn_blocking(move || watched()).await.ok();
        }
        let Some(scope) = scope else { return };
        for event in events.iter_mut().filter(|event| event.is_end()) {
            event.ending = scope.ending(&event.labels);
        }
    }

    fn note_held(&self, new: usize) {
        if new > 0 {
            warn!(
                ends = new,
                "Ends of alerts wait: by the heartbeat nothing was evaluated for too long, so that they may be none."
            );
            self.counters.held_ends.fetch_add(new as u64, Ordering::Relaxed);
        }
    }

    fn note_truncated(&self, webhook: &Webhook) {
        if webhook.truncated > 0 {
            self.counters.truncated_alerts.fetch_add(webhook.truncated, Ordering::Relaxed);
            warn!(
                alerts = webhook.truncated,
                "Alertmanager left alerts out of a webhook: set `max_alerts: 0` in its configuration."
            );
        }
    }

    fn note_skipped(&self, batch: &Batch) {
        if let Some(why) = &batch.problem {
            self.counters.skipped_alerts.fetch_add(batch.skipped, Ordering::Relaxed);
            let why = harmless(why, REASON_BYTES_MAX);
            warn!(alerts = batch.skipped, %why, "Alerts of a webhook were not understood and are left out.");
        }
    }

    async fn beat(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: body::Body,
    ) -> Result<usize, Refusal> {
        let body = self.heartbeat_bodies.read(headers, body).await?;
        let webhook = understand(body.bytes.clone()).await?;
        let now = self.clock.now();
        let mut beats = Vec::new();
        for alert in &webhook.alerts {
            let event = alert_event(alert, now, &self.external_url).map_err(Refusal::Foreign)?;
            beats.extend(Some(event).filter(|event| !event.is_end()));
        }
        if beats.is_empty() {
            return Ok(0);
        }
        let evaluated = beats.iter().filter_map(|beat| parse_time(beat.annotation(EVALUATED_AT)));
        if let Some(evaluated_at) = evaluated.max()
            && lock(&self.doubt).beat(evaluated_at, now)
        {
            self.destinations.beat(evaluated_at);
        }
        let back = lock(&self.heartbeat).beat(now, (self.uptime)());
        deliver(&self.destinations, back.into_iter().collect())
            .await
            .map_err(Refusal::NotWritten)?;
        Ok(0)
    }
}

/// What is said of ends that have to wait.
fn doubt(ends: usize) -> String {
    format!(
        "{ends} ends of alerts are not believed yet: nothing was evaluated for too long, by the heartbeat"
    )
}

/// Understands a body, away from the tasks that serve and probe.
async fn understand(body: Bytes) -> Result<Webhook, Refusal> {
    match tokio::task::spawn_blocking(move || Webhook::read(&body)).await {
        Ok(understood) => understood.map_err(Refusal::Foreign),
        Err(error) => Err(Refusal::NotWritten(format!("ended by a programming error: {error}"))),
    }
}

/// The routes: the webhook and the heartbeat.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/api/v1/alertmanager", post(alerts))
        .route("/api/v1/heartbeat", post(heartbeat))
        .with_state(receiver)
}

async fn alerts(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: body::Body,
) -> Response {
    let outcome = receiver.alerts(&headers, body).await;
    receiver.answer(outcome)
}

async fn heartbeat(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: body::Body,
) -> Response {
    let outcome = receiver.beat(&headers, body).await;
    receiver.answer(outcome)
}

impl Collect for Receiver {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        let counters = [
            ("accepted", &self.counters.accepted),
            ("refused", &self.counters.refused),
            ("failed", &self.counters.failed),
            ("held", &self.counters.held),
        ];
        samples.extend(counters.into_iter().map(|(outcome, counter)| {
            let count = value(counter.load(Ordering::Relaxed));
            OwnSample::labelled(&names::WEBHOOKS, "outcome", outcome, count)
        }));
        let counts = [
            (&names::WEBHOOK_TRUNCATED, &self.counters.truncated_alerts),
            (&names::WEBHOOK_SKIPPED, &self.counters.skipped_alerts),
            (&names::WEBHOOK_HELD, &self.counters.held_ends),
        ];
        samples.extend(counts.into_iter().map(|(metric, counter)| {
            OwnSample::new(metric, value(counter.load(Ordering::Relaxed)))
        }));
        let last = lock(&self.heartbeat).last();
        samples.extend(last.map(|at| OwnSample::new(&names::HEARTBEAT_TIME, seconds(at))));
    }
}
