//! What an event passes on its way to a destination: stages in one order, each of which hands it on, changes it or keeps it back.
//!
//! This is the one place for whatever decides that a destination is not notified. Each destination has stages of its own, which run in
//! its thread. Must not know how an event is delivered.

use crate::{
    event::AlertEvent,
    notification_log::{Holding, NotificationLog, Step},
};

/// One stage.
pub(crate) trait Stage: Send {
    /// Takes an event up. A stage may look into the notification log: what was notified as firing needs its end, for example, although
    /// the alert is silenced by then.
    fn pass(&mut self, event: AlertEvent, context: &mut StageContext<'_>) -> Passage;
}

/// What stages know besides the event.
pub(crate) struct StageContext<'a> {
    /// What the destination was notified of.
    pub(crate) log: &'a mut NotificationLog,
    /// Whether ends are not believed yet.
    pub(crate) ends_are_doubtful: bool,
}

/// What a stage makes of an event.
#[derive(Debug)]
pub(crate) enum Passage {
    /// The next stage takes it up, as it is now.
    On(AlertEvent),
    /// It goes no further.
    Stopped(Stopped),
    /// The destination is to be notified. This is what the last stage says.
    Notify(Vec<Step>),
}

/// Why an event goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It is a heartbeat, which is no news.
    Heartbeat,
    /// It is an end that is not believed yet.
    Held(Holding),
    /// The destination was notified of it before.
    Duplicate,
    /// A stage decided that nobody is to be notified.
    #[cfg_attr(not(test), expect(dead_code, reason = "for silences and maintenance"))]
    Suppressed,
}

/// The stages of one destination.
pub(crate) struct Pipeline(Vec<Box<dyn Stage>>);

impl Pipeline {
    /// The stages in their order. Stages that suppress come after the heartbeats, which are no alerts, and before the ends that
    /// wait, so that no end waits that is suppressed.
    pub(crate) fn new(suppressing: Vec<Box<dyn Stage>>) -> Self {
        let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(Heartbeats)];
        stages.extend(suppressing);
        stages.push(Box::new(DoubtfulEnds));
        stages.push(Box::new(Deduplication));
        Self(stages)
    }

    /// Sends an event through all stages. Returns what the destination is to be notified of, or why it is not notified.
    pub(crate) fn pass(
        &mut self,
        mut event: AlertEvent,
        context: &mut StageContext<'_>,
    ) -> Result<Vec<Step>, Stopped> {
        for stage in &mut self.0 {
            match stage.pass(event, context) {
                Passage::On(passed) => event = passed,
                Passage::Stopped(why) => return Err(why),
                Passage::Notify(steps) => return Ok(steps),
            }
        }
        Ok(Vec::new())
    }
}

/// Leaves out heartbeats.
struct Heartbeats;

impl Stage for Heartbeats {
    fn pass(&mut self, event: AlertEvent, _context: &mut StageContext<'_>) -> Passage {
        if event.is_heartbeat() { Passage::Stopped(Stopped::Heartbeat) } else { Passage::On(event) }
    }
}

/// Keeps ends that are not believed yet. An alert that fires is not over after all: its waiting end is dropped.
struct DoubtfulEnds;

impl Stage for DoubtfulEnds {
    fn pass(&mut self, mut event: AlertEvent, context: &mut StageContext<'_>) -> Passage {
        if event.is_end() {
            if context.ends_are_doubtful {
                return Passage::Stopped(Stopped::Held(context.log.hold(&event)));
            }
        } else if context.log.held_count() > 0 && context.log.unhold(event.label_set()) {
            event.continues = true;
        }
        Passage::On(event)
    }
}

/// Leaves out what the destination was notified of before.
struct Deduplication;

impl Stage for Deduplication {
    fn pass(&mut self, event: AlertEvent, context: &mut StageContext<'_>) -> Passage {
        let steps = context.log.admit(&event);
        if steps.is_empty() { Passage::Stopped(Stopped::Duplicate) } else { Passage::Notify(steps) }
    }
}

#[cfg(test)]
mod tests {
    use series::Labels;

    use super::*;
    use crate::event::Transition;

    /// Suppresses the alerts of one service, as a silence would: nobody is notified that they fire, nor of their ends unless somebody
    /// was notified before.
    struct Silence(&'static str);

    impl Stage for Silence {
        fn pass(&mut self, event: AlertEvent, context: &mut StageContext<'_>) -> Passage {
            let is_known = event.is_end() && context.log.is_open(event.fingerprint());
            if event.label("service") == self.0 && !is_known {
                Passage::Stopped(Stopped::Suppressed)
            } else {
                Passage::On(event)
            }
        }
    }

    fn event(service: &str, severity: &str, transition: Transition) -> AlertEvent {
        let labels = [("alertname", "Down"), ("service", service), ("severity", severity)];
        AlertEvent { transition, labels: Labels::new(labels), ..AlertEvent::default() }
    }

    #[test]
    fn an_event_passes_every_stage_or_stops_with_its_reason() {
        use Transition::{Firing, Resolved};
        let mut pipeline = Pipeline::new(vec![Box::new(Silence("quiet"))]);
        let mut log = NotificationLog::default();
        // Notified before the silence began.
        log.admit(&event("quiet", "warning", Firing));
        for (service, severity, transition, ends_are_doubtful, expected) in [
            ("a", "critical", Firing, false, Ok(1)),
            ("a", "critical", Firing, false, Err(Stopped::Duplicate)),
            ("a", "none", Firing, false, Err(Stopped::Heartbeat)),
            ("a", "critical", Resolved, true, Err(Stopped::Held(Holding::New))),
            ("a", "critical", Resolved, true, Err(Stopped::Held(Holding::Waiting))),
            ("a", "critical", Resolved, false, Ok(1)),
            ("quiet", "critical", Firing, false, Err(Stopped::Suppressed)),
            ("quiet", "critical", Resolved, false, Err(Stopped::Suppressed)),
            // What is suppressed does not wait either.
            ("quiet", "critical", Resolved, true, Err(Stopped::Suppressed)),
            ("quiet", "warning", Resolved, false, Ok(1)),
        ] {
            let event = event(service, severity, transition);
            let mut context = StageContext { log: &mut log, ends_are_doubtful };
            let passed = pipeline.pass(event, &mut context).map(|steps| steps.len());
            assert_eq!(passed, expected, "{service} {severity} {transition:?}");
        }
        assert_eq!(log.held_count(), 1, "of a, which was believed by another way");
    }
}
