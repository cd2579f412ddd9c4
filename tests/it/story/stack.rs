//! The shipped stack on this machine: real Prometheus and Alertmanager, our exporter, our alert log, as processes on free ports,
//! with the shipped configuration run faster.
//!
//! Must not know what happens to the services that it watches.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    faster,
    monitor::{Monitor, free_addresses, rule_files, run_faster},
};
use crate::{
    parts::{newest_part, root},
    program::Running,
};

/// The parts of the stack by the names that they have in the shipped configuration.
const PARTS: [&str; 4] =
    ["exporter:9115", "alert-log:9115", "prometheus:9090", "alertmanager:9093"];

/// The running stack. All of it ends when this is dropped.
pub(super) struct Stack {
    folder: TempDir,
    addresses: [SocketAddr; 4],
    /// Prometheus and Alertmanager.
    programs: [PathBuf; 2],
    exporter: Option<Running>,
    alert_log: Option<Running>,
    prometheus: Option<Running>,
    alertmanager: Vec<Running>,
}

impl Stack {
    /// Starts everything on a first list of targets and modules; `None` when a real part is missing, which was said aloud.
    pub(super) fn start(targets: &str, modules: &str) -> Option<Self> {
        let prometheus = newest_part("prometheus")?;
        let alertmanager = newest_part("alertmanager")?;
        let mut stack = Self {
            folder: tempfile::tempdir().unwrap(),
            addresses: free_addresses(),
            programs: [prometheus, alertmanager],
            exporter: None,
            alert_log: None,
            prometheus: None,
            alertmanager: Vec::new(),
        };
        stack.write_config(targets, modules);
        stack.start_exporter();
        stack.start_receiver();
        stack.come_back();
        stack.alertmanager.push(stack.start_alertmanager());
        Some(stack)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a part.
    fn part(&self, part: &str) -> SocketAddr {
        let index = PARTS.iter().position(|name| name.starts_with(part)).unwrap();
        self.addresses[index]
    }

    /// The shipped files, faster, with the addresses of this stack.
    fn write_config(&self, targets: &str, modules: &str) {
        let config = self.path("config");
        fs::create_dir_all(config.join("rules")).unwrap();
        let mut names = rule_files();
        names.extend(["prometheus.yml".to_owned(), "alertmanager.yml".to_owned()]);
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
        run_faster(&config, &names);
        fs::write(config.join("modules.yml"), modules).unwrap();
        self.write_targets(targets);
    }

    fn own(&self, command: &str, part: &str, arguments: &[&str]) -> Running {
        let mut all = vec![command.to_owned(), format!("--web.listen-address={}", self.part(part))];
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

    fn start_alertmanager(&self) -> Running {
        let [_, alertmanager] = &self.programs;
        self.spawn(
            alertmanager,
            &[
                format!("--config.file={}", self.path("config/alertmanager.yml").display()),
                format!("--storage.path={}", self.path("alertmanager").display()),
                format!("--web.listen-address={}", self.part("alertmanager")),
                "--cluster.listen-address=".to_owned(),
            ],
        )
    }
}

impl Monitor for Stack {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self) -> SocketAddr {
        self.part("prometheus")
    }

    fn leave(&mut self) {
        self.prometheus = None;
    }

    fn come_back(&mut self) {
        let seconds = |production: Duration| format!("{}s", faster(production).as_secs());
        let minute = seconds(Duration::from_mins(1));
        let [prometheus, _] = &self.programs;
        let arguments = [
            format!("--config.file={}", self.path("config/prometheus.yml").display()),
            format!("--storage.tsdb.path={}", self.path("prometheus").display()),
            format!("--web.listen-address={}", self.part("prometheus")),
            format!("--query.lookback-delta={}", seconds(Duration::from_mins(5))),
            // The default of one minute, faster: a firing alert is reported again so often.
            format!("--rules.alert.resend-delay={minute}"),
            // As compose.yaml sets it, faster.
            format!("--rules.alert.for-grace-period={minute}"),
        ];
        self.prometheus = Some(self.spawn(prometheus, &arguments));
    }

    fn lose_receiver(&mut self) {
        self.alert_log = None;
    }

    fn start_receiver(&mut self) {
        let timeout = faster(Duration::from_mins(5)).as_secs();
        let heartbeat = format!("--heartbeat.timeout={timeout}s");
        let arguments = [
            "--config.file=config/modules.yml",
            "--targets.file=config/targets.yml",
            "--rules.file=config/rules/*.yml",
            &heartbeat,
        ];
        self.alert_log = Some(self.own("alert-log", "alert-log", &arguments));
    }
}
