//! A probe in progress: what times out, what is bounded, and whose fault it is.

use super::*;
use crate::{
    net::Net,
    report::{Outcome, Reason, Sample, metric},
};

#[tokio::test(start_paused = true)]
async fn the_stage_in_which_the_deadline_passes_timed_out() {
    let net = Net::for_tests(None, &[]).unwrap();
    let mut context = ProbeContext::start(net.moment(), Duration::from_secs(5));
    let wait = |seconds| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    };
    assert_eq!(context.stage(Phase::Resolve, Stage::Resolve, wait(2)).await, Ok(()));
    let failure = context.stage(Phase::Connect, Stage::Connect, wait(60)).await.unwrap_err();
    assert_eq!((failure.phase, failure.reason), (Phase::Connect, Reason::Timeout));
    assert_eq!(context.time(Stage::Resolve), Duration::from_secs(2));
    assert_eq!(context.time(Stage::Connect), Duration::from_secs(3));
    let result = context.finish(Err(failure), &net.moment());
    assert_eq!(result.elapsed, Duration::from_secs(5));
    let failure = result.samples.iter().find(|sample| sample.metric == &metric::FAILURE).unwrap();
    assert_eq!(
        failure.labels,
        [("phase".into(), "connect".into()), ("reason".into(), "timeout".into())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_time_ends_with_its_work() {
    let net = Net::for_tests(None, &[]).unwrap();
    let mut context = ProbeContext::start(net.moment(), Duration::from_secs(9));
    let hang = async |context: &mut ProbeContext| {
        let endless = std::future::pending::<Result<(), _>>();
        context.stage(Phase::Http, Stage::Processing, endless).await
    };
    for (parts, seconds_left) in [(3, 6), (2, 3), (0, 0)] {
        let failure = context.share(parts, hang).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Timeout, "{parts}");
        assert_eq!(context.time_left(), Duration::from_secs(seconds_left), "{parts}");
    }
}

#[test]
fn what_is_aside_leaves_no_expiry() {
    let net = Net::for_tests(None, &[]).unwrap();
    for (before, expected) in [(None, None), (Some(20), Some(20.0))] {
        let mut context = ProbeContext::start(net.moment(), Duration::from_secs(5));
        if let Some(expiry) = before {
            context.expires(expiry);
        }
        let work = context.aside(async |context: &mut ProbeContext| context.expires(10));
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
        let result = context.finish(Ok(()), &net.moment());
        let found = |sample: &&Sample| sample.metric == &metric::SSL_HOPS_EXPIRY;
        let expiry = result.samples.iter().find(found).map(|sample| sample.value);
        assert_eq!(expiry, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_target_can_fill_is_bounded() {
    let net = Net::for_tests(None, &[]).unwrap();
    let mut context = ProbeContext::start(net.moment(), Duration::from_secs(5));
    for _ in 0..10_000 {
        context.note("ä".repeat(10_000));
        context.sample(&metric::HTTP_SSL, 1.0);
    }
    let result = context
        .finish(Err(Failure::new(Phase::Internal, Reason::Bug, "x".repeat(10_000))), &net.moment());
    assert!(result.notes.iter().map(|(_, note)| note.len()).sum::<usize>() < 40_000);
    assert!(result.samples.len() < 250);
    assert!(matches!(result.outcome, Outcome::Fault(failure) if failure.detail.len() < 600));
}

#[tokio::test]
async fn what_fails_while_nothing_runs_is_an_internal_fault() {
    let net = Net::for_tests(None, &[]).unwrap();
    for (blocked, phase, reason) in [
        (0, Phase::Http, Reason::Timeout),
        (110, Phase::Http, Reason::Timeout),
        (400, Phase::Internal, Reason::Overload),
    ] {
        let mut context = ProbeContext::start(net.moment(), Duration::from_millis(100));
        let endless =
            context.stage(Phase::Http, Stage::Processing, std::future::pending::<Result<(), _>>());
        // The only thread of the runtime is taken away from the probe, which has just set its timer.
        let starve = async { std::thread::sleep(Duration::from_millis(blocked)) };
        let (outcome, ()) = tokio::join!(endless, starve);
        let failure = outcome.unwrap_err();
        assert_eq!((failure.phase, failure.reason), (phase, reason), "{blocked} ms");
    }
}

#[tokio::test]
async fn what_fails_by_the_delay_is_an_internal_fault_and_what_succeeds_is_not() {
    let net = Net::for_tests(None, &[]).unwrap();
    for (outcome, expected) in [
        (Ok(()), Ok(())),
        (Err(Failure::new(Phase::Http, Reason::Closed, "")), Err(Reason::Overload)),
    ] {
        let mut context = ProbeContext::start(net.moment(), Duration::from_millis(10));
        let work = async {
            std::thread::sleep(Duration::from_millis(100));
            outcome
        };
        let found = context.stage(Phase::Http, Stage::Processing, work).await;
        assert_eq!(found.map_err(|failure| failure.reason), expected);
    }
}

/// Clocks that are set by hand: the time of day, without and with sleep, each in seconds.
#[derive(Default)]
struct SetClocks(std::sync::Mutex<[u64; 3]>);

impl crate::Clocks for SetClocks {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.lock().unwrap()[0])
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap()[1])
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap()[2])
    }
}

#[tokio::test(start_paused = true)]
async fn sleep_is_an_internal_fault_and_a_clock_that_is_set_is_a_warning() {
    let down = || Err(Failure::new(Phase::Http, Reason::Timeout, ""));
    let slept = Some(Reason::Cancelled);
    for (name, outcome, at_the_end, fault, stepped) in [
        ("nothing", down(), [10_003, 103, 503], None, false),
        ("asleep, down", down(), [10_603, 103, 1103], slept, false),
        ("asleep, up", Ok(()), [10_603, 103, 1103], slept, false),
        ("an hour ahead", down(), [13_603, 103, 503], None, true),
        ("an hour back", Ok(()), [6_403, 103, 503], None, true),
    ] {
        let clocks = Arc::new(SetClocks([10_000, 100, 500].into()));
        let net = Net::for_tests(None, &[]).unwrap().with_clocks(Arc::clone(&clocks) as _);
        let context = ProbeContext::start(net.moment(), Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(3)).await;
        *clocks.0.lock().unwrap() = at_the_end;
        let result = context.finish(outcome, &net.moment());
        let found = match &result.outcome {
            Outcome::Fault(failure) => Some(failure.reason),
            Outcome::Up | Outcome::Down(_) => None,
        };
        assert_eq!(found, fault, "{name}");
        assert_eq!(result.evidence.warnings == [Warning::ClockStep], stepped, "{name}");
        assert_eq!(result.elapsed, Duration::from_secs(3), "{name}");
    }
}
