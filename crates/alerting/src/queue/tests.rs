//! A destination that hangs holds up no one, and what it was not given is made good later.

use std::{path::Path, sync::mpsc::channel};

use series::Labels;

use super::*;
use crate::{
    destination::{Destination, Manner, Memory, Opened},
    line::Format,
    notification_log::NotificationLog,
};

/// How long a test waits for what should come at once; it fails loudly after that.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names of alerts.
type Names = Vec<String>;

/// A destination that says what it was handed, and then waits for leave each time.
struct Hanging {
    is_awaited: bool,
    leave: Receiver<()>,
    handed: Sender<Names>,
}

impl Destination for Hanging {
    fn deliver(&mut self, lines: &[&str], stop: &Stop) -> (usize, Result<(), DeliveryError>) {
        let name = |line: &&str| {
            let name = line.split('"').find(|word| word.starts_with("Alert"))?;
            Some(name.to_owned())
        };
        let handed: Names = lines.iter().filter_map(name).collect();
        if !handed.is_empty() {
            let _test_over = self.handed.send(handed);
            while matches!(self.leave.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
                if stop.is_requested() {
                    let program = "hanging".into();
                    return (0, Err(DeliveryError::Program { program, why: "was ended".into() }));
                }
            }
        }
        (lines.len(), Ok(()))
    }

    fn memory(&self) -> Memory {
        Memory::Lost
    }

    fn manner(&self) -> Manner {
        Manner {
            is_awaited: self.is_awaited,
            bytes_at_once: if self.is_awaited { usize::MAX } else { 1 },
            pause: Duration::ZERO,
            pause_max: Duration::ZERO,
            attempts_max: None,
        }
    }
}

/// What a test has of a hanging destination.
struct Gate {
    leave: Sender<()>,
    handed: Receiver<Names>,
}

fn hanging(is_awaited: bool) -> (Delivery, Gate) {
    let (leave, waits) = channel();
    let (says, handed) = channel();
    let destination = Box::new(Hanging { is_awaited, leave: waits, handed: says });
    let log = NotificationLog::default();
    let opened = Opened { destination, log, format: Format::Json };
    let delivery = Delivery::new("hanging", opened, Arc::new(|| Duration::ZERO));
    (delivery, Gate { leave, handed })
}

fn start(is_awaited: bool) -> (Destinations, Gate) {
    let (delivery, gate) = hanging(is_awaited);
    (Destinations::start(vec![("hanging", delivery)]).unwrap(), gate)
}

/// So many alerts from a number on.
fn alerts(from: usize, count: usize) -> Vec<AlertEvent> {
    let alert = |number| AlertEvent {
        labels: Labels::new([("alertname", format!("Alert{number}"))]),
        ..AlertEvent::default()
    };
    (from..from + count).map(alert).collect()
}

/// Delivers and waits for the answer.
fn deliver(destinations: &Destinations, events: Vec<AlertEvent>) -> Result<(), String> {
    let (done, answer) = channel();
    destinations.deliver(events, move |result| drop(done.send(result)));
    answer.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn rules_hand_over_and_go_on_while_an_awaited_destination_hangs() {
    let (destinations, gate) = start(true);
    destinations.enqueue(alerts(0, 1));
    assert_eq!(
        gate.handed.recv_timeout(PATIENCE).unwrap().len(),
        1,
        "it is at work, so nothing waits"
    );
    // One batch may be larger than what may wait; the next is refused, for a sender at once.
    destinations.enqueue(alerts(1, WAITING_MAX));
    assert!(!destinations.wants_present());
    destinations.enqueue(alerts(20_000, 2));
    assert_eq!(deliver(&destinations, alerts(20_000, 3)), Err(FULL.to_owned()));
    assert!(destinations.wants_present(), "what was refused has to be made good");
    gate.leave.send(()).unwrap();
    let mut handed = 0;
    while handed < WAITING_MAX {
        handed += gate.handed.recv_timeout(PATIENCE).unwrap().len();
        gate.leave.send(()).unwrap();
    }
    // Answered once all of that is done, so that there is room again.
    assert_eq!(destinations.claim(0), None);

    // An account that leaves something open is asked for again.
    let known = alerts(0, WAITING_MAX + 1);
    let open = Present { unknown: ["Alert0".to_owned()].into(), ..Present::default() };
    let firing = known.get(1..).unwrap_or_default().to_vec();
    for (present, wanted) in [
        (Present { firing, ..open }, true),
        (Present { firing: known, ..Present::default() }, false),
    ] {
        destinations.present(present);
        assert_eq!(destinations.claim(0), None, "the account is gone through");
        assert_eq!(destinations.wants_present(), wanted);
    }
    assert_eq!(destinations.statistics()[0].1.dropped_total, 5);
    drop(gate);
    destinations.close(PATIENCE);
    assert!(deliver(&destinations, alerts(30_000, 1)).is_err(), "nothing is taken any more");
}

#[test]
fn a_destination_that_hangs_is_given_up_in_the_end() {
    for is_awaited in [true, false] {
        let (destinations, gate) = start(is_awaited);
        destinations.enqueue(alerts(0, 1));
        assert_eq!(gate.handed.recv_timeout(PATIENCE).unwrap().len(), 1);
        destinations.close(Duration::ZERO);
        drop(gate);
    }
}

fn lines(path: &Path) -> usize {
    String::from_utf8(std::fs::read(path).unwrap()).unwrap().lines().count()
}

/// The neighbour hangs for the whole test, which is as good as a minute; each line of the alert log is there when its sender is answered.
#[test]
fn a_neighbour_that_hangs_delays_no_line_of_the_alert_log() {
    const COUNT: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let uptime: Uptime = Arc::new(|| Duration::ZERO);
    let mut deliveries = open_all(&Settings::alert_log(&path, Format::Json), &uptime).unwrap();
    let (delivery, gate) = hanging(false);
    // First in the list, where it would be in the way if anything was.
    deliveries.insert(0, ("hanging", delivery));
    let destinations = Destinations::start(deliveries).unwrap();
    for number in 0..COUNT {
        assert_eq!(deliver(&destinations, alerts(number, 1)), Ok(()));
        assert_eq!(lines(&path), number + 1);
    }
    assert_eq!(
        gate.handed.recv_timeout(PATIENCE).unwrap(),
        ["Alert0"],
        "it has hung since the first"
    );

    // Ends that wait are kept and released without it, and so is what the rules say.
    let end =
        AlertEvent { transition: crate::Transition::Resolved, at: 9_000, ..alerts(0, 1).remove(0) };
    let (done, answer) = channel();
    destinations.hold(vec![end], move |held| drop(done.send(held)));
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok(Held { waiting: 1, new: 1, kept: true }));
    for _ in 0..3 {
        let (done, answer) = channel();
        destinations.release(10_000, move |result| drop(done.send(result)));
        assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok(()));
    }
    assert_eq!((destinations.held(), lines(&path)), (0, COUNT + 1));
    destinations.present(Present { firing: alerts(0, COUNT), at: 20_000, ..Present::default() });
    assert_eq!(destinations.claim(0), None);
    assert!(lines(&path) > COUNT + 1, "what fires again is written");

    // Once it takes lines again it gets each of them, in their order.
    gate.leave.send(()).unwrap();
    for number in 1..COUNT {
        assert_eq!(gate.handed.recv_timeout(PATIENCE).unwrap(), [format!("Alert{number}")]);
        gate.leave.send(()).unwrap();
    }
    drop(gate);
    destinations.close(PATIENCE);
    let [(_, hanging), (_, alert_log)] = &destinations.statistics()[..] else { panic!() };
    assert_eq!((hanging.errors_total, alert_log.errors_total), (0, 0));
    assert!(hanging.delivered_total >= COUNT as u64, "{hanging:?}");
}
