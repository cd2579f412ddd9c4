//! The index of the head: label, value, sorted identifiers of series.
//!
//! Must not know samples.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{Labels, Matcher, Matching};

/// Postings of all series.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    postings: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Vec<u32>>>,
    all: Vec<u32>,
}

impl Index {
    /// Adds a series, whose identifier must be greater than all before it.
    pub(super) fn insert(&mut self, id: u32, labels: &Labels) {
        self.all.push(id);
        for (name, value) in labels.iter() {
            if !self.postings.contains_key(name) {
                self.postings.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.postings.get_mut(name) else { continue };
            match values.get_mut(value) {
                Some(ids) => ids.push(id),
                None => {
                    values.insert(value.into(), vec![id]);
                }
            }
        }
    }

    /// Forgets series. Only the lists of their own labels are gone through.
    pub(super) fn remove(&mut self, gone: &BTreeMap<u32, Labels>) {
        let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
        for labels in gone.values() {
            pairs.extend(labels.iter());
        }
        for (name, value) in pairs {
            let Some(values) = self.postings.get_mut(name) else { continue };
            let Some(ids) = values.get_mut(value) else { continue };
            subtract(ids, gone);
            if ids.is_empty() {
                values.remove(value);
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
        subtract(&mut self.all, gone);
    }

    /// The series that satisfy all matchers, ascending.
    pub(super) fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        let (negative, positive): (Vec<_>, Vec<_>) =
            matchers.iter().partition(|matcher| matcher.matches_value(""));
        let mut sets: Vec<_> =
            positive.into_iter().map(|matcher| self.with_value(matcher, true)).collect();
        sets.sort_by_key(|ids| ids.len());
        let mut sets = sets.into_iter();
        let mut found = sets.next().unwrap_or(Cow::Borrowed(&self.all)).into_owned();
        for set in sets {
            found.retain(|id| set.binary_search(id).is_ok());
        }
        for matcher in negative {
            if found.is_empty() {
                break;
            }
            // A missing label satisfies the matcher, so what is left out are the values that do not.
            let excluded = self.with_value(matcher, false);
            found.retain(|id| excluded.binary_search(id).is_err());
        }
        found
    }

    /// The series that have the matcher's label with a value on which the matcher's verdict is `wanted`.
    fn with_value(&self, matcher: &Matcher, wanted: bool) -> Cow<'_, [u32]> {
        let Some(values) = self.postings.get(&matcher.name) else { return Cow::Borrowed(&[]) };
        let exact = match &matcher.matching {
            Matching::Equal(value) if wanted => Some(vec![value.as_ref()]),
            Matching::NotEqual(value) if !wanted => Some(vec![value.as_ref()]),
            Matching::Regex(regex) if wanted => literals(regex.as_str()),
            Matching::NotRegex(regex) if !wanted => literals(regex.as_str()),
            _ => None,
        };
        let lists: Vec<&Vec<u32>> = match exact {
            Some(exact) => exact.into_iter().filter_map(|value| values.get(value)).collect(),
            None => values
                .iter()
                .filter(|(value, _)| matcher.matches_value(value) == wanted)
                .map(|(_, ids)| ids)
                .collect(),
        };
        if let [only] = lists.as_slice() {
            return Cow::Borrowed(only);
        }
        let mut ids: Vec<u32> = lists.into_iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        Cow::Owned(ids)
    }
}

/// Takes out of ascending identifiers those that are gone.
fn subtract(ids: &mut Vec<u32>, gone: &BTreeMap<u32, Labels>) {
    let mut gone = gone.keys().peekable();
    ids.retain(|id| {
        while gone.next_if(|gone| *gone < id).is_some() {}
        gone.peek() != Some(&id)
    });
}

/// The alternatives of an anchored regular expression without any operator but `|`.
fn literals(pattern: &str) -> Option<Vec<&str>> {
    let inner = pattern
        .strip_prefix("^(?:")
        .or_else(|| pattern.strip_prefix("^(?s:"))?
        .strip_suffix(")$")?;
    let plain = |character: char| {
        character.is_alphanumeric() || matches!(character, '|' | '_' | '-' | ':' | '/' | ' ' | '=')
    };
    inner.chars().all(plain).then(|| inner.split('|').collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn an_index_without_some_series_is_that_of_the_others(gone in proptest::collection::vec(any::<bool>(), 0..40)) {
            let labels = |id: u32| {
                let number = |part: u32| (id % part).to_string();
                Labels::new([("all", "1".to_owned()), ("two", number(2)), ("seven", number(7)), ("own", id.to_string())])
            };
            let (mut index, mut others, mut left_out) = (Index::default(), Index::default(), BTreeMap::new());
            for (id, gone) in (0..).zip(gone) {
                index.insert(id, &labels(id));
                if gone {
                    left_out.insert(id, labels(id));
                } else {
                    others.insert(id, &labels(id));
                }
            }
            index.remove(&left_out);
            prop_assert_eq!(index, others);
        }
    }
}
