//! The Prometheus text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
//!
//! Must not know what the numbers mean.

use std::fmt::Write as _;

use probe::ProbeResult;

use crate::telemetry::{Kind, OwnSample};

/// The content type of an exposition.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

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
        let mut exposition = Self::default();
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
    fn sample<V: AsRef<str>>(
        &mut self,
        name: &'static str,
        help: &str,
        kind: &str,
        labels: &[(&'static str, V)],
        value: f64,
    ) {
        if self.current != name {
            self.current = name;
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _infallible = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for character in text.as_ref().chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.text.push(' ');
        self.text.push_str(&number(value));
        self.text.push('\n');
    }
}

/// A number in the notation of the format.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
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
                sample(&PHASES, vec![("phase", Cow::Borrowed("resolve"))], 0.25),
                sample(
                    &PHASES,
                    vec![("phase", Cow::Borrowed("a\"b\\c\nd")), ("x", Cow::Borrowed(""))],
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
        assert_eq!(number(f64::INFINITY), "+Inf");
    }
}
