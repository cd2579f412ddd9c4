//! An API that is served on a store of known samples, and a client for it.
//!
//! Must not know the endpoints.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use series::{Appender as _, Labels, Timestamp, store::Store};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use webservice_monitor::{
    api::{self, Reader},
    clock::Clock,
    config::{Config, Target},
    state::{About, Monitor},
};

/// The time in all tests: one minute after the last sample.
pub(super) const NOW: Timestamp = 660_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// An API that is served until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(monitor: Reader) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(
            async move { axum::serve(listener, api::router(Arc::new(monitor))).await.unwrap() },
        );
        Self { address, _tasks: tasks }
    }

    pub(super) async fn send(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let text = format!(
            "{head}\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 405 {
            assert!(head.contains("content-type: application/json"), "{head}");
        }
        (status, body.to_owned())
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        self.send(&format!("GET /api/v1/{path} HTTP/1.1"), "").await
    }

    pub(super) async fn post(&self, path: &str, form: &str) -> (u16, String) {
        let kind = "content-type: application/x-www-form-urlencoded; charset=utf-8";
        self.send(&format!("POST /api/v1/{path} HTTP/1.1\r\n{kind}"), form).await
    }
}

/// `up` of two instances and `load` of one, every 15 s from 0 to 600 s.
pub(super) fn store() -> Store {
    let store = Store::in_memory();
    let up = |instance| Labels::new([("__name__", "up"), ("instance", instance)]);
    let load = Labels::new([("__name__", "load"), ("core", "0")]);
    for round in 0..=40_u32 {
        let at = i64::from(round) * 15_000;
        let samples = [(up("a"), 1.0), (up("b"), 0.0), (load.clone(), f64::from(round) / 4.0)];
        store.append(at, &samples).unwrap();
    }
    store
}

pub(super) fn monitor(store: Option<Store>, targets: Vec<Arc<Target>>) -> Reader {
    let modules =
        probe::Module::builtin().into_iter().map(|(name, module)| (name, Arc::new(module)));
    let config = Config {
        targets,
        modules: modules.collect(),
        unsupported_modules: BTreeMap::new(),
        rules: Vec::new(),
        files: Vec::new(),
        warnings: Vec::new(),
    };
    reader(config, store)
}

pub(super) fn reader(config: Config, store: Option<Store>) -> Reader {
    let about = About { external_url: String::new(), started: NOW, data_since: NOW };
    let monitor = Monitor::new(Arc::new(Fixed), config, about, 10);
    Reader { monitor, store: store.map(Arc::new), rules: Arc::default() }
}

pub(super) fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}
