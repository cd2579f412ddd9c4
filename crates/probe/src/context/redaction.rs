//! Hides the secrets of a probe in what is shown of it.
//!
//! Must not know where secrets come from.

use notation::text::cut;

use crate::report::HIDDEN;

/// Secrets shorter than this are not looked for in what servers send: they occur in every other word.
const SECRET_BYTES_MIN: usize = 4;

/// The secrets of one probe.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// Without the white space around them, the longest first.
    secrets: Vec<String>,
}

impl Redaction {
    /// Adds a secret.
    pub(super) fn conceal(&mut self, secret: &str) {
        let secret = secret.trim();
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            // The longest first: a secret that is part of another must not leave the rest of the other one visible.
            let longer = self.secrets.partition_point(|known| known.len() >= secret.len());
            self.secrets.insert(longer, secret.to_owned());
        }
    }

    /// Hides every secret in a text.
    pub(super) fn hide(&self, text: &mut String) {
        conceal(text, &self.secrets);
    }

    /// A text as it may be shown: without secrets, and not too long.
    pub(super) fn shown(&self, mut text: String, bytes_max: usize) -> String {
        self.hide(&mut text);
        cut(&mut text, bytes_max);
        text
    }
}

/// Hides every secret in a text, also one whose end was cut off together with that of the text.
fn conceal(text: &mut String, secrets: &[String]) {
    if secrets.is_empty() {
        return;
    }
    for secret in secrets.iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN) {
        if text.contains(secret.as_str()) {
            *text = text.replace(secret.as_str(), HIDDEN);
        }
    }
    let whole = text.trim_end_matches('…');
    let cut = secrets.iter().filter_map(|secret| cut_off(whole, secret)).max();
    if let Some(length) = cut {
        let end = whole.len() - length;
        text.replace_range(end..end + length, HIDDEN);
    }
}

/// How much of the beginning of a secret ends a text; `None` when that says nothing of it.
fn cut_off(text: &str, secret: &str) -> Option<usize> {
    let lengths = SECRET_BYTES_MIN..secret.len().min(text.len() + 1);
    lengths
        .rev()
        .find(|length| secret.get(..*length).is_some_and(|beginning| text.ends_with(beginning)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Evidence, Hop};

    #[test]
    fn secrets_are_hidden_wherever_they_come_back() {
        let mut evidence = Evidence::default();
        evidence.begin(Hop {
            head: "X-Echo: hunter2".to_owned(),
            body: "a".repeat(10_000),
            ..Hop::default()
        });
        let mut redaction = Redaction::default();
        redaction.conceal("hunter2");
        redaction.conceal("a");
        evidence.seal(|text| redaction.hide(text));
        assert_eq!(evidence.hops[0].head, "X-Echo: <secret>");
        assert!(evidence.bytes() < 2048);
    }

    #[test]
    fn a_secret_that_is_cut_off_is_hidden() {
        let secrets = ["hunter2-and-more".to_owned(), "hunter2".to_owned()];
        for (text, shown) in [
            ("x hunter2-and-more y", "x <secret> y"),
            ("x hunter2 y", "x <secret> y"),
            ("x hunter2-and-mor", "x <secret>-and-mor"),
            ("x hunte", "x <secret>"),
            ("x hunte…", "x <secret>…"),
            ("x hun", "x hun"),
            ("hunt", "<secret>"),
            ("", ""),
        ] {
            let mut concealed = text.to_owned();
            conceal(&mut concealed, &secrets);
            assert_eq!(concealed, shown, "{text}");
        }
    }
}
