//! The history with virtual probes: what is kept, what goes first, and that memory has a bound whatever happens.

use std::time::{Duration, SystemTime};

use probe::{Evidence, Failure, Hop, Phase, ProbeResult, Reason};
use proptest::prelude::*;

use super::*;

fn history(recent: usize, bytes: usize, asked: usize) -> Memory {
    Memory::within(Limits { recent, bytes, asked })
}

/// A finished probe whose evidence is of a size.
fn push(
    history: &mut Memory,
    origin: Origin,
    name: (&str, &str),
    up: bool,
    bytes: usize,
) -> Remembered {
    let failure = Failure::new(Phase::Connect, Reason::Refused, "os error 111");
    let result = ProbeResult {
        outcome: if up { Outcome::Up } else { Outcome::Down(failure) },
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::ZERO,
        timeout: Duration::ZERO,
        samples: Vec::new(),
        notes: Vec::new(),
        evidence: Evidence::default(),
    };
    let (instance, module) = (Arc::from(name.0), name.1.to_owned());
    let prober = String::new();
    let record = ProbeRecord { id: 0, instance, module, prober, started: 0, result };
    let hop = Hop { head: "x".repeat(bytes), ..Hop::default() };
    let evidence = Evidence { hops: vec![hop], ..Evidence::default() };
    history.push(origin, record, Trace { notes: Vec::new(), evidence })
}

fn watch(history: &mut Memory, instance: &str, up: bool, bytes: usize) -> u64 {
    push(history, Origin::Watched, (instance, "http_2xx"), up, bytes).record.id
}

fn of_watched(history: &Memory, instance: &str) -> Vec<Remembered> {
    history.of_watched(instance, "http_2xx", "")
}

fn ids(remembered: &[Remembered]) -> Vec<u64> {
    remembered.iter().map(|remembered| remembered.record.id).collect()
}

/// Fails when the books do not agree with what is there.
fn assert_sound(history: &Memory) {
    let entries = history.entries.values().map(|entry| entry.bytes).sum::<usize>();
    let mut instances: Vec<_> = history.rings.keys().cloned().collect();
    instances.sort();
    let mut rings = 0;
    let mut asked = 0;
    for instance in instances {
        for ring in &history.rings[&instance] {
            rings += ring.bytes;
            asked += usize::from(ring.origin == Origin::Asked);
            assert!(ring.recent.len() <= RESULTS_MAX && ring.failures.len() <= FAILURES_MAX);
            assert!(ring.ids().next().is_some(), "a ring without probes");
            assert!(ring.ids().all(|id| history.get(id).is_some()), "a ring of what is gone");
        }
    }
    assert_eq!(history.bytes, entries + rings);
    assert!(history.bytes <= history.limits.bytes);
    assert_eq!(history.order.len(), history.entries.len());
    assert_eq!(history.asked.len(), asked);
    assert!(asked <= history.limits.asked);
    assert!(history.recent.len() <= history.limits.recent);
    assert!(history.failures.len() <= history.limits.recent);
}

#[test]
fn failures_of_a_target_outlive_its_successes_and_those_of_others() {
    let mut history = history(3, BYTES_MAX, 10);
    for round in 0..100 {
        watch(&mut history, "flaky", round % 10 != 0, 0);
        watch(&mut history, "steady", true, 0);
    }
    // Its last five results, and ten failures, of which none is among them: one in ten rounds, the last in round 90.
    let flaky = of_watched(&history, "flaky");
    assert_eq!(flaky.len(), RESULTS_MAX + FAILURES_MAX);
    assert_eq!(flaky.iter().filter(|remembered| !remembered.is_up()).count(), FAILURES_MAX);
    assert!(ids(&flaky).is_sorted_by(|left, right| left > right));
    assert_eq!(of_watched(&history, "steady").len(), RESULTS_MAX);
    assert!(of_watched(&history, "other").is_empty());
    // Of all targets together: the last three probes, and the last three failures before them.
    let all: Vec<u64> = history.iter().map(|remembered| remembered.record.id).collect();
    assert_eq!(all, [141, 161, 181, 198, 199, 200]);
    assert_sound(&history);
}

#[test]
fn successes_go_before_failures_and_the_last_failures_go_last() {
    let mut history = history(0, 100_000, 10);
    let early = watch(&mut history, "a", false, 10_000);
    let last = watch(&mut history, "a", false, 10_000);
    let only = watch(&mut history, "b", false, 10_000);
    for _ in 0..3 {
        watch(&mut history, "a", true, 10_000);
        watch(&mut history, "c", true, 10_000);
    }
    // Nine of 10,000 bytes fit; from now on each failure drives out the oldest success, then the oldest failure.
    let mut failures = Vec::new();
    for _ in 0..6 {
        assert!(history.get(early).is_some());
        failures.push(watch(&mut history, "d", false, 10_000));
        assert_sound(&history);
    }
    assert!(of_watched(&history, "c").is_empty());
    failures.push(watch(&mut history, "d", false, 10_000));
    assert!(history.get(early).is_none());
    assert_eq!(ids(&of_watched(&history, "a")), [last]);
    // The failures of one target drive out its own before the last one of another.
    for _ in 0..20 {
        watch(&mut history, "d", false, 10_000);
    }
    assert!(history.get(last).is_some() && history.get(only).is_some());
    // The bound holds before all else.
    for number in 0..20 {
        watch(&mut history, &format!("e{number}"), false, 10_000);
        assert_sound(&history);
    }
    assert!(history.get(last).is_none());
    watch(&mut history, "huge", false, 1_000_000);
    assert_eq!(history.bytes, 0);
}

#[test]
fn ten_thousand_targets_fit_into_the_bound() {
    let mut history = Memory::new(100);
    let names: Vec<String> =
        (0..10_000).map(|number| format!("http://{number}.example/")).collect();
    for round in 0..20 {
        for (number, name) in names.iter().enumerate() {
            watch(&mut history, name, (number + round) % 3 != 0, 2000);
        }
        assert!(history.bytes <= BYTES_MAX);
    }
    assert_sound(&history);
    let failing = names.iter().filter(|name| history.latest(name, None, true).is_some());
    assert!(failing.count() > 9000, "nearly every target has its last failure");
}

#[test]
fn what_was_asked_for_is_found_by_target_and_module_until_it_is_out_of_use() {
    let mut history = history(0, BYTES_MAX, 3);
    let ask = |history: &mut Memory, target: &str, module: &str, up| {
        push(history, Origin::Asked, (target, module), up, 0).record.id
    };
    let down = ask(&mut history, "a", "http", false);
    let up = ask(&mut history, "a", "http", true);
    let tcp = ask(&mut history, "a", "tcp", true);
    let found = |history: &Memory, target: &str, module, failed| {
        history.latest(target, module, failed).map(|remembered| remembered.record.id)
    };
    assert_eq!(found(&history, "a", None, false), Some(tcp));
    assert_eq!(found(&history, "a", Some("http"), false), Some(up));
    assert_eq!(found(&history, "a", Some("http"), true), Some(down));
    assert_eq!(found(&history, "a", Some("tcp"), true), None);
    ask(&mut history, "b", "http", true);
    ask(&mut history, "a", "http", true);
    ask(&mut history, "c", "http", true);
    assert_sound(&history);
    // The pair that was not asked for the longest time is gone.
    assert_eq!(found(&history, "a", Some("tcp"), false), None);
    assert!(found(&history, "a", Some("http"), true).is_some());
    assert!(found(&history, "b", None, false).is_some());
}

#[test]
fn a_removed_target_is_forgotten_and_the_others_are_not() {
    let mut history = history(2, BYTES_MAX, 10);
    for instance in ["a", "b", "a", "b"] {
        watch(&mut history, instance, false, 0);
    }
    let asked = push(&mut history, Origin::Asked, ("a", "http_2xx"), true, 0).record.id;
    history.forget("a", "http_2xx", "");
    history.forget("never there", "http_2xx", "");
    assert!(of_watched(&history, "a").is_empty());
    assert_eq!(ids(&of_watched(&history, "b")), [4, 2]);
    assert_eq!(history.latest("a", None, false).unwrap().record.id, asked);
    // Among the probes of all targets it is still to be seen.
    assert_eq!(history.latest("a", None, true).unwrap().record.id, 3);
    assert_sound(&history);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_bound_holds_and_the_books_agree_whatever_happens(
        limits in (0_usize..8, 1_000_usize..60_000, 1_usize..6),
        steps in prop::collection::vec((0_u8..8, 0_usize..6, 0_usize..3, any::<bool>(), 0_usize..9_000), 1..300),
    ) {
        let mut history = history(limits.0, limits.1, limits.2);
        let instances = ["a", "b", "c", "d", "e", "f"];
        let modules = ["http_2xx", "tcp_connect", "other"];
        for (action, instance, module, up, bytes) in steps {
            let name = (instances[instance], modules[module]);
            match action {
                0 => history.forget(name.0, name.1, ""),
                1..4 => drop(push(&mut history, Origin::Asked, name, up, bytes)),
                _ => drop(push(&mut history, Origin::Watched, name, up, bytes)),
            }
            assert_sound(&history);
        }
    }
}
