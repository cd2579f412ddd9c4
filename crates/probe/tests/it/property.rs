//! Parsing never panics, whatever it is given.

use probe::{Module, parse_modules};
use proptest::prelude::*;

/// Text made of the words of modules files, so that it gets deeper than random characters do.
fn words() -> impl Strategy<Value = String> {
    let words = [
        "modules:",
        "\n",
        "  ",
        "    ",
        "a:",
        "prober:",
        " http",
        " tcp",
        "timeout:",
        " 5s",
        " -1h",
        " 1e9h",
        "http:",
        "tcp:",
        "valid_status_codes:",
        " [2xx, 200-299]",
        " [-1]",
        "headers:",
        " { Host: x }",
        " {",
        " }",
        " [",
        " ]",
        "'",
        "\"",
        "fail_if_body_matches_regexp:",
        " ['(']",
        "tls_config:",
        "body_size_limit:",
        " 99999999999GB",
        "&x",
        "*x",
        "#",
        "- ",
        "|",
        ">",
        "!!binary",
        "---",
        "...",
        "\t",
        "\u{0}",
        "ü",
        "null",
        "~",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| words.concat())
}

/// Text made of the parts of addresses.
fn addresses() -> impl Strategy<Value = String> {
    let parts = [
        "http",
        "https",
        "ftp",
        "tcp",
        "://",
        ":",
        "/",
        "//",
        "@",
        "?",
        "#",
        "[",
        "]",
        "::1",
        "127.0.0.1",
        "0x7f.1",
        "a.example",
        "xn--",
        "xn--ls8h",
        "ü",
        ".",
        "..",
        "%",
        "%00",
        "%zz",
        "65536",
        "0",
        "80",
        " ",
        "\u{0}",
        "\r\n",
        "user:pass",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn modules_files(text in prop_oneof![any::<String>(), words()]) {
        match parse_modules(&text) {
            Ok(modules) => {
                for (name, module) in modules.usable {
                    prop_assert_eq!(module.name(), name);
                    prop_assert!(!module.to_yaml().is_empty());
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                prop_assert!(problems.iter().all(|problem| problem.line >= 1 && !problem.message.is_empty()));
            }
        }
    }

    #[test]
    fn targets(text in prop_oneof![any::<String>(), addresses()], hostname in prop_oneof![any::<String>(), addresses()]) {
        for module in Module::builtin().values() {
            let strict = module.target(&text);
            let lenient = module.target_lenient(&text);
            // What the strict form takes, the lenient one takes too, and as the same.
            if let Ok(target) = &strict {
                prop_assert_eq!(target.text(), text.as_str());
                prop_assert_eq!(lenient.as_ref().ok(), Some(target));
            }
            if let Err(error) = &strict {
                prop_assert!(!error.message.is_empty());
            }
            if let Ok(target) = lenient
                && let Ok(named) = module.with_hostname(target, &hostname)
            {
                prop_assert_eq!(named.hostname(), Some(hostname.as_str()));
                prop_assert!(!hostname.contains(['\r', '\n', ' ']));
            }
        }
    }
}
