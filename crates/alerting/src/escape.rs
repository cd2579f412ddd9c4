//! Makes hostile text harmless in a line: nothing may end the line, move the cursor or turn the reading direction.
//!
//! Must not know alerts.

use std::fmt::Write as _;

/// Stands where text was cut.
const ELLIPSIS: &str = "…";

/// Appends `text` to `line` with control, line-separating and direction-changing characters escaped as in JSON, cut so
/// that at most `limit` bytes are added. `quoted` also escapes the quotation mark.
pub(crate) fn escape(line: &mut String, text: &str, limit: usize, quoted: bool) {
    let start = line.len();
    // Where the text can be cut so that the ellipsis still fits.
    let mut cut = start;
    for character in text.chars() {
        write_character(line, character, quoted);
        let used = line.len() - start;
        if used > limit {
            line.truncate(cut);
            line.push_str(ELLIPSIS);
            return;
        }
        if used + ELLIPSIS.len() <= limit {
            cut = line.len();
        }
    }
}

/// A text of others in one short line, whatever is in it.
pub fn harmless(text: &str, limit: usize) -> String {
    let mut line = String::new();
    escape(&mut line, text, limit, false);
    line
}

/// Whether a value needs quotation marks in logfmt.
pub(crate) fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.chars().any(|character| {
            character.is_whitespace() || "=\"\\".contains(character) || hazard(character)
        })
}

fn write_character(line: &mut String, character: char, quoted: bool) {
    match character {
        '"' if quoted => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if hazard(character) => {
            // All hazards lie in the basic plane: four digits hold them. Writing to a string cannot fail.
            let _infallible = write!(line, "\\u{:04x}", u32::from(character));
        }
        _ => line.push(character),
    }
}

/// C0 and C1 controls, DEL, line and paragraph separators, and the characters that control the reading direction
/// (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
fn hazard(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazards_are_escaped_and_the_rest_is_kept() {
        for (text, expected) in [
            ("plain ünï 日本", "plain ünï 日本"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{1b}[31mred\u{7f}\u{9b}", r"\u001b[31mred\u007f\u009b"),
            ("\u{202e}evil\u{2066}\u{2028}", r"\u202eevil\u2066\u2028"),
            (r#"say "x\y""#, r#"say \"x\\y\""#),
        ] {
            let mut line = String::new();
            escape(&mut line, text, 4096, true);
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn a_cut_never_exceeds_the_limit_nor_splits_an_escape() {
        for text in ["é".repeat(50), "\u{1}".repeat(50), "\"".repeat(50), "abc".to_owned()] {
            for limit in 3..40 {
                let mut line = "before ".to_owned();
                escape(&mut line, &text, limit, true);
                let added = line.strip_prefix("before ").unwrap();
                assert!(added.len() <= limit, "{added} at {limit}");
                let parsed: Result<String, _> = serde_json::from_str(&format!("\"{added}\""));
                assert!(parsed.is_ok(), "{added} at {limit}");
            }
        }
    }
}
