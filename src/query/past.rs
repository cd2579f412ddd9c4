//! What happened within a window, counted by its spans.
//!
//! Must not know where the numbers come from, nor how they are drawn.

use std::collections::BTreeMap;

use series::{Sample, Timestamp, is_stale};

use super::window::{SPANS, Window};

/// What became of one target's probes.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// How many of them found it up.
    pub availability: Availability,
    /// How the others failed.
    pub failures: Failures,
}

/// How many results there were within each span, and how many of them good.
#[derive(Clone, Debug)]
pub struct Availability {
    spans: Vec<(u32, u32)>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { spans: of_each_span((0, 0)) }
    }
}

impl Availability {
    /// Counts one result: 1 is good and 0 is not.
    pub fn add(&mut self, window: &Window, sample: Sample) {
        let span = window.span(sample.timestamp).and_then(|span| self.spans.get_mut(span));
        if let Some((all, good)) = span
            && !is_stale(sample.value)
        {
            *all += 1;
            *good += u32::from(sample.value > 0.0);
        }
    }

    /// The share of good results in the whole window; `None` without a result.
    pub fn share(&self) -> Option<f64> {
        let (all, good) = self
            .spans
            .iter()
            .fold((0, 0), |(all, good), span| (all + u64::from(span.0), good + u64::from(span.1)));
        share(all, good)
    }

    /// The share of good results in each span.
    pub fn shares(&self) -> impl Iterator<Item = Option<f64>> {
        self.spans.iter().map(|(all, good)| share((*all).into(), (*good).into()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 results")]
fn share(all: u64, good: u64) -> Option<f64> {
    (all > 0).then(|| good as f64 / all as f64)
}

fn of_each_span<T: Clone>(value: T) -> Vec<T> {
    std::iter::repeat_n(value, usize::try_from(SPANS).unwrap_or(0)).collect()
}

/// How a target failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How often each phase and reason was seen, and when last.
    pub kinds: BTreeMap<(String, String), (u32, Timestamp)>,
}

impl Failures {
    /// Counts failures of one phase and reason, the last of them at `last`.
    pub fn add(&mut self, phase: &str, reason: &str, count: u32, last: Timestamp) {
        let entry = self.kinds.entry((phase.to_owned(), reason.to_owned())).or_insert((0, last));
        entry.0 = entry.0.saturating_add(count);
        entry.1 = entry.1.max(last);
    }

    /// The last failure: its phase, reason and time.
    pub fn last(&self) -> Option<(&str, &str, Timestamp)> {
        let ((phase, reason), (_, at)) = self.kinds.iter().max_by_key(|(_, (_, at))| *at)?;
        Some((phase, reason, *at))
    }
}

/// How long a target took to answer, in seconds.
#[derive(Clone, Debug, Default)]
pub struct ResponseTimes {
    /// By the phase of the request; empty for kinds that have none.
    pub phases: BTreeMap<String, Means>,
    /// The whole probes.
    pub whole: Means,
}

/// The mean of some values within each span.
#[derive(Clone, Debug)]
pub struct Means {
    /// Sum and number of the values.
    spans: Vec<(f64, u32)>,
    highest: f64,
}

impl Default for Means {
    fn default() -> Self {
        Self { spans: of_each_span((0.0, 0)), highest: 0.0 }
    }
}

impl Means {
    /// Takes a value into its span; those that are no finite number are left out.
    pub fn add(&mut self, window: &Window, sample: Sample) {
        let span = window.span(sample.timestamp).and_then(|span| self.spans.get_mut(span));
        if let Some((sum, count)) = span
            && sample.value.is_finite()
        {
            *sum += sample.value.max(0.0);
            *count += 1;
            self.highest = self.highest.max(sample.value);
        }
    }

    /// Whether there is any value.
    pub fn has_values(&self) -> bool {
        self.spans.iter().any(|(_, count)| *count > 0)
    }

    /// The mean of one span; 0 when it has no value.
    pub fn mean(&self, span: usize) -> f64 {
        self.spans
            .get(span)
            .map_or(0.0, |(sum, count)| if *count == 0 { 0.0 } else { sum / f64::from(*count) })
    }

    /// The mean of all values; `None` without a value.
    pub fn mean_of_all(&self) -> Option<f64> {
        let (sum, count) =
            self.spans.iter().fold((0.0, 0), |(sum, count), span| (sum + span.0, count + span.1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// The highest value; 0 when there is none above.
    pub fn highest(&self) -> f64 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_by_spans() {
        let window = Window::until(3_600_000, 3_600_000);
        let mut availability = Availability::default();
        let mut means = Means::default();
        assert_eq!((availability.share(), means.mean_of_all()), (None, None));
        for (span, value) in
            [(0, 1.0), (0, 0.0), (1, 0.0), (2, series::stale_marker()), (60, 1.0), (-1, 1.0)]
        {
            let sample = Sample { timestamp: window.begin(span) + 1, value };
            availability.add(&window, sample);
            means.add(&window, sample);
        }
        assert_eq!(availability.share(), Some(1.0 / 3.0));
        let shares: Vec<_> = availability.shares().take(3).collect();
        assert_eq!(shares, [Some(0.5), Some(0.0), None]);
        assert_eq!(means.mean_of_all(), Some(1.0 / 3.0));
        assert!((means.mean(0) - 0.5).abs() < 1e-9 && (means.highest() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn failures_are_counted_by_phase_and_reason() {
        let mut failures = Failures::default();
        assert_eq!(failures.last(), None);
        failures.add("tls", "expired", 2, 50);
        failures.add("connect", "refused", 1, 70);
        failures.add("tls", "expired", u32::MAX, 60);
        assert_eq!(failures.last(), Some(("connect", "refused", 70)));
        let key = ("tls".to_owned(), "expired".to_owned());
        assert_eq!(failures.kinds.get(&key), Some(&(u32::MAX, 60)));
    }
}
