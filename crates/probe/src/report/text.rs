//! Texts from outside, as they may be shown: printable and short.
//!
//! Must not know where they come from.

use notation::text::{ELLIPSIS, cut, is_deceptive};

/// What a hidden secret shows.
pub(crate) const HIDDEN: &str = "<secret>";

/// Bytes as text: what is not UTF-8, and every control character but the line feed, is escaped.
pub(crate) fn printable(bytes: &[u8], bytes_max: usize) -> String {
    if let Some(text) = plain(bytes, bytes_max) {
        return text;
    }
    let mut text = String::new();
    for chunk in
        bytes.get(..bytes_max.saturating_mul(2).min(bytes.len())).unwrap_or(bytes).utf8_chunks()
    {
        for character in chunk.valid().chars() {
            match character {
                '\n' => text.push('\n'),
                '\r' => {}
                // Control and format characters, such as those that turn the direction of writing, deceive the reader.
                character if is_deceptive(character) => text.extend(character.escape_unicode()),
                character => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
        if text.len() > bytes_max {
            break;
        }
    }
    cut(&mut text, bytes_max);
    text
}

/// The same for bytes that need no escape, as most do; `None` for others.
fn plain(bytes: &[u8], bytes_max: usize) -> Option<String> {
    let kept = bytes.get(..bytes_max).unwrap_or(bytes);
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b'\r' | b' '..=b'~');
    let kept = kept.iter().all(is_plain).then_some(kept)?;
    let mut text = String::with_capacity(kept.len() + ELLIPSIS.len_utf8());
    std::str::from_utf8(kept).ok()?.split('\r').for_each(|part| text.push_str(part));
    if bytes.len() > bytes_max {
        text.push(ELLIPSIS);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_printable_and_short() {
        assert_eq!(printable(b"a\r\nb\0\x1b[1m\xff", 100), "a\nb\\u{0}\\u{1b}[1m\\xff");
        assert_eq!(printable("ä\u{202e}x".as_bytes(), 100), "ä\\u{202e}x");
        assert!(printable(&vec![0; 1 << 20], 100).len() < 120);
    }
}
