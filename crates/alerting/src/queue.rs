//! The destinations at work: for each a queue and a thread, so that none holds up another.
//!
//! The rules hand over and go on: should an event be lost on the way, a later snapshot of all alerts makes up for it. A sender that has
//! to know waits for the awaited destinations only, and there for its own events only. Must not know what a destination does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use notation::sync::lock;
use series::Timestamp;
use tracing::{error, warn};

use crate::{
    answer::{Answer, Question},
    delivery::{Delivery, Held, MAX_QUEUED, Statistics},
    destination::{DeliveryError, OpenError, Stop, Uptime},
    destinations::{Settings, open_all},
    event::AlertEvent,
    present::Present,
};

/// How many events may wait for a destination; what comes then is refused. A batch that is taken may be larger.
const WAITING_MAX: usize = 10_000;

/// How often what could not be delivered is tried again.
const TICK: Duration = Duration::from_secs(1);

/// How long a destination that was asked to end at once may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Why an event is not taken.
const FULL: &str = "too many alerts wait to be written";

/// The destinations in use, shared by all who report alerts. No call waits for a disk or a program unless it says so;
/// statistics can be read at any time.
pub struct Destinations {
    workers: Vec<Worker>,
    /// Closed when the last thread ends.
    ended: Mutex<Option<Receiver<()>>>,
}

/// One destination with its queue and its thread.
struct Worker {
    name: &'static str,
    is_awaited: bool,
    /// Closed first when the program ends, so that the thread ends.
    works: Mutex<Option<Sender<Work>>>,
    state: Arc<State>,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// What a queue and its thread share.
#[derive(Default)]
struct State {
    /// How many events wait in the queue.
    waiting: AtomicUsize,
    /// How many were refused, by the queue or by the delivery.
    refused: AtomicU64,
    /// The same number when the last snapshot was handed over that left nothing open.
    settled: AtomicU64,
    /// Whether the last snapshot left something open.
    open: AtomicBool,
    /// Whether ends are being released.
    releasing: AtomicBool,
    statistics: Mutex<Statistics>,
}

/// What a thread has to do.
enum Work {
    Events { events: Arc<[AlertEvent]>, answer: Option<Answer<()>> },
    Hold { ends: Arc<[AlertEvent]>, answer: Option<Answer<Held>> },
    Release { at: Timestamp, answer: Option<Answer<()>> },
    Present { present: Arc<Present>, refused: u64 },
    Claim { fingerprint: u64, answer: Sender<Option<Timestamp>> },
    Heartbeat { answer: Sender<Option<Timestamp>> },
    Beat(Timestamp),
    Reopen,
}

impl Work {
    /// For how many events it counts.
    fn weight(&self) -> usize {
        match self {
            Self::Events { events, .. } => events.len(),
            Self::Hold { ends, .. } => ends.len(),
            Self::Present { present, .. } => present.firing.len().max(1),
            _ => 0,
        }
    }
}

impl Destinations {
    /// Opens every destination that the settings ask for, and starts their threads.
    ///
    /// # Errors
    /// The first that cannot be opened, or when the system has no thread to give.
    pub fn open(settings: &Settings, uptime: &Uptime) -> Result<Self, OpenError> {
        Self::start(open_all(settings, uptime)?)
    }

    fn start(deliveries: Vec<(&'static str, Delivery)>) -> Result<Self, OpenError> {
        let (end, ended) = channel();
        let workers = deliveries.into_iter();
        let workers = workers.map(|(name, delivery)| Worker::start(name, delivery, end.clone()));
        Ok(Self { workers: workers.collect::<Result<_, _>>()?, ended: Mutex::new(Some(ended)) })
    }

    /// Hands events over. What is refused because too much waits is counted; [`Destinations::present`] makes up for it.
    pub fn enqueue(&self, events: Vec<AlertEvent>) {
        let events: Arc<[AlertEvent]> = events.into();
        for worker in self.workers.iter().filter(|_| !events.is_empty()) {
            worker.send(Work::Events { events: Arc::clone(&events), answer: None });
        }
    }

    /// Hands events over and calls `done` once all of them are delivered to the awaited destinations, or with the reason why they are
    /// not; they may be kept anyway.
    pub fn deliver(
        &self,
        events: Vec<AlertEvent>,
        done: impl FnOnce(Result<(), String>) + Send + 'static,
    ) {
        let events: Arc<[AlertEvent]> = events.into();
        let question = Question::new((), |(), ()| (), done);
        for worker in self.workers.iter().filter(|_| !events.is_empty()) {
            let answer = worker.is_awaited.then(|| question.ask());
            worker.send(Work::Events { events: Arc::clone(&events), answer });
        }
    }

    /// Hands over ends that are not believed yet, which are kept until they are released or their alerts fire, and calls `done` with what
    /// became of them at the awaited destinations, or why that is not known: they have to be reported again then.
    pub fn hold(
        &self,
        ends: Vec<AlertEvent>,
        done: impl FnOnce(Result<Held, String>) + Send + 'static,
    ) {
        let ends: Arc<[AlertEvent]> = ends.into();
        let question = Question::new(Held { kept: true, ..Held::default() }, Held::together, done);
        for worker in self.workers.iter().filter(|_| !ends.is_empty()) {
            let answer = worker.is_awaited.then(|| question.ask());
            worker.send(Work::Hold { ends: Arc::clone(&ends), answer });
        }
    }

    /// Delivers some of the ends that wait, as reported at `now`, and calls `done` once they are delivered to the awaited destinations,
    /// or with the reason why they are not: they are kept. To be called until none waits, or their number falls no more.
    pub fn release(&self, now: Timestamp, done: impl FnOnce(Result<(), String>) + Send + 'static) {
        let question = Question::new((), |(), ()| (), done);
        for worker in self.workers.iter().filter(|worker| worker.statistics().held > 0) {
            if worker.is_awaited {
                worker.send(Work::Release { at: now, answer: Some(question.ask()) });
            } else if !worker.state.releasing.swap(true, Ordering::AcqRel) {
                worker.send(Work::Release { at: now, answer: None });
            }
        }
    }

    /// How many ends wait, at the awaited destination with the most of them.
    pub fn held(&self) -> usize {
        let awaited = self.workers.iter().filter(|worker| worker.is_awaited);
        awaited.map(|worker| worker.statistics().held).max().unwrap_or(0)
    }

    /// Hands over a snapshot: what the rules of this program say about every alert.
    pub fn present(&self, present: Present) {
        let present = Arc::new(present);
        for worker in &self.workers {
            let refused = worker.state.refused.load(Ordering::Acquire);
            if !worker.send(Work::Present { present: Arc::clone(&present), refused }) {
                worker.state.open.store(true, Ordering::Release);
            }
        }
    }

    /// Whether a destination needs to hear of every alert again: something was refused, or could not be found out. One that has no room
    /// for it does not ask.
    pub fn wants_present(&self) -> bool {
        self.workers.iter().any(|worker| {
            let state = &worker.state;
            let refused = state.refused.load(Ordering::Acquire);
            let wants = state.open.load(Ordering::Acquire)
                || refused != state.settled.load(Ordering::Acquire);
            wants && (worker.is_awaited || !worker.is_full())
        })
    }

    /// Makes every destination open its files again.
    pub fn reopen(&self) {
        for worker in &self.workers {
            worker.send(Work::Reopen);
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
        for worker in self.workers.iter().filter(|worker| worker.is_awaited) {
            worker.send(Work::Beat(evaluated_at));
        }
    }

    /// What was delivered to each destination, by name.
    pub fn statistics(&self) -> Vec<(&'static str, Statistics)> {
        self.workers.iter().map(|worker| (worker.name, worker.statistics())).collect()
    }

    /// Delivers what waits and ends the threads, or gives up on those that take longer than `timeout`. Nothing is taken any more. Waits.
    pub fn close(&self, timeout: Duration) {
        for worker in &self.workers {
            lock(&worker.works).take();
        }
        let Some(ended) = lock(&self.ended).take() else { return };
        let is_late =
            |timeout| matches!(ended.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
        if is_late(timeout) {
            for worker in self.workers.iter().filter(|worker| !worker.thread.is_finished()) {
                warn!(notifier = worker.name, "Stopped before all alerts were delivered.");
                worker.stop.request();
            }
            // One that hangs ends with the process.
            is_late(STOP_TIMEOUT);
        }
    }

    /// Asks every destination, which may change what it knows, and waits for the first answer that says something.
    fn ask(&self, work: impl Fn(Sender<Option<Timestamp>>) -> Work) -> Option<Timestamp> {
        let mut asked = Vec::new();
        for worker in &self.workers {
            let (answer, answered) = channel();
            if worker.send(work(answer)) && worker.is_awaited {
                asked.push(answered);
            }
        }
        asked.into_iter().find_map(|answered| answered.recv().ok().flatten())
    }
}

impl Worker {
    fn start(
        name: &'static str,
        mut delivery: Delivery,
        end: Sender<()>,
    ) -> Result<Self, OpenError> {
        let (works, queue) = channel();
        let (is_awaited, stop) = (delivery.is_awaited(), delivery.stop());
        let statistics = Mutex::new(delivery.statistics());
        let state = Arc::new(State { statistics, ..State::default() });
        let shared = Arc::clone(&state);
        let run = move || {
            serve(&mut delivery, &queue, &shared);
            drop(delivery);
            drop(end);
        };
        let thread =
            thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::Thread)?;
        Ok(Self { name, is_awaited, works: Mutex::new(Some(works)), state, stop, thread })
    }

    /// Puts work into the queue; `false` when too much waits, or the thread has ended. Who waits for an answer has it then.
    fn send(&self, work: Work) -> bool {
        let weight = work.weight();
        let full = self.state.waiting.load(Ordering::Acquire) >= WAITING_MAX;
        let works = lock(&self.works);
        let Some(works) = works.as_ref().filter(|_| weight == 0 || !full) else {
            self.state.refused.fetch_add(weight as u64, Ordering::AcqRel);
            refuse(work);
            return false;
        };
        self.state.waiting.fetch_add(weight, Ordering::AcqRel);
        let taken = works.send(work).is_ok();
        if !taken {
            self.state.refused.fetch_add(weight as u64, Ordering::AcqRel);
        }
        taken
    }

    fn is_full(&self) -> bool {
        let statistics = self.statistics();
        self.state.waiting.load(Ordering::Acquire) >= WAITING_MAX || statistics.queued >= MAX_QUEUED
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = lock(&self.state.statistics).clone();
        statistics.queued += self.state.waiting.load(Ordering::Acquire);
        statistics.dropped_total = self.state.refused.load(Ordering::Acquire);
        statistics
    }
}

/// Does what comes in until the queue is closed.
fn serve(delivery: &mut Delivery, queue: &Receiver<Work>, state: &State) {
    loop {
        // An awaited destination has delivered what it can when its work is done; another one goes on between two works.
        let is_due = !delivery.is_awaited() && delivery.is_due();
        match queue.recv_timeout(if is_due { Duration::ZERO } else { TICK }) {
            Ok(work) => handle(delivery, work, state),
            Err(RecvTimeoutError::Timeout) => tick(delivery, state),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    tick(delivery, state);
    while !delivery.is_awaited() && delivery.is_due() {
        tick(delivery, state);
    }
}

fn tick(delivery: &mut Delivery, state: &State) {
    let result = delivery.tick();
    // That what waits for an awaited destination still waits was reported to who handed it over.
    if !delivery.is_awaited() {
        complain(result);
    }
    count(delivery, state);
}

fn handle(delivery: &mut Delivery, work: Work, state: &State) {
    let weight = work.weight();
    // Who waits for the answer finds it counted.
    let (mut delivered, mut held) = (None, None);
    match work {
        Work::Events { events, answer } => {
            let result = refusing(delivery, |delivery| delivery.notify(&events));
            match answer {
                Some(answer) => delivered = Some((answer, result)),
                None => complain(result),
            }
        }
        Work::Hold { ends, answer } => {
            let result = delivery.hold(&ends).map_err(|error| error.to_string());
            held = answer.map(|answer| (answer, result));
        }
        Work::Release { at, answer } => {
            let result = refusing(delivery, |delivery| delivery.release(at));
            state.releasing.store(false, Ordering::Release);
            delivered = answer.map(|answer| (answer, result));
        }
        Work::Present { present, refused } => match delivery.present(&present) {
            Ok(true) => {
                state.open.store(false, Ordering::Release);
                state.settled.store(refused, Ordering::Release);
            }
            Ok(false) => state.open.store(true, Ordering::Release),
            Err(error) => {
                state.open.store(true, Ordering::Release);
                complain(Err(error));
            }
        },
        // Who asked may have gone away.
        Work::Claim { fingerprint, answer } => {
            let _asker_gone = answer.send(delivery.claim(fingerprint));
        }
        Work::Heartbeat { answer } => {
            let _asker_gone = answer.send(delivery.heartbeat());
        }
        Work::Beat(evaluated_at) => delivery.beat(evaluated_at),
        Work::Reopen => delivery.reopen(),
    }
    state.waiting.fetch_sub(weight, Ordering::AcqRel);
    count(delivery, state);
    if let Some((answer, result)) = delivered {
        answer.give(result);
    }
    if let Some((answer, result)) = held {
        answer.give(result);
    }
}

/// Answers work that is not taken.
fn refuse(work: Work) {
    match work {
        Work::Events { answer: Some(answer), .. } | Work::Release { answer: Some(answer), .. } => {
            answer.give(Err(FULL.to_owned()));
        }
        Work::Hold { answer: Some(answer), .. } => answer.give(Err(FULL.to_owned())),
        _ => {}
    }
}

/// Lets a delivery go on; what it refuses is an error, too.
fn refusing(
    delivery: &mut Delivery,
    deliver: impl FnOnce(&mut Delivery) -> Result<(), DeliveryError>,
) -> Result<(), String> {
    let before = delivery.statistics().dropped_total;
    deliver(delivery).map_err(|error| error.to_string())?;
    if delivery.statistics().dropped_total > before {
        return Err(FULL.to_owned());
    }
    Ok(())
}

fn complain(result: Result<(), impl std::fmt::Display>) {
    if let Err(error) = result {
        error!(%error, "Alerts not delivered; they are kept and tried again.");
    }
}

/// Makes what is counted known, and adds what the delivery refused to what the queue did.
fn count(delivery: &Delivery, state: &State) {
    let statistics = delivery.statistics();
    let mut shared = lock(&state.statistics);
    let refused = statistics.dropped_total.saturating_sub(shared.dropped_total);
    state.refused.fetch_add(refused, Ordering::AcqRel);
    *shared = statistics;
}

#[cfg(test)]
mod tests;
