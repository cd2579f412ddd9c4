//! No secret of a module is in anything that the program answers: its configuration, debug output, logs, pages, metrics.
//!
//! What a single probe shows is tested in the crate `probe`. Must not know how secrets are hidden.

use testkit::{Behaviour, Server};

use crate::program::Program;

/// What must not be seen.
const CANARY: &str = "canary-5d1c0a9e7b";

/// Each section of a module that can hold a secret.
const SECTIONS: [&str; 9] = [
    "basic_auth: { username: monitor, password: CANARY }",
    "authorization: { credentials: CANARY }",
    "bearer_token: CANARY",
    "bearer_token_file: FILE",
    "headers: { X-Api-Key: CANARY }",
    "http_headers: { X-Api-Key: { secrets: [CANARY], files: [FILE] } }",
    "body: 'key=CANARY&more=of-it'",
    "body_file: FILE",
    "proxy_url: 'http://monitor:CANARY@PROXY'",
];

#[tokio::test]
async fn no_answer_of_the_program_holds_a_secret_of_a_module() {
    let server = Server::start(Behaviour::Echo(200)).await;
    let failing = Server::start(Behaviour::Echo(500)).await;
    let program = Program::exporter().await;
    let file = program.path("secret");
    std::fs::write(&file, CANARY).unwrap();
    let mut modules = String::from("modules:\n");
    for (number, section) in SECTIONS.iter().enumerate() {
        let section = section
            .replace("CANARY", CANARY)
            .replace("FILE", &file.display().to_string())
            .replace("PROXY", &server.address().to_string());
        modules += "  m";
        modules += &number.to_string();
        modules += ":\n    prober: http\n    http:\n      ";
        modules += &section;
        modules.push('\n');
    }
    std::fs::write(program.path("modules.yml"), modules).unwrap();
    let (status, text) = program.post("/-/reload").await;
    assert_eq!(status, 200, "{text}");
    let mut shown = vec![("/config".to_owned(), program.get("/config").await.1)];
    for number in 0..SECTIONS.len() {
        for target in [server.url("/"), failing.url("/")] {
            for path in [
                format!("/probe?module=m{number}&target={target}"),
                format!("/probe?module=m{number}&target={target}&debug=true"),
                format!("/logs?module=m{number}&target={target}"),
            ] {
                shown.push((path.clone(), program.get(&path).await.1));
            }
        }
    }
    let echoed =
        shown.iter().any(|(path, text)| path.contains("debug") && text.contains("<secret>"));
    assert!(echoed, "nothing came back");
    for path in ["/", "/probes", "/probes/1", "/metrics", "/logs?id=1"] {
        shown.push((path.to_owned(), program.get(path).await.1));
    }
    // The second is how the first begins in the header of basic_auth.
    let encoded = [CANARY, "bW9uaXRvcjpjYW5hcnkt"];
    for (path, text) in &shown {
        for secret in encoded {
            assert!(!text.contains(secret), "{path}:\n{text}");
        }
    }
}
