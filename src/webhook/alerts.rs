//! A webhook of alerts: its events in batches, firings before ends, handed over or kept until they are believed.
//!
//! Must not know how a request is answered.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use alerting::{AlertEvent, Transition, Watched, Webhook, alert_event, harmless};
use axum::{
    body::{self, Bytes},
    http::HeaderMap,
};
use notation::sync::lock;
use tracing::warn;

use super::{
    Receiver,
    answer::{REASON_BYTES_MAX, Refusal, doubt},
    hand_over::{deliver, hold},
    understand,
};

/// How many alerts are a batch: few enough that what waits behind one waits for a fraction of a second.
const BATCH: usize = 500;

/// The events of some alerts.
#[derive(Default)]
struct Batch {
    events: Vec<AlertEvent>,
    /// How many alerts were not understood, and why not the first of them.
    skipped: u64,
    problem: Option<String>,
}

impl Receiver {
    /// Takes alerts in; how many ends among them have to wait.
    pub(super) async fn alerts(
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
        let (mut held, mut kept, mut watched) = (0, true, None);
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
                self.explain_ends(&mut batch.events, &mut watched).await;
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
    async fn explain_ends(&self, events: &mut [AlertEvent], watched: &mut Option<Watched>) {
        let Some(source) = &self.watched else { return };
        if !events.iter().any(AlertEvent::is_end) {
            return;
        }
        if watched.is_none() {
            let source = Arc::clone(source);
            *watched = tokio::task::spawn_blocking(move || source()).await.ok();
        }
        let Some(watched) = watched else { return };
        for event in events.iter_mut().filter(|event| event.is_end()) {
            event.ending = watched.ending(&event.labels);
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
}
