//! Clocks that are set and machines that sleep during a probe: rows 114 and 115.
//!
//! Must not know what a probe reads a clock for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use probe::{Clocks, Net, ProbeResult, Warning};
use testkit::{Behaviour, Certificates, Leaf, Server};

use crate::row::{Case, Row};

/// An hour.
const HOUR: u64 = 3600;

/// The time of day when each probe begins: in 2033, when the good certificates are valid.
const BEGIN: u64 = 2_000_000_000;

/// What becomes of the clocks while the probe runs, in seconds.
#[derive(Clone, Copy, Default)]
struct Jump {
    ahead: u64,
    back: u64,
    asleep: u64,
}

/// Clocks that stand still but for one jump, right behind their first reading.
struct Jumping {
    jump: Jump,
    was_read: [AtomicBool; 2],
}

impl Clocks for Jumping {
    fn wall(&self) -> SystemTime {
        let Jump { ahead, back, asleep } = self.jump;
        let is_over = self.was_read[0].swap(true, Ordering::Relaxed);
        let seconds = if is_over { BEGIN + ahead + asleep - back } else { BEGIN };
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(HOUR)
    }

    fn boot(&self) -> Duration {
        let is_over = self.was_read[1].swap(true, Ordering::Relaxed);
        Duration::from_secs(if is_over { HOUR + self.jump.asleep } else { HOUR })
    }
}

/// Demands the warning of a clock that was set, or none.
fn warns(stepped: bool) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let found = &result.evidence.warnings;
        let right = found.as_slice() == if stepped { &[Warning::ClockStep][..] } else { &[] };
        if right { Ok(()) } else { Err(format!("warnings {found:?}")) }
    }
}

/// A server that behaves like this, with or without TLS, and a jump.
fn row(
    number: &'static str,
    name: &'static str,
    expected: &'static str,
    jump: Jump,
    behaviour: &Behaviour,
    certificates: Option<&Arc<Certificates>>,
) -> Row {
    let (behaviour, certificates) = (behaviour.clone(), certificates.cloned());
    Row::new(number, name, expected, move || {
        let (behaviour, certificates) = (behaviour.clone(), certificates.clone());
        async move {
            let roots: Vec<Vec<u8>> = certificates.iter().map(|made| made.authority()).collect();
            let clocks = Arc::new(Jumping { jump, was_read: Default::default() });
            let net = Net::for_tests(None, &roots).expect("a network for tests");
            let server = match certificates {
                Some(made) => Server::start_tls(made.acceptor(Leaf::Good), behaviour).await,
                None => Server::start(behaviour).await,
            };
            Ok(Case::with(net.with_clocks(clocks), server.url("/"), server))
        }
    })
}

pub(crate) fn rows() -> Vec<Row> {
    let certificates = Arc::new(Certificates::new());
    let ahead = Jump { ahead: HOUR, ..Jump::default() };
    let back = Jump { back: HOUR, ..Jump::default() };
    let asleep = Jump { asleep: 600, ..Jump::default() };
    let fine = Behaviour::answer(200, "", "ok");
    let silent = Behaviour::silence();
    vec![
        row("114a", "an hour ahead", "up", ahead, &fine, None).and(warns(true)),
        row("114b", "an hour back", "up", back, &fine, None).and(warns(true)),
        row("114c", "an hour ahead, https", "up", ahead, &fine, Some(&certificates))
            .and(warns(true)),
        row("114d", "an hour back, https", "up", back, &fine, Some(&certificates))
            .and(warns(true)),
        row("114e", "an hour ahead, silence", "http/timeout", ahead, &silent, None)
            .until_the_deadline()
            .and(lasts_until_the_deadline),
        row("114f", "an hour back, silence", "http/timeout", back, &silent, None)
            .until_the_deadline()
            .and(lasts_until_the_deadline),
        row("114g", "clocks that nobody sets", "up", Jump::default(), &fine, None)
            .and(warns(false)),
        row("115a", "sleep, and an answer", "fault internal/cancelled", asleep, &fine, None),
        row("115b", "sleep, and silence", "fault internal/cancelled", asleep, &silent, None)
            .until_the_deadline(),
    ]
}

/// Demands that the probe took its time, and no more.
fn lasts_until_the_deadline(result: &ProbeResult) -> Result<(), String> {
    let over = result.elapsed.saturating_sub(result.timeout);
    if result.elapsed >= result.timeout && over < Duration::from_millis(100) {
        Ok(())
    } else {
        Err(format!("it took {:?}", result.elapsed))
    }
}
