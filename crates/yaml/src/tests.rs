//! Tables of texts and what is made of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Group {
    targets: Vec<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    even: Even,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Fast,
    Slow,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(try_from = "String")]
struct Even(u32);

impl TryFrom<String> for Even {
    type Error = Diagnostic;

    fn try_from(text: String) -> Result<Self, Diagnostic> {
        match text.parse::<u32>() {
            Ok(number) if number % 2 == 0 => Ok(Self(number)),
            _ => Err(Diagnostic::new(format!("`{text}` is not even")).hint("write an even number")),
        }
    }
}

fn problems(text: &str) -> Vec<String> {
    match parse::<Vec<Group>>(text) {
        Ok(groups) => panic!("{text:?} was read as {groups:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn values_are_read_with_their_places() {
    let text = "\u{feff}# comment\r\n- targets:\r\n    - http://a/\r\n    - \"b\"\r\n  labels: { port: 8080, country: NO, version: 1.10, 'on': \"~\" }\r\n  limit: 1_000\r\n  mode: slow\r\n  even: 4\r\n";
    let groups: Vec<Group> = parse(text).unwrap();
    let place = |value: &str, line, column| Spanned {
        value: value.to_owned(),
        position: Position { line, column },
    };
    let labels = [("country", "NO"), ("on", "~"), ("port", "8080"), ("version", "1.10")];
    let expected = Group {
        targets: vec![place("http://a/", 3, 7), place("b", 4, 7)],
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        limit: Some(1000),
        mode: Mode::Slow,
        even: Even(4),
    };
    assert_eq!(groups, [expected]);
}

#[test]
fn merges_and_aliases_are_resolved() {
    let text = "- &base { targets: [a], labels: { x: '1' } }\n- <<: *base\n  labels: { y: '2' }\n- *base\n";
    let groups: Vec<Group> = parse(text).unwrap();
    assert_eq!(groups[1].targets[0].value, "a");
    assert_eq!(groups[1].labels, BTreeMap::from([("y".to_owned(), "2".to_owned())]));
    assert_eq!(groups[2].labels, groups[0].labels);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let text = "- targets: [a]\n  lables: {}\n  limit: many\n- labels: { a: 1, a: 2 }\n- targets: b\n  mode: slwo\n  even: '3'\n";
    assert_eq!(
        problems(text),
        [
            "line 2 column 3: unknown key `lables` (hint: did you mean `labels`?)",
            "line 3 column 10: expected u32, found a text",
            "line 4 column 3: the key `targets` is missing",
            "line 4 column 19: duplicate key `a` (hint: the other one is in line 4)",
            "line 5 column 12: expected a list (`- item` or `[item, item]`), found a text",
            "line 6 column 9: unknown value `slwo` (hint: did you mean `slow`?)",
            "line 7 column 9: `3` is not even (hint: write an even number)",
        ]
    );
}

#[test]
fn texts_that_are_no_yaml_are_refused_in_one_line() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..12).map(|level| {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            format!("a{level}: &a{level} [{below}]\n")
        }))
        .collect();
    for (text, line, needle) in [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("- targets: [a\n", 2, ""),
        ("- a\n\t- b\n", 2, ""),
        ("- targets: []\n---\n- targets: []\n", 2, "second document"),
        ("- targets: *nobody\n", 1, ""),
        (deep.as_str(), 1, "deeper"),
        (bomb.as_str(), 0, "too large"),
    ] {
        let problems = parse::<IgnoredAny>(text).map(|_| ()).unwrap_err();
        assert_eq!(problems.len(), 1, "{text:.60?}: {problems:?}");
        assert!(problems[0].message.contains(needle), "{text:.60?}: {problems:?}");
        assert!(
            line == 0 || problems[0].position.unwrap().line.abs_diff(line) <= 1,
            "{text:.60?}: {problems:?}"
        );
    }
    assert!(
        parse::<IgnoredAny>(&"#".repeat(TEXT_BYTES_MAX + 1)).unwrap_err()[0]
            .message
            .contains("16 MiB")
    );
    assert_eq!(parse::<Option<Vec<Group>>>("~\n"), Ok(None));
}

/// What a type sees that asks for bytes: a text as a text, `!!binary` as bytes.
#[derive(Debug, PartialEq)]
enum Sent {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Sent;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or bytes")
            }

            fn visit_str<E>(self, text: &str) -> Result<Sent, E> {
                Ok(Sent::Text(text.to_owned()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Sent, E> {
                Ok(Sent::Bytes(bytes.to_owned()))
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[test]
fn binary_scalars_are_their_bytes() {
    let bytes = |bytes: &[u8]| Ok(Sent::Bytes(bytes.to_owned()));
    for (text, expected) in [
        ("!!binary AAAACATSFi8=", bytes(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f])),
        ("!!binary \"UElO\\n  Rw==\"", bytes(b"PING")),
        ("!!binary |\n  UElO\n  Rw==\n", bytes(b"PING")),
        ("!<tag:yaml.org,2002:binary> UElORw==", bytes(b"PING")),
        ("!!binary ''", bytes(b"")),
        ("AAAACATSFi8=", Ok(Sent::Text("AAAACATSFi8=".to_owned()))),
        ("8080", Ok(Sent::Text("8080".to_owned()))),
        ("!!str 8080", Ok(Sent::Text("8080".to_owned()))),
        ("!!binary hunter2", Err("`!!binary` is not Base64")),
        ("[a]", Err("a text or bytes")),
    ] {
        match (parse::<Sent>(text), expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
            (Err(problems), Err(needle)) => {
                let shown = problems[0].to_string();
                assert!(shown.contains(needle) && !shown.contains("hunter2"), "{text}: {shown}");
            }
            (read, expected) => panic!("{text}: {read:?} instead of {expected:?}"),
        }
    }
    assert_eq!(parse::<String>("!!binary UElORw=="), Ok("PING".to_owned()));
    assert!(parse::<String>("!!binary /w==").is_err());
    assert!(parse::<u8>("!!binary MQ==").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z:{}\\[\\],&*<>|'\"#\\n ~!0-9\\t]{0,120}") {
        let _read = parse::<Vec<Group>>(&text);
    }

    #[test]
    fn texts_survive_quoting(value in "[ -~]{0,40}") {
        let text = format!("- targets: ['{}']\n", value.replace('\'', "''"));
        let groups: Vec<Group> = parse(&text).unwrap();
        prop_assert_eq!(&groups[0].targets[0].value, &value);
    }
}

#[test]
fn an_empty_value_is_no_choice_that_a_hint_names() {
    #[derive(Debug, Deserialize)]
    enum Way {
        #[serde(rename = "udp", alias = "")]
        Udp,
        #[serde(rename = "tcp")]
        Tcp,
    }
    assert!(matches!(parse("''"), Ok(Way::Udp)));
    assert!(matches!(parse("tcp"), Ok(Way::Tcp)));
    let mistakes = parse::<Way>("carrier pigeon").unwrap_err();
    let hint = mistakes[0].hint.as_deref();
    assert_eq!(hint, Some("the choices are udp, tcp"));
}
