//! The other way into the alert log: what an Alertmanager reports by its webhook, and the heartbeat.
//!
//! An answer of 200 says that every event is on the disk, or an end that is not believed yet. Until then the Alertmanager asks again, and
//! because each event is written once, it may. Must not know how alerts come about, nor how a line looks.

mod alerts;
mod answer;
mod counters;
mod hand_over;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alerting::{Destinations, Doubt, Heartbeat, Uptime, Watched, Webhook, alert_event, parse_time};
use axum::{
    Router,
    body::{self, Bytes},
    extract::State,
    http::HeaderMap,
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
use tracing::warn;

use self::{
    answer::Refusal,
    counters::Counters,
    hand_over::{deliver, release},
};
use crate::{
    clock::{Clock, uptime},
    http::{
        Bodies,
        limits::{ALERTS_AT_ONCE, ALERTS_BYTES_MAX, HEARTBEAT_BYTES_MAX, HEARTBEATS_AT_ONCE},
    },
    telemetry::{Collect, OwnSample, names, seconds},
};

/// How many bodies are understood at once.
const UNDERSTOOD_AT_ONCE: usize = 2;

/// How many batches of alerts are on their way to the destinations at once; the others wait in the order in which they came.
const TURNS: usize = 2;

/// How often the heartbeat is looked at, and ends that wait.
const TICK: Duration = Duration::from_secs(1);

/// The annotation of the heartbeat that says when the rules were evaluated.
const EVALUATED_AT: &str = "evaluated_at";

/// Says what is watched at present; may read files.
pub type WatchedSource = Arc<dyn Fn() -> Watched + Send + Sync>;

/// Takes alerts from an Alertmanager and hands them to the destinations.
pub struct Receiver {
    clock: Arc<dyn Clock>,
    uptime: Uptime,
    destinations: Arc<Destinations>,
    heartbeat: Mutex<Heartbeat>,
    doubt: Mutex<Doubt>,
    watched: Option<WatchedSource>,
    external_url: String,
    alert_bodies: Bodies,
    heartbeat_bodies: Bodies,
    understood: Semaphore,
    turns: Semaphore,
    counters: Counters,
}

impl Receiver {
    /// A receiver that expects a heartbeat at least once in `heartbeat_timeout`, if that is given. Waits for the destinations, which have
    /// nothing else to do before the start.
    pub fn new(
        clock: Arc<dyn Clock>,
        destinations: Arc<Destinations>,
        heartbeat_timeout: Option<Duration>,
        external_url: String,
        watched: Option<WatchedSource>,
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
    receiver.counters.answer(outcome)
}

async fn heartbeat(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: body::Body,
) -> Response {
    let outcome = receiver.beat(&headers, body).await;
    receiver.counters.answer(outcome)
}

impl Collect for Receiver {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        self.counters.collect(samples);
        let last = lock(&self.heartbeat).last();
        samples.extend(last.map(|at| OwnSample::new(&names::HEARTBEAT_TIME, seconds(at))));
    }
}
