//! The limits of the requests that read: turns, time and faults. What the endpoints answer is tested through a socket, with
//! the integration tests.

use std::{sync::Arc, time::Duration};

use series::store::Store;

use super::*;
use crate::state::Monitor;

fn api() -> Api {
    let monitor = Monitor::for_tests();
    let store = Some(Arc::new(Store::in_memory()));
    Api::new(Arc::new(Reader { monitor, store, rules: Arc::default() }))
}

fn work(_store: &Store) -> Result<Reply, ApiError> {
    Reply::of(&1)
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_its_turn_no_longer_than_it_may() {
    let api = api();
    let turns = u32::try_from(QUERIES_MAX).unwrap();
    let taken = Arc::clone(&api.turns).acquire_many_owned(turns).await.unwrap();
    for (limit, expected) in
        [(Duration::from_secs(3), Duration::from_secs(3)), (Duration::MAX, TIMEOUT)]
    {
        let begun = Instant::now();
        let error = api.read(limit, work).await.unwrap_err();
        assert_eq!(error, ApiError::timeout("query timed out while it waited for others to end"));
        // The timer ticks once a millisecond.
        let waited = begun.elapsed();
        assert!(waited >= expected && waited < expected + Duration::from_millis(2), "{waited:?}");
    }
    drop(taken);
    assert!(api.read(Duration::MAX, work).await.is_ok());
}

#[tokio::test]
async fn work_that_outlasts_its_time_keeps_its_turn_until_it_ends() {
    let api = api();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let slow = move |_: &Store| {
        let _sender_gone = finished.recv();
        Reply::of(&1)
    };
    let error = api.read(Duration::from_millis(1), slow).await.unwrap_err();
    assert_eq!(error, ApiError::timeout("query timed out in its evaluation"));
    assert_eq!(api.turns.available_permits(), QUERIES_MAX - 1);
    finish.send(()).unwrap();
    let turns = u32::try_from(QUERIES_MAX).unwrap();
    assert!(api.turns.acquire_many(turns).await.is_ok());
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_gives_its_turn_back() {
    let api = api();
    let error = api.read(Duration::MAX, |_: &Store| panic!("a bug")).await.unwrap_err();
    assert_eq!(error, ApiError::internal("the query ended by a programming error"));
    assert_eq!(api.turns.available_permits(), QUERIES_MAX);
}

#[tokio::test]
async fn a_program_that_stops_is_unavailable() {
    let api = api();
    api.turns.close();
    let error = api.read(Duration::MAX, work).await.unwrap_err();
    assert_eq!(error, ApiError::unavailable("the program is stopping"));
}
