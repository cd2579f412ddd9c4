//! The notifiers at work: for each a queue and a thread.
//!
//! The rules hand over and go on: what they say is made good by what they say later, should it be lost on the way. A sender that has
//! to know waits for its own lines alone. Must not know what a notifier does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use series::Timestamp;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::{Counters, Held, Notice, Notifier, Notifiers, NotifyError, Present};
use crate::{
    state::lock,
    telemetry::{Collect, OwnSample, names, value},
};

/// How many notices may wait for a notifier; what comes then is refused. A batch that is taken may be larger.
const WAITING_MAX: usize = 10_000;

/// How often what a notifier could not deliver is tried again.
const TICK: Duration = Duration::from_secs(1);

/// The notifiers, shared by all who have something to tell. No call waits for a disk unless it says so; what is counted can be had at
/// any time.
pub struct SharedNotifiers(Vec<Destination>);

/// One notifier with its queue and its thread.
struct Destination {
    name: &'static str,
    /// Closed first when the program ends, so that the thread ends.
    works: Mutex<Option<Sender<Work>>>,
    state: Arc<State>,
    /// Closed by the thread when it ends.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

/// What a queue and its thread both know.
#[derive(Default)]
struct State {
    /// How many notices wait in the queue.
    waiting: AtomicUsize,
    /// How many were refused, by the queue or by the notifier.
    refused: AtomicU64,
    /// The same when the last account of the rules was handed over that left nothing open.
    settled: AtomicU64,
    /// Whether the last account of the rules left something open.
    open: AtomicBool,
    counters: Mutex<Counters>,
}

/// What a thread has to do.
enum Work {
    Notices { notices: Arc<[Notice]>, done: Option<oneshot::Sender<Result<(), String>>> },
    Hold { ends: Vec<Notice>, done: oneshot::Sender<Result<Held, String>> },
    Release { at: Timestamp, done: oneshot::Sender<Result<(), String>> },
    Present { present: Arc<Present>, refused: u64 },
    Claim { fingerprint: u64, answer: Sender<Option<Timestamp>> },
    Heartbeat { answer: Sender<Option<Timestamp>> },
    Beat(Timestamp),
    Reopen,
}

impl Work {
    /// For how many notices it counts.
    fn weight(&self) -> usize {
        match self {
            Self::Notices { notices, .. } => notices.len(),
            Self::Hold { ends, .. } => ends.len(),
            Self::Present { present, .. } => present.firing.len().max(1),
            _ => 0,
        }
    }
}

impl SharedNotifiers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(notifiers: Notifiers) -> Result<Self, NotifyError> {
        let started =
            notifiers.0.into_iter().map(|(name, notifier)| Destination::start(name, notifier));
        Ok(Self(started.collect::<Result<_, _>>()?))
    }

    /// Hands notices over. What is refused because too much waits is counted, and made good by [`SharedNotifiers::present`].
    pub fn enqueue(&self, notices: Vec<Notice>) {
        let notices: Arc<[Notice]> = notices.into();
        for destination in self.0.iter().filter(|_| !notices.is_empty()) {
            let _counted =
                destination.send(Work::Notices { notices: Arc::clone(&notices), done: None });
        }
    }

    /// Hands notices over and waits until all of them are delivered.
    ///
    /// # Errors
    /// Why they are not. They may be kept all the same.
    pub async fn deliver(&self, notices: Vec<Notice>) -> Result<(), String> {
        let notices: Arc<[Notice]> = notices.into();
        let mut answers = Vec::new();
        for destination in self.0.iter().filter(|_| !notices.is_empty()) {
            let (done, answer) = oneshot::channel();
            let work = Work::Notices { notices: Arc::clone(&notices), done: Some(done) };
            if !destination.send(work) {
                return Err("too many alerts wait to be written".to_owned());
            }
            answers.push(answer);
        }
        for answer in answers {
            answer.await.unwrap_or_else(|_| Err("the notifier has ended".to_owned()))?;
        }
        Ok(())
    }

    /// Hands over ends that are not believed yet, which are kept until they are released or their alerts fire, and waits until it is
    /// known what became of them.
    ///
    /// # Errors
    /// Why that is not known: they have to be reported again.
    pub async fn hold(&self, ends: Vec<Notice>) -> Result<Held, String> {
        let mut held = Held { kept: true, ..Held::default() };
        for destination in self.0.iter().filter(|_| !ends.is_empty()) {
            let (done, answer) = oneshot::channel();
            let one = destination.ask(Work::Hold { ends: ends.clone(), done }, answer).await?;
            held = Held {
                waiting: held.waiting.max(one.waiting),
                new: held.new.max(one.new),
                kept: held.kept && one.kept,
            };
        }
        Ok(held)
    }

    /// Delivers all ends that wait, as learnt of at `now`, and waits until they are delivered.
    ///
    /// # Errors
    /// Why they are not. They are kept.
    pub async fn release(&self, now: Timestamp) -> Result<(), String> {
        for destination in &self.0 {
            let mut before = usize::MAX;
            // Some at a time; where they become no fewer, others came meanwhile, and are for the next call.
            while (1..before).contains(&destination.counters().held) {
                before = destination.counters().held;
                let (done, answer) = oneshot::channel();
                destination.ask(Work::Release { at: now, done }, answer).await?;
            }
        }
        Ok(())
    }

    /// How many ends wait.
    pub fn held(&self) -> usize {
        self.0.iter().map(|destination| destination.counters().held).max().unwrap_or(0)
    }

    /// Hands over what the rules of this program say about every alert.
    pub fn present(&self, present: Present) {
        let present = Arc::new(present);
        for destination in &self.0 {
            let refused = destination.state.refused.load(Ordering::Acquire);
            if !destination.send(Work::Present { present: Arc::clone(&present), refused }) {
                destination.state.open.store(true, Ordering::Release);
            }
        }
    }

    /// Whether a notifier needs to hear of every alert again: something was refused, or could not be found out.
    pub fn wants_present(&self) -> bool {
        self.0.iter().any(|destination| {
            let state = &destination.state;
            let refused = state.refused.load(Ordering::Acquire);
            state.open.load(Ordering::Acquire) || refused != state.settled.load(Ordering::Acquire)
        })
    }

    /// Lets every notifier open its files anew.
    pub fn reopen(&self) {
        for destination in &self.0 {
            let _never_refused = destination.send(Work::Reopen);
        }
    }

    /// When the disruption of an alert of the receiver itself began that is not over. Waits for what is before it; to be called at
    /// the start.
    pub fn claim(&self, fingerprint: u64) -> Option<Timestamp> {
        self.ask(|answer| Work::Claim { fingerprint, answer })
    }

    /// When the rules were last evaluated, as far as a heartbeat said so before a restart. Waits for what is before it; to be called
    /// at the start.
    pub fn heartbeat(&self) -> Option<Timestamp> {
        self.ask(|answer| Work::Heartbeat { answer })
    }

    /// Remembers when the rules were last evaluated, by a heartbeat.
    pub fn beat(&self, evaluated_at: Timestamp) {
        for destination in &self.0 {
            let _never_refused = destination.send(Work::Beat(evaluated_at));
        }
    }

    /// Delivers what waits and ends the threads, or gives up on a disk that hangs after `timeout` for each. Nothing is taken any more.
    pub async fn close(&self, timeout: Duration) {
        for destination in &self.0 {
            lock(&destination.works).take();
        }
        for destination in &self.0 {
            let ended = lock(&destination.ended).take();
            if let Some(ended) = ended
                && tokio::time::timeout(timeout, ended).await.is_err()
            {
                warn!(notifier = destination.name, "Stopped before all alerts were delivered.");
            }
        }
    }

    fn ask(&self, work: impl Fn(Sender<Option<Timestamp>>) -> Work) -> Option<Timestamp> {
        self.0.iter().find_map(|destination| {
            let (answer, answered) = channel();
            destination.send(work(answer)).then(|| answered.recv().ok().flatten())?
        })
    }
}

impl Destination {
    fn start(name: &'static str, mut notifier: Box<dyn Notifier>) -> Result<Self, NotifyError> {
        let (works, queue) = channel();
        let (end, ended) = oneshot::channel::<()>();
        let state =
            Arc::new(State { counters: Mutex::new(notifier.counters()), ..State::default() });
        let shared = Arc::clone(&state);
        let run = move || {
            serve(notifier.as_mut(), &queue, &shared);
            drop(notifier);
            drop(end);
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map_err(NotifyError::Thread)?;
        Ok(Self { name, works: Mutex::new(Some(works)), state, ended: Mutex::new(Some(ended)) })
    }

    /// Hands work over and waits for its answer.
    async fn ask<T>(
        &self,
        work: Work,
        answer: oneshot::Receiver<Result<T, String>>,
    ) -> Result<T, String> {
        if !self.send(work) {
            return Err("too many alerts wait to be written".to_owned());
        }
        answer.await.unwrap_or_else(|_| Err("the notifier has ended".to_owned()))
    }

    /// Puts work into the queue; `false` when too much waits, or the thread has ended.
    fn send(&self, work: Work) -> bool {
        let weight = work.weight();
        let full = self.state.waiting.load(Ordering::Acquire) >= WAITING_MAX;
        let works = lock(&self.works);
        let taken = match works.as_ref().filter(|_| weight == 0 || !full) {
            Some(works) => {
                self.state.waiting.fetch_add(weight, Ordering::AcqRel);
                works.send(work).is_ok()
            }
            None => false,
        };
        if !taken {
            self.state.refused.fetch_add(weight as u64, Ordering::AcqRel);
        }
        taken
    }

    fn counters(&self) -> Counters {
        let mut counters = lock(&self.state.counters).clone();
        counters.queued += self.state.waiting.load(Ordering::Acquire);
        counters.dropped_total = self.state.refused.load(Ordering::Acquire);
        counters
    }
}

/// Does what comes in until the queue is closed.
fn serve(notifier: &mut dyn Notifier, queue: &Receiver<Work>, state: &State) {
    loop {
        match queue.recv_timeout(TICK) {
            Ok(work) => handle(notifier, work, state),
            Err(RecvTimeoutError::Timeout) => {
                let _counted = notifier.tick();
                count(notifier, state);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _counted = notifier.tick();
    count(notifier, state);
}

fn handle(notifier: &mut dyn Notifier, work: Work, state: &State) {
    let weight = work.weight();
    // Who waits for the answer finds it counted.
    let (mut answer, mut held_answer) = (None, None);
    match work {
        Work::Notices { notices, done } => {
            let result = refusing(notifier, |notifier| notifier.notify(&notices));
            match done {
                Some(done) => answer = Some((done, result)),
                None => complain(result),
            }
        }
        Work::Hold { ends, done } => {
            let result = notifier.hold(&ends).map_err(|error| error.to_string());
            held_answer = Some((done, result));
        }
        Work::Release { at, done } => {
            let result = refusing(notifier, |notifier| notifier.release(at));
            answer = Some((done, result));
        }
        Work::Present { present, refused } => match notifier.present(&present) {
            Ok(true) => {
                state.open.store(false, Ordering::Release);
                state.settled.store(refused, Ordering::Release);
            }
            Ok(false) => state.open.store(true, Ordering::Release),
            Err(error) => {
                state.open.store(true, Ordering::Release);
                complain(Err(error.to_string()));
            }
        },
        Work::Claim { fingerprint, answer } => {
            let _asker_gone = answer.send(notifier.claim(fingerprint));
        }
        Work::Heartbeat { answer } => {
            let _asker_gone = answer.send(notifier.heartbeat());
        }
        Work::Beat(evaluated_at) => notifier.beat(evaluated_at),
        Work::Reopen => notifier.reopen(),
    }
    state.waiting.fetch_sub(weight, Ordering::AcqRel);
    count(notifier, state);
    if let Some((done, result)) = answer {
        let _sender_gone = done.send(result);
    }
    if let Some((done, result)) = held_answer {
        let _sender_gone = done.send(result);
    }
}

/// Lets a notifier deliver; what it refuses is an error, too.
fn refusing(
    notifier: &mut dyn Notifier,
    deliver: impl FnOnce(&mut dyn Notifier) -> Result<(), NotifyError>,
) -> Result<(), String> {
    let before = notifier.counters().dropped_total;
    deliver(notifier).map_err(|error| error.to_string())?;
    if notifier.counters().dropped_total > before {
        return Err("too many alerts wait to be written".to_owned());
    }
    Ok(())
}

fn complain(result: Result<(), String>) {
    if let Err(error) = result {
        error!(%error, "Alerts not delivered; they are kept and tried again.");
    }
}

/// Makes what the notifier counts known, and adds what it refused to what the queue did.
fn count(notifier: &dyn Notifier, state: &State) {
    let counters = notifier.counters();
    let mut shared = lock(&state.counters);
    let refused = counters.dropped_total.saturating_sub(shared.dropped_total);
    state.refused.fetch_add(refused, Ordering::AcqRel);
    *shared = counters;
}

impl Collect for SharedNotifiers {
    fn collect(&self, samples: &mut Vec<OwnSample>) {
        type Count = fn(&Counters) -> u64;
        let metrics: [(_, Count); 4] = [
            (&names::NOTICES, |counters| counters.delivered_total),
            (&names::NOTICE_ERRORS, |counters| counters.errors_total),
            (&names::NOTICES_DROPPED, |counters| counters.dropped_total),
            (&names::NOTICES_QUEUED, |counters| counters.queued as u64),
        ];
        for (metric, count) in metrics {
            let sample = |destination: &Destination| {
                let count = value(count(&destination.counters()));
                OwnSample::labelled(metric, "notifier", destination.name, count)
            };
            samples.extend(self.0.iter().map(sample));
        }
    }
}

#[cfg(test)]
mod tests;
