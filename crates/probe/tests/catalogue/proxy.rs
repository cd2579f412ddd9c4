//! Proxies that fail, and proxies that nobody asked for: rows 112 and 113.
//!
//! The proxy comes from the environment of the network, which is where its port can be given. Must not know how a proxy is
//! asked.

use std::{net::SocketAddr, time::Duration};

use probe::Net;
use testkit::{Behaviour, DnsAnswer, DnsServer, FullBacklog, Server, Step};

use crate::row::{Case, Row};

/// A module that takes the proxy of the environment and leaves the name to it.
const PROXIED: &str =
    "{ prober: http, http: { proxy_from_environment: true, skip_resolve_phase_with_proxy: true } }";

/// A network whose environment names this proxy for every scheme.
fn net(name_server: Option<SocketAddr>, proxy: SocketAddr) -> Net {
    let net = Net::for_tests(name_server, &[]).expect("a network for tests");
    let wanted = ["HTTP_PROXY", "HTTPS_PROXY"];
    net.with_environment(|name| wanted.contains(&name).then(|| format!("http://{proxy}")))
}

/// A target by this scheme, through a proxy that behaves like this.
fn through(
    number: &'static str,
    name: &'static str,
    scheme: &'static str,
    behaviour: Behaviour,
    expected: &'static str,
) -> Row {
    Row::new(number, name, expected, move || {
        let behaviour = behaviour.clone();
        async move {
            let proxy = Server::start(behaviour).await;
            let net = net(None, proxy.address());
            Ok(Case::with(net, format!("{scheme}://some.test/"), proxy))
        }
    })
    .module(PROXIED)
}

/// A target by this scheme, through a proxy to which nobody can connect.
fn unreachable(number: &'static str, name: &'static str, scheme: &'static str) -> [Row; 2] {
    [
        Row::new(number, name, "proxy/refused", move || async move {
            let closed = SocketAddr::from(([127, 0, 0, 1], 1));
            Ok(Case::with(net(None, closed), format!("{scheme}://some.test/"), ()))
        })
        .module(PROXIED),
        Row::new(number, "a proxy whose queue is full", "proxy/timeout", move || async move {
            let full = FullBacklog::start().await;
            let net = net(None, full.address());
            Ok(Case::with(net, format!("{scheme}://some.test/"), full))
        })
        .module(PROXIED)
        .until_the_deadline(),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = tunnels();
    rows.extend(unreachable("112a", "a closed port, for https", "https"));
    rows.extend(unreachable("112b", "a closed port, for http", "http"));
    rows.extend(forwarders());
    rows.extend(unasked());
    rows
}

fn tunnels() -> Vec<Row> {
    let row = |number, name, behaviour, expected| through(number, name, "https", behaviour, expected);
    let drip = Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Drip(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec(), Duration::from_millis(150)),
    ]);
    let large = format!("X-Padding: {}\r\n", "x".repeat(100_000));
    vec![
        row("112c", "407", Behaviour::answer(407, "", ""), "proxy/auth"),
        row("112d", "502", Behaviour::answer(502, "", ""), "proxy/connect"),
        row("112e", "an answer byte by byte", drip, "proxy/timeout").until_the_deadline(),
        row("112f", "silence", Behaviour::silence(), "proxy/timeout").until_the_deadline(),
        row("112g", "100 KB of headers", Behaviour::answer(200, &large, ""), "proxy/bad_reply"),
        row("112h", "headers without end", Behaviour::endless_headers(), "proxy/bad_reply"),
        row(
            "112i",
            "garbage behind the answer",
            Behaviour::reply("HTTP/1.1 200 Connected\r\n\r\nnonsense"),
            "proxy/bad_reply",
        ),
        row("112j", "garbage instead of an answer", Behaviour::garbage(), "proxy/bad_reply"),
        row("112k", "SSH", Behaviour::reply("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "proxy/bad_reply"),
        row("112l", "a close", Behaviour::close_before_answer(), "proxy/bad_reply"),
        row("112m", "a reset", Behaviour::reset_before_answer(), "proxy/bad_reply"),
        row(
            "112n",
            "a tunnel to nowhere",
            Behaviour::Script(vec![
                Step::ReadRequest,
                Step::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()),
                Step::Silence,
            ]),
            "tls/timeout",
        )
        .until_the_deadline(),
    ]
}

fn forwarders() -> Vec<Row> {
    let row = |number, name, behaviour, expected| through(number, name, "http", behaviour, expected);
    vec![
        row("112o", "407 for http", Behaviour::answer(407, "", ""), "proxy/auth"),
        row("112s", "407 for http, which is wanted", Behaviour::answer(407, "", ""), "up").module(
            PROXIED.replace("http: {", "http: { valid_status_codes: [407],"),
        ),
        // Nobody can tell whether the proxy or the target says so.
        row("112p", "502 for http", Behaviour::answer(502, "", ""), "check/status"),
        row("112q", "silence for http", Behaviour::silence(), "http/timeout").until_the_deadline(),
        row("112r", "a close for http", Behaviour::close_before_answer(), "http/no_response"),
    ]
}

fn unasked() -> Vec<Row> {
    let row = |number, name, expected| {
        Row::new(number, name, expected, || async {
            let here = DnsAnswer::addresses(&["127.0.0.1"]);
            let dns = DnsServer::start([("some.test", here)]).await;
            let proxy = Server::start(Behaviour::answer(502, "", "")).await;
            let target = Server::start(Behaviour::answer(200, "", "ok")).await;
            let url = target.url_as("http", "some.test", "/");
            Ok(Case::with(net(Some(dns.address()), proxy.address()), url, (dns, proxy, target)))
        })
    };
    vec![
        row("113a", "a proxy in the environment that nobody asked for", "up"),
        row("113b", "a proxy in the environment that the module asked for", "check/status")
            .module("{ prober: http, http: { proxy_from_environment: true } }"),
    ]
}
