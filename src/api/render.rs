//! Query answers as Prometheus writes them: times as numbers with milliseconds, values as text.
//!
//! Written straight into one string: an answer may hold millions of samples. Must not know requests.

use std::fmt::Write as _;

use notation::number;
use serde::{Serialize, Serializer};
use series::{
    Labels, Sample, Timestamp,
    promql::{Element, RangeSeries, Value},
};

/// Labels as a JSON object.
#[derive(Clone, Debug)]
pub(super) struct LabelObject(pub(super) Labels);

impl Serialize for LabelObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// The `data` of an instant query's answer at a time, and whether `limit` cut it.
pub(super) fn instant(value: &Value, at: Timestamp, limit: usize) -> (String, bool) {
    match value {
        Value::Scalar(number) => {
            let mut out = String::from(r#"{"resultType":"scalar","result":"#);
            write_sample(&mut out, Sample { timestamp: at, value: *number });
            out.push('}');
            (out, false)
        }
        Value::String(text) => {
            let mut out = String::from(r#"{"resultType":"string","result":["#);
            write_timestamp(&mut out, at);
            out.push(',');
            write_text(&mut out, text);
            out.push_str("]}");
            (out, false)
        }
        Value::Vector(elements) => list("vector", elements, limit, |out, element: &Element| {
            write_metric(out, &element.labels);
            out.push_str(r#","value":"#);
            write_sample(out, Sample { timestamp: at, value: element.value });
        }),
        Value::Matrix(series) => matrix(series, limit),
    }
}

/// The `data` of a range query's answer, and whether `limit` cut it.
pub(super) fn matrix(series: &[RangeSeries], limit: usize) -> (String, bool) {
    list("matrix", series, limit, |out, one: &RangeSeries| {
        write_metric(out, &one.labels);
        out.push_str(r#","values":["#);
        for (index, sample) in one.samples.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_sample(out, *sample);
        }
        out.push(']');
    })
}

fn list<T>(
    kind: &str,
    items: &[T],
    limit: usize,
    write_item: impl Fn(&mut String, &T),
) -> (String, bool) {
    let mut out = format!(r#"{{"resultType":"{kind}","result":["#);
    for (index, item) in items.iter().take(limit).enumerate() {
        out.push_str(if index > 0 { ",{" } else { "{" });
        write_item(&mut out, item);
        out.push('}');
    }
    out.push_str("]}");
    (out, items.len() > limit)
}

fn write_metric(out: &mut String, labels: &Labels) {
    out.push_str(r#""metric":{"#);
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_text(out, value);
    }
    out.push('}');
}

fn write_sample(out: &mut String, sample: Sample) {
    out.push('[');
    write_timestamp(out, sample.timestamp);
    out.push_str(",\"");
    out.push_str(&number::in_json(sample.value));
    out.push_str("\"]");
}

/// A text in quotation marks; JSON's escapes, and those that keep the text out of a page's markup.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _infallible = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Seconds with three decimals, or with none when they are zero.
fn write_timestamp(out: &mut String, at: Timestamp) {
    let (seconds, milliseconds) = (at.unsigned_abs() / 1000, at.unsigned_abs() % 1000);
    let sign = if at < 0 { "-" } else { "" };
    // Writing to a string cannot fail.
    let _infallible = if milliseconds == 0 {
        write!(out, "{sign}{seconds}")
    } else {
        write!(out, "{sign}{seconds}.{milliseconds:03}")
    };
}

/// A time as RFC 3339 in UTC.
pub(super) fn rfc_3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| NEVER.to_owned(), |time| time.to_string())
}

/// How Prometheus writes the time of something that has not happened yet.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_when_there_are_any() {
        for (at, expected) in [
            (0, "0"),
            (1_000, "1"),
            (1_001, "1.001"),
            (1_435_781_451_780, "1435781451.780"),
            (-1_500, "-1.500"),
        ] {
            let mut out = String::new();
            write_timestamp(&mut out, at);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn answers_are_written_as_prometheus_writes_them() {
        let labels = Labels::new([("__name__", "up"), ("a", "x\"\\\n<\u{1}")]);
        let metric = r#"{"__name__":"up","a":"x\"\\\n\u003c\u0001"}"#;
        let element = Element { labels: labels.clone(), value: 1.5 };
        let samples = vec![
            Sample { timestamp: 1000, value: 1.0 },
            Sample { timestamp: 1500, value: f64::NAN },
        ];
        let one = RangeSeries { labels, samples };
        for (value, expected) in [
            (Value::Scalar(1.0), r#"{"resultType":"scalar","result":[2,"1"]}"#.to_owned()),
            (
                Value::String("a\"".into()),
                r#"{"resultType":"string","result":[2,"a\""]}"#.to_owned(),
            ),
            (Value::Vector(vec![]), r#"{"resultType":"vector","result":[]}"#.to_owned()),
            (
                Value::Vector(vec![element.clone()]),
                format!(
                    r#"{{"resultType":"vector","result":[{{"metric":{metric},"value":[2,"1.5"]}}]}}"#
                ),
            ),
            (
                Value::Matrix(vec![one]),
                format!(
                    r#"{{"resultType":"matrix","result":[{{"metric":{metric},"values":[[1,"1"],[1.500,"NaN"]]}}]}}"#
                ),
            ),
        ] {
            let (text, truncated) = instant(&value, 2000, usize::MAX);
            assert_eq!(text, expected);
            assert!(!truncated);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
        let (text, truncated) = instant(&Value::Vector(vec![element.clone(), element]), 0, 1);
        assert!(truncated);
        assert_eq!(text.matches("metric").count(), 1);
    }
}
