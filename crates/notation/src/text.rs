//! Texts of others, cut to a length that can be shown.
//!
//! Must not know where they are shown.

/// Stands where a text was cut.
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
}
