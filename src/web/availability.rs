//! The stretches of time that a reader can choose, and the bar that shows how available a target was in one.
//!
//! Must not know which page asks, nor where the numbers come from.

use maud::{Markup, html};
use series::Timestamp;

use super::words;
use crate::query::{Availability, SPANS, Window};

/// The names of the ranges that a reader can choose, and their lengths in milliseconds.
const RANGES: [(&str, i64); 5] =
    [SHORTEST, USUAL, ("6h", 6 * 3_600_000), ("24h", 24 * 3_600_000), ("7d", 7 * 24 * 3_600_000)];

/// The default while there is no more data than this.
const SHORTEST: (&str, i64) = ("15m", 900_000);

/// The default from then on.
const USUAL: (&str, i64) = ("1h", 3_600_000);

/// A stretch of time up to now, by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Its name in the address.
    pub(super) name: &'static str,
    /// When that is.
    pub(super) window: Window,
}

impl Range {
    /// The range of a name; one that suits the age of the data when there is no such name.
    pub(super) fn parse(name: Option<&str>, now: Timestamp, data_since: Timestamp) -> Self {
        let fresh = now.saturating_sub(data_since) <= SHORTEST.1;
        let default = if fresh { SHORTEST } else { USUAL };
        let named = RANGES.into_iter().find(|(known, _)| name == Some(*known));
        let (name, length_ms) = named.unwrap_or(default);
        Self { name, window: Window::until(now, length_ms) }
    }

    /// The beginning of a span, as a reader wants it: with the day when the range is longer than one.
    pub(super) fn label(&self, span: i64) -> String {
        let long = self.window.step_ms * SPANS > 6 * 3_600_000;
        let notation = if long { "%b %-d %H:%M" } else { "%H:%M" };
        words::format_time(self.window.begin(span), notation)
    }

    /// The links to the ranges, on a page with this address and these further parameters.
    pub(super) fn links(&self, path: &str, further: &str) -> Markup {
        html! {
            nav.ranges aria-label="Time range" {
                @for (name, _) in RANGES {
                    a href=(format!("{path}?range={name}{further}")) aria-current=[(name == self.name).then_some("true")] {
                        (name)
                    }
                    " "
                }
            }
        }
    }
}

/// The bar. Worse spans are lower as well as redder, so that it reads without colours.
pub(super) fn bar(availability: &Availability, range: &Range) -> Markup {
    let all = availability
        .share()
        .map_or_else(|| "no data".to_owned(), |share| format!("{} up", words::percentage(share)));
    html! {
        svg.bar viewBox="0 0 60 10" preserveAspectRatio="none" role="img"
            aria-label=(format!("{all} in the last {}", range.name)) {
            @for run in runs(availability) {
                rect class=(run.look.class) x=(run.first) y=(10 - run.look.height) width=(run.length)
                    height=(run.look.height) {
                    title { (run.title(range)) }
                }
            }
            path.grid d=(GRID) {}
        }
    }
}

/// Neighbouring spans that look alike, as one: a page of many targets stays small.
fn runs(availability: &Availability) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (share, span) in availability.shares().zip(0..) {
        match runs.last_mut() {
            Some(last) if last.share == share => last.length += 1,
            _ => runs.push(Run { first: span, length: 1, share, look: Look::of(share) }),
        }
    }
    runs
}

/// Thin lines between the spans.
const GRID: &str = "M10 0v10M20 0v10M30 0v10M40 0v10M50 0v10";

struct Run {
    first: i64,
    length: i64,
    share: Option<f64>,
    look: Look,
}

impl Run {
    fn title(&self, range: &Range) -> String {
        let (from, until) = (range.label(self.first), range.label(self.first + self.length));
        let what = self.share.map_or_else(
            || "no data".to_owned(),
            |share| format!("{} up", words::percentage(share)),
        );
        format!("{from} – {until} UTC: {what}")
    }
}

/// How a span is drawn: the height is out of 10.
struct Look {
    class: &'static str,
    height: i64,
}

impl Look {
    fn of(share: Option<f64>) -> Self {
        let (class, height) = match share {
            None => ("s-none", 1),
            Some(share) if share >= 1.0 => ("s-up", 10),
            Some(share) if share >= 0.9 => ("s-good", 9),
            Some(share) if share >= 0.5 => ("s-poor", 7),
            Some(share) if share > 0.0 => ("s-bad", 5),
            Some(_) => ("s-down", 4),
        };
        Self { class, height }
    }
}

#[cfg(test)]
mod tests {
    use series::Sample;

    use super::*;

    #[test]
    fn a_fresh_start_is_shown_from_near() {
        let name = |now, data_since| Range::parse(None, now, data_since).name;
        assert_eq!(name(1_000_000, 900_000), "15m");
        assert_eq!(name(2_000_000, 900_000), "1h");
    }

    #[test]
    fn a_bar_shows_each_run_of_alike_spans_once() {
        let range = Range::parse(None, 3_600_000, 0);
        let mut availability = Availability::default();
        assert_eq!(availability.share(), None);
        for (minute, value) in
            [(0, 1.0), (1, 1.0), (2, 1.0), (2, 0.0), (3, 0.0), (4, series::stale_marker())]
        {
            let timestamp = range.window.begin(minute) + 1 + i64::from(value > 0.0);
            availability.add(&range.window, Sample { timestamp, value });
        }
        assert_eq!(availability.share(), Some(0.6));
        let drawn = bar(&availability, &range).into_string();
        for needle in [
            "aria-label=\"60.00 % up in the last 1h\"",
            "<title>00:00 – 00:02 UTC: 100 % up</title>",
            "<title>00:02 – 00:03 UTC: 50.00 % up</title>",
            "<title>00:03 – 00:04 UTC: 0.00 % up</title>",
            "<title>00:04 – 01:00 UTC: no data</title>",
        ] {
            assert!(drawn.contains(needle), "{needle}\n{drawn}");
        }
        assert_eq!(drawn.matches("<rect").count(), 4);
    }
}
