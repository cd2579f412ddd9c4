//! The whole program in this process: real sockets on ports of the system's choice, real files, its own clock.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use probe::Net;
use series::store::StoreOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use webservice_monitor::{
    app::{App, Settings, Storage, World},
    clock::SystemClock,
    config::Sources,
};

/// How long a test waits for something that should happen within a second or two; it fails loudly after that.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program with its files.
pub(crate) struct Program {
    pub(crate) app: App,
    pub(crate) directory: tempfile::TempDir,
}

impl Program {
    /// Starts the all-in-one mode on the given targets and rules, with probes every 200 ms.
    pub(crate) async fn all_in_one(targets: &str, rules: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("targets.yml"), targets).unwrap();
        std::fs::write(directory.path().join("rules.yml"), rules).unwrap();
        let app = Self::start(directory.path(), true).await;
        Self { app, directory }
    }

    /// Starts the exporter.
    pub(crate) async fn exporter() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let app = Self::start(directory.path(), false).await;
        Self { app, directory }
    }

    /// Starts the program on the files of a directory.
    pub(crate) async fn start(directory: &Path, all_in_one: bool) -> App {
        let file = |name: &str| directory.join(name).display().to_string();
        let settings = Settings {
            sources: Sources {
                // An exporter needs none.
                targets: directory
                    .join("targets.yml")
                    .exists()
                    .then(|| file("targets.yml"))
                    .into_iter()
                    .collect(),
                modules: directory.join("modules.yml"),
                modules_required: false,
                rules: if all_in_one { vec![file("rules*.yml")] } else { Vec::new() },
                interval: Duration::from_millis(200),
                timeout: Duration::from_millis(150),
                listen: SocketAddr::from(([127, 0, 0, 1], 9115)),
            },
            storage: all_in_one.then(|| Storage {
                store: StoreOptions {
                    directory: directory.join("data"),
                    ..StoreOptions::default()
                },
                evaluation_interval: Duration::from_millis(200),
            }),
            destinations: all_in_one.then(|| {
                alerting::Settings::alert_log(
                    directory.join("alerts.jsonl"),
                    alerting::Format::Json,
                )
            }),
            heartbeat_timeout: None,
            external_url: "http://monitor.example".to_owned(),
            history_limit: 100,
            timeout_offset_seconds: 0.5,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = World { clock: Arc::new(SystemClock), net: Arc::new(Net::system()), listener };
        App::start(settings, world).await.unwrap()
    }

    /// A file of the program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `GET path`: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        request(self.app.address(), "GET", path, "").await
    }

    /// `POST path`.
    pub(crate) async fn post(&self, path: &str) -> (u16, String) {
        request(self.app.address(), "POST", path, "").await
    }

    /// Waits until the body of a page satisfies a condition, and returns it.
    pub(crate) async fn wait_for(
        &self,
        path: &str,
        what: &str,
        condition: impl Fn(&str) -> bool,
    ) -> String {
        wait_for(self.app.address(), path, what, condition).await
    }

    /// Waits until a file satisfies a condition, and returns its text.
    pub(crate) async fn wait_for_file(
        &self,
        name: &str,
        what: &str,
        condition: impl Fn(&str) -> bool,
    ) -> String {
        wait_for_file(&self.path(name), what, condition).await
    }
}

/// Waits until a file, which may not exist yet, satisfies a condition, and returns its text.
pub(crate) async fn wait_for_file(
    path: &Path,
    what: &str,
    condition: impl Fn(&str) -> bool,
) -> String {
    let read = || String::from_utf8(std::fs::read(path).unwrap_or_default()).unwrap();
    let waited = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while !condition(&read()) {
            ticks.tick().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, waited).await.is_ok();
    assert!(found, "{} never showed {what}:\n{}", path.display(), read());
    read()
}

/// Waits until a server, which may not be up yet, answers with a body that satisfies a condition, and returns it.
pub(crate) async fn wait_for(
    address: SocketAddr,
    path: &str,
    what: &str,
    condition: impl Fn(&str) -> bool,
) -> String {
    let mut last = String::new();
    let asked = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if TcpStream::connect(address).await.is_ok() {
                last = request(address, "GET", path, "").await.1;
                if condition(&last) {
                    return;
                }
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, asked).await.is_ok();
    assert!(found, "{path} never showed {what}; last answer:\n{last}");
    last
}

/// A process that is killed with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Runs the real program, with probes every 100 ms, in a folder that has its files.
    pub(crate) fn start(directory: &Path, address: SocketAddr) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"))
            .args(["--scrape.interval=100ms", "--scrape.timeout=90ms"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// One HTTP request on a connection of its own: status and body.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> (u16, String) {
    send(address, method, path, headers, "").await
}

/// The same with a body.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { unchunk(body) } else { body.to_owned() })
}

fn unchunk(body: &str) -> String {
    let mut text = String::new();
    let mut rest = body;
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        text.push_str(&tail[..size]);
        rest = &tail[size + 2..];
    }
    text
}

/// Reads a request without a body; what came of it when the connection ends before.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
    String::from_utf8_lossy(&request).into_owned()
}

/// A web service that answers every request alike, until it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    _tasks: tokio::task::JoinSet<()>,
}

impl Service {
    /// Starts a service; port 0 lets the system choose.
    pub(crate) async fn start(port: u16, status: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                read_head(&mut stream).await;
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                );
                let _peer_gone = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, _tasks: tasks }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}
