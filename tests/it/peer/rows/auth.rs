//! Rows about who we say we are: users and passwords, tokens, and header fields with secrets.

use std::net::SocketAddr;

use testkit::Behaviour;

use super::row::{Row, Setup, plain, row};

pub(super) fn rows() -> Vec<Row> {
    [basic(), tokens(), fields(), redirects()].into_iter().flatten().collect()
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

fn basic() -> Vec<Row> {
    let from_files =
        "basic_auth: { username_file: '{files}/user.txt', password_file: '{files}/secret.txt' }";
    let missing = "basic_auth: { username: anna, password_file: '{files}/missing.txt' }";
    vec![
        plain("user and password", ok(), "basic_auth: { username: anna, password: hush }"),
        plain("user without a password", ok(), "basic_auth: { username: anna }"),
        plain("password without a user", ok(), "basic_auth: { password: hush }"),
        plain(
            "user and password in UTF-8",
            ok(),
            "basic_auth: { username: zoë, password: 'pä:ss' }",
        ),
        plain("user and password from files", ok(), from_files),
        plain("password file missing", ok(), missing)
            .differs("internal-fault", &["status of the exporter"]),
        plain(
            "user and password with POST",
            ok(),
            "basic_auth: { username: anna, password: hush }, method: POST, body: ping",
        ),
        plain(
            "user and password and own header",
            ok(),
            "basic_auth: { username: anna, password: hush }, headers: { Authorization: Bearer own }",
        ),
        plain(
            "user and password refused",
            Behaviour::answer(401, "WWW-Authenticate: Basic\r\n", ""),
            "basic_auth: { username: anna, password: hush }",
        ),
    ]
}

fn tokens() -> Vec<Row> {
    vec![
        plain("credentials", ok(), "authorization: { credentials: hush }"),
        plain("credentials of a type", ok(), "authorization: { type: Token, credentials: hush }"),
        plain(
            "credentials from a file",
            ok(),
            "authorization: { credentials_file: '{files}/secret.txt' }",
        ),
        plain(
            "credentials file missing",
            ok(),
            "authorization: { credentials_file: '{files}/missing.txt' }",
        )
        .differs("internal-fault", &["status of the exporter"]),
        plain("bearer token", ok(), "bearer_token: hush"),
        plain("bearer token from a file", ok(), "bearer_token_file: '{files}/secret.txt'"),
    ]
}

fn fields() -> Vec<Row> {
    vec![
        plain(
            "names in any case",
            ok(),
            "headers: { host: vhost.example, x-API-key: b, accept: a/b, Z-z: c }, http_headers: { x-B_c: { values: [one] } }",
        ),
        plain("field with a value", ok(), "http_headers: { X-A: { values: [one] } }"),
        plain("field with two values", ok(), "http_headers: { X-A: { values: [one, two] } }"),
        plain("field with a secret", ok(), "http_headers: { X-A: { secrets: [hush] } }"),
        plain(
            "field from a file",
            ok(),
            "http_headers: { X-A: { files: ['{files}/secret.txt'] } }",
        ),
        plain(
            "field from everywhere",
            ok(),
            "http_headers: { X-A: { values: [one], secrets: [two], files: ['{files}/secret.txt'] } }",
        ),
        plain(
            "field from a missing file",
            ok(),
            "http_headers: { X-A: { files: ['{files}/missing.txt'] } }",
        )
        .differs("internal-fault", &["status of the exporter"]),
        plain(
            "field beside headers",
            ok(),
            "headers: { X-B: two }, http_headers: { X-A: { values: [one] } }",
        ),
        plain(
            "field against headers",
            ok(),
            "headers: { X-A: two }, http_headers: { X-A: { values: [one] } }",
        ),
        plain("body from a file", ok(), "method: POST, body_file: '{files}/body.json'")
            .differs("length-of-a-body-file", &["requests"]),
        plain("body file missing", ok(), "method: POST, body_file: '{files}/missing.json'")
            .differs("internal-fault", &["status of the exporter"]),
    ]
}

fn redirects() -> Vec<Row> {
    let here = Behaviour::paths([
        ("/", Behaviour::redirect("/end")),
        ("/end", Behaviour::message(200, "", "there")),
    ]);
    let elsewhere = |address: SocketAddr| {
        let there = format!("http://localhost:{}/end", address.port());
        let end = ("/end", Behaviour::message(200, "", "there"));
        Behaviour::paths([("/", Behaviour::redirect(&there)), end])
    };
    vec![
        plain(
            "user and password over a redirect",
            here.clone(),
            "basic_auth: { username: anna, password: hush }",
        ),
        plain("credentials over a redirect", here.clone(), "authorization: { credentials: hush }"),
        plain("field over a redirect", here.clone(), "http_headers: { X-A: { secrets: [hush] } }"),
        plain(
            "body from a file over a redirect",
            here,
            "method: POST, body_file: '{files}/body.json'",
        )
        .differs("length-of-a-body-file", &["requests"]),
        row(
            "user and password to another host",
            Setup::Located(elsewhere),
            "basic_auth: { username: anna, password: hush }",
        ),
        row(
            "credentials to another host",
            Setup::Located(elsewhere),
            "authorization: { credentials: hush }",
        ),
        row(
            "field to another host",
            Setup::Located(elsewhere),
            "http_headers: { X-A: { secrets: [hush] } }",
        )
        .differs("headers-stay", &["requests"]),
    ]
}
