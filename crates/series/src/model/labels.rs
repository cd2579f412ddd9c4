//! Label sets, the identity of a series, and the matchers that select them.
//!
//! Must not know where series are stored.

use std::{fmt, sync::Arc};

use regex::Regex;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// A set of labels, sorted by name, without empty values. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Builds a set from pairs in any order. A label with an empty value is the same as no label and is left out; of two
    /// pairs with one name the later wins.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut sorted: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        // A stable sort keeps the order of equal names, so that the last of them is the later one.
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        let mut unique: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(sorted.len());
        for pair in sorted {
            match unique.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => unique.push(pair),
            }
        }
        unique.retain(|(_, value)| !value.is_empty());
        Self(unique.into())
    }

    /// The value of a label; `None` when the set does not have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(name)).ok()?;
        self.0.get(index).map(|(_, value)| value.as_ref())
    }

    /// The metric's name, or `""` when the set has none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// The pairs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// How many labels the set has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set has no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set with one label set to a value; an empty value removes the label.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        self.overlaid(&[(Arc::from(name), Arc::from(value))])
    }

    /// The set with these labels, which are sorted by name and each there once; an empty value removes a label.
    #[must_use]
    pub(crate) fn overlaid(&self, labels: &[(Arc<str>, Arc<str>)]) -> Self {
        let mut all = Vec::with_capacity(self.len() + labels.len());
        let mut rest = labels.iter().peekable();
        for pair in self.0.iter() {
            while let Some(before) = rest.next_if(|label| label.0 < pair.0) {
                all.push(before.clone());
            }
            let replaced = rest.next_if(|label| label.0 == pair.0);
            all.push(replaced.unwrap_or(pair).clone());
        }
        all.extend(rest.cloned());
        all.retain(|(_, value)| !value.is_empty());
        Self(all.into())
    }

    /// The set without its metric name.
    #[must_use]
    pub fn without_metric_name(&self) -> Self {
        self.filtered(|name| name != METRIC_NAME)
    }

    /// The labels whose name `keep` accepts.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        let mut kept = Vec::with_capacity(self.len());
        kept.extend(self.0.iter().filter(|(name, _)| keep(name)).cloned());
        Self(kept.into())
    }
}

impl fmt::Display for Labels {
    /// Prometheus's notation: `name{label="value", …}`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.metric_name())?;
        let mut rest = self.iter().filter(|(name, _)| *name != METRIC_NAME).peekable();
        if rest.peek().is_none() && !self.metric_name().is_empty() {
            return Ok(());
        }
        formatter.write_str("{")?;
        for (index, (name, value)) in rest.enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{name}={value:?}")?;
        }
        formatter.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// How a matcher compares a label's value. A missing label has the value `""`.
#[derive(Clone, Debug)]
pub enum Matching {
    /// `=`
    Equal(Arc<str>),
    /// `!=`
    NotEqual(Arc<str>),
    /// `=~`, anchored at both ends.
    Regex(Regex),
    /// `!~`, anchored at both ends.
    NotRegex(Regex),
}

/// One condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: Arc<str>,
    /// The condition on its value.
    pub matching: Matching,
}

impl Matcher {
    /// A matcher for an exact value.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), matching: Matching::Equal(value.into()) }
    }

    /// Whether a label set satisfies the condition.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or(""))
    }

    /// Whether a value of this matcher's label satisfies the condition; `""` stands for a missing label.
    pub fn matches_value(&self, value: &str) -> bool {
        match &self.matching {
            Matching::Equal(expected) => value == expected.as_ref(),
            Matching::NotEqual(expected) => value != expected.as_ref(),
            Matching::Regex(regex) => regex.is_match(value),
            Matching::NotRegex(regex) => !regex.is_match(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_unique_and_never_empty() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
        assert_eq!(labels.with("a", ""), Labels::new([("b", "3")]));
        assert_eq!(labels.get("missing"), None);
        let more = ["", "0", "4"].map(|value| labels.with("b", value).with("aa", value));
        assert_eq!(more[0], Labels::new([("a", "1")]));
        assert_eq!(more[1], Labels::new([("a", "1"), ("aa", "0"), ("b", "0")]));
        assert_eq!(Labels::default().with("x", "1").with("y", ""), Labels::new([("x", "1")]));
    }

    #[test]
    fn labels_display_in_the_notation_of_prometheus() {
        let labels = Labels::new([(METRIC_NAME, "up"), ("job", "a\"b")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b"}"#);
        assert_eq!(labels.without_metric_name().to_string(), r#"{job="a\"b"}"#);
        assert_eq!(Labels::new([(METRIC_NAME, "up")]).to_string(), "up");
    }
}
