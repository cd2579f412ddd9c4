//! Rows about proxies.

use testkit::{Behaviour, Leaf, Step, TlsSettings};

use super::row::{Row, Setup, plain, row};

/// What is reported when a name is looked up.
const LOOKUP: &[&str] = &[
    "probe_dns_lookup_time_seconds",
    "probe_http_duration_seconds",
    "probe_ip_addr_hash",
    "probe_ip_protocol",
];

/// The first server is the proxy, and the target a port on which nobody listens.
const PROXY: &str = "proxy_url: 'http://127.0.0.1:{port}'";
const HTTP: &str = "http://127.0.0.1:1/path?a=b";
const UNKNOWN: &str = "http://does-not-exist.invalid/";
const HTTPS: &str = "https://127.0.0.1:1/path";

pub(super) fn rows() -> Vec<Row> {
    [forwarded(), resolving(), connected(), through(), exceptions()].into_iter().flatten().collect()
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

fn forwarded() -> Vec<Row> {
    let user = "proxy_url: 'http://anna:hush@127.0.0.1:{port}'";
    let header = "proxy_url: 'http://127.0.0.1:{port}', proxy_connect_header: { X-A: [b] }";
    vec![
        plain("proxy", ok(), PROXY).target(HTTP),
        plain(
            "proxy with POST",
            ok(),
            "proxy_url: 'http://127.0.0.1:{port}', method: POST, body: ping",
        )
        .target(HTTP),
        plain(
            "proxy with a Host header",
            ok(),
            "proxy_url: 'http://127.0.0.1:{port}', headers: { Host: vhost.example }",
        )
        .target(HTTP),
        plain("proxy with a user", ok(), user).target(HTTP),
        plain("proxy with a connect header", ok(), header).target(HTTP),
        plain("proxy to a name", ok(), PROXY).target("http://localhost:1/"),
        plain("proxy to an unknown name", ok(), PROXY).target(UNKNOWN),
        plain("proxy that fails", Behaviour::answer(502, "", "no"), PROXY).target(HTTP),
        plain(
            "proxy that refuses",
            Behaviour::answer(407, "Proxy-Authenticate: Basic\r\n", ""),
            PROXY,
        )
        .target(HTTP),
        plain("proxy that closes", Behaviour::close_before_answer(), PROXY).target(HTTP),
        plain("proxy that is silent", Behaviour::silence(), PROXY).target(HTTP).too_slow(),
        plain(
            "proxy and a redirect",
            Behaviour::paths([
                ("http://127.0.0.1:1/", Behaviour::redirect("/end")),
                ("http://127.0.0.1:1/end", Behaviour::message(200, "", "there")),
            ]),
            PROXY,
        )
        .target("http://127.0.0.1:1/"),
        row("proxy not there", Setup::Nobody, "proxy_url: 'http://127.0.0.1:1'"),
    ]
}

/// Where the proxy looks names up.
fn resolving() -> Vec<Row> {
    let skip = "proxy_url: 'http://127.0.0.1:{port}', skip_resolve_phase_with_proxy: true";
    vec![
        plain("proxy that resolves", ok(), skip).target(UNKNOWN),
        plain("proxy that resolves an address", ok(), skip).target(HTTP),
        plain(
            "proxy that resolves and redirects",
            Behaviour::paths([
                ("http://127.0.0.1:1/", Behaviour::redirect("/end")),
                ("http://127.0.0.1:1/end", Behaviour::message(200, "", "there")),
            ]),
            skip,
        )
        .target("http://127.0.0.1:1/"),
        plain("proxy that resolves and closes", Behaviour::close_before_answer(), skip)
            .target(UNKNOWN),
        row(
            "proxy that resolves and is not there",
            Setup::Nobody,
            "proxy_url: 'http://127.0.0.1:1', skip_resolve_phase_with_proxy: true",
        ),
        plain(
            "no proxy for an address that it resolves",
            ok(),
            "proxy_url: 'http://127.0.0.1:1', no_proxy: '127.0.0.1', skip_resolve_phase_with_proxy: true",
        ).differs("lookup-without-proxy", LOOKUP),
        plain(
            "no proxy of the environment that resolves",
            ok(),
            "proxy_from_environment: true, skip_resolve_phase_with_proxy: true",
        ).differs("lookup-without-proxy", LOOKUP),
        plain("no lookup without a proxy", ok(), "skip_resolve_phase_with_proxy: true"),
    ]
}

fn connected() -> Vec<Row> {
    let header = "proxy_url: 'http://127.0.0.1:{port}', proxy_connect_header: { X-KEY: [b, c], Proxy-Authorization: [Bearer x] }";
    let user = "proxy_url: 'http://anna:hush@127.0.0.1:{port}'";
    let then_close = Behaviour::reply("HTTP/1.1 200 Connected\r\n\r\n");
    let then_garbage = Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()),
        Step::ReadSome,
        Step::Send(b"garbage, not TLS".to_vec()),
    ]);
    vec![
        plain("tunnel that fails", Behaviour::answer(502, "", "no"), PROXY).target(HTTPS),
        plain(
            "tunnel that refuses",
            Behaviour::answer(407, "Proxy-Authenticate: Basic\r\n", ""),
            PROXY,
        )
        .target(HTTPS),
        plain("tunnel with a connect header", Behaviour::answer(502, "", "no"), header)
            .target(HTTPS),
        plain("tunnel with a user", Behaviour::answer(502, "", "no"), user).target(HTTPS),
        plain("tunnel to a name", Behaviour::answer(502, "", "no"), PROXY)
            .target("https://localhost:1/"),
        plain(
            "tunnel by a redirect",
            Behaviour::answer(302, "Location: http://127.0.0.1:1/\r\n", ""),
            PROXY,
        )
        .target(HTTPS),
        plain("tunnel that closes", Behaviour::close_before_answer(), PROXY).target(HTTPS),
        plain("tunnel of garbage", Behaviour::garbage(), PROXY).target(HTTPS),
        plain("tunnel that is silent", Behaviour::silence(), PROXY)
            .without("requests")
            .target(HTTPS)
            .too_slow(),
        plain("tunnel and close", then_close, PROXY).target(HTTPS),
        plain("tunnel and garbage", then_garbage, PROXY).target(HTTPS),
        row("tunnel not there", Setup::Nobody, "proxy_url: 'http://127.0.0.1:1'").target(HTTPS),
    ]
}

/// Where a tunnel, the second server, leads to the target.
fn through() -> Vec<Row> {
    let settings = "proxy_url: 'http://127.0.0.1:{second}', tls_config: { {ca} }";
    let http = || Behaviour::Http { status: 200, body: "hello".to_owned() };
    let tls = |leaf, alpn: &[&'static str]| {
        let settings = TlsSettings { alpn: alpn.to_vec(), ..TlsSettings::default() };
        Setup::Tls(leaf, settings, http())
    };
    vec![
        row("tunnel", tls(Leaf::Good, &[]), settings).second(Behaviour::Tunnel),
        row("tunnel of HTTP/2", tls(Leaf::Good, &["h2"]), settings).second(Behaviour::Tunnel),
        row("tunnel to a wrong name", tls(Leaf::WrongName, &[]), settings)
            .second(Behaviour::Tunnel),
        row("tunnel to an expired certificate", tls(Leaf::Expired, &[]), settings)
            .second(Behaviour::Tunnel),
    ]
}

/// Where the target is asked without the proxy, which nobody would answer.
fn exceptions() -> Vec<Row> {
    vec![
        plain(
            "no proxy for an address",
            ok(),
            "proxy_url: 'http://127.0.0.1:1', no_proxy: '127.0.0.1'",
        ),
        plain(
            "no proxy for a network",
            ok(),
            "proxy_url: 'http://127.0.0.1:1', no_proxy: '10.0.0.0/8, 127.0.0.0/8'",
        ),
        plain(
            "no proxy for a name",
            ok(),
            "proxy_url: 'http://127.0.0.1:1', no_proxy: 'a.example,localhost'",
        )
        .target("http://localhost:{port}/"),
        plain("no proxy for all", ok(), "proxy_url: 'http://127.0.0.1:1', no_proxy: '*'"),
        plain(
            "no proxy for another",
            ok(),
            "proxy_url: 'http://127.0.0.1:{port}', no_proxy: '127.0.0.2, a.example'",
        )
        .target(HTTP),
        plain("proxy of the environment", ok(), "proxy_from_environment: true"),
    ]
}
