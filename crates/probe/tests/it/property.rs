//! Parsing never panics, whatever it is given.

use probe::{Module, Net, Outcome, ProbeResult, parse_modules};
use proptest::prelude::*;
use testkit::{Behaviour, Certificates, Frames, Leaf, Server, Step, TlsSettings};

use crate::support::{LONG, plain_net, run};

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

/// The parts of answers, right and wrong, in pieces that are sent one after the other.
fn answers() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let parts = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 500 Oh\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\n",
        "Set-Cookie: a=b; Domain=.\r\n",
        "Last-Modified: Thu, 32 Jan 1970 00:01:00 GMT\r\n",
        "X: \u{0}\r\n",
        " \r\n",
        "\r",
        "\r\n\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
    ];
    let part = prop_oneof![
        4 => prop::sample::select(parts.to_vec()).prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let begin = prop_oneof![
        3 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    (begin, prop::collection::vec(part, 0..16))
        .prop_map(|(begin, parts)| [vec![begin], parts].concat())
}

/// Frames of HTTP/2 behind the settings of a server, right and wrong.
fn frames() -> impl Strategy<Value = Frames> {
    let answer = prop::sample::select(vec![
        Frames::default().headers(0, &[(":status", "200"), ("content-length", "5")]),
        Frames::default().headers(0, &[(":status", "103")]),
        Frames::default().headers(1, &[(":status", "302"), ("location", "/")]),
        Frames::default().data(0, b"hello"),
        Frames::default().data(1, b"hello"),
        Frames::default().reset(8),
        Frames::default().goaway(1, 0),
    ]);
    let any_frame = (0_u8..12, any::<u8>(), 0_u32..4, prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(kind, flags, stream, payload)| {
            Frames::default().frame(kind, flags, stream, &payload)
        });
    prop::collection::vec(prop_oneof![3 => answer, 1 => any_frame], 0..12)
        .prop_map(|frames| frames.into_iter().fold(Frames::settings(), Frames::then))
}

/// What is probed until it ends by itself.
fn outcome(server: impl Future<Output = Server>, net: &Net) -> ProbeResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = server.await;
        let settings = "{ prober: http, http: { fail_if_body_matches_regexp: [never] } }";
        run(net, settings, &server.url("/"), LONG).await
    })
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
                prop_assert!(problems.iter().all(|problem| problem.position.is_some() && !problem.message.is_empty()));
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

    #[test]
    fn answers_of_any_bytes(parts in answers()) {
        let mut steps = vec![Step::ReadSome];
        steps.extend(parts.into_iter().map(Step::Send));
        let result = outcome(Server::start(Behaviour::Script(steps)), &plain_net());
        // That no deadline ends it, and that reasons are of the closed set, is all that can be said.
        prop_assert!(result.elapsed < LONG);
        prop_assert!(!matches!(result.outcome, Outcome::Fault(_)), "{:?}", result.outcome);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn answers_of_any_frames(frames in frames()) {
        let certificates = Certificates::new();
        let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
        let h2 = TlsSettings { alpn: vec!["h2"], ..TlsSettings::default() };
        let acceptor = certificates.acceptor_with(Leaf::Good, &h2);
        let result = outcome(Server::start_tls(acceptor, frames.reply([])), &net);
        prop_assert!(result.elapsed < LONG);
        prop_assert!(!matches!(result.outcome, Outcome::Fault(_)), "{:?}", result.outcome);
    }
}
