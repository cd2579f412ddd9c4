//! Rows about TCP: connections, TLS, and what is said over them.

use std::time::Duration;

use testkit::{Behaviour, Leaf, Step, TlsSettings};

use super::row::{Row, Setup, tcp};

pub(super) fn rows() -> Vec<Row> {
    [connections(), lines(), bytes(), labels(), handshakes(), shipped()]
        .into_iter()
        .flatten()
        .collect()
}

/// A server without TLS that does these steps.
fn plain(steps: Vec<Step>) -> Setup {
    Setup::Plain(Behaviour::Script(steps))
}

fn says(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn hears() -> Step {
    Step::ReadSome
}

/// A server that says this and closes.
fn greeting(text: &str) -> Setup {
    plain(vec![says(text)])
}

fn tls(leaf: Leaf, steps: Vec<Step>) -> Setup {
    Setup::Tls(leaf, TlsSettings::default(), Behaviour::Script(steps))
}

#[rustfmt::skip]
fn connections() -> Vec<Row> {
    let silence = || plain(vec![Step::Silence]);
    vec![
        tcp("tcp", silence(), ""),
        tcp("tcp to nobody", Setup::Nobody, ""),
        tcp("tcp to nobody with steps", Setup::Nobody, "query_response: [{ expect: a }]"),
        tcp("tcp without steps", silence(), "query_response: []"),
        tcp("tcp with TLS", tls(Leaf::Good, vec![Step::Silence]), "tls: true, tls_config: { {ca} }"),
        tcp("tcp with TLS expired", tls(Leaf::Expired, vec![]), "tls: true, tls_config: { {ca} }"),
        tcp("tcp with TLS not verified", tls(Leaf::Untrusted, vec![Step::Silence]), "tls: true, tls_config: { insecure_skip_verify: true }"),
        tcp("tcp with TLS to garbage", Setup::Plain(Behaviour::garbage()), "tls: true"),
        tcp("tcp with TLS and a line", tls(Leaf::Good, vec![says("+OK\r\n")]), "tls: true, tls_config: { {ca} }, query_response: [{ expect: OK }]"),
        tcp("tcp with TLS and another line", tls(Leaf::Good, vec![says("no\r\n")]), "tls: true, tls_config: { {ca} }, query_response: [{ expect: OK }]"),
    ]
}

#[rustfmt::skip]
fn lines() -> Vec<Row> {
    let group = "query_response: [{ expect: 'a=(\\w+) b=(?P<b>\\w+)', send: 'x ${1} $b ${b} $1y $$ ${9}.' }, { expect: bye }]";
    let two_talks = || vec![says("a=1 b=2\n"), hears(), says("bye\n")];
    let endless = |line: &str| plain(vec![Step::Repeat(line.repeat(200).into_bytes())]);
    vec![
        tcp("tcp line", greeting("one\r\ntwo\r\n"), "query_response: [{ expect: ^two$ }]"),
        tcp("tcp last line without its end", greeting("one\ntwo"), "query_response: [{ expect: ^two$ }]"),
        tcp("tcp two carriage returns", greeting("one\r\r\n"), "query_response: [{ expect: ^one$ }]"),
        tcp("tcp any line", greeting("\n"), "query_response: [{ expect: '' }]"),
        tcp("tcp no line", greeting(""), "query_response: [{ expect: a }]"),
        tcp("tcp another line", greeting("b\n"), "query_response: [{ expect: a }]"),
        tcp("tcp lines in order", greeting("b\na\n"), "query_response: [{ expect: a }, { expect: b }]"),
        tcp("tcp Latin-1", plain(vec![Step::Send(b"caf\xe9 au lait\n".to_vec())]), "query_response: [{ expect: '^caf. au (.+)$' }]"),
        tcp("tcp groups", plain(two_talks()), group),
        tcp("tcp groups without an expression", plain(vec![hears(), says("bye\n")]), "query_response: [{ send: '${1} $$' }, { expect: bye }]"),
        tcp("tcp empty message", plain(vec![says("bye\n"), Step::Silence]), "query_response: [{ send: '' }, { expect: bye }]"),
        tcp("tcp reset", plain(vec![hears(), Step::Reset]), "query_response: [{ send: a }, { expect: b }]"),
        tcp("tcp silence", plain(vec![Step::Silence]), "query_response: [{ expect: a }]").too_slow(),
        tcp("tcp prompt", plain(vec![says("login: "), Step::Silence]), "query_response: [{ expect: login }]").too_slow(),
        tcp("tcp another line and silence", plain(vec![says("b\n"), Step::Silence]), "query_response: [{ expect: a }]")
            .too_slow()
            .differs("regexp-at-the-deadline", &["probe_failed_due_to_regex"]),
        tcp("tcp lines without end", endless("no\n"), "query_response: [{ expect: a }]").too_slow(),
        tcp("tcp line without end", endless("x"), "query_response: [{ expect: a }]"),
        tcp("tcp line as long as may be", greeting(&format!("{}\n", "x".repeat(65_535))), "query_response: [{ expect: '^x+$' }]"),
        tcp("tcp line too long", greeting(&format!("{}\n", "x".repeat(65_536))), "query_response: [{ expect: '^x+$' }]"),
    ]
}

#[rustfmt::skip]
fn bytes() -> Vec<Row> {
    let silent_after = |text: &str| plain(vec![says(text), Step::Silence]);
    let drip = || plain(vec![Step::Drip(b"Sure".to_vec(), Duration::from_millis(20)), Step::Silence]);
    vec![
        tcp("tcp bytes", silent_after("S"), "query_response: [{ expect_bytes: S }]"),
        tcp("tcp other bytes", silent_after("N"), "query_response: [{ expect_bytes: S }]"),
        tcp("tcp no bytes", greeting(""), "query_response: [{ expect_bytes: S }]"),
        tcp("tcp bytes and silence", plain(vec![Step::Silence]), "query_response: [{ expect_bytes: S }]").too_slow(),
        tcp("tcp bytes that are no text", plain(vec![Step::Send(vec![0, 0xff, 10, 7])]), "query_response: [{ expect_bytes: !!binary AP8KBw== }]"),
        tcp("tcp bytes in pieces", drip(), "query_response: [{ expect_bytes: Sure }]")
            .differs("bytes-in-pieces", &["probe_success"]),
        tcp("tcp too few other bytes", greeting("No"), "query_response: [{ expect_bytes: Sure }]")
            .differs("bytes-in-pieces", &["probe_failed_due_to_bytes"]),
        tcp("tcp bytes behind a line", silent_after("hello\nrest"), "query_response: [{ expect: hello }, { expect_bytes: rest }]")
            .too_slow()
            .differs("bytes-behind-a-line", &["probe_success"]),
        tcp("tcp message in binary", plain(vec![hears(), says("bye\n")]), "query_response: [{ send: !!binary UElORw== }, { expect: bye }]")
            .differs("binary-message", &["requests"]),
    ]
}

#[rustfmt::skip]
fn labels() -> Vec<Row> {
    let found = "query_response: [{ expect: '^SSH-2.0-([^ -]+)(?: (.*))?$', labels: [{ name: version, value: 'v${1}' }, { name: comments, value: '${2}' }] }]";
    vec![
        tcp("tcp labels", greeting("SSH-2.0-OpenSSH_9.7 a \"b\"\r\n"), found),
        tcp("tcp labels with nothing in them", greeting("SSH-2.0-x\r\n"), found),
        tcp("tcp labels of another line", greeting("HTTP/1.1 400\r\n"), found),
        tcp("tcp labels without any", greeting("a\n"), "query_response: [{ expect: a, labels: [] }]"),
        tcp("tcp labels without an expression", greeting("a\n"), "query_response: [{ labels: [{ name: a, value: b }] }]"),
    ]
}

/// TLS that begins in the middle.
#[rustfmt::skip]
fn handshakes() -> Vec<Row> {
    let go = |steps: Vec<Step>| Setup::StartTls(vec![says("go\n")], Behaviour::Script(steps));
    let good = "tls_config: { {ca} }, query_response: [{ expect: go }, { starttls: true }, { expect: hi, send: bye }, { expect: end }]";
    let talk = || vec![says("hi\n"), hears(), says("end\n")];
    vec![
        tcp("tcp starttls", go(talk()), good),
        tcp("tcp starttls for another name", go(talk()), good).query("&hostname=other.example"),
        tcp("tcp starttls without trust", go(talk()), "query_response: [{ expect: go }, { starttls: true }]"),
        tcp("tcp starttls and another line", go(vec![says("no\n")]), good),
        tcp("tcp starttls refused", plain(vec![says("go\nno\n"), hears()]), good),
        tcp("tcp starttls with lines before", Setup::StartTls(vec![says("go\nhi\n")], Behaviour::Script(talk())), good),
        tcp("tcp starttls inside of TLS", tls(Leaf::Good, vec![]), "tls: true, query_response: [{ starttls: true }]")
            .differs("refused-steps", &["module"]),
    ]
}

/// What the modules do that the peer ships.
#[rustfmt::skip]
fn shipped() -> Vec<Row> {
    let smtp = "tls_config: { {ca} }, query_response: [{ expect: '^220 ([^ ]+) ESMTP (.+)$' }, { send: \"EHLO prober\\r\" }, { expect: '^250-STARTTLS' }, { send: \"STARTTLS\\r\" }, { expect: '^220' }, { starttls: true }, { send: \"EHLO prober\\r\" }, { expect: '^250-AUTH' }]";
    let irc = "query_response: [{ send: NICK prober }, { send: 'USER prober prober prober :prober' }, { expect: 'PING :([^ ]+)', send: 'PONG ${1}' }, { expect: '^:[^ ]+ 001' }]";
    let postgresql = "tls_config: { {ca} }, query_response: [{ send: !!binary AAAACATSFi8= }, { expect_bytes: S }, { starttls: true }]";
    let in_clear = vec![
        says("220 mail.test ESMTP x\r\n"),
        hears(),
        says("250-mail.test\r\n250-STARTTLS\r\n"),
        hears(),
        says("220 go\r\n"),
    ];
    let secure = Behaviour::Script(vec![hears(), says("250-AUTH PLAIN\r\n")]);
    let chat = vec![hears(), says("PING :a1\r\n"), hears(), says(":irc.test 001 prober :hi\r\n")];
    vec![
        tcp("tcp SMTP", Setup::StartTls(in_clear, secure), smtp),
        tcp("tcp IRC", plain(chat), irc),
        tcp("tcp POP3", greeting("+OK ready\r\n"), "query_response: [{ expect: '^+OK' }]"),
        tcp("tcp PostgreSQL", Setup::StartTls(vec![hears(), says("S")], Behaviour::Script(vec![])), postgresql)
            .differs("binary-message", &["requests"]),
        tcp("tcp PostgreSQL without TLS", plain(vec![hears(), says("N")]), postgresql)
            .differs("binary-message", &["requests"]),
    ]
}
