//! The shipped stack on this machine: real Prometheus and Alertmanager, our exporter, our alert log, as processes on free ports,
//! with the shipped configuration run faster.
//!
//! Must not know what happens to the services that it watches.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    parts::{newest_part, root},
    program::{Running, request},
};

/// How many times faster than in production time passes in the configuration: an hour's story takes three minutes.
pub(super) const FACTOR: u32 = 20;

/// The parts of the stack by the names that they have in the shipped configuration.
const PARTS: [&str; 4] =
    ["exporter:9115", "alert-log:9115", "prometheus:9090", "alertmanager:9093"];

/// The running stack. All of it ends when this is dropped.
pub(super) struct Stack {
    folder: TempDir,
    addresses: [SocketAddr; 4],
    programs: [PathBuf; 2],
    exporter: Option<Running>,
    alert_log: Option<Running>,
    servers: Vec<Running>,
}

impl Stack {
    /// Starts everything on a first list of targets and modules; `None` when a real part is missing, which was said aloud.
    pub(super) fn start(targets: &str, modules: &str) -> Option<Self> {
        let prometheus = newest_part("prometheus")?;
        let alertmanager = newest_part("alertmanager")?;
        // Held together, so that no two are the same.
        let listeners: Vec<_> =
            PARTS.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses = std::array::from_fn(|index| listeners[index].local_addr().unwrap());
        drop(listeners);
        let mut stack = Self {
            folder: tempfile::tempdir().unwrap(),
            addresses,
            programs: [prometheus, alertmanager],
            exporter: None,
            alert_log: None,
            servers: Vec::new(),
        };
        stack.write_config(targets, modules);
        stack.start_exporter();
        stack.start_alert_log();
        stack.startservers();
        Some(stack)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a part.
    fn address(&self, part: &str) -> SocketAddr {
        let index = PARTS.iter().position(|name| name.starts_with(part)).unwrap();
        self.addresses[index]
    }

    /// The shipped files, faster, with the addresses of this stack.
    fn write_config(&self, targets: &str, modules: &str) {
        let config = self.path("config");
        fs::create_dir_all(config.join("rules")).unwrap();
        let rules = fs::read_dir(root().join("config/rules")).unwrap();
        let rules = rules.map(|entry| format!("rules/{}", entry.unwrap().file_name().display()));
        let names: Vec<String> =
            rules.chain(["prometheus.yml".to_owned(), "alertmanager.yml".to_owned()]).collect();
        for name in &names {
            let shipped = fs::read(root().join("config").join(name)).unwrap();
            let text = PARTS
                .iter()
                .zip(self.addresses)
                .fold(String::from_utf8(shipped).unwrap(), |text, (part, address)| {
                    text.replace(part, &address.to_string())
                });
            fs::write(config.join(name), text).unwrap();
        }
        let faster = Command::new(root().join("scripts/faster"))
            .arg(FACTOR.to_string())
            .args(&names)
            .current_dir(&config)
            .status()
            .unwrap();
        assert!(faster.success());
        fs::write(config.join("modules.yml"), modules).unwrap();
        self.write_targets(targets);
    }

    /// Saves the targets file as an editor does: a new file in the place of the old one.
    pub(super) fn write_targets(&self, targets: &str) {
        let path = self.path("config/targets.yml");
        fs::write(path.with_extension("new"), targets).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// Starts a process whose output goes to a file beside the configuration.
    fn spawn(&self, program: &Path, arguments: &[String]) -> Running {
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("{name}.log")))
            .unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Running(child)
    }

    fn own(&self, command: &str, part: &str, arguments: &[&str]) -> Running {
        let mut all =
            vec![command.to_owned(), format!("--web.listen-address={}", self.address(part))];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.spawn(Path::new(env!("CARGO_BIN_EXE_webservice-monitor")), &all)
    }

    pub(super) fn start_exporter(&mut self) {
        let arguments = ["--config.file=config/modules.yml", "--timeout-offset=0.02"];
        self.exporter = Some(self.own("exporter", "exporter", &arguments));
    }

    pub(super) fn stop_exporter(&mut self) {
        self.exporter = None;
    }

    pub(super) fn start_alert_log(&mut self) {
        self.alert_log = Some(self.own("alert-log", "alert-log", &["--heartbeat.timeout=1m"]));
    }

    /// Kills the receiver without a warning.
    pub(super) fn kill_alert_log(&mut self) {
        self.alert_log = None;
    }

    fn startservers(&mut self) {
        let path = |name: &str| self.path(name).display().to_string();
        let [prometheus, alertmanager] = &self.programs;
        let prometheus = self.spawn(
            prometheus,
            &[
                format!("--config.file={}", path("config/prometheus.yml")),
                format!("--storage.tsdb.path={}", path("prometheus")),
                format!("--web.listen-address={}", self.address("prometheus")),
                // The default of one minute, faster: a firing alert is told again so often.
                "--rules.alert.resend-delay=3s".to_owned(),
                // As compose.yaml sets it, faster.
                "--rules.alert.for-grace-period=3s".to_owned(),
            ],
        );
        let alertmanager = self.spawn(
            alertmanager,
            &[
                format!("--config.file={}", path("config/alertmanager.yml")),
                format!("--storage.path={}", path("alertmanager")),
                format!("--web.listen-address={}", self.address("alertmanager")),
                "--cluster.listen-address=".to_owned(),
            ],
        );
        self.servers = vec![prometheus, alertmanager];
    }

    /// The series that a query of Prometheus gives: at this moment, or since `range` ago.
    pub(super) async fn query(
        &self,
        expression: &str,
        range: Option<Duration>,
    ) -> Vec<serde_json::Value> {
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
        let (status, body) = request(self.address("prometheus"), "GET", &path, "").await;
        assert_eq!(status, 200, "{expression}: {body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        match &answer["data"]["result"] {
            // A scalar is one value.
            serde_json::Value::Array(series) if answer["data"]["resultType"] != "scalar" => {
                series.clone()
            }
            other => vec![other.clone()],
        }
    }

    /// The lines of the alert log so far.
    pub(super) fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read(self.path("data/alerts.jsonl")).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for a condition; past `limit` the test fails with all that the parts have said.
    pub(super) async fn until(
        &self,
        limit: Duration,
        what: &str,
        condition: impl AsyncFn(&Self) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        while !condition(self).await {
            ticks.tick().await;
            assert!(begun.elapsed() < limit, "{what}: not within {limit:?}\n{}", self.said());
        }
        begun.elapsed()
    }

    /// Waits for a line of an alert; `subject` is in its instance.
    pub(super) async fn until_line(
        &self,
        limit: Duration,
        alert: &str,
        action: &str,
        subject: &str,
    ) -> Duration {
        let found = |line: &serde_json::Value| {
            line["rule.name"] == alert
                && line["event.action"] == action
                && line.to_string().contains(subject)
        };
        self.until(limit, &format!("a line {action} {alert} {subject}"), async |stack| {
            stack.lines().iter().any(found)
        })
        .await
    }

    /// Waits until a query of Prometheus gives a series.
    pub(super) async fn until_series(&self, limit: Duration, expression: &str) -> Duration {
        self.until(limit, expression, async |stack| {
            request_works(stack.address("prometheus")).await
                && !stack.query(expression, None).await.is_empty()
        })
        .await
    }

    fn said(&self) -> String {
        let mut text = String::new();
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
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

async fn request_works(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
        && request(address, "GET", "/-/ready", "").await.0 == 200
}
