//! Slots that pass without a probe: all are counted, and some lines of the log name them.
//!
//! Must not know why a target is slow or the program was held up.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tracing::warn;

/// How much time is between two lines about the same. One target that is skipped every second is a line in a while, and ten thousand
/// of them are no more.
const LINES_APART: Duration = Duration::from_secs(30);

/// Why a slot passes without a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The previous probe of the target has not ended.
    Busy,
    /// The program was held up: the machine slept or had no time for it.
    Late,
}

/// Slots of one cause that no line has reported yet.
#[derive(Debug, Default)]
struct Unreported {
    slots: u64,
    /// The target of the first of them.
    example: String,
    last_line: Option<Instant>,
}

/// Counts slots that pass without a probe, and reports them.
#[derive(Debug, Default)]
pub(super) struct Skips {
    busy: Unreported,
    late: Unreported,
}

impl Skips {
    /// So many slots of a target passed without a probe.
    pub(super) fn add(&mut self, counter: &AtomicU64, cause: Cause, target: &str, slots: u64) {
        if slots == 0 {
            return;
        }
        counter.fetch_add(slots, Ordering::Relaxed);
        let unreported = match cause {
            Cause::Busy => &mut self.busy,
            Cause::Late => &mut self.late,
        };
        if unreported.slots == 0 {
            target.clone_into(&mut unreported.example);
        }
        unreported.slots += slots;
    }

    /// Writes the lines that are due.
    pub(super) fn report(&mut self, now: Instant) {
        if let Some((slots, target)) = self.busy.take(now) {
            warn!(
                slots,
                target, "Probes skipped: the previous ones of their targets had not ended."
            );
        }
        if let Some((slots, target)) = self.late.take(now) {
            warn!(slots, target, "Probes skipped: the program was held up, or the machine slept.");
        }
    }
}

impl Unreported {
    /// What a line is due about: how many slots and, as an example, one target.
    fn take(&mut self, now: Instant) -> Option<(u64, String)> {
        let is_early = self.last_line.is_some_and(|last| now < last + LINES_APART);
        if self.slots == 0 || is_early {
            return None;
        }
        self.last_line = Some(now);
        Some((std::mem::take(&mut self.slots), std::mem::take(&mut self.example)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_counted_and_lines_are_far_apart() {
        let (counter, mut skips, start) = (AtomicU64::new(0), Skips::default(), Instant::now());
        let mut lines = Vec::new();
        for second in 0..100 {
            for number in 0..10 {
                skips.add(&counter, Cause::Busy, &format!("target {number}"), 1);
            }
            skips.add(&counter, Cause::Late, "late", u64::from(second == 7) * 3);
            let now = start + Duration::from_secs(second);
            lines.extend(skips.busy.take(now).map(|line| (second, line)));
            lines.extend(skips.late.take(now).map(|line| (second, line)));
        }
        assert_eq!(counter.load(Ordering::Relaxed), 1003);
        let example = |second, slots, target: &str| (second, (slots, target.to_owned()));
        let expected = [
            example(0, 10, "target 0"),
            example(7, 3, "late"),
            example(30, 300, "target 0"),
            example(60, 300, "target 0"),
            example(90, 300, "target 0"),
        ];
        assert_eq!(lines, expected);
    }
}
