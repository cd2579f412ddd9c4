//! Texts of others, cut to a length that can be shown.
//!
//! Must not know where they are shown.

/// Marks where a text was cut.
pub const ELLIPSIS: char = '…';

/// The beginning of a text, of at most so many bytes and whole characters.
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Cuts a text that is longer than so many bytes, before a character, and marks it as cut by `…`.
pub fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push(ELLIPSIS);
    }
}

/// A text of at most so many characters; a longer one is cut and marked by `…`.
pub fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => {
            text.get(..end).into_iter().flat_map(str::chars).chain([ELLIPSIS]).collect()
        }
        None => text.to_owned(),
    }
}

/// Whether a character deceives whoever reads a text: controls, what ends a line or has no width, and what turns the reading
/// direction (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, most, start, in_bytes, in_characters) in [
            ("abc", 3, "abc", "abc", "abc"),
            ("abcd", 3, "abc", "abc…", "abc…"),
            ("aää", 2, "a", "a…", "aä…"),
            ("ä", 0, "", "…", "…"),
            ("", 0, "", "", ""),
        ] {
            assert_eq!(beginning(text, most), start, "{text}");
            let mut owned = text.to_owned();
            cut(&mut owned, most);
            assert_eq!(
                (owned.as_str(), shortened(text, most)),
                (in_bytes, in_characters.to_owned())
            );
        }
    }

    #[test]
    fn what_deceives_is_known() {
        for character in [
            '\0', '\n', '\u{1b}', '\u{85}', '\u{61c}', '\u{200b}', '\u{2029}', '\u{202e}',
            '\u{2067}', '\u{feff}',
        ] {
            assert!(is_deceptive(character), "{character:?}");
        }
        for character in [' ', 'a', 'ä', '…', '\u{2030}', '\u{a0}'] {
            assert!(!is_deceptive(character), "{character:?}");
        }
    }
}
