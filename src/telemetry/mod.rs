//! What the program says about itself: its log and its own metrics.
//!
//! Each of these metrics is declared in [`names`]. Whoever counts something implements [`Collect`]; nobody needs a registry.
//! Must not know who counts.

pub mod log;
pub mod names;
pub mod process;

use std::{borrow::Cow, sync::Arc};

/// A metric of the program about itself: declared once, in [`names`].
#[derive(Debug, PartialEq, Eq)]
pub struct OwnMetric {
    /// The name, unit last, `_total` for counters.
    pub name: &'static str,
    /// One sentence for the HELP line.
    pub help: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
}

/// The type of such a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, until a restart.
    Counter,
    /// May rise and fall.
    Gauge,
}

/// A value of such a metric.
#[derive(Clone, Debug)]
pub struct OwnSample {
    /// Which metric.
    pub metric: &'static OwnMetric,
    /// Its labels.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// The value, in the unit that the name ends with.
    pub value: f64,
}

impl OwnSample {
    /// A value without labels.
    pub fn new(metric: &'static OwnMetric, value: f64) -> Self {
        Self { metric, labels: Vec::new(), value }
    }

    /// A value with one label.
    pub fn labelled(
        metric: &'static OwnMetric,
        name: &'static str,
        label: &'static str,
        value: f64,
    ) -> Self {
        Self { metric, labels: vec![(name, Cow::Borrowed(label))], value }
    }
}

/// Something that counts.
pub trait Collect: Send + Sync + 'static {
    /// Adds its current values, those of one metric together.
    fn collect(&self, samples: &mut Vec<OwnSample>);
}

/// Everything that counts.
#[derive(Clone, Default)]
pub struct Collectors(Vec<Arc<dyn Collect>>);

impl Collectors {
    /// Adds one more.
    pub fn push(&mut self, collector: Arc<dyn Collect>) {
        self.0.push(collector);
    }

    /// The current values of all.
    pub fn collect(&self) -> Vec<OwnSample> {
        let mut samples = Vec::new();
        for collector in &self.0 {
            collector.collect(&mut samples);
        }
        samples
    }
}

/// Milliseconds since the Unix epoch as the seconds of a sample's value.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit into 53 bits for 285,000 years"
)]
pub fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// A count as a sample's value; exact below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
pub fn value(count: u64) -> f64 {
    count as f64
}
