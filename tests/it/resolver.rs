//! Names as the system looks them up: the program beside curl, in a network of its own with a name server on port 53 and its own
//! resolv.conf (Linux, `unshare`, `mount` and `ip`). Also a web server that knows `Host` in one spelling alone.
//!
//! Must not know how a name is looked up.

use std::{
    env, fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::Duration,
};

use testkit::{DnsAnswer, DnsServer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::Instant,
};

use crate::parts::{part, skip};

/// Says in the child process where its files are.
const INSIDE: &str = "WEBSERVICE_MONITOR_RESOLVER_TEST";

/// What the namespaces are like: loopback alone, and files of the resolver that the test writes. Where names are not looked up
/// as `nsswitch.conf` says, there is none.
const SETUP: &str = r#"ip link set lo up && mount --bind "$1/resolv.conf" /etc/resolv.conf &&
    if [ -e /etc/nsswitch.conf ]; then mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf; fi"#;

/// What runs inside: this test program, for one test.
const RUN: &str = r#"exec "$0" --exact resolver::inside --ignored --nocapture"#;

/// How to make them: as anybody, where that is allowed, or as root.
const WAYS: [&str; 2] = ["-rmn", "-mn"];

/// How much slower than curl a check may be.
const SLOWER_MAX: Duration = Duration::from_millis(300);

/// How often each is timed: other work on the machine must not decide.
const TIMES: usize = 5;

const PORT: u16 = 8080;

#[test]
fn names_are_found_where_curl_finds_them_and_as_soon() {
    if part("curl").is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("resolv.conf"), "").unwrap();
    fs::write(directory.path().join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    let this = env::current_exe().unwrap();
    let enter = |way: &str, script: &str| -> Option<Output> {
        let mut command = Command::new("unshare");
        command.args([way, "sh", "-c", script]).arg(&this).arg(directory.path());
        command.env(INSIDE, directory.path()).output().ok()
    };
    let allows = |way: &&str| enter(way, SETUP).is_some_and(|output| output.status.success());
    let Some(way) = WAYS.into_iter().find(allows) else {
        skip("mount and network namespaces", "unshare, mount and ip have to be there and allowed");
        return;
    };
    let output = enter(way, &format!("{SETUP} && {RUN}")).unwrap();
    let [shown, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}{errors}");
    let times = errors.lines().filter(|line| line.contains(" s, curl "));
    let _printed = writeln!(std::io::stderr(), "{}", times.collect::<Vec<_>>().join("\n"));
}

/// One world: what is in resolv.conf, what the name server says, what is asked for, and whether it is there.
struct World {
    name: &'static str,
    resolv_conf: &'static str,
    zone: fn() -> Vec<(&'static str, DnsAnswer)>,
    host: &'static str,
    is_up: bool,
}

fn here() -> DnsAnswer {
    DnsAnswer::addresses(&["127.0.0.1"])
}

const CLUSTER: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local corp.internal\noptions ndots:5\n";

const WORLDS: &[World] = &[
    World {
        name: "a search domain that refuses",
        resolv_conf: CLUSTER,
        zone: || {
            vec![
                (".corp.internal", DnsAnswer::Refused),
                (".cluster.local", DnsAnswer::Nxdomain),
                (".", here()),
            ]
        },
        host: "api.example.test",
        is_up: true,
    },
    World {
        name: "a search domain that fails",
        resolv_conf: CLUSTER,
        zone: || {
            vec![
                (".corp.internal", DnsAnswer::Servfail),
                (".cluster.local", DnsAnswer::Nxdomain),
                (".", here()),
            ]
        },
        host: "api.example.test",
        is_up: true,
    },
    World {
        name: "each first question fails",
        resolv_conf: "",
        zone: || vec![(".", DnsAnswer::InTurn(vec![DnsAnswer::Servfail, here()]))],
        host: "api.example.test",
        is_up: true,
    },
    World {
        name: "each first question fails, in a cluster",
        resolv_conf: CLUSTER,
        zone: || {
            let gone = DnsAnswer::InTurn(vec![DnsAnswer::Servfail, DnsAnswer::Nxdomain]);
            let there = DnsAnswer::InTurn(vec![DnsAnswer::Servfail, here()]);
            vec![(".corp.internal", gone.clone()), (".cluster.local", gone), (".", there)]
        },
        host: "api.example.test",
        is_up: true,
    },
    World {
        name: "a dotted name below the search list",
        resolv_conf: "search corp.example\noptions ndots:1\n",
        zone: || vec![(".corp.example", here())],
        host: "web.dmz",
        is_up: true,
    },
    World {
        name: "a short name below the search list",
        resolv_conf: "search other.example corp.example\n",
        zone: || vec![(".corp.example", here())],
        host: "web",
        is_up: true,
    },
    World {
        name: "a complete name",
        resolv_conf: "search corp.example\n",
        zone: || vec![(".corp.example", here())],
        host: "web.dmz.",
        is_up: false,
    },
    World {
        name: "no such name",
        resolv_conf: CLUSTER,
        zone: || vec![(".corp.internal", DnsAnswer::Refused)],
        host: "gone.example.test",
        is_up: false,
    },
];

/// A web server that takes a request by `Host: ` alone and keeps the heads of all.
struct Web {
    heads: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Web {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", PORT)).await.unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let kept = Arc::clone(&heads);
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read_buf(&mut head).await.unwrap_or(0) > 0
                {}
                let head = String::from_utf8_lossy(&head).into_owned();
                let status = if head.contains("\r\nHost: ") { "200 OK" } else { "400 Bad Request" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                kept.lock().unwrap().push(head);
                let _peer_gone = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { heads, _tasks: tasks }
    }

    /// The head of the latest request, with the line ends of the evidence.
    fn last(&self) -> String {
        let heads = self.heads.lock().unwrap();
        let head = heads.last().map(|head| head.trim_end().replace("\r\n", "\n"));
        head.unwrap_or_default() + "\n"
    }
}

/// Runs a program to its end, and says how long it took.
async fn timed(mut command: Command) -> (Output, Duration) {
    let running = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        (command.output().unwrap(), begun.elapsed())
    });
    running.await.unwrap()
}

/// Whether curl finds the service, and how long it took.
async fn curl(program: &Path, url: &str) -> (bool, Duration) {
    let mut command = Command::new(program);
    command.args(["--silent", "--fail", "--noproxy", "*", "--max-time", "30", url]);
    let (output, elapsed) = timed(command).await;
    (output.status.success(), elapsed)
}

/// What `check` says of the service, and how long it took.
async fn check(directory: &Path, url: &str) -> (serde_json::Value, Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"));
    command.args(["check", "--verbose", "--output=json", url]).current_dir(directory);
    let (output, elapsed) = timed(command).await;
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (rows[0].clone(), elapsed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by names_are_found_where_curl_finds_them_and_as_soon in its namespaces"]
async fn inside() {
    let directory = PathBuf::from(env::var_os(INSIDE).expect("namespaces of its own"));
    let curl_program = part("curl").unwrap();
    let resolver = SocketAddr::from(([127, 0, 0, 1], 53));
    let web = Web::start().await;
    let mut mistakes = Vec::new();
    for World { name, resolv_conf, zone, host, is_up } in WORLDS {
        // Written into the same file, which is the one that was mounted.
        let text = format!("nameserver 127.0.0.1\n{resolv_conf}");
        fs::write(directory.join("resolv.conf"), text).unwrap();
        let url = format!("http://{host}:{PORT}/");
        let mut best = [Duration::MAX; 2];
        for _ in 0..TIMES {
            // A new one each time, because some answers depend on what was asked before.
            let dns = DnsServer::start_on(resolver, zone()).await;
            let (found, elapsed) = curl(&curl_program, &url).await;
            assert_eq!(found, *is_up, "{name}: curl; asked {:?}", dns.questions());
            best[0] = best[0].min(elapsed);
            dns.stop().await;
            let dns = DnsServer::start_on(resolver, zone()).await;
            let (row, elapsed) = check(&directory, &url).await;
            best[1] = best[1].min(elapsed);
            let state = if *is_up { "up" } else { "down" };
            if row["state"] != state {
                mistakes.push(format!("{name}: {row}; asked {:?}", dns.questions()));
            }
            let (shown, sent) = (row["evidence"][0]["request"].as_str().unwrap(), web.last());
            if *is_up && shown != sent {
                mistakes.push(format!("{name}: shown {shown:?}, sent {sent:?}"));
            }
            dns.stop().await;
        }
        let [curl, own] = best;
        let times = format!("{name}: {:.3} s, curl {:.3} s", own.as_secs_f64(), curl.as_secs_f64());
        let _printed = writeln!(std::io::stderr(), "{times}");
        if own > curl + SLOWER_MAX {
            mistakes.push(times);
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
