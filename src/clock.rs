//! The wall clock, behind a trait so that tests can set it.
//!
//! The only place that reads the system's time of day. Must not know who asks.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use series::Timestamp;
use tokio::time::Instant;

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else takes")]
    fn now(&self) -> Timestamp {
        milliseconds(SystemTime::now())
    }
}

/// A system time as milliseconds since the Unix epoch; times before it count as zero.
pub fn milliseconds(time: SystemTime) -> Timestamp {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that is never set: the time since this call.
pub fn uptime() -> Arc<dyn Fn() -> Duration + Send + Sync> {
    let begun = Instant::now();
    Arc::new(move || begun.elapsed())
}
