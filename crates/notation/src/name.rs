//! The names of labels and metrics.
//!
//! Must not know which names have a meaning.

/// The hint for an invalid name of a label.
pub const LABEL_NAME_HINT: &str = "use letters, digits and `_`, not beginning with a digit";

/// The hint for an invalid name of a metric.
pub const METRIC_NAME_HINT: &str = "use letters, digits, `_` and `:`, not beginning with a digit";

/// Whether a text is the name of a label, as the text format and `PromQL` write it without quotes
/// (<https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>).
pub fn is_label_name(text: &str) -> bool {
    is_name(text, |_| false)
}

/// Whether a text is the name of a metric: as that of a label, and with `:`.
pub fn is_metric_name(text: &str) -> bool {
    is_name(text, |byte| byte == b':')
}

fn is_name(text: &str, also: impl Fn(u8) -> bool) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || also(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_colons_are_for_metrics() {
        for (text, label, metric) in [
            ("up", true, true),
            ("_", true, true),
            ("__name__", true, true),
            ("a1_B", true, true),
            ("job:up:rate5m", false, true),
            (":", false, true),
            ("", false, false),
            ("1a", false, false),
            ("a-b", false, false),
            ("a.b", false, false),
            ("é", false, false),
            ("a b", false, false),
        ] {
            assert_eq!((is_label_name(text), is_metric_name(text)), (label, metric), "{text}");
        }
    }
}
