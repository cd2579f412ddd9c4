//! Refuses texts that the parser crate cannot take: too large ones, for it recurses, and lengths of time that make it
//! panic or that it silently ignores.
//!
//! Works on the text alone. Must not know the syntax tree.

use super::QueryError;

/// How deeply expressions may be nested.
pub(super) const DEPTH_MAX: usize = 200;

/// How long a query may be, in bytes.
const LENGTH_MAX: usize = 128 * 1024;

/// How many operators a query may have. The parser's tree is freed recursively, so this bounds the stack it needs.
const OPERATORS_MAX: usize = 2_000;

/// The longest length of time, in seconds: some 30,000 years.
const SECONDS_MAX: f64 = 1e12;

fn refused(message: impl Into<String>) -> QueryError {
    QueryError::Parse(message.into())
}

/// The error of expressions that are nested too deeply.
pub(super) fn too_deep() -> QueryError {
    refused(format!("the query is nested more than {DEPTH_MAX} levels deep"))
}

/// Checks a text before it is parsed.
pub(super) fn check(text: &str) -> Result<(), QueryError> {
    if text.len() > LENGTH_MAX {
        return Err(refused(format!("the query is longer than {LENGTH_MAX} bytes")));
    }
    let bare = without_strings(text);
    check_size(&bare)?;
    check_numbers(&bare)?;
    let lower_case = bare.to_ascii_lowercase();
    for (place, word) in lower_case.match_indices("offset") {
        let (before, rest) = lower_case.split_at(place);
        let after = rest.get(word.len()..).unwrap_or("");
        // Part of a longer name, such as `ntp_offset_seconds`.
        if before.ends_with(is_name_character) || after.starts_with(is_name_character) {
            continue;
        }
        let length = after.trim_start().trim_start_matches(['+', '-']).trim_start();
        check_length(
            length.split(|character: char| !is_length_character(character)).next().unwrap_or(""),
        )?;
    }
    for part in lower_case.split('[').skip(1) {
        let inside = part.split(']').next().unwrap_or("");
        for length in inside.split(':').map(str::trim).filter(|length| !length.is_empty()) {
            if !length.chars().all(is_length_character) {
                return Err(refused(format!(
                    "`[{inside}]` is not a range; duration expressions are not supported"
                )));
            }
            check_length(length)?;
        }
    }
    Ok(())
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':')
}

fn is_length_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '.'
}

/// The text with empty strings for all strings, and without comments.
fn without_strings(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\'' | '`' => {
                bare.push_str("\"\"");
                while let Some(inside) = characters.next().filter(|inside| *inside != character) {
                    if inside == '\\' && character != '`' {
                        characters.next();
                    }
                }
            }
            '#' => {
                bare.push(' ');
                characters.by_ref().find(|inside| *inside == '\n');
            }
            other => bare.push(other),
        }
    }
    bare
}

fn check_size(bare: &str) -> Result<(), QueryError> {
    let (mut depth, mut operators) = (0_usize, 0_usize);
    for character in bare.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '!' => operators += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
    }
    let is_operator = |word: &str| {
        ["and", "or", "unless", "atan2"].iter().any(|name| word.eq_ignore_ascii_case(name))
    };
    let words =
        bare.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    if operators + words.filter(|word| is_operator(word)).count() > OPERATORS_MAX {
        return Err(refused(format!("the query has more than {OPERATORS_MAX} operators")));
    }
    Ok(())
}

/// Refuses `99999999999s`: the parser leaves out parts of durations that do not fit into 32 bits.
fn check_numbers(bare: &str) -> Result<(), QueryError> {
    let words = bare.split(|character: char| !is_length_character(character) && character != '_');
    for word in words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
        let units = ["ms", "s", "m", "h", "d", "w", "y"];
        let mut rest = word;
        while let Some(end) = rest.find(|character: char| !character.is_ascii_digit()) {
            let (digits, tail) = rest.split_at(end);
            let unit_end =
                tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, after) = tail.split_at(unit_end);
            if units.contains(&unit) && digits.parse::<u32>().is_err() {
                return Err(refused(format!("the duration `{word}` is too long")));
            }
            rest = after;
        }
    }
    Ok(())
}

/// Refuses numbers of seconds that are not a length of time; other texts are left to the parser.
fn check_length(length: &str) -> Result<(), QueryError> {
    match length.parse::<f64>() {
        Ok(seconds) if !(0.0..=SECONDS_MAX).contains(&seconds) => {
            Err(refused(format!("the duration `{length}` is too long")))
        }
        _ if length.starts_with("0x") => Err(refused(format!("`{length}` is not a duration"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn lengths_that_the_parser_cannot_take_are_refused() {
        for text in [
            "a[1e308]",
            "a[NaN]",
            "a[5m:inf]",
            "a offset 1e308",
            "a offset - Inf",
            "a OFFSET # why\n nan",
            "a[0xffffffffffffffff]",
            "a[1h4294967296ms]",
            "a offset 99999999999y",
            "predict_linear(a[5m], 99999999999s)",
            "a[5m + 1m]",
            "a[step()]",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        for text in [
            "a[300]",
            "a[1.5]",
            "a[1h30m:10s] offset -5m",
            "a{offset=\"x\"}",
            "sum by (offset) (a)",
            "a offset 5m # [1e308]",
            "{a=\"[1e308]\", b='\\'[nan]', c=`\\`}[5m]",
            "a:b:c[5m]",
            "ntp_offset + 1e308",
            "a > 99999999999",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
    }
}
