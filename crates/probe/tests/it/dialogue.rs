//! `query_response` of the TCP kind: what services say, and what becomes of it.

use std::time::Duration;

use probe::{Net, Outcome, ProbeResult};
use testkit::{Behaviour, Certificates, Leaf, Server, Step};

use crate::support::{LONG, SHORT, Table, label, module, plain_net, run, value};

/// One dialogue: what the server does, the steps of the module, and what comes of it.
struct Row {
    name: &'static str,
    server: Vec<Step>,
    steps: &'static str,
    timeout: Duration,
    expected: &'static str,
    /// What the failure's particulars hold.
    detail: &'static str,
    /// What the server gets.
    received: Option<&'static str>,
}

fn row(
    name: &'static str,
    server: Vec<Step>,
    steps: &'static str,
    expected: &'static str,
    detail: &'static str,
) -> Row {
    Row { name, server, steps, timeout: LONG, expected, detail, received: None }
}

impl Row {
    fn short(self) -> Self {
        Self { timeout: SHORT, ..self }
    }

    fn receives(self, received: &'static str) -> Self {
        Self { received: Some(received), ..self }
    }
}

fn says(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

const IRC: &str = "[{ send: NICK prober }, { send: 'USER prober prober prober :prober' }, { expect: 'PING :([^ ]+)', send: 'PONG ${1}' }, { expect: '^:[^ ]+ 001' }]";

/// Services as they should be.
#[rustfmt::skip]
fn healthy() -> Vec<Row> {
    let hears = || Step::ReadSome;
    vec![
        row("nothing is wanted", vec![Step::Silence], "[]", "up", ""),
        row("empty steps", vec![Step::Silence], "[{}, { send: '' }]", "up", "").receives(""),
        row("SSH", vec![says("SSH-2.0-OpenSSH_9.7 x\r\n")], "[{ expect: ^SSH-2.0- }, { send: SSH-2.0-check }]", "up", "").receives("SSH-2.0-check\n"),
        row("later lines", vec![says("one\ntwo\r\nthree\n")], "[{ expect: ^two$ }, { expect: ^three$ }]", "up", ""),
        row("the last line without its end", vec![says("one\ntwo")], "[{ expect: ^two$ }]", "up", ""),
        row("bytes behind a line", vec![says("hello\nrest")], "[{ expect: hello }, { expect_bytes: rest }]", "up", ""),
        row("a line behind bytes", vec![says("Shello\n")], "[{ expect_bytes: S }, { expect: ^hello$ }]", "up", ""),
        row("bytes in pieces", vec![Step::Drip(b"rest".to_vec(), Duration::from_millis(2))], "[{ expect_bytes: rest }]", "up", ""),
        row("bytes that are no text", vec![Step::Send(vec![0, 0xff, 10, 7])], "[{ expect_bytes: !!binary AP8KBw== }]", "up", ""),
        row("Latin-1 in a line", vec![Step::Send(b"220 caf\xe9 ESMTP x\r\n".to_vec())], "[{ expect: '^220 ([^ ]+) ESMTP (.+)$' }]", "up", ""),
        row("an empty expression", vec![says("\r\n")], "[{ expect: '' }]", "up", ""),
        row("the shape of pop3s_banner", vec![says("OK\r\n")], "[{ expect: '^+OK' }]", "up", ""),
        row("IRC", vec![hears(), says("PING :a1$b\r\n"), hears(), says(":irc.test 001 prober :hi\r\n")], IRC, "up", "").receives("NICK prober\nUSER prober prober prober :prober\nPONG a1$b\n"),
        row("groups by name and dollars", vec![says("key=val\n")], "[{ expect: '(?P<k>\\w+)=(\\w+)', send: '$k $$ ${2}$9.' }]", "up", "").receives("key $ val.\n"),
        row("no groups without an expression", vec![hears(), says("ok\n")], "[{ send: 'PASS ${1}$$' }, { expect: ok }]", "up", "").receives("PASS ${1}$$\n"),
        row("a message in binary", vec![hears(), says("S")], "[{ send: !!binary UElORw== }, { expect_bytes: S }]", "up", "").receives("PING"),
    ]
}

/// Services that say the wrong thing, too much or nothing.
#[rustfmt::skip]
fn unwell() -> Vec<Row> {
    let endless = |line: &str| vec![Step::Repeat(line.repeat(200).into_bytes())];
    vec![
        row("silence", vec![Step::Silence], "[{ expect: a }]", "check/timeout", "step 1").short(),
        row("silence for bytes", vec![Step::Silence], "[{}, { expect_bytes: a }]", "check/timeout", "step 2").short(),
        row("another line, and silence", vec![says("b\r\nc\r\n"), Step::Silence], "[{ expect: a }]", "check/regexp", "the last of 2 lines is \"c\"").short(),
        row("a line without its end", vec![says("login: "), Step::Silence], "[{ expect: ^login }]", "check/timeout", "\"login: \"").short(),
        row("some of the bytes", vec![says("ab"), Step::Silence], "[{ expect_bytes: abc }]", "check/timeout", "\"ab\"").short(),
        row("another line, and the end", vec![says("b\r\n")], "[{ expect: a }]", "check/regexp", "the service closed"),
        row("the end at once", vec![], "[{ expect: a }]", "check/regexp", "no line came"),
        row("the end in the middle", vec![says("a\n")], "[{ expect: a }, { expect: b }]", "check/regexp", "step 2"),
        row("other bytes", vec![says("N")], "[{ expect_bytes: S }]", "check/missing_text", "\"S\" was expected, \"N\" came"),
        row("other bytes, and silence", vec![says("Nope"), Step::Silence], "[{ expect_bytes: Sure thing }]", "check/missing_text", "\"Nope\" came"),
        row("too few bytes", vec![says("ab")], "[{ expect_bytes: abc }]", "check/closed", "\"ab\" came"),
        row("a reset", vec![says("a\n"), Step::ReadSome, Step::Reset], "[{ expect: a, send: b }, { expect: c }]", "check/reset", ""),
        row("lines without end", endless("no\n"), "[{ expect: a }]", "check/too_large", "10000 lines"),
        row("long lines without end", endless(&format!("{}\n", "x".repeat(1000))), "[{ expect: a }]", "check/too_large", "1048576 bytes"),
        row("a line that never ends", endless("x"), "[{ expect: a }]", "check/too_large", "longer than 65536"),
        row("bytes for lines", vec![Step::Send(vec![0, 1, 0xff, 10])], "[{ expect: a }]", "check/regexp", "\\u{0}\\u{1}"),
    ]
}

#[tokio::test]
async fn each_dialogue_has_its_end() {
    let mut table = Table::default();
    for row in healthy().into_iter().chain(unwell()) {
        let Row { name, server, steps, timeout, expected, detail, received } = row;
        let server = Server::start(Behaviour::Script(server)).await;
        let settings = format!("{{ prober: tcp, tcp: {{ query_response: {steps} }} }}");
        let result = run(&plain_net(), &settings, &server.address().to_string(), timeout).await;
        table.expect(name, &result, expected);
        if let Outcome::Down(failure) = &result.outcome {
            table.check(name, failure.detail.contains(detail), &failure.detail);
        }
        for (metric, reason) in [
            ("probe_failed_due_to_regex", "check/regexp"),
            ("probe_failed_due_to_bytes", "check/missing_text"),
        ] {
            let shown = value(&result, metric);
            table.check(name, shown == Some(f64::from(u8::from(expected == reason))), metric);
        }
        if let Some(received) = received {
            server.all_closed().await;
            let got = server.last_received();
            table.check(name, got == received, &format!("the server got {got:?}"));
        }
        for hop in &result.evidence.hops {
            table.check(name, hop.head.len() < 4096 && hop.peer.is_some(), "the evidence");
        }
    }
    table.finish();
}

/// Probes a service that begins TLS after these steps; it presents a good certificate for `localhost`.
async fn starttls(clear: Vec<Step>, secure: Vec<Step>, steps: &str, name: &str) -> ProbeResult {
    let certificates = Certificates::new();
    let acceptor = certificates.acceptor(Leaf::Good);
    let server = Server::start_tls_after(clear, acceptor, Behaviour::Script(secure)).await;
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let settings = format!(
        "{{ prober: tcp, tcp: {{ tls_config: {{ server_name: '{name}' }}, query_response: {steps} }} }}"
    );
    run(&net, &settings, &format!("localhost:{}", server.address().port()), LONG).await
}

const SMTP: &str = r#"[{ expect: "^220 ([^ ]+) ESMTP (.+)$" }, { send: "EHLO prober\r" }, { expect: "^250-STARTTLS" }, { send: "STARTTLS\r" }, { expect: "^220" }, { starttls: true }, { send: "EHLO prober\r" }, { expect: "^250-AUTH" }, { send: "QUIT\r" }]"#;
const IMAP: &str = r#"[{ expect: "OK.*STARTTLS" }, { send: ". STARTTLS" }, { expect: "OK" }, { starttls: true }, { send: ". capability" }, { expect: "CAPABILITY IMAP4rev1" }]"#;
const POSTGRESQL: &str =
    "[{ send: !!binary AAAACATSFi8= }, { expect_bytes: S }, { starttls: true }]";

#[tokio::test]
async fn tls_begins_in_the_middle() {
    let hears = || Step::ReadSome;
    let smtp = || {
        let features = "250-mail.test\r\n250-STARTTLS\r\n250 HELP\r\n";
        vec![
            says("220 mail.test ESMTP x\r\n"),
            hears(),
            says(features),
            hears(),
            says("220 go\r\n"),
        ]
    };
    let secure = || vec![hears(), says("250-mail.test\r\n250-AUTH PLAIN\r\n250 HELP\r\n")];
    let imap = || vec![says("* OK [CAPABILITY STARTTLS] hi\r\n"), hears(), says(". OK go\r\n")];
    let capable = || vec![hears(), says("* CAPABILITY IMAP4rev1\r\n. OK\r\n")];
    let postgresql = |answer: &str| vec![hears(), says(answer)];
    let mut table = Table::default();
    let injected = [smtp().get(..4).unwrap(), &[says("220 go\r\n250-AUTH\r\n")]].concat();
    let no_auth = || vec![hears(), says("250 no\r\n")];
    for (name, clear, after, steps, server_name, expected, handshake) in [
        ("SMTP", smtp(), secure(), SMTP, "", "up", true),
        ("SMTP for another name", smtp(), secure(), SMTP, "a.test", "tls/name_mismatch", true),
        ("SMTP without AUTH", smtp(), no_auth(), SMTP, "", "check/regexp", true),
        ("SMTP with AUTH in the clear", injected, no_auth(), SMTP, "", "check/regexp", true),
        ("IMAP", imap(), capable(), IMAP, "", "up", true),
        ("PostgreSQL", postgresql("S"), vec![], POSTGRESQL, "", "up", true),
        (
            "PostgreSQL without TLS",
            postgresql("N"),
            vec![],
            POSTGRESQL,
            "",
            "check/missing_text",
            false,
        ),
    ] {
        let result = starttls(clear, after, steps, server_name).await;
        table.expect(name, &result, expected);
        for metric in ["probe_ssl_earliest_cert_expiry", "probe_tls_version_info"] {
            let shown = value(&result, metric).is_some();
            table.check(name, shown == handshake, metric);
        }
    }
    table.finish();
}

#[tokio::test]
async fn a_message_in_binary_ends_where_it_says() {
    let server = Server::start(Behaviour::Script(vec![Step::ReadSome, says("N")])).await;
    let settings = format!("{{ prober: tcp, tcp: {{ query_response: {POSTGRESQL} }} }}");
    run(&plain_net(), &settings, &server.address().to_string(), LONG).await;
    server.all_closed().await;
    // A line feed behind the request would be taken for the beginning of the handshake.
    assert_eq!(server.last_received(), "\0\0\0\u{8}\u{4}\u{fffd}\u{16}/");
}

#[tokio::test]
async fn labels_hold_what_was_found() {
    let greeting = Behaviour::Script(vec![says("SSH-2.0-OpenSSH_9.7 Debian \"12\"\r\nnext\n")]);
    let server = Server::start(greeting).await;
    let steps = "[{ expect: '^SSH-2.0-([^ -]+)(?: (.*))?$', labels: [{ name: ssh_version, value: '${1}' }, { name: ssh_comments, value: 'c ${2}' }] }, { expect: next, labels: [{ name: other, value: '${7}' }] }]";
    let settings = format!("{{ prober: tcp, tcp: {{ query_response: {steps} }} }}");
    let result = run(&plain_net(), &settings, &server.address().to_string(), LONG).await;
    let found = |name| label(&result, "probe_expect_info", name);
    assert_eq!(found("ssh_version").as_deref(), Some("OpenSSH_9.7"));
    assert_eq!(found("ssh_comments").as_deref(), Some("c Debian \"12\""));
    let infos = result.samples.iter().filter(|sample| sample.metric.name == "probe_expect_info");
    assert_eq!(infos.count(), 2);
}

#[tokio::test]
async fn what_is_sent_is_never_shown() {
    let echo =
        vec![says("hi\n"), Step::ReadSome, says("550 no such user: PASS hunter2 hunter3 EHLO\n")];
    let server = Server::start(Behaviour::Script(echo)).await;
    let settings = "{ prober: tcp, tcp: { query_response: [{ expect: hi }, { send: PASS hunter2 hunter3 }, { expect: '^250 (EHLO)' }] } }";
    let result = run(&plain_net(), settings, &server.address().to_string(), LONG).await;
    let shown = format!("{:?} {:?} {:?}", result.outcome, result.notes, result.evidence);
    assert!(shown.contains("no such user") && shown.contains("EHLO"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
    let shown = module(settings).to_yaml();
    assert!(!shown.contains("hunter") && shown.contains("<secret>"), "{shown}");
    assert!(!format!("{:?}", module(settings)).contains("hunter"));
}

#[test]
fn steps_are_checked_when_they_are_loaded() {
    for (settings, needle) in [
        ("query_response: [{ expect: '(' }]", "`(` is not a regular expression"),
        ("query_response: [{ expcet: a }]", "did you mean `expect`?"),
        ("query_response: [{ expect: a, expect_bytes: b }]", "either `expect` or `expect_bytes`"),
        ("query_response: [{ send: !!binary hunter2 }]", "not Base64"),
        ("query_response: [{ send: [hunter2] }]", "a text or `!!binary`"),
        ("query_response: [{ expect: a, labels: [{ name: 1a, value: b }] }]", "`1a` is not a name"),
        ("query_response: [{ expect: a, labels: [{ name: '', value: b }] }]", "`` is not a name"),
        ("query_response: [{ expect: a, labels: [{ name: a-b, value: b }] }]", "`a-b` is not"),
        ("query_response: [{ expect: a, labels: [{ name: __name__, value: b }] }]", "reserved"),
        (
            "query_response: [{ expect: a, labels: [{ name: a, value: b }, { name: a, value: c }] }]",
            "duplicate label",
        ),
        ("query_response: [{ expect: a, labels: [{ name: a }] }]", "value"),
        ("tls: true, query_response: [{ starttls: true }]", "TLS begins twice"),
        ("query_response: [{ starttls: true }, { starttls: true }]", "TLS begins twice"),
    ] {
        let text = format!("modules: {{ m: {{ prober: tcp, tcp: {{ {settings} }} }} }}\n");
        let shown = format!("{:?}", probe::parse_modules(&text).map(|_| ()).unwrap_err());
        assert!(shown.contains(needle) && !shown.contains("hunter2"), "{settings}: {shown}");
    }
}
