//! The `Server-Timing` headers of an answer: where the server says that its time went
//! (<https://www.w3.org/TR/server-timing/>).
//!
//! Reads the head of the answer as it is kept for people, so that what is parsed is bounded, printable and without secrets.
//! Must not know how it is shown.

use std::iter::Peekable;

use super::evidence::Hop;

/// The most metrics that are read of one answer.
const METRICS_MAX: usize = 32;

/// One metric of a `Server-Timing` header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerTiming {
    /// The metric's name.
    pub name: String,
    /// How long it took in milliseconds, when the server says so.
    pub milliseconds: Option<f64>,
    /// The server's own words for it; often empty.
    pub description: String,
}

impl Hop {
    /// The metrics of all `Server-Timing` headers of the answer, in order. What is malformed is left out.
    pub fn server_timing(&self) -> Vec<ServerTiming> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let values =
            fields.filter(|(name, _)| name.trim_end().eq_ignore_ascii_case("server-timing"));
        values.flat_map(|(_, value)| Parser::new(value)).take(METRICS_MAX).collect()
    }
}

/// Reads the metrics of one header: `name;dur=12.5;desc="the cache", name…`. What does not follow the grammar is passed over
/// up to the next separator, as the specification has it.
struct Parser<'a> {
    rest: Peekable<std::str::Chars<'a>>,
}

impl<'a> Parser<'a> {
    fn new(value: &'a str) -> Self {
        Self { rest: value.chars().peekable() }
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if(|character| matches!(character, ' ' | '\t')).is_some() {}
    }

    /// Passes over everything up to one of the separators.
    fn skip_to(&mut self, separators: &[char]) {
        while self.rest.next_if(|character| !separators.contains(character)).is_some() {}
    }

    /// A token (RFC 9110 §5.6.2); empty when there is none.
    fn token(&mut self) -> String {
        self.skip_blanks();
        let mut token = String::new();
        while let Some(character) = self.rest.next_if(|character| is_of_token(*character)) {
            token.push(character);
        }
        self.skip_blanks();
        token
    }

    /// A token or a quoted text (RFC 9110 §5.6.4).
    fn value(&mut self) -> String {
        self.skip_blanks();
        if self.rest.next_if_eq(&'"').is_none() {
            return self.token();
        }
        let mut text = String::new();
        while let Some(character) = self.rest.next() {
            match character {
                '"' => break,
                '\\' => text.extend(self.rest.next()),
                other => text.push(other),
            }
        }
        self.skip_blanks();
        text
    }

    /// The parameters of a metric: of each name the first one counts.
    fn parameters(&mut self, metric: &mut ServerTiming) {
        let mut described = false;
        let mut timed = false;
        while self.rest.next_if_eq(&';').is_some() {
            let name = self.token().to_ascii_lowercase();
            let value =
                if self.rest.next_if_eq(&'=').is_some() { self.value() } else { String::new() };
            match name.as_str() {
                "dur" if !timed => {
                    timed = true;
                    let number = value.trim().parse::<f64>().ok();
                    metric.milliseconds = number.filter(|number| number.is_finite());
                }
                "desc" if !described => {
                    described = true;
                    metric.description = value;
                }
                _ => {}
            }
            self.skip_to(&[';', ',']);
        }
    }
}

impl Iterator for Parser<'_> {
    type Item = ServerTiming;

    fn next(&mut self) -> Option<ServerTiming> {
        loop {
            self.rest.peek()?;
            let name = self.token();
            let mut metric = ServerTiming { name, ..ServerTiming::default() };
            self.skip_to(&[';', ',']);
            self.parameters(&mut metric);
            self.rest.next_if_eq(&',');
            if !metric.name.is_empty() {
                return Some(metric);
            }
        }
    }
}

fn is_of_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timings(head: &str) -> Vec<(String, Option<f64>, String)> {
        let hop = Hop { head: head.to_owned(), ..Hop::default() };
        hop.server_timing()
            .into_iter()
            .map(|timing| (timing.name, timing.milliseconds, timing.description))
            .collect()
    }

    #[test]
    fn headers_are_read_as_the_specification_says() {
        for (value, expected) in [
            ("miss", &[("miss", None, "")][..]),
            ("db;dur=53.2, app;dur=47", &[("db", Some(53.2), ""), ("app", Some(47.0), "")]),
            (
                "cache;desc=\"Cache; \\\"Read\\\", slow\";dur=23",
                &[("cache", Some(23.0), "Cache; \"Read\", slow")],
            ),
            ("a ; dur = 1 ; dur=2;DESC=x;desc=y", &[("a", Some(1.0), "x")]),
            ("a;dur=\"7\"", &[("a", Some(7.0), "")]),
            ("a;dur=x;dur=3", &[("a", None, "")]),
            ("a;dur=inf;other=1;;", &[("a", None, "")]),
            (", ,=;dur=1, b junk;dur=2", &[("b", Some(2.0), "")]),
            ("a;desc=\"never closed, b", &[("a", None, "never closed, b")]),
            ("", &[]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, time, text)| ((*name).to_owned(), *time, (*text).to_owned()))
                .collect();
            let head = format!("HTTP/1.1 200 OK\nserver: x\nServer-Timing: {value}\n");
            assert_eq!(timings(&head), expected, "{value}");
        }
    }

    #[test]
    fn all_headers_of_the_name_count_and_their_number_is_bounded() {
        let found =
            timings("HTTP/1.1 200 OK\nserver-timing: a\nserver-timing-x: b\nSERVER-TIMING: c\n");
        assert_eq!(found.iter().map(|timing| timing.0.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(timings(&format!("server-timing: {}", "a,".repeat(5000))).len(), METRICS_MAX);
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(value in "(?s).{0,200}") {
            assert!(timings(&format!("server-timing:{value}")).len() <= METRICS_MAX);
        }
    }
}
