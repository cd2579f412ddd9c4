//! The other way into the alert log: what an Alertmanager tells by its webhook, and the heartbeat.
//!
//! An answer of 200 says that every transition is on the disk. Until then the Alertmanager asks again, and because each event is
//! written once, it may. Must not know how alerts come about, nor how a line looks.

mod heartbeat;
mod webhook;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::{heartbeat::Heartbeat, webhook::Webhook};
use crate::{
    clock::Clock,
    expose::{is_cross_site, own::seconds, plain},
    notify::{Notice, SharedNotifiers},
    telemetry::{Collect, OwnSample, names, value},
};

/// The longest body: 20,000 alerts with the annotations of the shipped rules.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many requests are read at once. A body takes several times its length in memory while it is understood, and the lines are
/// written one request after the other anyway.
const REQUESTS_MAX: usize = 2;

/// How long a body may take to arrive: as long as an Alertmanager waits at most by default for an answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of what is wrong with a request is told: it may quote the request.
const REASON_CHARACTERS_MAX: usize = 200;

/// How often lines that wait are tried again, and the heartbeat is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Takes alerts from an Alertmanager and hands them to the notifiers.
pub struct Receiver {
    clock: Arc<dyn Clock>,
    notifiers: Arc<SharedNotifiers>,
    heartbeat: Heartbeat,
    turns: Semaphore,
    counters: Counters,
}

/// What became of the requests.
#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Receiver {
    /// A receiver that expects a heartbeat at least once in `heartbeat_timeout`, if that is given.
    pub fn new(
        clock: Arc<dyn Clock>,
        notifiers: Arc<SharedNotifiers>,
        heartbeat_timeout: Option<Duration>,
        external_url: String,
    ) -> Self {
        let heartbeat = Heartbeat::new(heartbeat_timeout, external_url, clock.now());
        heartbeat.restore(notifiers.open_since(heartbeat.fingerprint()));
        let turns = Semaphore::new(REQUESTS_MAX);
        Self { clock, notifiers, heartbeat, turns, counters: Counters::default() }
    }

    /// Tries again what waits, and tells when the heartbeat is missing, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let overdue = self.heartbeat.overdue(self.clock.now());
            if overdue.is_some() {
                warn!(
                    "The heartbeat is missing: Prometheus or Alertmanager is down, or cannot reach the alert log."
                );
            }
            // What could not be written waits, is counted, and is tried again.
            let _kept = self.tell(overdue.into_iter().collect()).await;
        }
        let _kept = self.tell(Vec::new()).await;
    }

    /// Hands notices over; an error says that something waits.
    async fn tell(self: &Arc<Self>, notices: Vec<Notice>) -> Result<(), String> {
        let receiver = Arc::clone(self);
        let told = tokio::task::spawn_blocking(move || {
            receiver.notifiers.notify(&notices).map_err(|error| error.to_string())
        });
        told.await.unwrap_or_else(|error| Err(format!("ended by a programming error: {error}")))
    }

    /// Counts and logs how a request ended, and answers it. Only a status of 5xx makes an Alertmanager ask again.
    fn answer(&self, outcome: Result<(), Refusal>) -> Response {
        let (counter, answer) = match outcome {
            Ok(()) => (&self.counters.accepted, plain(StatusCode::OK, "Written.\n")),
            Err(Refusal::Foreign(why)) => {
                warn!("Webhook refused: {why}.");
                (&self.counters.refused, plain(StatusCode::BAD_REQUEST, format!("{why}\n")))
            }
            Err(Refusal::NotWritten(why)) => {
                error!(%why, "Alerts not written; Alertmanager will tell them again.");
                (
                    &self.counters.failed,
                    plain(StatusCode::INTERNAL_SERVER_ERROR, format!("not written yet: {why}\n")),
                )
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    async fn alerts(self: &Arc<Self>, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
        // The semaphore is never closed, so that waiting for it cannot fail.
        let _turn = self.turns.acquire().await;
        let notices = read(headers, body).await?.notices(self.clock.now());
        self.tell(notices).await.map_err(Refusal::NotWritten)
    }

    async fn beat(self: &Arc<Self>, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
        let _turn = self.turns.acquire().await;
        if !read(headers, body).await?.is_firing() {
            return Ok(());
        }
        match self.heartbeat.beat(self.clock.now()) {
            Some(back) => self.tell(vec![back]).await.map_err(Refusal::NotWritten),
            None => Ok(()),
        }
    }
}

/// Reads a request, away from the tasks that serve and probe.
async fn read(headers: &HeaderMap, body: Body) -> Result<Webhook, Refusal> {
    if is_cross_site(headers) {
        return Err(Refusal::Foreign("the request comes from another site".to_owned()));
    }
    let body = match timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            return Err(Refusal::Foreign(format!(
                "its body cannot be read, or is longer than {} MiB: {error}",
                BODY_BYTES_MAX / 1024 / 1024
            )));
        }
        Err(_) => return Err(Refusal::NotWritten("the body takes too long".to_owned())),
    };
    let webhook = understand(body).await?;
    if webhook.truncated > 0 {
        warn!(
            alerts = webhook.truncated,
            "Alertmanager left alerts out of a webhook: set `max_alerts: 0` in its configuration."
        );
    }
    Ok(webhook)
}

async fn understand(body: Bytes) -> Result<Webhook, Refusal> {
    match tokio::task::spawn_blocking(move || Webhook::read(&body)).await {
        Ok(Ok(webhook)) => Ok(webhook),
        Ok(Err(why)) => Err(Refusal::Foreign(why.chars().take(REASON_CHARACTERS_MAX).collect())),
        Err(error) => Err(Refusal::NotWritten(format!("ended by a programming error: {error}"))),
    }
}

/// Why a request was not accepted.
enum Refusal {
    /// It is none of ours; asking again will not help.
    Foreign(String),
    /// It is not on the disk, although it may be kept; the sender has to ask again.
    NotWritten(String),
}

/// The routes: the webhook and the heartbeat.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/api/v1/alertmanager", post(alerts))
        .route("/api/v1/heartbeat", post(heartbeat))
        .with_state(receiver)
}

async fn alerts(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Body) -> Response {
    let outcome = receiver.alerts(&headers, body).await;
    receiver.answer(outcome)
}

async fn heartbeat(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Body,
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
        ];
        samples.extend(counters.into_iter().map(|(outcome, counter)| {
            let count = value(counter.load(Ordering::Relaxed));
            OwnSample::labelled(&names::WEBHOOKS, "outcome", outcome, count)
        }));
        let last = self.heartbeat.last();
        samples.extend(last.map(|at| OwnSample::new(&names::HEARTBEAT_TIME, seconds(at))));
    }
}
