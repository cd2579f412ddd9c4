//! "Did you mean": the known word that is nearest to one that is unknown.
//!
//! Must not know what the words mean.

/// The least similarity of two words, from 0 to 1; below it suggestions surprise more than they help.
const ALIKE: f64 = 0.75;

/// A hint that names the choice nearest to a word, when one is near: "did you mean `method`?".
pub fn did_you_mean<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let likeness =
        |choice: &str| strsim::jaro_winkler(&word.to_lowercase(), &choice.to_lowercase());
    let (nearest, _) = choices
        .into_iter()
        .map(|choice| (choice, likeness(choice)))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|left, right| left.1.total_cmp(&right.1))?;
    Some(format!("did you mean `{nearest}`?"))
}

/// Whether one letter too many, too few or another, or two exchanged neighbours, make one word of the other.
pub fn is_one_edit(left: &str, right: &str) -> bool {
    strsim::osa_distance(left, right) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        let choices = ["method", "headers", "body"];
        for (word, suggested) in [
            ("methd", Some("did you mean `method`?")),
            ("HEADER", Some("did you mean `headers`?")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, choices).as_deref(), suggested, "{word}");
        }
    }

    #[test]
    fn an_edit_is_one_letter_or_two_exchanged() {
        for (left, right, edit) in [
            ("module", "modul", true),
            ("module", "modules", true),
            ("module", "nodule", true),
            ("module", "moduel", true),
            ("module", "module", false),
            ("module", "mode", false),
            ("module", "medole", false),
            ("", "a", true),
            ("", "", false),
        ] {
            assert_eq!(is_one_edit(left, right), edit, "{left} {right}");
            assert_eq!(is_one_edit(right, left), edit, "{right} {left}");
        }
    }
}
