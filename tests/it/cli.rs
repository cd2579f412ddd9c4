//! The commands as a newcomer types them, mistakes included: exit codes and messages of the real binary.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::{
    parts::{root, skip},
    program::Running,
};

/// A command of the built program, run in `directory`, without the user's environment variables.
fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"));
    command.args(arguments).current_dir(directory);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WEBSERVICE_MONITOR_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A directory with a targets file and a rules file.
fn project(targets: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("config/rules")).unwrap();
    std::fs::write(directory.path().join("config/targets.yml"), targets).unwrap();
    std::fs::write(directory.path().join("config/rules/test.yml"), "groups: []\n").unwrap();
    directory
}

/// A service that answers every request with 200, on a thread that ends with the test process.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 2048];
            let _read = stream.read(&mut request);
            let _written = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    url
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = format!("--web.listen-address={}", taken.local_addr().unwrap());
    let fine = project("- targets: [http://127.0.0.1:1/]\n");
    let broken =
        project("- targets: [example.com]\n- targets: [http://a/]\n  labels: { slo: \"142\" }\n");
    let empty = tempfile::tempdir().unwrap();
    let emptied = project("- targets: [http://127.0.0.1:1/]\n");
    std::fs::remove_file(emptied.path().join("config/rules/test.yml")).unwrap();
    std::fs::write(fine.path().join("file"), "").unwrap();
    let port = "--web.listen-address=127.0.0.1:0";
    let table: &[(&Path, &[&str], i32, &[&str])] = &[
        (
            fine.path(),
            &[&taken_address],
            2,
            &["the port is in use", "hint:", "--web.listen-address=127.0.0.1:"],
        ),
        (empty.path(), &[port], 2, &["config/targets.yml", "hint:"]),
        (
            broken.path(),
            &[port],
            2,
            &[
                "config/targets.yml:1:",
                "https://example.com",
                "config/targets.yml:3:18",
                "slo",
                "99.9",
                "2 mistakes",
            ],
        ),
        (
            fine.path(),
            &[port, "--storage.path=file/data"],
            1,
            &["file/data", "hint:", "--storage.path"],
        ),
        (
            fine.path(),
            &[port, "--alert-log.path=file/alerts.jsonl"],
            1,
            &["file/alerts.jsonl", "hint:", "--alert-log.path"],
        ),
        (fine.path(), &["--scrape.intervall=5s"], 2, &["--scrape.intervall", "--scrape.interval"]),
        (fine.path(), &["--web.listen-address=9115"], 2, &["127.0.0.1:9115"]),
        (fine.path(), &["frobnicate"], 2, &["frobnicate"]),
        (
            fine.path(),
            &["check", "--module=nope", "http://127.0.0.1:1/"],
            2,
            &["unknown module `nope`", "http_2xx"],
        ),
        (broken.path(), &["validate"], 2, &["config/targets.yml:1:", "2 mistakes"]),
        (emptied.path(), &[port], 2, &["config/rules/*.yml", "no file matches", "`groups: []`"]),
        (emptied.path(), &["validate"], 2, &["no file matches", "1 mistake"]),
        (broken.path(), &["--config.check"], 2, &["2 mistakes"]),
        (fine.path(), &["test-rules", "missing.yml"], 2, &["missing.yml"]),
        (fine.path(), &["exporter", "--config.file=missing.yml"], 2, &["missing.yml"]),
    ];
    for (directory, arguments, code, needles) in table {
        let output = run(directory, arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {errors}");
        for needle in *needles {
            assert!(errors.contains(needle), "{arguments:?} does not say {needle:?}:\n{errors}");
        }
    }
}

#[test]
fn the_exit_code_of_check_says_whether_all_is_up() {
    let up = service();
    let directory = project(&format!("- targets: [\"{up}\"]\n"));
    let output = run(directory.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("all 1 up"), "{}", text(&output.stdout));

    let output = run(directory.path(), &["check", &up, "http://127.0.0.1:1/", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["state"], "up");
    assert_eq!(rows[0]["status_code"], 200);
    assert_eq!((&rows[1]["phase"], &rows[1]["reason"]), (&"connect".into(), &"refused".into()));
    assert!(rows[1]["detail"].as_str().unwrap().contains("refused"), "{rows}");
    assert_eq!(rows[0]["warnings"], serde_json::json!([]));
    assert!(rows[0].get("evidence").is_none());
    let table = text(&run(directory.path(), &["check", "http://127.0.0.1:1/"]).stdout);
    assert!(
        table.contains("connect/refused: the connection was refused: nothing listens"),
        "{table}"
    );
}

#[test]
fn check_shows_what_it_saw_when_asked() {
    let up = service();
    let directory = project("[]\n");
    let output = run(directory.path(), &["check", "--verbose", &up]);
    let shown = text(&output.stdout);
    for needle in ["http_2xx (http)", "> Host: 127.0.0.1", "< HTTP/1.1 200 OK", "| ok", "all 1 up"]
    {
        assert!(shown.contains(needle), "{needle} is not in\n{shown}");
    }
    let output = run(directory.path(), &["check", "--verbose", "--output=json", &up]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["evidence"][0]["body"], "ok");
    assert!(rows[0]["evidence"][0]["times_seconds"]["connect"].as_f64().unwrap() > 0.0, "{rows}");
}

#[test]
fn validate_prints_warnings_and_is_content_without_a_folder_of_rules() {
    let directory = project("- targets: [http://a.example/]\n");
    let rule = "{alert: Down, expr: up == 0}";
    let rules = format!("groups:\n- name: g\n  rules: [{rule}, {rule}]\n");
    std::fs::write(directory.path().join("config/rules/test.yml"), rules).unwrap();
    let output = run(directory.path(), &["validate"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for needle in [
        "warning: duplicate rule",
        "--> config/rules/test.yml:3:",
        "hint: rename one",
        "ok: 1 targets",
    ] {
        assert_eq!(printed.matches(needle).count(), 1, "{needle}: {printed}");
    }
    // Beside the targets of an exporter there are no rules.
    std::fs::remove_dir_all(directory.path().join("config/rules")).unwrap();
    let output = run(directory.path(), &["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = run(directory.path(), &["validate", "--rules.file=config/rules/*.yaml"]);
    assert_eq!(output.status.code(), Some(2), "the user named them");
}

#[test]
fn validate_and_test_rules_accept_what_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = run(root, &["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("ok: "), "{}", text(&output.stdout));
    let output = run(root, &["test-rules", "config/rules_test/webservices_test.yml"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// The demo shows what it promises: an alert that fires and resolves, within two minutes.
#[test]
fn the_demo_fires_and_resolves() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("demo");
    let mut demo =
        command(directory.path(), &["demo", "--web.listen-address=127.0.0.1:0", "--directory"]);
    let child = demo.arg(&files).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    // The program's own log wakes us: it has a line for each alert.
    let log = BufReader::new(running.0.stderr.take().unwrap());
    let (lines, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        log.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
    });
    let mut seen = Vec::new();
    let resolved = || {
        let written = text(&std::fs::read(files.join("alerts.jsonl")).unwrap_or_default());
        let events: Vec<serde_json::Value> =
            written.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let has = |action: &str| {
            events.iter().any(|event| {
                event["event.action"] == action
                    && event["rule.name"] == "WebserviceDown"
                    && event["service.name"] == "mortal"
            })
        };
        has("firing") && has("resolved")
    };
    while !resolved() {
        let line = received
            .recv_timeout(Duration::from_mins(2))
            .unwrap_or_else(|_| panic!("silence after:\n{}", seen.join("\n")));
        seen.push(line);
        assert!(seen.len() < 2000, "no alert was resolved:\n{}", seen.join("\n"));
    }
    let log = text(&std::fs::read(files.join("alerts.jsonl")).unwrap());
    assert!(log.contains("connect/refused"), "the alert does not say why:\n{log}");
}

/// The demo shows the shipped rules.
#[test]
fn the_rules_of_the_demo_are_the_shipped_ones_made_faster() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("webservices.rules.yml");
    std::fs::copy(root().join("config/rules/webservices.rules.yml"), &copy).unwrap();
    let faster = Command::new(root().join("scripts/faster"))
        .arg(webservice_monitor::demo::FACTOR.to_string())
        .arg(&copy)
        .status();
    let Ok(faster) = faster else {
        return skip("perl", "scripts/faster is a program of it");
    };
    assert!(faster.success());
    let read = |path: &Path| text(&std::fs::read(path).unwrap());
    assert!(
        read(&root().join("src/demo/demo.rules.yml")) == read(&copy),
        "src/demo/demo.rules.yml is not what config/rules says: make demo-rules"
    );
}

#[test]
fn slips_are_pointed_out_and_are_no_mistakes() {
    let directory = project("- targets: [http://a/]\n  labels: { alertafter: 5m, tier: one }\n");
    let found = run(directory.path(), &["validate"]);
    let output = text(&found.stdout);
    assert_eq!(found.status.code(), Some(0), "{output}");
    for needle in [
        "warning: the label `alertafter`",
        "config/targets.yml:2:13",
        "did you mean `alert_after`?",
    ] {
        assert!(output.contains(needle), "{output}");
    }
    assert!(!output.contains("`tier`"), "{output}");

    let found = run(directory.path(), &["validate", "--scrape.interval=5m"]);
    assert_eq!(found.status.code(), Some(2));
    assert!(text(&found.stderr).contains("forgets a sample after 5 minutes"));
}

#[test]
fn a_check_of_the_monitor_itself_follows_where_it_listens() {
    let directory = project("- targets: [/-/healthy]\n");
    let address = service().replace("http://", "").replace('/', "");
    let listen = format!("--web.listen-address={address}");
    let found = run(directory.path(), &["check", &listen]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stdout));
    assert!(text(&found.stdout).contains("/-/healthy"));
}
