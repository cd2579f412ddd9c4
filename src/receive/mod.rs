//! The other way into the alert log: what an Alertmanager tells by its webhook, and the heartbeat.
//!
//! An answer of 200 says that every transition is on the disk. Until then the Alertmanager asks again, and because each event is
//! written once, it may. Must not know how alerts come about, nor how a line looks.

mod heartbeat;
mod webhook;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::{heartbeat::Heartbeat, webhook::Webhook};
use crate::{
    clock::Clock,
    expose::{is_cross_site, own::seconds, plain},
    monitor::lock,
    notify::{Notice, Notifiers},
    telemetry::{Collect, OwnSample, names, value},
};

/// The longest body: 10,000 alerts with long annotations.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How often lines that wait are tried again, and the heartbeat is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Takes alerts from an Alertmanager and hands them to the notifiers.
pub struct Receiver {
    clock: Arc<dyn Clock>,
    notifiers: Arc<Mutex<Notifiers>>,
    heartbeat: Heartbeat,
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
        notifiers: Arc<Mutex<Notifiers>>,
        heartbeat_timeout: Option<Duration>,
        external_url: String,
    ) -> Self {
        let heartbeat = Heartbeat::new(heartbeat_timeout, external_url, clock.now());
        heartbeat.restore(lock(&notifiers).open_since(heartbeat.fingerprint()));
        Self { clock, notifiers, heartbeat, counters: Counters::default() }
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
            lock(&receiver.notifiers).notify(&notices).map_err(|error| error.to_string())
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
                error!(%why, "Alerts not written; they are kept and tried again.");
                (
                    &self.counters.failed,
                    plain(StatusCode::INTERNAL_SERVER_ERROR, format!("not written yet: {why}\n")),
                )
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Webhook, Refusal> {
        if is_cross_site(headers) {
            return Err(Refusal::Foreign("the request comes from another site".to_owned()));
        }
        let webhook = Webhook::read(body).map_err(Refusal::Foreign)?;
        if webhook.truncated > 0 {
            warn!(
                alerts = webhook.truncated,
                "Alertmanager left alerts out of a webhook: set `max_alerts: 0` in its configuration."
            );
        }
        Ok(webhook)
    }

    async fn alerts(self: &Arc<Self>, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let notices = Self::read(headers, body)?.notices(self.clock.now());
        self.tell(notices).await.map_err(Refusal::NotWritten)
    }

    async fn beat(self: &Arc<Self>, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        if !Self::read(headers, body)?.is_firing() {
            return Ok(());
        }
        let back = self.heartbeat.beat(self.clock.now());
        if back.is_none() {
            return Ok(());
        }
        self.tell(back.into_iter().collect()).await.map_err(Refusal::NotWritten)
    }
}

/// Why a request was not accepted.
enum Refusal {
    /// It is none of ours; asking again will not help.
    Foreign(String),
    /// It is kept but not on the disk; the sender has to ask again.
    NotWritten(String),
}

/// The routes: the webhook and the heartbeat.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/api/v1/alertmanager", post(alerts))
        .route("/api/v1/heartbeat", post(heartbeat))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(receiver)
}

async fn alerts(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = receiver.alerts(&headers, &body).await;
    receiver.answer(outcome)
}

async fn heartbeat(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = receiver.beat(&headers, &body).await;
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
