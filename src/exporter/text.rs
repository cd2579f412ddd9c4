//! The Prometheus text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
//!
//! Must not know what the numbers mean.

use std::fmt::Write as _;

use notation::number::Plain;
use probe::ProbeResult;

use crate::telemetry::{Kind, OwnSample};

/// The content type of an exposition.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the samples of a usual probe take as text.
const PROBE_TEXT_BYTES: usize = 4096;

/// An exposition in the making.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    /// The metric whose HELP and TYPE lines came last.
    current: &'static str,
}

impl Exposition {
    /// The samples of a probe: all are gauges.
    pub fn of_probe(result: &ProbeResult) -> String {
        let mut exposition =
            Self { text: String::with_capacity(PROBE_TEXT_BYTES), ..Self::default() };
        for sample in &result.samples {
            exposition.sample(
                sample.metric.name,
                sample.metric.help,
                "gauge",
                &sample.labels,
                sample.value,
            );
        }
        exposition.text
    }

    /// The program's own samples.
    pub fn of_own(samples: &[OwnSample]) -> String {
        let mut exposition = Self::default();
        for sample in samples {
            let kind = match sample.metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            exposition.sample(
                sample.metric.name,
                sample.metric.help,
                kind,
                &sample.labels,
                sample.value,
            );
        }
        exposition.text
    }

    /// Writes one sample, and the HELP and TYPE lines before the first one of a metric.
    fn sample<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &'static str,
        help: &str,
        kind: &str,
        labels: &[(N, V)],
        value: f64,
    ) {
        if self.current != name {
            self.current = name;
            self.text.extend(["# HELP ", name, " "]);
            self.escaped(help, false);
            self.text.extend(["\n# TYPE ", name, " ", kind, "\n"]);
        }
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label.as_ref());
            self.text.push_str("=\"");
            self.escaped(text.as_ref(), true);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.text.push(' ');
        self.number(value);
        self.text.push('\n');
    }

    /// Writes a text with the escapes of the format; quotation marks have one in labels only.
    fn escaped(&mut self, text: &str, in_label: bool) {
        if !text.contains(['\\', '"', '\n']) {
            self.text.push_str(text);
            return;
        }
        for character in text.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' if in_label => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }

    /// Writes a number in the notation of the format.
    fn number(&mut self, value: f64) {
        // Writing to a string cannot fail.
        let _infallible = write!(self.text, "{}", Plain(value));
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::Duration};

    use probe::{MetricDef, Outcome, Sample};

    use super::*;

    static PHASES: MetricDef =
        MetricDef { name: "probe_http_duration_seconds", help: "Time by phase\nand \\ sum." };
    static SUCCESS: MetricDef = MetricDef { name: "probe_success", help: "Success." };

    #[test]
    fn samples_of_a_metric_share_its_header_and_labels_are_escaped() {
        let sample = |metric, labels, value| Sample { metric, labels, value };
        let result = ProbeResult {
            outcome: Outcome::Up,
            started: std::time::SystemTime::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            timeout: Duration::ZERO,
            samples: vec![
                sample(&PHASES, vec![("phase".into(), Cow::Borrowed("resolve"))], 0.25),
                sample(
                    &PHASES,
                    vec![
                        ("phase".into(), Cow::Borrowed("a\"b\\c\nd")),
                        ("x".into(), Cow::Borrowed("")),
                    ],
                    f64::NAN,
                ),
                sample(&SUCCESS, vec![], 1.0),
            ],
            notes: vec![],
            evidence: probe::Evidence::default(),
        };
        assert_eq!(
            Exposition::of_probe(&result),
            "# HELP probe_http_duration_seconds Time by phase\\nand \\\\ sum.\n\
             # TYPE probe_http_duration_seconds gauge\n\
             probe_http_duration_seconds{phase=\"resolve\"} 0.25\n\
             probe_http_duration_seconds{phase=\"a\\\"b\\\\c\\nd\",x=\"\"} NaN\n\
             # HELP probe_success Success.\n# TYPE probe_success gauge\nprobe_success 1\n"
        );
        let mut infinite = Exposition::default();
        infinite.number(f64::NEG_INFINITY);
        assert_eq!(infinite.text, "-Inf");
    }
}
