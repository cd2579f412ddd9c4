//! The services of the story: each at an address of its own, which it keeps when it fails and works again.
//!
//! Must not know who watches them.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use jiff::Timestamp;
use testkit::{Behaviour, Certificates, Leaf, Server};
use tokio::{net::TcpListener, task::JoinSet};

use super::faster;

/// How often each is checked. They say so themselves: then any program knows that `alert_after` is long enough for it.
const INTERVAL: &str = "__scrape_interval__: 15s, __scrape_timeout__: 10s";

/// How many addresses the steady service has: so many that the others are not most of the targets.
const GOOD: usize = 12;

fn steady() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

/// A server at an address that was in use until just now.
async fn start_on(address: SocketAddr) -> Server {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while TcpListener::bind(address).await.is_err() {
        ticks.tick().await;
    }
    Server::start_on(address, steady()).await
}

/// A service with its labels in the targets file.
pub(super) struct Service {
    pub(super) name: &'static str,
    /// What follows the labels `service` and `team`, in the times of production.
    pub(super) labels: String,
    pub(super) address: SocketAddr,
    /// When it last began to fail, and when it last began to work again.
    pub(super) failed_at: Timestamp,
    pub(super) worked_at: Timestamp,
    server: Option<Server>,
    /// What makes it fail and work by turns.
    turns: JoinSet<()>,
}

impl Service {
    async fn start(name: &'static str, labels: &str) -> Self {
        let server = Server::start(steady()).await;
        Self {
            name,
            labels: labels.to_owned(),
            address: server.address(),
            failed_at: Timestamp::now(),
            worked_at: Timestamp::now(),
            server: Some(server),
            turns: JoinSet::new(),
        }
    }

    /// Its port is closed.
    pub(super) fn fail(&mut self) {
        self.server = None;
        self.failed_at = Timestamp::now();
    }

    /// From now on it works.
    pub(super) async fn work(&mut self) {
        self.turns.shutdown().await;
        if self.server.is_none() {
            self.server = Some(start_on(self.address).await);
            self.worked_at = Timestamp::now();
        }
    }

    /// Fails and works by turns, failing first; the times are those of production.
    fn alternate(&mut self, down: Duration, up: Duration) {
        self.fail();
        let address = self.address;
        self.turns.spawn(async move {
            loop {
                tokio::time::sleep(faster(down)).await;
                let server = start_on(address).await;
                tokio::time::sleep(faster(up)).await;
                drop(server);
            }
        });
    }
}

/// All of them.
pub(super) struct Services {
    certificates: Certificates,
    /// The one with a certificate, and its URL. It does not fail.
    secure: Server,
    list: Vec<Service>,
}

impl Services {
    pub(super) async fn start() -> Self {
        let certificates = Certificates::new();
        let secure = Server::start_tls(certificates.acceptor(Leaf::Good), steady()).await;
        let mut list = Vec::new();
        for (name, labels) in [
            // Reported after five minutes, if it were not most targets that fail.
            ("good", ", alert_after: 5m"),
            // Fails for long; another one waits behind it.
            ("mortal", ", slo: \"99.9\", max_latency: 3s"),
            ("dependent", ", alert_after: 5m, depends_on: mortal"),
            // Other labels, and another promise, while it is reported as down.
            ("edited", ", alert_after: 10m, severity: critical"),
            // Is promised more time before it would be reported.
            ("patient", ", alert_after: 5m"),
            // Is taken out of the file while it is down.
            ("removed", ", alert_after: 5m"),
            // Works for one of each ten minutes.
            ("crashing", ", alert_after: 10m"),
            // Works for two thirds of the time.
            ("flapping", ", slo: \"90\""),
        ] {
            list.push(Service::start(name, labels).await);
        }
        Self { certificates, secure, list }
    }

    pub(super) fn get(&mut self, name: &str) -> &mut Service {
        self.list.iter_mut().find(|service| service.name == name).unwrap()
    }

    /// It is in the file no more.
    pub(super) fn remove(&mut self, name: &str) {
        self.list.retain(|service| service.name != name);
    }

    /// The outages begin.
    pub(super) fn fail_some(&mut self) {
        for name in ["mortal", "dependent", "edited", "patient", "removed"] {
            self.get(name).fail();
        }
        let minutes = Duration::from_mins;
        self.get("crashing").alternate(minutes(9), minutes(1));
        self.get("flapping").alternate(Duration::from_secs(40), Duration::from_secs(80));
    }

    /// Every one that can.
    pub(super) fn fail_all(&mut self) {
        self.list.iter_mut().for_each(Service::fail);
    }

    pub(super) async fn work_all(&mut self) {
        for service in &mut self.list {
            service.work().await;
        }
    }

    /// How many targets the file has.
    pub(super) fn count(&self) -> usize {
        self.list.len() + GOOD
    }

    /// The targets file, in the times of production.
    pub(super) fn targets(&self) -> String {
        let mut text = format!(
            "- targets: [\"{}\"]\n  labels: {{ service: secure, team: story, module: https_story, slo: \"99.9\", {INTERVAL} }}\n",
            self.secure.url("/")
        );
        for Service { name, labels, address, .. } in &self.list {
            let paths = if *name == "good" { GOOD } else { 1 };
            let urls: Vec<String> =
                (0..paths).map(|number| format!("\"http://{address}/{number}\"")).collect();
            let urls = urls.join(", ");
            let _infallible = writeln!(
                text,
                "- targets: [{urls}]\n  labels: {{ service: {name}, team: story{labels}, {INTERVAL} }}"
            );
        }
        text
    }

    pub(super) fn modules(&self) -> String {
        format!(
            "modules:\n  https_story:\n    prober: http\n    http: {{ tls_config: {{ ca_file: {} }} }}\n",
            self.certificates.file("authority.pem").display()
        )
    }
}
