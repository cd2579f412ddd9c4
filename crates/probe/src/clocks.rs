//! The clocks of the machine: of day, and of how long it has been running and asleep.
//!
//! Must not know what is timed. Durations never come from the time of day.

use std::time::{Duration, SystemTime};

/// How much two clocks may drift apart during a probe before it counts as sleep or as a step.
pub(crate) const DRIFT_MAX: Duration = Duration::from_secs(1);

/// Where a probe reads the time that is not a duration; tests replace it.
pub trait Clocks: Send + Sync {
    /// The time of day.
    fn wall(&self) -> SystemTime;

    /// How long the machine has been running, without the time that it slept.
    fn monotonic(&self) -> Duration;

    /// How long ago the machine was started, with the time that it slept.
    fn boot(&self) -> Duration;
}

/// The clocks of the system.
#[derive(Debug)]
pub(crate) struct SystemClocks;

impl Clocks for SystemClocks {
    #[expect(clippy::disallowed_methods, reason = "certificates are valid by the wall clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        system::read(system::MONOTONIC)
    }

    fn boot(&self) -> Duration {
        system::read(system::BOOT)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) const MONOTONIC: ClockId = ClockId::Monotonic;
    pub(super) const BOOT: ClockId = ClockId::Boottime;

    pub(super) fn read(clock: ClockId) -> Duration {
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }
}

/// Where the system does not say how long it slept, it never did.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Duration;

    pub(super) const MONOTONIC: () = ();
    pub(super) const BOOT: () = ();

    pub(super) fn read((): ()) -> Duration {
        Duration::ZERO
    }
}

/// What the clocks said when a probe began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    wall: SystemTime,
    monotonic: Duration,
    boot: Duration,
}

impl Moment {
    pub(crate) fn now(clocks: &dyn Clocks) -> Self {
        Self { wall: clocks.wall(), monotonic: clocks.monotonic(), boot: clocks.boot() }
    }

    /// The time of day.
    pub(crate) fn wall(&self) -> SystemTime {
        self.wall
    }

    /// How long the machine slept until a later moment.
    pub(crate) fn asleep_until(&self, later: &Self) -> Duration {
        let since_boot = later.boot.saturating_sub(self.boot);
        since_boot.saturating_sub(later.monotonic.saturating_sub(self.monotonic))
    }

    /// By how much the time of day was set forward or back until a later moment.
    pub(crate) fn step_until(&self, later: &Self) -> Duration {
        let expected = self.wall + later.boot.saturating_sub(self.boot);
        let ahead = later.wall.duration_since(expected);
        ahead.unwrap_or_else(|error| error.duration())
    }
}
