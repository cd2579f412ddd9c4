//! Routes that lead nowhere, a machine without IPv6, and no port left: in a network namespace of its own (Linux, `unshare` and
//! `ip`), where the routes can be set. Rows 11, 20, 22 and 30 of the catalogue.
//!
//! Must not know how a probe connects.
#![expect(
    clippy::disallowed_methods,
    reason = "the environment says what the child process is, and the run how strict to be"
)]

use std::{process::Command, time::Duration};

use testkit::{Behaviour, Server};

use crate::support::{HTTP, LONG, Table, plain_net, run};

/// Says in the child process that it runs inside.
const INSIDE: &str = "WEBSERVICE_MONITOR_INSIDE_NAMESPACE";

/// The environment variable that makes a skip an error.
const NO_SKIP: &str = "WEBSERVICE_MONITOR_NO_SKIP";

/// What the namespace is like: loopback alone, three routes that the kernel refuses each in its own way, two ports to connect
/// from.
const SETUP: &str = "ip link set lo up && \
    ip route add unreachable 198.51.100.1 && \
    ip route add prohibit 198.51.100.2 && \
    ip route add blackhole 198.51.100.3 && \
    echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range && \
    exec \"$0\" --exact namespace::inside --ignored --nocapture";

/// How to make one: as anybody, where that is allowed, or as root.
const WAYS: [&str; 2] = ["-rn", "-n"];

#[test]
fn routes_and_ports_are_distinguished() {
    // Where this is not allowed, even the first step fails.
    let allows = |way: &&str| {
        let first = Command::new("unshare").args([*way, "ip", "link", "set", "lo", "up"]).output();
        first.is_ok_and(|output| output.status.success())
    };
    let Some(way) = WAYS.into_iter().find(allows) else {
        let strict = std::env::var(NO_SKIP).is_ok_and(|value| value == "1");
        assert!(!strict, "no network namespace can be made; unshare and ip have to be there");
        eprintln!("SKIPPED routes_and_ports_are_distinguished: no network namespace can be made");
        return;
    };
    let this = std::env::current_exe().unwrap();
    let mut child = Command::new("unshare");
    child.args([way, "sh", "-c", SETUP]).arg(this).env(INSIDE, "1");
    let output = child.output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && text[0].contains("1 passed"), "{}", text.concat());
}

#[tokio::test]
#[ignore = "run by routes_and_ports_are_distinguished in its namespace"]
async fn inside() {
    assert!(std::env::var(INSIDE).is_ok(), "this test is for a namespace of its own");
    let mut table = Table::default();
    for (target, expected) in [
        ("http://198.51.100.1/", "connect/unreachable"),
        ("http://198.51.100.2/", "connect/unreachable"),
        ("http://198.51.100.3/", "connect/unreachable"),
        ("http://198.51.100.4/", "connect/unreachable"),
        ("http://[2001:db8::1]/", "connect/unreachable"),
        ("http://127.0.0.1:9/", "connect/refused"),
    ] {
        let result = run(&plain_net(), HTTP, target, LONG).await;
        table.expect(target, &result, expected);
        table.check(target, result.elapsed < Duration::from_secs(1), "was not reported at once");
    }
    // Both ports are taken by connections to the same server.
    let server = Server::start_on(([127, 0, 0, 1], 50_000).into(), Behaviour::silence()).await;
    let mut taken = Vec::new();
    while let Ok(stream) = tokio::net::TcpStream::connect(server.address()).await {
        taken.push(stream);
        assert!(taken.len() <= 2, "there are more ports than two");
    }
    let result = run(&plain_net(), HTTP, &server.url("/"), LONG).await;
    table.expect("no port is left", &result, "fault internal/no_fds");
    table.finish();
}
