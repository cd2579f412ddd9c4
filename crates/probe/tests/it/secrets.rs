//! Secrets stay secret: no text that anybody reads of a module, of a probe or of a mistake in the file holds one, even when a
//! server sends it back.
//!
//! Must not know how secrets are hidden.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use probe::{Module, Net};
use tempfile::TempDir;
use testkit::{Behaviour, Certificates, Leaf, Server};

use crate::{
    auth::{folder, http},
    support::{LONG, SHORT, Table, module, plain_net},
};

/// The secret. Its characters are the same in every encoding, but for the one that the tests replace.
const CANARY: &str = "c4n4ry-0123456789-5ecret";

/// As much of the secret as nobody may see.
const PART: &str = "c4n4ry-0";

/// Each key with a secret, `@` being a folder with the secret in the file `it`.
const KEYS: &[&str] = &[
    "basic_auth: { username: me, password: CANARY }",
    "basic_auth: { username: me, password_file: @/it }",
    "authorization: { credentials: CANARY }",
    "authorization: { type: Own, credentials_file: @/it }",
    "bearer_token: CANARY",
    "bearer_token_file: @/it",
    "headers: { X-Key: CANARY }",
    "headers: { Authorization: Bearer CANARY }",
    "headers: { Cookie: 'id=CANARY; more=CANARY-more' }",
    "http_headers: { X-Key: { values: [CANARY] } }",
    "http_headers: { X-Key: { secrets: ['CANARY-one', 'CANARY'] } }",
    "http_headers: { X-Key: { files: [@/it] } }",
    "method: POST, body: CANARY",
    "method: POST, body_file: @/it",
];

/// The same, the secret being only a part of what is sent. Who sends that part back alone is not understood.
const WHOLES: &[&str] = &[
    "method: POST, body: 'first: CANARY'",
    "method: POST, body: \"first line\\r\\nsecond line: CANARY\\r\\n\"",
    "method: POST, body_file: @/lines",
    "headers: { X-Key: 'key CANARY' }",
];

/// A folder with the secret in files.
fn files() -> TempDir {
    let lines = format!("one line\r\n{CANARY}-{CANARY}\r\n");
    folder(&[("it", &format!("{CANARY}\n")), ("lines", &lines)])
}

/// A module with these keys.
fn with_keys(keys: &str, files: &TempDir) -> Module {
    module(&http(&keys.replace("CANARY", CANARY), files))
}

/// Notes a mistake if a text holds the secret, or a part of it, in any of its forms.
fn check(table: &mut Table, row: &str, text: &str) {
    let encoded = STANDARD.encode(format!("me:{CANARY}"));
    for form in [PART, encoded.get(..20).unwrap()] {
        if let Some(position) = text.find(form) {
            let begin = text.floor_char_boundary(position.saturating_sub(200));
            let end = text.ceil_char_boundary((position + 100).min(text.len()));
            table.check(row, false, &text[begin..end]);
        }
    }
}

/// Probes, and looks through everything that is shown.
async fn look(table: &mut Table, row: &str, module: &Module, net: &Net, target: &str) {
    let target = module.target(target).unwrap();
    let timeout = if row.contains("silence") { SHORT } else { LONG };
    let result = module.probe(net, &target, timeout).await;
    check(table, row, &format!("{result:?}\n{module:?}\n{}", module.to_yaml()));
    for hop in &result.evidence.hops {
        // Something must be left to look at, or nothing is shown by its absence.
        assert!(!hop.title.is_empty(), "{row}");
    }
}

/// What servers do with what they are sent.
fn tellers() -> Vec<(&'static str, Behaviour)> {
    let fields = format!("X-Sent: {CANARY}\r\nServer-Timing: a;desc=\"{CANARY}\"\r\n");
    let shown = Behaviour::answer(200, &fields, &CANARY.repeat(100));
    // The secret lies across each place at which a text may be cut.
    let long = |padding: usize| {
        let fields = format!("X-Sent: {}{}\r\n", "x".repeat(padding), CANARY.repeat(200));
        Behaviour::answer(200, &fields, &format!("{}{}", "x".repeat(padding), CANARY.repeat(50)))
    };
    let away = Behaviour::redirect(&format!("/{CANARY}?{CANARY}#{CANARY}"));
    vec![
        ("an echo", Behaviour::Echo(200)),
        ("an echo of 500", Behaviour::Echo(500)),
        ("what it is sent alone", shown),
        ("cut", long(0)),
        ("cut elsewhere", long(11)),
        ("a status line", Behaviour::reply(format!("HTTP/1.1 999 {CANARY}\r\n\r\n"))),
        ("no status", Behaviour::reply(format!("{CANARY} {CANARY}\r\n\r\n"))),
        ("no header", Behaviour::reply(format!("HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n"))),
        (
            "a bad chunk",
            Behaviour::reply(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n"
            )),
        ),
        ("a redirect", Behaviour::Sequence(vec![Behaviour::reply(away), Behaviour::Echo(200)])),
        (
            "a redirect to a bad place",
            Behaviour::reply(Behaviour::redirect(&format!("http://{CANARY}:x/"))),
        ),
        (
            "a redirect to another scheme",
            Behaviour::reply(Behaviour::redirect(&format!("{CANARY}:x"))),
        ),
        ("a close", Behaviour::close_before_answer()),
        ("silence", Behaviour::silence()),
    ]
}

#[tokio::test]
async fn a_target_that_sends_it_back_does_not_make_it_known() {
    let mut table = Table::default();
    let files = files();
    for (name, behaviour) in tellers() {
        let is_echo = name.starts_with("an echo");
        for keys in KEYS.iter().chain(WHOLES.iter().filter(|_| is_echo)) {
            let server = Server::start(behaviour.clone()).await;
            let row = format!("{keys}, {name}");
            look(&mut table, &row, &with_keys(keys, &files), &plain_net(), &server.url("/")).await;
        }
    }
    table.finish();
}

#[tokio::test]
async fn expectations_that_fail_do_not_show_it() {
    let mut table = Table::default();
    let files = files();
    let server = Server::start(Behaviour::Echo(200)).await;
    for expectation in [
        "fail_if_header_matches: [{ header: X-Echo, regexp: . }]",
        "fail_if_header_not_matches: [{ header: X-Echo, regexp: nothing }]",
        "fail_if_body_matches_regexp: [.]",
        "fail_if_body_not_matches_regexp: [nothing]",
        "fail_if_body_json_not_matches: [{ pointer: /a, equals: b }]",
        "valid_status_codes: [404]",
        "body_size_limit: 1B",
    ] {
        for keys in KEYS.iter().chain(WHOLES) {
            let row = format!("{keys}, {expectation}");
            let module = with_keys(&format!("{keys}, {expectation}"), &files);
            look(&mut table, &row, &module, &plain_net(), &server.url("/")).await;
        }
    }
    table.finish();
}

#[tokio::test]
async fn a_proxy_that_sends_it_back_does_not_make_it_known() {
    let mut table = Table::default();
    let files = files();
    for (name, behaviour) in tellers() {
        for target in ["http://some.test/", "https://some.test/"] {
            let proxy = Server::start(behaviour.clone()).await;
            let url = proxy.url("").replace("://", &format!("://me:{CANARY}@"));
            for keys in [
                format!("proxy_url: '{url}'"),
                format!(
                    "proxy_url: '{}', proxy_connect_header: {{ X-Key: [CANARY] }}",
                    proxy.url("")
                ),
                "proxy_from_environment: true".to_owned(),
            ] {
                let row = format!("{keys}, {name}, {target}");
                let keys = format!("{keys}, skip_resolve_phase_with_proxy: true");
                // Only a secret that the proxy was sent can be its to show.
                if target.starts_with("http:") && keys.contains("proxy_connect_header") {
                    continue;
                }
                let net = plain_net().with_environment(|name| {
                    ["HTTP_PROXY", "HTTPS_PROXY"].contains(&name).then(|| url.clone())
                });
                look(&mut table, &row, &with_keys(&keys, &files), &net, target).await;
            }
        }
    }
    table.finish();
}

#[tokio::test]
async fn a_token_endpoint_that_sends_it_back_does_not_make_it_known() {
    let mut table = Table::default();
    let files = files();
    let token =
        |token: &str| Behaviour::answer(200, "", &format!("{{\"access_token\":\"{token}\"}}"));
    let keys =
        |url: &str, more: &str| format!("oauth2: {{ client_id: me, token_url: '{url}', {more} }}");
    let secrets = [
        "client_secret: CANARY",
        "client_secret: 'CANARY &'",
        "client_secret_file: @/it",
        "client_secret: x, endpoint_params: { key: CANARY }",
        "client_secret: x, endpoint_params: { key: '& CANARY' }",
    ];
    for (name, behaviour) in tellers() {
        let is_echo = name.starts_with("an echo");
        for more in secrets.into_iter().filter(|more| is_echo || !more.contains('&')) {
            let endpoint = Server::start(behaviour.clone()).await;
            let module = with_keys(&keys(&endpoint.url("/"), more), &files);
            look(&mut table, &format!("{more}, {name}"), &module, &plain_net(), &endpoint.url("/"))
                .await;
        }
        // The target is sent the token.
        let endpoint = Server::start(token(CANARY)).await;
        let target = Server::start(behaviour).await;
        let module = with_keys(&keys(&endpoint.url("/"), "client_secret: x"), &files);
        for turn in ["the first time", "again"] {
            let row = format!("the token, {name}, {turn}");
            look(&mut table, &row, &module, &plain_net(), &target.url("/")).await;
        }
    }
    for (name, answer) in [
        ("a number", format!("{{\"access_token\":42,\"refresh_token\":\"{CANARY}\"}}")),
        ("a list", format!("{{\"access_token\":[\"{CANARY}\"]}}")),
        ("a line break", format!("{{\"access_token\":\"{CANARY}\\n\"}}")),
        ("no JSON", CANARY.to_owned()),
        ("a field", format!("{{\"{CANARY}\":1}}")),
    ] {
        let endpoint = Server::start(Behaviour::answer(200, "", &answer)).await;
        let module = with_keys(&keys(&endpoint.url("/"), "client_secret: x"), &files);
        look(&mut table, name, &module, &plain_net(), &endpoint.url("/")).await;
    }
    // The password of the endpoint's own URL.
    let endpoint = Server::start(Behaviour::Echo(403)).await;
    let url = endpoint.url("/").replace("://", &format!("://me:{CANARY}@"));
    let module = with_keys(&keys(&url, "client_secret: x"), &files);
    look(&mut table, "token_url", &module, &plain_net(), &endpoint.url("/")).await;
    table.finish();
}

#[tokio::test]
async fn cookies_of_the_server_are_not_shown() {
    let mut table = Table::default();
    let files = files();
    for attributes in ["", "; Path=/; HttpOnly", "; Max-Age=0", "; Domain=other.test"] {
        let fields = format!("Set-Cookie: id={CANARY}{attributes}\r\nset-cookie: b={CANARY}\r\n");
        let redirect = Behaviour::message(302, &format!("Location: /end\r\n{fields}"), "");
        for parts in [
            vec![Behaviour::answer(200, &fields, "ok")],
            vec![Behaviour::reply(redirect), Behaviour::Echo(200)],
        ] {
            let server = Server::start(Behaviour::Sequence(parts)).await;
            let row = format!("a cookie{attributes}");
            look(&mut table, &row, &with_keys("", &files), &plain_net(), &server.url("/")).await;
        }
    }
    table.finish();
}

#[tokio::test]
async fn keys_of_certificates_are_not_shown() {
    let mut table = Table::default();
    let files = files();
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let server = Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::Echo(200)).await;
    let certificate = certificates.file("client.pem").display().to_string();
    let keys = format!("tls_config: {{ cert_file: '{certificate}', key_file: '@/it' }}");
    look(&mut table, "key_file", &with_keys(&keys, &files), &net, &server.url("/")).await;
    let key = String::from_utf8(std::fs::read(certificates.file("client.key")).unwrap()).unwrap();
    let secret: &str = key.lines().nth(1).unwrap();
    let quoted = serde_json::Value::from(key.as_str()).to_string();
    let keys = format!("tls_config: {{ cert_file: '{certificate}', key: {quoted} }}");
    let module = with_keys(&keys, &files);
    let target = module.target(&server.url("/")).unwrap();
    let result = module.probe(&net, &target, LONG).await;
    let shown = format!("{result:?}\n{module:?}\n{}", module.to_yaml());
    assert!(!shown.contains(secret), "{shown}");
    table.finish();
}

/// Mistakes about each key with a secret.
const MISTAKES: &[&str] = &[
    "basic_auth: CANARY",
    "basic_auth: [CANARY]",
    "basic_auth: { password: [CANARY] }",
    "basic_auth: { password: { a: CANARY } }",
    "basic_auth: { passwrd: CANARY }",
    "basic_auth: { password: CANARY, password_file: x }",
    "authorization: CANARY",
    "authorization: { credentials: [CANARY] }",
    "authorization: { type: Basic, credentials: CANARY }",
    "bearer_token: [CANARY]",
    "bearer_token: { a: CANARY }",
    "bearer_token: CANARY, bearer_token_file: x",
    "bearer_token: CANARY, bearer_token: CANARY",
    "bearer_tokn: CANARY",
    "headers: CANARY",
    "headers: [CANARY]",
    "headers: { X-Key: [CANARY] }",
    "headers: { X-Key: { a: CANARY } }",
    "headers: { X Key: CANARY }",
    "headers: { X-Key: \"CANARY\\n\" }",
    "http_headers: CANARY",
    "http_headers: { X-Key: CANARY }",
    "http_headers: { X-Key: [CANARY] }",
    "http_headers: { X-Key: { secrets: CANARY } }",
    "http_headers: { X-Key: { secret: [CANARY] } }",
    "http_headers: { X-Key: { values: [[CANARY]] } }",
    "body: [CANARY]",
    "body: { a: CANARY }",
    "body: CANARY, body_file: x",
    "oauth2: CANARY",
    "oauth2: { client_secret: CANARY }",
    "oauth2: { client_secret: [CANARY] }",
    "oauth2: { endpoint_params: CANARY }",
    "oauth2: { endpoint_params: { a: [CANARY] } }",
    "oauth2: { token_url: 'http://u:CANARY@[' }",
    "oauth2: { token_url: 'ftp://u:CANARY@x' }",
    "oauth2: { token_url: { a: CANARY } }",
    "oauth2: { scopes: CANARY }",
    "proxy_url: 'http://u:CANARY@['",
    "proxy_url: 'ftp://u:CANARY@x'",
    "proxy_url: 'u:CANARY@x'",
    "proxy_url: [CANARY]",
    "proxy_url: 'http://u:CANARY@x', proxy_from_environment: true",
    "proxy_connect_header: CANARY",
    "proxy_connect_header: { X-Key: CANARY }",
    "proxy_connect_header: { X-Key: [[CANARY]] }",
    "tls_config: CANARY",
    "tls_config: { key: CANARY }",
    "tls_config: { cert: x, key: CANARY }",
    "tls_config: { cert: x, key: [CANARY] }",
    // A value that slipped into its neighbour.
    "retries: CANARY",
    "fail_if_ssl: CANARY",
    "body_hash: [CANARY]",
    "tls_config: { insecure_skip_verify: CANARY }",
    // No YAML at all.
    "bearer_token: \"CANARY",
    "bearer_token: CANARY: x",
    "bearer_token: *CANARY",
    "bearer_token: !CANARY [",
    "bearer_token: [CANARY",
    "bearer_token: CANARY\n}\n  x: y: z",
    "bearer_token: `CANARY`",
    "bearer_token: @CANARY",
    "bearer_token: %CANARY",
];

#[test]
fn mistakes_in_the_file_do_not_quote_it() {
    let mut table = Table::default();
    for keys in MISTAKES {
        let keys = keys.replace("CANARY", CANARY);
        let text = format!("modules:\n  tested: {{ prober: http, http: {{ {keys} }} }}\n");
        let problems = probe::parse_modules(&text).err().unwrap_or_default();
        table.check(&keys, !problems.is_empty(), "there is nothing wrong with it");
        for problem in problems {
            check(&mut table, &keys, &format!("{problem} {problem:?}"));
        }
    }
    table.finish();
}
