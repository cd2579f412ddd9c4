//! Blocking work for requests: a few at once, away from the tasks that serve and probe, within a time limit.
//!
//! Must not know what the work is.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

/// The turns of one kind of work; whoever finds none free waits.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

/// Why work did not end with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// It had no time at all.
    NoTime,
    /// No turn came in time.
    NoTurn,
    /// It took too long.
    TooLong,
    /// The program stops.
    Stopping,
    /// It panicked, which is logged.
    Panicked,
}

impl Turns {
    /// So many turns at once.
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits for a turn and works, both within the time limit, if there is one.
    ///
    /// Work that takes too long cannot be interrupted. It keeps its turn until it ends, so that those who ask again and again
    /// do not add to it.
    ///
    /// # Errors
    /// When the work did not end in time, or not well.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        limit: Option<Duration>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Err(Unfinished::NoTime);
        }
        let deadline = limit.map(|limit| Instant::now() + limit);
        let turn = match within(deadline, Arc::clone(&self.0).acquire_owned()).await {
            Some(Ok(turn)) => turn,
            Some(Err(_closed)) => return Err(Unfinished::Stopping),
            None => return Err(Unfinished::NoTurn),
        };
        let running = spawn_blocking(move || {
            let value = work();
            drop(turn);
            value
        });
        match within(deadline, running).await {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) if error.is_cancelled() => Err(Unfinished::Stopping),
            Some(Err(error)) => {
                tracing::error!(%error, "An answer ended by a programming error.");
                Err(Unfinished::Panicked)
            }
            None => Err(Unfinished::TooLong),
        }
    }

    /// Takes so many turns, until what is returned is dropped.
    #[cfg(test)]
    pub(crate) async fn take(&self, count: usize) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_many_owned(u32::try_from(count).unwrap()).await.unwrap()
    }
}

/// What a future gives before the deadline, if there is one.
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_waits_for_its_turn_no_longer_than_it_may() {
        let turns = Turns::new(2);
        let taken = turns.take(2).await;
        let begun = Instant::now();
        let limit = Duration::from_secs(3);
        assert_eq!(turns.run(Some(limit), || 1).await, Err(Unfinished::NoTurn));
        // The timer ticks once a millisecond.
        let waited = begun.elapsed();
        assert!(waited >= limit && waited < limit + Duration::from_millis(2), "{waited:?}");
        drop(taken);
        assert_eq!(turns.run(Some(limit), || 1).await, Ok(1));
        assert_eq!(turns.run(None, || 1).await, Ok(1));
        assert_eq!(turns.run(Some(Duration::ZERO), || 1).await, Err(Unfinished::NoTime));
    }

    #[tokio::test]
    async fn work_that_outlasts_its_time_keeps_its_turn_until_it_ends() {
        let turns = Turns::new(2);
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let slow = move || {
            let _sender_gone = finished.recv();
        };
        let ended = turns.run(Some(Duration::from_millis(1)), slow).await;
        assert_eq!(ended, Err(Unfinished::TooLong));
        assert_eq!(turns.0.available_permits(), 1);
        finish.send(()).unwrap();
        drop(turns.take(2).await);
    }

    #[tokio::test]
    async fn a_panic_gives_its_turn_back() {
        let turns = Turns::new(2);
        let ended: Result<(), _> = turns.run(None, || panic!("a bug")).await;
        assert_eq!(ended, Err(Unfinished::Panicked));
        assert_eq!(turns.0.available_permits(), 2);
    }

    #[tokio::test]
    async fn nothing_is_begun_when_the_program_stops() {
        let turns = Turns::new(2);
        turns.0.close();
        assert_eq!(turns.run(None, || 1).await, Err(Unfinished::Stopping));
    }
}
