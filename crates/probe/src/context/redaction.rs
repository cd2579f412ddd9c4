//! Hides the secrets of a probe in what is shown of it.
//!
//! Must not know where secrets come from.

use crate::report::HIDDEN;

/// Secrets shorter than this are not looked for in what servers send: they stand in every other word.
const SECRET_BYTES_MIN: usize = 4;

/// Hides every secret in a text, also one whose end was cut off together with that of the text.
pub(crate) fn conceal(text: &mut String, secrets: &[String]) {
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
        let secrets = ["hunter2".to_owned(), "a".to_owned()];
        evidence.seal(|text| conceal(text, &secrets));
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
