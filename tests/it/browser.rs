//! The pages in a real browser: they are drawn without a complaint, and refresh themselves.

use std::{path::PathBuf, process::Command};

use crate::{
    parts::part,
    program::{Program, Service},
};

/// Loads a page in Chromium: the document after its scripts ran, and what the browser complained about.
fn browse(chromium: &PathBuf, url: &str) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints =
        log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), complaints)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_drawn_without_a_complaint() {
    let Some(chromium) = part("chromium") else { return };
    let service = Service::start(0, "200 OK").await;
    let targets = format!("- targets: [\"{}\", \"http://127.0.0.1:1/<b>&\"]\n", service.url());
    let rules = "groups: [{ name: test, rules: [{ alert: Down, expr: 'probe_success == 0' }] }]\n";
    let program = Program::all_in_one(&targets, rules).await;
    program.wait_for("/api/v1/alerts", "an alert", |body| body.contains("\"firing\"")).await;
    let target: String = url::form_urlencoded::byte_serialize(service.url().as_bytes()).collect();
    for (path, needle) in [
        ("/".to_owned(), service.url()),
        (format!("/targets/{target}"), "resolve".to_owned()),
        ("/alerts".to_owned(), "Down".to_owned()),
        ("/probes".to_owned(), service.url()),
    ] {
        let url = format!("http://{}{path}", program.app.address());
        let browser = chromium.clone();
        let (document, complaints) =
            tokio::task::spawn_blocking(move || browse(&browser, &url)).await.unwrap();
        assert!(document.contains(&needle), "{path} does not show {needle}:\n{document}");
        assert!(complaints.is_empty(), "{path}: {complaints:#?}");
        assert!(!document.contains("<b>&amp;"), "{path} takes markup from a target:\n{document}");
    }
    program.app.stop().await;
}
