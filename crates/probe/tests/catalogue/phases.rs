//! A deadline that passes in each phase: row 116. The times of the phases add up to that of the probe.
//!
//! Must not know how a phase is timed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use probe::Net;
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, FullBacklog, Leaf, Server, Step};

use crate::row::{Case, HTTP_BODY, Row};

pub(crate) fn rows() -> Vec<Row> {
    let rows: Vec<Row> = [ways(), exchanges(), checks()].into_iter().flatten().collect();
    rows.into_iter().map(|row| row.until_the_deadline().adding_up()).collect()
}

fn net(name_server: Option<SocketAddr>) -> Net {
    Net::for_tests(name_server, &[]).expect("a network for tests")
}

/// Phases in which there is no connection to the target yet.
fn ways() -> Vec<Row> {
    vec![
        Row::new("116a", "resolve", "resolve/timeout", || async {
            let dns = DnsServer::start([("some.test", DnsAnswer::Silent)]).await;
            Ok(Case::with(net(Some(dns.address())), "http://some.test/", dns))
        }),
        Row::new("116b", "connect", "connect/timeout", || async {
            let full = FullBacklog::start().await;
            Ok(Case::with(net(None), format!("http://{}/", full.address()), full))
        }),
        Row::new("116c", "proxy", "proxy/timeout", || async {
            let proxy = Server::start(Behaviour::silence()).await;
            let address = proxy.address().to_string();
            let net = net(None)
                .with_environment(|name| (name == "HTTPS_PROXY").then(|| address.clone()));
            Ok(Case::with(net, "https://some.test/", proxy))
        })
        .module(
            "{ prober: http, http: { proxy_from_environment: true, \
                skip_resolve_phase_with_proxy: true } }",
        ),
        Row::new("116d", "tls", "tls/timeout", || async {
            let server = Server::start(Behaviour::silence()).await;
            Ok(Case::with(net(None), server.url_as("https", "127.0.0.1", "/"), server))
        }),
    ]
}

/// Phases of the exchange itself.
fn exchanges() -> Vec<Row> {
    let certificates = Arc::new(Certificates::new());
    // More than the buffers of both sides take in.
    let large = format!("{{ prober: http, http: {{ method: POST, body: {} }} }}", "x".repeat(5 << 20));
    vec![
        Row::server(
            "116e",
            "send",
            Behaviour::Script(vec![Step::Drip(vec![b'x'], Duration::from_mins(1))]),
            "http/timeout",
        )
        .module(large),
        Row::server("116f", "first byte", Behaviour::silence(), "http/timeout"),
        Row::new("116g", "first byte, https", "http/timeout", move || {
            let certificates = Arc::clone(&certificates);
            async move {
                let acceptor = certificates.acceptor(Leaf::Good);
                let server = Server::start_tls(acceptor, Behaviour::silence()).await;
                let net = Net::for_tests(None, &[certificates.authority()]);
                Ok(Case::with(net.expect("a network for tests"), server.url("/"), server))
            }
        }),
        Row::server("116h", "body", Behaviour::stall_mid_body(), "body/timeout").module(HTTP_BODY),
        Row::server(
            "116i",
            "body, after a redirect",
            Behaviour::Sequence(vec![
                Behaviour::reply(Behaviour::redirect("/end")),
                Behaviour::stall_mid_body(),
            ]),
            "body/timeout",
        ),
    ]
}

/// An expression that looks at every number for every number.
#[cfg(feature = "cel")]
fn checks() -> Vec<Row> {
    let expression = "body.all(x, body.all(y, body.all(z, x + y + z >= 0.0)))";
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let body = format!("[{}]", numbers.join(","));
    vec![
        Row::server("116j", "check", Behaviour::answer(200, "", &body), "check/timeout").module(
            format!(
                "{{ prober: http, http: {{ fail_if_body_json_not_matches_cel: '{expression}' }} }}"
            ),
        ),
    ]
}

#[cfg(not(feature = "cel"))]
fn checks() -> Vec<Row> {
    Vec::new()
}
