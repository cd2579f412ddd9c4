//! Who we are to the target, and what is sent along: credentials, headers and bodies, here or in files.
//!
//! Must not know how a request is made.

use std::{fs, path::PathBuf};

use probe::Net;
use tempfile::TempDir;
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Server};

use crate::support::{LONG, Table, run, run_plain, verdict};

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, contents) in files {
        fs::write(folder.path().join(name), contents).expect("a file");
    }
    folder
}

/// An HTTP module with these keys; `@` stands for the folder.
pub(crate) fn http(keys: &str, folder: &TempDir) -> String {
    let path = folder.path().display().to_string();
    format!("{{ prober: http, http: {{ {} }} }}", keys.replace("@/", &format!("{path}/")))
}

#[tokio::test]
async fn what_the_module_says_is_what_is_sent() {
    let files = folder(&[
        ("user", "me\n"),
        ("password", "  hunter2\r\n"),
        ("token", "\tt0ken\n"),
        ("body", "a body\n"),
    ]);
    let server = Server::start(Behaviour::Echo(200)).await;
    let mut table = Table::default();
    for (keys, sent) in [
        (
            "basic_auth: { username: me, password: hunter2 }",
            "Authorization: Basic bWU6aHVudGVyMg==\r\n",
        ),
        (
            "basic_auth: { username_file: @/user, password_file: @/password }",
            "Authorization: Basic bWU6aHVudGVyMg==\r\n",
        ),
        ("basic_auth: { username: me }", "Authorization: Basic bWU6\r\n"),
        ("authorization: { credentials: t0ken }", "Authorization: Bearer t0ken\r\n"),
        ("authorization: { type: Token, credentials: t0ken }", "Authorization: Token t0ken\r\n"),
        ("authorization: { credentials_file: @/token }", "Authorization: Bearer t0ken\r\n"),
        ("authorization: { type: Anonymous }", "Authorization: Anonymous\r\n"),
        ("bearer_token: t0ken", "Authorization: Bearer t0ken\r\n"),
        ("bearer_token_file: @/token", "Authorization: Bearer t0ken\r\n"),
        // What is written out wins.
        ("headers: { authorization: Own x }, bearer_token: t0ken", "Authorization: Own x\r\n"),
        (
            "http_headers: { X-Key: { values: [a, b], secrets: [c], files: [@/token] } }",
            "X-Key: a\r\nX-Key: b\r\nX-Key: c\r\nX-Key: t0ken\r\n",
        ),
        (
            "headers: { X-Key: z }, http_headers: { X-Key: { values: [a] } }",
            "X-Key: z\r\nX-Key: a\r\n",
        ),
        ("method: POST, body_file: @/body", "\r\n\r\na body\n"),
        ("method: POST, body: a body", "Content-Length: 6\r\n"),
    ] {
        let result = run_plain(&http(keys, &files), &server.url("/")).await;
        table.expect(keys, &result, "up");
        let received = server.last_received();
        table.check(keys, received.contains(sent), &received);
        let times = received.matches("Authorization: ").count();
        table.check(keys, times <= 1, "two identities");
    }
    table.finish();
}

#[tokio::test]
async fn files_are_read_again_and_a_missing_one_is_our_fault() {
    let files = folder(&[]);
    let server = Server::start(Behaviour::Echo(200)).await;
    let mut table = Table::default();
    for keys in [
        "method: POST, body_file: @/it",
        "basic_auth: { username: me, password_file: @/it }",
        "basic_auth: { username_file: @/it, password: x }",
        "authorization: { credentials_file: @/it }",
        "bearer_token_file: @/it",
        "http_headers: { X-Key: { files: [@/it] } }",
    ] {
        let (settings, it) = (http(keys, &files), files.path().join("it"));
        let net = Net::for_tests(None, &[]).unwrap();
        let before = server.connections();
        let result = run(&net, &settings, &server.url("/"), LONG).await;
        table.expect(keys, &result, "fault internal/config");
        table.check(keys, server.connections() == before, "the target was asked");
        let mut sent = Vec::new();
        for contents in ["one", "another"] {
            fs::write(&it, contents).unwrap();
            let result = run(&net, &settings, &server.url("/"), LONG).await;
            table.expect(keys, &result, "up");
            sent.push(server.last_received());
        }
        table.check(keys, sent[0] != sent[1], "the change was not seen");
        // What was there before serves on.
        fs::remove_file(&it).unwrap();
        let result = run(&net, &settings, &server.url("/"), LONG).await;
        table.expect(keys, &result, "up");
        table.check(keys, server.last_received() == sent[1], "not what was there before");
    }
    // A header cannot hold a line break.
    fs::write(files.path().join("it"), "one\r\nX-Other: two").unwrap();
    let settings = http("http_headers: { X-Key: { files: [@/it] } }", &files);
    table.expect(
        "a line break",
        &run_plain(&settings, &server.url("/")).await,
        "fault internal/config",
    );
    table.finish();
}

#[tokio::test]
async fn secrets_are_sent_to_the_target_alone() {
    let files = folder(&[("it", "hunter2")]);
    let names = ["one.test", "two.site.test"];
    let here = names.map(|name| (name, DnsAnswer::addresses(&["127.0.0.1"])));
    let dns = DnsServer::start(here).await;
    let certificates = Certificates::new();
    let net = Net::for_tests(Some(dns.address()), &[certificates.authority()]).unwrap();
    let last = Server::start(Behaviour::Echo(200)).await;
    let to = |host| Behaviour::reply(Behaviour::redirect(&last.url_as("http", host, "/")));
    let away = Server::start(to("two.site.test")).await;
    let down = Server::start_tls(certificates.acceptor(Leaf::Good), to("127.0.0.1")).await;
    let mut table = Table::default();
    for keys in [
        "basic_auth: { username: hunter2, password: hunter2 }",
        "authorization: { credentials: hunter2 }",
        "bearer_token_file: @/it",
        "headers: { X-Key: hunter2, User-Agent: hunter2, Host: hunter2.site.test }",
        "http_headers: { X-Key: { values: [hunter2], secrets: [hunter2], files: [@/it] } }",
        "method: POST, body: hunter2",
    ] {
        let settings = http(keys, &files);
        for target in [away.url_as("http", "one.test", "/"), down.url("/")] {
            let row = format!("{keys} to {target}");
            let result = run(&net, &settings, &target, LONG).await;
            table.expect(&row, &result, "up");
            let received = last.last_received().to_lowercase();
            // The Host header is for the host, whatever is spoken.
            let shown =
                received.contains("hunter2") && !received.contains("host: hunter2.site.test");
            table.check(&row, !shown, &received);
            table.check(&row, !received.contains("authorization: "), &received);
            table.check(&row, !received.contains("bwu6"), &received);
        }
    }
    table.finish();
}

#[tokio::test]
async fn a_path_with_blanks_is_a_path() {
    let files = folder(&[("my token", "t0ken")]);
    let path: PathBuf = files.path().join("my token");
    let settings =
        format!("{{ prober: http, http: {{ bearer_token_file: \"{}\" }} }}", path.display());
    let server = Server::start(Behaviour::Echo(200)).await;
    assert_eq!(verdict(&run_plain(&settings, &server.url("/")).await), "up");
    assert!(server.last_received().contains("Bearer t0ken"), "{}", server.last_received());
}
