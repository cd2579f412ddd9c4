//! The destinations as tasks wait for them: what the crate answers by a call comes back as a future.
//!
//! Must not know what is handed over.

use alerting::{AlertEvent, Destinations, Held};
use series::Timestamp;
use tokio::sync::oneshot;

/// Hands events over and waits until all of them are delivered to the awaited destinations.
///
/// # Errors
/// Why they are not. They may be kept anyway.
pub(super) async fn deliver(
    destinations: &Destinations,
    events: Vec<AlertEvent>,
) -> Result<(), String> {
    let (done, answer) = oneshot::channel();
    // Who asked may have gone away.
    destinations.deliver(events, |result| drop(done.send(result)));
    answered(answer).await
}

/// Hands over ends that are not believed yet, which are kept until they are released or their alerts fire, and waits until it is
/// known what became of them.
///
/// # Errors
/// Why that is not known: they have to be reported again.
pub(super) async fn hold(
    destinations: &Destinations,
    ends: Vec<AlertEvent>,
) -> Result<Held, String> {
    let (done, answer) = oneshot::channel();
    destinations.hold(ends, |result| drop(done.send(result)));
    answered(answer).await
}

/// Delivers all ends that wait, as reported at `now`, and waits until they are delivered to the awaited destinations.
///
/// # Errors
/// Why they are not. They are kept.
pub(super) async fn release(destinations: &Destinations, now: Timestamp) -> Result<(), String> {
    loop {
        let before = destinations.held();
        let (done, answer) = oneshot::channel();
        destinations.release(now, |result| drop(done.send(result)));
        answered(answer).await?;
        // Some at a time; where they become no fewer, others came meanwhile, and are for the next call.
        if !(1..before).contains(&destinations.held()) {
            return Ok(());
        }
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, String>>) -> Result<T, String> {
    // It is always given.
    answer.await.unwrap_or_else(|_| Err("the destination has ended".to_owned()))
}
