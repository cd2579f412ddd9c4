//! How available targets were: the stored results counted by spans of time, and the bar that shows them.
//!
//! Must not know which page asks.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use regex::Regex;
use series::{
    Matcher, Matching, Sample, Series, Source as _, SourceError, Timestamp, is_stale,
    labels::METRIC_NAME, store::Store,
};

use super::words;
use crate::config::{Identity, JOB};

/// How many spans a range is cut into.
pub(super) const BUCKETS: i64 = 60;

/// The names of the ranges that a reader can choose, and their lengths in milliseconds.
const RANGES: [(&str, i64); 5] =
    [SHORTEST, USUAL, ("6h", 6 * 3_600_000), ("24h", 24 * 3_600_000), ("7d", 7 * 24 * 3_600_000)];

/// What a reader sees who chooses none, while there is no more to show than this.
const SHORTEST: (&str, i64) = ("15m", 900_000);

/// What a reader sees who chooses none, from then on.
const USUAL: (&str, i64) = ("1h", 3_600_000);

/// About how many samples are read at once: it bounds the memory that a page with many targets takes.
const SAMPLES_MAX: i64 = 2_000_000;

/// A stretch of time up to now, cut into [`BUCKETS`] equal spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Its name in the address.
    pub(super) name: &'static str,
    /// Where it begins; not a part of it.
    pub(super) start: Timestamp,
    /// The length of one span, in milliseconds.
    pub(super) step_ms: i64,
}

impl Range {
    /// The range of a name; one that suits the age of the data when there is no such name. Its spans begin at full multiples of their length, so
    /// that the picture does not change with every look at it.
    pub(super) fn parse(name: Option<&str>, now: Timestamp, data_since: Timestamp) -> Self {
        let fresh = now.saturating_sub(data_since) <= SHORTEST.1;
        let default = if fresh { SHORTEST } else { USUAL };
        let named = RANGES.into_iter().find(|(known, _)| name == Some(*known));
        let (name, length_ms) = named.unwrap_or(default);
        let step_ms = length_ms / BUCKETS;
        let end = now.saturating_add(step_ms - 1).div_euclid(step_ms).saturating_mul(step_ms);
        Self { name, start: end.saturating_sub(length_ms), step_ms }
    }

    /// The last moment of the range; it may lie a little ahead of the present.
    pub(super) fn end(&self) -> Timestamp {
        self.start.saturating_add(BUCKETS * self.step_ms)
    }

    /// The number of the span that holds a time.
    pub(super) fn bucket(&self, at: Timestamp) -> Option<usize> {
        let index = at.checked_sub(self.start)?.checked_sub(1)?.div_euclid(self.step_ms);
        usize::try_from(index).ok().filter(|_| index < BUCKETS)
    }

    /// The beginning of a span.
    pub(super) fn begin(&self, bucket: i64) -> Timestamp {
        self.start.saturating_add(bucket.saturating_mul(self.step_ms))
    }

    /// A moment of the range as a reader wants it: with the day when the range is longer than one.
    pub(super) fn label(&self, at: Timestamp) -> String {
        words::format_time(
            at,
            if self.step_ms * BUCKETS > 6 * 3_600_000 { "%b %-d %H:%M" } else { "%H:%M" },
        )
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

/// How many results there were, and how many of them good, within each span.
#[derive(Clone, Debug)]
pub(super) struct Availability {
    spans: Vec<(u32, u32)>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { spans: std::iter::repeat_n((0, 0), usize::try_from(BUCKETS).unwrap_or(0)).collect() }
    }
}

impl Availability {
    /// Counts one result of `probe_success`.
    pub(super) fn add(&mut self, range: &Range, sample: Sample) {
        let span = range.bucket(sample.timestamp).and_then(|bucket| self.spans.get_mut(bucket));
        if let Some((all, good)) = span
            && !is_stale(sample.value)
        {
            *all += 1;
            *good += u32::from(sample.value > 0.0);
        }
    }

    /// The share of good results over the whole range; `None` without a result.
    pub(super) fn share(&self) -> Option<f64> {
        let (all, good) = self
            .spans
            .iter()
            .fold((0, 0), |(all, good), span| (all + u64::from(span.0), good + u64::from(span.1)));
        share(all, good)
    }

    /// The bar. Worse spans are lower as well as redder, so that it reads without colours.
    pub(super) fn bar(&self, range: &Range) -> Markup {
        let all = self.share().map_or_else(
            || "no data".to_owned(),
            |share| format!("{} up", words::percentage(share)),
        );
        html! {
            svg.bar viewBox="0 0 60 10" preserveAspectRatio="none" role="img"
                aria-label=(format!("{all} in the last {}", range.name)) {
                @for run in self.runs() {
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
    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for ((all, good), bucket) in self.spans.iter().zip(0..) {
            let share = share((*all).into(), (*good).into());
            match runs.last_mut() {
                Some(last) if last.share == share => last.length += 1,
                _ => runs.push(Run { first: bucket, length: 1, share, look: Look::of(share) }),
            }
        }
        runs
    }
}

fn share(all: u64, good: u64) -> Option<f64> {
    let real = |number: u64| i64::try_from(number).map_or(f64::INFINITY, words::real);
    (all > 0).then(|| real(good) / real(all))
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
        let (from, until) = (range.begin(self.first), range.begin(self.first + self.length));
        let what = self.share.map_or_else(
            || "no data".to_owned(),
            |share| format!("{} up", words::percentage(share)),
        );
        format!("{} – {} UTC: {what}", range.label(from), range.label(until))
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

/// Which stored samples to read.
pub(super) struct Scan<'a> {
    pub(super) store: &'a Store,
    /// The instances that are wanted.
    pub(super) instances: &'a BTreeSet<&'a str>,
    /// Whether the store may hold many more instances than those.
    pub(super) selective: bool,
    /// The shortest interval between two samples of a series, in milliseconds.
    pub(super) interval_ms: i64,
    pub(super) range: Range,
}

impl Scan<'_> {
    /// Hands every series of a metric of the wanted instances to `take`, with the target that it is of, in pieces of bounded size.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub(super) fn run(
        &self,
        metric: &str,
        mut take: impl FnMut(&Identity, &Series),
    ) -> Result<(), SourceError> {
        let matchers = self.matchers(metric);
        let instances = i64::try_from(self.instances.len()).unwrap_or(i64::MAX);
        let samples_a_bucket =
            (self.range.step_ms / self.interval_ms.max(1)).saturating_mul(instances).max(1);
        let stride = (SAMPLES_MAX / samples_a_bucket).clamp(1, BUCKETS);
        let mut first = 0;
        while first < BUCKETS {
            let until = (first + stride).min(BUCKETS);
            for series in
                self.store.select(&matchers, self.range.begin(first), self.range.begin(until))?
            {
                let instance = series.labels.get("instance").unwrap_or("");
                if self.instances.contains(instance) {
                    take(&Identity::of(&series.labels), &series);
                }
            }
            first = until;
        }
        Ok(())
    }

    fn matchers(&self, metric: &str) -> Vec<Matcher> {
        let mut matchers = vec![Matcher::equal(METRIC_NAME, metric), Matcher::equal("job", JOB)];
        if self.selective {
            let names: Vec<String> =
                self.instances.iter().map(|instance| regex::escape(instance)).collect();
            // Names that are too long for one expression are picked from the whole answer instead.
            if let [name] = names.as_slice()
                && let Some(instance) = self.instances.first().filter(|_| !name.is_empty())
            {
                matchers.push(Matcher::equal("instance", instance));
            } else if let Ok(regex) = Regex::new(&format!("^(?s:{})$", names.join("|"))) {
                matchers
                    .push(Matcher { name: "instance".into(), matching: Matching::Regex(regex) });
            }
        }
        matchers
    }
}

/// What is known of one target's failures within a range.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    /// How often each phase and reason was seen, and when last.
    pub(super) kinds: BTreeMap<(String, String), (u32, Timestamp)>,
}

impl Failures {
    /// Counts the samples of a series of `probe_failure_info`.
    pub(super) fn add(&mut self, series: &Series) {
        let label = |name: &str| {
            // A target with a label of the same name has pushed the probe's own aside.
            let own =
                series.labels.get(&format!("exported_{name}")).or_else(|| series.labels.get(name));
            own.unwrap_or("").to_owned()
        };
        let seen = series.samples.iter().filter(|sample| !is_stale(sample.value));
        let Some(last) = seen.clone().map(|sample| sample.timestamp).max() else { return };
        let entry = self.kinds.entry((label("phase"), label("reason"))).or_insert((0, last));
        entry.0 = entry.0.saturating_add(u32::try_from(seen.count()).unwrap_or(u32::MAX));
        entry.1 = entry.1.max(last);
    }

    /// The last failure: its phase, reason and time.
    pub(super) fn last(&self) -> Option<(&str, &str, Timestamp)> {
        let ((phase, reason), (_, at)) = self.kinds.iter().max_by_key(|(_, (_, at))| *at)?;
        Some((phase, reason, *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_left_open_and_of_equal_length() {
        let now = 7_200_000;
        for (name, step_ms) in
            [(None, 60_000), (Some("1h"), 60_000), (Some("7d"), 10_080_000), (Some("x"), 60_000)]
        {
            let range = Range::parse(name, now, 0);
            assert_eq!(range.step_ms, step_ms, "{name:?}");
            assert!(range.end() >= now && range.end() < now + step_ms, "{name:?}");
            assert_eq!(range.bucket(range.start), None);
            assert_eq!(range.bucket(range.start + 1), Some(0));
            assert_eq!(range.bucket(range.begin(1)), Some(0));
            assert_eq!(range.bucket(range.begin(1) + 1), Some(1));
            assert_eq!(range.bucket(range.end()), Some(59));
            assert_eq!(range.bucket(range.end() + 1), None);
            assert_eq!(range.bucket(i64::MIN), None);
        }
    }

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
            let timestamp = range.begin(minute) + 1 + i64::from(value > 0.0);
            availability.add(&range, Sample { timestamp, value });
        }
        assert_eq!(availability.share(), Some(0.6));
        let bar = availability.bar(&range).into_string();
        for needle in [
            "aria-label=\"60.00 % up in the last 1h\"",
            "<title>00:00 – 00:02 UTC: 100 % up</title>",
            "<title>00:02 – 00:03 UTC: 50.00 % up</title>",
            "<title>00:03 – 00:04 UTC: 0.00 % up</title>",
            "<title>00:04 – 01:00 UTC: no data</title>",
        ] {
            assert!(bar.contains(needle), "{needle}\n{bar}");
        }
        assert_eq!(bar.matches("<rect").count(), 4);
    }
}
