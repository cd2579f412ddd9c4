//! What both stories have in common: files that are run faster, a program that answers queries, and an alert log.
//!
//! Must not know what happens to the services that are watched.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::FACTOR;
use crate::{
    parts::root,
    program::{Running, request},
};

/// Something that watches services and writes an alert log.
pub(super) trait Monitor {
    /// Where its files are: `config/`, `data/alerts.jsonl`, and what its programs said in `*.log`.
    fn folder(&self) -> &Path;

    /// Where queries are answered.
    fn address(&self) -> SocketAddr;

    /// What evaluates the rules is killed.
    fn leave(&mut self);

    /// It is started again.
    fn come_back(&mut self);

    /// What writes the alert log is killed, where that is a program of its own.
    fn lose_receiver(&mut self) {}

    /// It is started again.
    fn start_receiver(&mut self) {}

    /// The lines of the alert log so far.
    fn lines(&self) -> Vec<Value> {
        let text = fs::read(self.folder().join("data/alerts.jsonl")).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The series that a query gives: at this moment, or since `range` ago.
    async fn query(&self, expression: &str, range: Option<Duration>) -> Vec<Value> {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("query", expression);
        let path = match range {
            None => format!("/api/v1/query?{}", parameters.finish()),
            Some(range) => {
                let end = jiff::Timestamp::now();
                let start = end - jiff::SignedDuration::try_from(range).unwrap();
                parameters
                    .append_pair("start", &start.to_string())
                    .append_pair("end", &end.to_string())
                    .append_pair("step", "1");
                format!("/api/v1/query_range?{}", parameters.finish())
            }
        };
        let (status, body) = request(self.address(), "GET", &path, "").await;
        assert_eq!(status, 200, "{expression}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        match &answer["data"]["result"] {
            // A scalar is one value.
            Value::Array(series) if answer["data"]["resultType"] != "scalar" => series.clone(),
            other => vec![other.clone()],
        }
    }

    /// Waits for a condition; past `limit` the test fails with all that the parts have said.
    async fn until(
        &self,
        limit: Duration,
        what: &str,
        condition: impl AsyncFn(&Self) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while !condition(self).await {
            ticks.tick().await;
            assert!(begun.elapsed() < limit, "{what}: not within {limit:?}\n{}", self.said());
        }
        begun.elapsed()
    }

    /// Waits for a line of an alert about a service, or about none.
    async fn until_line(
        &self,
        limit: Duration,
        alert: &str,
        action: &str,
        service: &str,
    ) -> Duration {
        let what = format!("a line {action} {alert} {service}");
        self.until(limit, &what, async |monitor| {
            let reported = events(&monitor.lines());
            let key = (alert.to_owned(), service.to_owned());
            reported.get(&key).is_some_and(|lines| lines.iter().any(|line| line == action))
        })
        .await
    }

    /// Waits until a query gives a series.
    async fn until_series(&self, limit: Duration, expression: &str) -> Duration {
        self.until(limit, expression, async |monitor| {
            is_ready(monitor.address()).await && !monitor.query(expression, None).await.is_empty()
        })
        .await
    }

    /// Saves the targets file, faster, as an editor does: a new file in the place of the old one.
    fn write_targets(&self, targets: &str) {
        let config = self.folder().join("config");
        fs::write(config.join("targets.new"), targets).unwrap();
        run_faster(&config, &["targets.new".to_owned()]);
        fs::rename(config.join("targets.new"), config.join("targets.yml")).unwrap();
    }

    /// Starts a process whose output goes to a file beside the configuration.
    fn spawn(&self, program: &Path, arguments: &[String]) -> Running {
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join(format!("{name}.log")))
            .unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Running(child)
    }

    /// The end of what each program said, and the lines of the alert log.
    fn said(&self) -> String {
        let mut text = String::new();
        let entries = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
            let all = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            let last: Vec<&str> = all.lines().rev().take(40).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            let _infallible = writeln!(text, "--- {}\n{}", path.display(), last.join("\n"));
        }
        for line in self.lines() {
            let _infallible = writeln!(text, "{} {}", line["@timestamp"], line["message"]);
        }
        text
    }
}

/// What was written of each alert, in order: by its name and the service that it is about.
pub(super) fn events(lines: &[Value]) -> BTreeMap<(String, String), Vec<String>> {
    let mut events: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    for line in lines {
        let key = (text(line, "rule.name"), text(line, "service.name"));
        events.entry(key).or_default().push(text(line, "event.action"));
    }
    events
}

/// Makes copies of shipped files run faster, in a folder.
pub(super) fn run_faster(folder: &Path, names: &[String]) {
    let faster = Command::new(root().join("scripts/faster"))
        .arg(FACTOR.to_string())
        .args(names)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(faster.success());
}

/// The names of the shipped rules, below `config/`.
pub(super) fn rule_files() -> Vec<String> {
    let rules = fs::read_dir(root().join("config/rules")).unwrap();
    rules.map(|entry| format!("rules/{}", entry.unwrap().file_name().display())).collect()
}

/// Free addresses, no two the same.
pub(super) fn free_addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let listeners: [_; COUNT] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

async fn is_ready(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
        && request(address, "GET", "/-/ready", "").await.0 == 200
}
