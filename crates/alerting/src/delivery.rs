//! The delivery to one destination: events in, through its pipeline into its notification log, and lines out in their order.
//!
//! What cannot be delivered waits and is tried again. All of it is of one destination alone. Must not know what a destination does with
//! a line, nor threads.

use std::{collections::VecDeque, io, time::Duration};

use series::Timestamp;
use tracing::{error, warn};

use crate::{
    destination::{DeliveryError, Destination, Memory, Opened, Stop, Uptime},
    event::{AlertEvent, Origin},
    line::{Format, render},
    notification_log::{Holding, NotificationLog, Step},
    pipeline::{Pipeline, StageContext, Stopped},
    present::Present,
};

/// How many lines may wait for a destination that takes none; at 8 KB each they stay below 80 MB, commonly 8 MB. What comes then
/// is refused.
pub(crate) const MAX_QUEUED: usize = 10_000;
/// How many lines wait at most while an awaited destination takes them.
const FLUSHED_AT: usize = 1_000;
/// How many ends that waited are released at once, so that others wait for these and not for all.
const RELEASED_AT_ONCE: usize = 500;

/// The delivery to one destination.
pub struct Delivery {
    name: &'static str,
    destination: Box<dyn Destination>,
    pipeline: Pipeline,
    log: NotificationLog,
    format: Format,
    waiting: VecDeque<Waiting>,
    /// Whether a failure to keep the notification log was reported.
    warned: bool,
    retry: Retry,
    uptime: Uptime,
    stop: Stop,
    statistics: Statistics,
}

/// A step that waits, with its line if it has one.
struct Waiting {
    line: Option<String>,
    step: Step,
    /// Whether the notification log has it as one that is about to be delivered.
    planned: bool,
}

impl Waiting {
    fn line(&self) -> &str {
        self.line.as_deref().unwrap_or("")
    }
}

/// When the line that failed last is tried again.
#[derive(Default)]
struct Retry {
    /// How often it failed.
    failures: u32,
    /// Until when it is left alone.
    until: Duration,
}

/// What became of ends that are not believed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many of them wait; the others say nothing new.
    pub waiting: usize,
    /// How many of these did not wait before.
    pub new: usize,
    /// Whether all of those that wait are on the disk, so that no one needs to report them again.
    pub kept: bool,
}

impl Held {
    /// What became of the same ends at two destinations.
    pub(crate) fn together(self, other: Self) -> Self {
        Self {
            waiting: self.waiting.max(other.waiting),
            new: self.new.max(other.new),
            kept: self.kept && other.kept,
        }
    }
}

/// What was delivered to a destination since it was opened; totals only rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events delivered.
    pub delivered_total: u64,
    /// Attempts that failed.
    pub errors_total: u64,
    /// Bytes of lines delivered.
    pub bytes_total: u64,
    /// Events refused because too many waited.
    pub dropped_total: u64,
    /// Events given up because all attempts to deliver them failed.
    pub given_up_total: u64,
    /// Events skipped because they had been delivered before, possibly before a restart.
    pub duplicates_total: u64,
    /// Times that the destination was opened again after a rotation or a deletion.
    pub reopened_total: u64,
    /// Events that wait now.
    pub queued: usize,
    /// Ends that wait until they are believed.
    pub held: usize,
    /// The exit code of the program that was run last, -1 where it has none; `None` where the destination runs nothing.
    pub exit_code: Option<i32>,
    /// The last failure; `None` once everything was delivered.
    pub last_error: Option<String>,
}

impl Delivery {
    /// The delivery to an opened destination of that name.
    pub(crate) fn new(name: &'static str, opened: Opened, uptime: Uptime) -> Self {
        let Opened { destination, log, format } = opened;
        let mut delivery = Self {
            name,
            destination,
            pipeline: Pipeline::new(Vec::new()),
            log,
            format,
            waiting: VecDeque::new(),
            warned: false,
            retry: Retry::default(),
            uptime,
            stop: Stop::default(),
            statistics: Statistics::default(),
        };
        delivery.keep_log(0);
        delivery
    }

    /// Takes over events in their order. Where the destination is awaited, tries to deliver everything that waits.
    ///
    /// # Errors
    /// When something still waits for an awaited destination. It is kept, so the caller must not hand it over again.
    pub fn notify(&mut self, events: &[AlertEvent]) -> Result<(), DeliveryError> {
        let result = self.take(events);
        self.account(result)
    }

    /// Tries to deliver what still waits: everything for an awaited destination, else what it takes at once. To be called about once a
    /// second, and again at once while `Delivery::is_due`.
    ///
    /// # Errors
    /// When something still waits.
    pub fn tick(&mut self) -> Result<(), DeliveryError> {
        if self.is_awaited() {
            let result = self.flush();
            return self.account(result);
        }
        if !self.is_due() {
            return Ok(());
        }
        let result = self.deliver_some();
        self.account(result)
    }

    /// Whether something waits that may be delivered now.
    pub(crate) fn is_due(&self) -> bool {
        !self.waiting.is_empty() && (self.uptime)() >= self.retry.until && !self.stop.is_requested()
    }

    /// Whether the sender of an event waits until it is delivered here.
    pub(crate) fn is_awaited(&self) -> bool {
        self.destination.manner().is_awaited
    }

    /// The handle that stops it.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Brings what is delivered in line with what the rules of this program say: alerts that are missing are delivered, and those that
    /// no rule has any more end. Says whether nothing is left to be found out later.
    ///
    /// # Errors
    /// When something still waits for an awaited destination.
    pub fn present(&mut self, present: &Present) -> Result<bool, DeliveryError> {
        let dropped = self.statistics.dropped_total;
        let mut result = self.take(&present.firing);
        let steps = self.log.keep_label_sets(present);
        self.enqueue(steps);
        let (gone, settled) = self.log.gone(present);
        for (key, ending) in gone {
            if self.has_room(&mut result) {
                let step = self.log.end(key, present.at, ending);
                self.enqueue(step);
            }
        }
        let result = result.and_then(|()| self.flush_awaited());
        let complete = self.statistics.dropped_total == dropped;
        self.account(result).map(|()| settled && complete)
    }

    /// Keeps ends that are not believed yet until they are released, or their label sets are reported as firing.
    ///
    /// # Errors
    /// When something that was handed over before still waits for an awaited destination.
    pub fn hold(&mut self, ends: &[AlertEvent]) -> Result<Held, DeliveryError> {
        // Whether an end has to wait depends on lines that have to be on the disk first.
        let result = self.flush_awaited();
        self.account(result)?;
        let (mut held, mut full) = (Held::default(), false);
        for end in ends {
            let mut context = StageContext { log: &mut self.log, ends_are_doubtful: true };
            let Err(Stopped::Held(holding)) = self.pipeline.pass(end.clone(), &mut context) else {
                continue;
            };
            self.statistics.duplicates_total += u64::from(holding == Holding::Needless);
            held.waiting += usize::from(holding != Holding::Needless);
            held.new += usize::from(holding == Holding::New);
            full |= holding == Holding::Full;
        }
        held.kept = held.waiting == 0 || (self.keep_log(0) && !full);
        Ok(held)
    }

    /// Delivers ends that waited, some hundred at once, as reported at `now`.
    ///
    /// # Errors
    /// When something still waits for an awaited destination. The ends are kept then.
    pub fn release(&mut self, now: Timestamp) -> Result<(), DeliveryError> {
        if !self.is_awaited() && !self.waiting.is_empty() {
            return Ok(());
        }
        let dropped = self.statistics.dropped_total;
        let ends = self.log.held(RELEASED_AT_ONCE, now);
        let result = self.take(&ends);
        // Until they are delivered they are kept, which delivers none twice.
        let is_done = result.is_ok() && self.waiting.is_empty();
        if is_done && self.statistics.dropped_total == dropped {
            for end in &ends {
                self.log.unhold(end.label_set());
            }
            self.keep_log(0);
        }
        self.account(result)
    }

    /// Lets go of open files at the operator's request (SIGHUP), so that rotated ones are left alone.
    pub fn reopen(&mut self) {
        self.destination.reopen();
    }

    /// When the disruption of an alert of the receiver itself began that was delivered and is not over; from now on only the receiver
    /// ends it.
    pub fn claim(&mut self, fingerprint: u64) -> Option<Timestamp> {
        self.log.claim(fingerprint, Origin::Receiver)
    }

    /// When the rules were last evaluated, as far as a heartbeat said so before a restart.
    pub fn heartbeat(&self) -> Option<Timestamp> {
        self.log.heartbeat()
    }

    /// Remembers when the rules were last evaluated, by a heartbeat.
    pub fn beat(&mut self, evaluated_at: Timestamp) {
        self.log.beat(evaluated_at);
        self.keep_log(0);
    }

    /// What was delivered since it was opened.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            queued: self.waiting.len(),
            held: self.log.held_count(),
            reopened_total: self.destination.reopened_total(),
            exit_code: self.destination.exit_code(),
            ..self.statistics.clone()
        }
    }

    /// Takes events in and delivers what waits for an awaited destination; in between, too, while there are many.
    fn take(&mut self, events: &[AlertEvent]) -> Result<(), DeliveryError> {
        let mut result = Ok(());
        // What was reported at once: an alert whose labels were edited ends under the old ones and fires under the new ones, and goes
        // on.
        let same_time = |one: &AlertEvent, next: &AlertEvent| one.reported_at == next.reported_at;
        let ordered = events.chunk_by(same_time).flat_map(|same| {
            let firings = same.iter().filter(|event| !event.is_end());
            firings.chain(same.iter().filter(|event| event.is_end()))
        });
        for event in ordered {
            if !self.has_room(&mut result) {
                continue;
            }
            let mut context = StageContext { log: &mut self.log, ends_are_doubtful: false };
            match self.pipeline.pass(event.clone(), &mut context) {
                Ok(steps) => self.enqueue(steps),
                Err(why) => {
                    self.statistics.duplicates_total += u64::from(why == Stopped::Duplicate);
                }
            }
        }
        result.and_then(|()| self.flush_awaited())
    }

    /// Whether one more may wait; counts it when not. It is not remembered then, so that it can be reported again.
    fn has_room(&mut self, result: &mut Result<(), DeliveryError>) -> bool {
        if self.waiting.len() >= FLUSHED_AT && result.is_ok() {
            *result = self.flush_awaited();
        }
        let room = self.waiting.len() < MAX_QUEUED;
        self.statistics.dropped_total += u64::from(!room);
        room
    }

    fn enqueue(&mut self, steps: impl IntoIterator<Item = Step>) {
        for step in steps {
            let line = step.event.as_ref().map(|event| render(event, self.format));
            self.waiting.push_back(Waiting { line, step, planned: false });
        }
    }

    fn flush_awaited(&mut self) -> Result<(), DeliveryError> {
        if self.is_awaited() { self.flush() } else { Ok(()) }
    }

    /// Delivers everything that waits; on an error what is not yet delivered stays, in its order.
    fn flush(&mut self) -> Result<(), DeliveryError> {
        loop {
            self.deliver_some()?;
            if self.waiting.is_empty() {
                return Ok(());
            }
        }
    }

    /// Delivers what the destination takes at once.
    fn deliver_some(&mut self) -> Result<(), DeliveryError> {
        let before = self.statistics.bytes_total;
        let result = self.attempt();
        let bytes = self.statistics.bytes_total.saturating_sub(before);
        self.keep_log(usize::try_from(bytes).unwrap_or(usize::MAX));
        result
    }

    fn attempt(&mut self) -> Result<(), DeliveryError> {
        self.destination.prepare()?;
        let count = self.plan();
        let lines: Vec<&str> = self.waiting.iter().take(count).map(Waiting::line).collect();
        let (delivered, result) = self.destination.deliver(&lines, &self.stop);
        for Waiting { line, step, planned } in self.waiting.drain(..delivered.min(count)) {
            self.statistics.delivered_total += u64::from(line.is_some());
            self.statistics.bytes_total += line.map_or(0, |line| line.len()) as u64;
            self.log.delivered(step, planned);
        }
        if delivered > 0 {
            self.retry = Retry::default();
        }
        if result.is_err() {
            self.failed();
        }
        result
    }

    /// How many of those that wait are handed over at once. Where the lines can be read again they are noted as planned before: after a
    /// kill the lines then say which of them were written, and the note all that is known of them.
    fn plan(&mut self) -> usize {
        let bytes_at_once = self.destination.manner().bytes_at_once;
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            let first = bytes == 0;
            bytes += waiting.line().len();
            first || bytes <= bytes_at_once
        };
        let count = self.waiting.iter().take_while(fits).count();
        if self.destination.memory() == (Memory::Kept { is_planned: true }) {
            let new = self.waiting.iter().take(count).filter(|waiting| !waiting.planned);
            let result = self.log.plan(new.map(|waiting| &waiting.step));
            self.waiting.iter_mut().take(count).for_each(|waiting| waiting.planned = true);
            self.warn_once(result);
        }
        count
    }

    /// Leaves the destination alone for a while, or gives up the line that it did not take.
    fn failed(&mut self) {
        let manner = self.destination.manner();
        self.retry.failures += 1;
        if self.stop.is_requested() {
            return;
        }
        if manner.attempts_max.is_some_and(|most| self.retry.failures >= most) {
            if let Some(Waiting { step, planned, .. }) = self.waiting.pop_front() {
                let event = step.event.as_ref().map(AlertEvent::event_id);
                error!(
                    notifier = self.name,
                    event = event.unwrap_or_default(),
                    attempts = self.retry.failures,
                    "An alert is given up: all attempts to deliver it failed."
                );
                self.statistics.given_up_total += 1;
                self.log.delivered(step, planned);
            }
            self.retry.failures = 0;
        }
        let doubled = 1 << self.retry.failures.saturating_sub(1).min(16);
        let pause = manner.pause.saturating_mul(doubled).min(manner.pause_max);
        self.retry.until = (self.uptime)().saturating_add(pause);
    }

    /// Keeps the notification log in its file, after so many bytes were delivered; whether all of it is kept.
    fn keep_log(&mut self, bytes: usize) -> bool {
        match self.destination.memory() {
            Memory::Kept { .. } => {}
            Memory::Lost => {
                self.log.keep_nothing();
                return false;
            }
            Memory::Unknown => return false,
        }
        let result = self.log.keep(bytes);
        let kept = result.is_ok() && self.log.is_kept();
        self.warn_once(result);
        kept
    }

    fn warn_once(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && !self.warned
        {
            self.warned = true;
            warn!(%error, notifier = self.name,
                "What was delivered cannot be kept in a file beside the alert log: after a restart alerts that fire for long may be delivered again.");
        }
    }

    /// Remembers how an attempt went.
    fn account(&mut self, result: Result<(), DeliveryError>) -> Result<(), DeliveryError> {
        self.statistics.errors_total += u64::from(result.is_err());
        self.statistics.last_error = result.as_ref().err().map(ToString::to_string);
        result
    }
}
