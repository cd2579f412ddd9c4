//! A notifier that hangs holds up no one, and what it was not given is made good later.

use series::Labels;

use super::*;

/// How many notices a notifier was handed, or none for an account of every alert.
type Handed = Option<usize>;

/// A notifier that says what it was handed, and then waits for leave each time.
struct Hanging {
    leave: Receiver<()>,
    handed: Sender<Handed>,
}

impl Notifier for Hanging {
    fn notify(&mut self, notices: &[Notice]) -> Result<(), NotifyError> {
        if !notices.is_empty() {
            let _test_over = self.handed.send(Some(notices.len()));
            let _test_over = self.leave.recv();
        }
        Ok(())
    }

    fn present(&mut self, present: &Present) -> Result<bool, NotifyError> {
        let _test_over = self.handed.send(None);
        Ok(present.unknown.is_empty())
    }

    fn reopen(&mut self) {}

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

fn start() -> (SharedNotifiers, Sender<()>, Receiver<Handed>) {
    let (give_leave, leave) = channel();
    let (handed, seen) = channel();
    let notifier: Box<dyn Notifier> = Box::new(Hanging { leave, handed });
    (SharedNotifiers::new(Notifiers(vec![("hanging", notifier)])).unwrap(), give_leave, seen)
}

fn notices(count: usize) -> Vec<Notice> {
    let notice = Notice { labels: Labels::new([("alertname", "Down")]), ..Notice::default() };
    vec![notice; count]
}

#[tokio::test]
async fn rules_hand_over_and_go_on_while_a_notifier_hangs() {
    let (notifiers, give_leave, handed) = start();
    notifiers.enqueue(notices(1));
    assert_eq!(handed.recv(), Ok(Some(1)), "it is at work, so nothing waits");
    // One batch may be larger than what may wait; the next is refused, for a sender at once.
    notifiers.enqueue(notices(WAITING_MAX));
    assert!(!notifiers.wants_present());
    notifiers.enqueue(notices(2));
    assert_eq!(
        notifiers.deliver(notices(3)).await,
        Err("too many alerts wait to be written".to_owned())
    );
    assert!(notifiers.wants_present(), "what was refused has to be made good");
    give_leave.send(()).unwrap();
    assert_eq!(handed.recv(), Ok(Some(WAITING_MAX)));
    give_leave.send(()).unwrap();
    // Answered once all of that is done, so that there is room again.
    assert_eq!(notifiers.claim(0), None);

    // An account that leaves something open is asked for again.
    let open = Present { unknown: ["Down".to_owned()].into(), ..Present::default() };
    for (present, wanted) in [(open, true), (Present::default(), false)] {
        notifiers.present(present);
        assert_eq!(handed.recv(), Ok(None));
        // The answer to what comes after it says that it is done.
        give_leave.send(()).unwrap();
        assert_eq!(notifiers.deliver(notices(1)).await, Ok(()));
        assert_eq!(handed.recv(), Ok(Some(1)));
        assert_eq!(notifiers.wants_present(), wanted);
    }
    assert_eq!(notifiers.0[0].counters().dropped_total, 5);
    give_leave.send(()).unwrap();
    notifiers.close(Duration::from_secs(30)).await;
    assert!(notifiers.deliver(notices(1)).await.is_err(), "nothing is taken any more");
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_hangs_is_given_up_in_the_end() {
    let (notifiers, give_leave, _handed) = start();
    notifiers.enqueue(notices(1));
    notifiers.close(Duration::from_secs(3)).await;
    drop(give_leave);
}
