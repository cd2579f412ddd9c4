//! Edits of targets while they are watched: what was removed ends at once, what was edited goes on without a gap.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};

use crate::program::Program;

/// A service that answers while its gate is open, and lets requests wait while it is closed.
struct Gated {
    address: SocketAddr,
    gate: watch::Sender<bool>,
    asked: Arc<watch::Sender<usize>>,
    _tasks: JoinSet<()>,
}

impl Gated {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, open) = watch::channel(true);
        let asked = Arc::new(watch::channel(0).0);
        let (count, mut tasks) = (Arc::clone(&asked), JoinSet::new());
        tasks.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let mut open = open.clone();
                answers.spawn(async move {
                    let mut request = [0; 4096];
                    let _read = stream.read(&mut request).await;
                    open.wait_for(|open| *open).await.unwrap();
                    let answer =
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    let _peer_gone = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, gate, asked, _tasks: tasks }
    }

    /// Waits until that many requests have come.
    async fn until_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let waited = asked.wait_for(|count| *count >= times);
        tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap().unwrap();
    }

    /// A targets file with this service, probed so rarely that only an edit can be the cause of another probe.
    fn targets(&self, labels: &str) -> String {
        let times = "__scrape_interval__: 4m, __scrape_timeout__: 1m";
        format!("- targets: [\"http://{}/\"]\n  labels: {{ {times}{labels} }}\n", self.address)
    }
}

async fn edit(program: &Program, targets: &str) {
    std::fs::write(program.path("targets.yml"), targets).unwrap();
    assert_eq!(program.post("/-/reload").await.0, 200);
}

const UP: &str = "/api/v1/query?query=up%7Bjob%3D%22webservices%22%7D";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edited_labels_leave_no_gap_and_a_removed_target_ends_at_once() {
    let service = Gated::start().await;
    let program = Program::all_in_one(&service.targets(", team: a"), "groups: []\n").await;
    program.wait_for(UP, "the first team", |body| body.contains("\"team\":\"a\"")).await;

    // The probe with the new labels is made at once; until it ends the target is known by the old ones.
    service.gate.send_replace(false);
    edit(&program, &service.targets(", team: b")).await;
    service.until_asked(2).await;
    let (_, during) = program.get(UP).await;
    assert!(during.contains("\"team\":\"a\""), "{during}");
    service.gate.send_replace(true);
    let both = |body: &str| (body.contains("\"team\":\"a\""), body.contains("\"team\":\"b\""));
    program
        .wait_for(UP, "the second team alone", |body| {
            assert_ne!(both(body), (false, false), "nothing is known of the target");
            both(body) == (false, true)
        })
        .await;
    assert_eq!(program.get("/").await.1.matches("No data yet").count(), 0);

    // One module more is one target more, and takes nothing away from the other.
    let second = format!(
        "{}{}",
        service.targets(", team: b"),
        service.targets(", team: b, module: http_post_2xx")
    );
    edit(&program, &second).await;
    let modules = |body: &str| body.matches("\"team\":\"b\"").count();
    program.wait_for(UP, "two targets", |body| modules(body) == 2).await;
    edit(&program, &service.targets(", team: b")).await;
    program.wait_for(UP, "one target", |body| modules(body) == 1).await;

    // Without a staleness marker it would be there for five minutes more.
    edit(&program, "[]\n").await;
    program.wait_for(UP, "the end", |body| body.contains("\"result\":[]")).await;
    program.app.stop().await;
}
