//! What a module expects of the records of an answer: regular expressions over their lines.
//!
//! Each expectation is judged as `blackbox_exporter` does. Must not know where the records come from.

use notation::text::cut;
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::setting::Pattern;

/// The longest line that is quoted in a failure, in bytes.
const QUOTED_BYTES_MAX: usize = 160;

/// The expectations of one section.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the names are those of blackbox_exporter")]
pub(super) struct Expectations {
    /// No record may match any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fail_if_matches_regexp: Vec<Pattern>,
    /// Each record has to match all of these; the name says otherwise, but this is what `blackbox_exporter` does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fail_if_all_match_regexp: Vec<Pattern>,
    /// Each record has to match all of these, and there has to be one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fail_if_not_matches_regexp: Vec<Pattern>,
    /// A record has to match one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fail_if_none_matches_regexp: Vec<Pattern>,
}

impl Expectations {
    pub(super) fn is_empty(&self) -> bool {
        self.fail_if_matches_regexp.is_empty()
            && self.fail_if_all_match_regexp.is_empty()
            && self.fail_if_not_matches_regexp.is_empty()
            && self.fail_if_none_matches_regexp.is_empty()
    }

    /// Judges the records of a section.
    ///
    /// # Errors
    /// Which expectation is not met.
    pub(super) fn judge(&self, records: &[Record]) -> Result<(), String> {
        let matches =
            |pattern: &&Pattern, record: &Record| pattern.regex.is_match(record.text.as_bytes());
        for record in records {
            let unwanted =
                self.fail_if_matches_regexp.iter().find(|pattern| matches(pattern, record));
            if let Some(pattern) = unwanted {
                return Err(format!("`{pattern}` matches {}", quoted(&record.text)));
            }
            let wanted =
                self.fail_if_not_matches_regexp.iter().chain(&self.fail_if_all_match_regexp);
            if let Some(pattern) = wanted.clone().find(|pattern| !matches(pattern, record)) {
                return Err(format!("`{pattern}` does not match {}", quoted(&record.text)));
            }
        }
        if let Some(pattern) =
            self.fail_if_not_matches_regexp.first().filter(|_| records.is_empty())
        {
            return Err(format!("`{pattern}` has to match, and there is no record"));
        }
        let any = &self.fail_if_none_matches_regexp;
        let found =
            records.iter().any(|record| any.iter().any(|pattern| matches(&pattern, record)));
        match any.first().filter(|_| !found) {
            Some(pattern) if any.len() == 1 => Err(format!("`{pattern}` matches no record")),
            Some(_) => Err(format!("none of {} expressions matches a record", any.len())),
            None => Ok(()),
        }
    }
}

/// The beginning of a line, with its tabs as spaces.
fn quoted(line: &str) -> String {
    let mut line = line.replace('\t', " ");
    cut(&mut line, QUOTED_BYTES_MAX);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[&str] = &["a.\t60\tIN\tA\t127.0.0.1", "a.\t60\tIN\tA\t127.0.0.2"];

    #[test]
    fn expectations_are_judged_as_in_the_peer() {
        for (settings, lines, met) in [
            ("{}", TWO, true),
            ("{}", &[][..], true),
            ("{ fail_if_matches_regexp: ['\\t127.0.0.1$'] }", TWO, false),
            ("{ fail_if_matches_regexp: [x, '\\t127.0.0.3$'] }", TWO, true),
            ("{ fail_if_matches_regexp: [.] }", &[], true),
            ("{ fail_if_not_matches_regexp: ['127.0.0.[12]'] }", TWO, true),
            ("{ fail_if_not_matches_regexp: ['127.0.0.1'] }", TWO, false),
            ("{ fail_if_not_matches_regexp: ['127.0.0.1', '60'] }", &TWO[..1], true),
            ("{ fail_if_not_matches_regexp: [.] }", &[], false),
            // Inverted in blackbox_exporter, and so here.
            ("{ fail_if_all_match_regexp: ['127.0.0.[12]'] }", TWO, true),
            ("{ fail_if_all_match_regexp: ['127.0.0.1'] }", TWO, false),
            ("{ fail_if_all_match_regexp: [.] }", &[], true),
            ("{ fail_if_none_matches_regexp: [x, '127.0.0.2'] }", TWO, true),
            ("{ fail_if_none_matches_regexp: [x, y] }", TWO, false),
            ("{ fail_if_none_matches_regexp: [.] }", &[], false),
        ] {
            let expectations: Expectations = yaml::parse(settings).unwrap();
            let records: Vec<Record> = lines
                .iter()
                .map(|line| Record {
                    text: (*line).to_owned(),
                    serial: None,
                    response_code_high: None,
                })
                .collect();
            let judged = expectations.judge(&records);
            assert_eq!(judged.is_ok(), met, "{settings} {lines:?}: {judged:?}");
        }
    }
}
