//! The stretch of time that a page shows, cut into spans.
//!
//! Must not know what happened in it.

use series::Timestamp;

/// How many spans a window is cut into.
pub const SPANS: i64 = 60;

/// A stretch of time up to now, cut into [`SPANS`] equal spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins; not a part of it.
    pub start: Timestamp,
    /// The length of one span, in milliseconds.
    pub step_ms: i64,
}

impl Window {
    /// The window of so many milliseconds up to `now`. Its spans begin at full multiples of their length, so that the picture does
    /// not change with every look at it.
    pub fn until(now: Timestamp, length_ms: i64) -> Self {
        let step_ms = (length_ms / SPANS).max(1);
        let end = now.saturating_add(step_ms - 1).div_euclid(step_ms).saturating_mul(step_ms);
        Self { start: end.saturating_sub(SPANS * step_ms), step_ms }
    }

    /// The last moment of the window; it may lie a little ahead of the present.
    pub fn end(&self) -> Timestamp {
        self.begin(SPANS)
    }

    /// The number of the span that holds a time.
    pub fn span(&self, at: Timestamp) -> Option<usize> {
        let index = at.checked_sub(self.start)?.checked_sub(1)?.div_euclid(self.step_ms);
        usize::try_from(index).ok().filter(|_| index < SPANS)
    }

    /// The beginning of a span.
    pub fn begin(&self, span: i64) -> Timestamp {
        self.start.saturating_add(span.saturating_mul(self.step_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_left_open_and_of_equal_length() {
        let now = 7_200_000;
        for (length_ms, step_ms) in [(3_600_000, 60_000), (7 * 86_400_000, 10_080_000), (0, 1)] {
            let window = Window::until(now, length_ms);
            assert_eq!(window.step_ms, step_ms);
            assert!(window.end() >= now && window.end() < now + step_ms, "{step_ms}");
            for (at, span) in [
                (window.start, None),
                (window.start + 1, Some(0)),
                (window.begin(1), Some(0)),
                (window.begin(1) + 1, Some(1)),
                (window.end(), Some(59)),
                (window.end() + 1, None),
                (i64::MIN, None),
            ] {
                assert_eq!(window.span(at), span, "{step_ms} {at}");
            }
        }
    }
}
