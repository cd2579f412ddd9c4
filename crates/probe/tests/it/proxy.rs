//! Proxies: which one is asked, for what, and with which words.
//!
//! Must not know how a proxy is chosen.

use std::sync::Arc;

use probe::Net;
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Server};

use crate::support::{HTTP, LONG, Table, phases, run, run_plain, value, verdict};

/// A name that no proxy is needed for, but that does not go past one either.
const NAME: &str = "some.site.test";

/// An address on which nobody listens, whichever of the two is asked.
const NOBODY: &str = "http://127.0.0.1:1";

struct World {
    net: Net,
    certificates: Certificates,
    target: Server,
    secure: Server,
    _dns: DnsServer,
}

/// A network in which [`NAME`] is this machine, with a target for each scheme.
async fn world() -> World {
    let dns = DnsServer::start([(NAME, DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let certificates = Certificates::new();
    let net = Net::for_tests(Some(dns.address()), &[certificates.authority()]).unwrap();
    let target = Server::start(Behaviour::answer(200, "", "ok")).await;
    let answer = Behaviour::answer(200, "", "ok");
    let secure = Server::start_tls(certificates.acceptor(Leaf::Good), answer).await;
    World { net, certificates, target, secure, _dns: dns }
}

fn with_keys(keys: &str) -> String {
    format!("{{ prober: http, http: {{ {keys} }} }}")
}

#[tokio::test]
async fn a_request_without_tls_is_handed_to_the_proxy_whole() {
    let world = world().await;
    let proxy = Server::start(Behaviour::Echo(200)).await;
    let url = proxy.url("");
    let user = url.replace("://", "://me:p%40ss@");
    let mut table = Table::default();
    for (keys, sent) in [
        (format!("proxy_url: '{url}'"), vec!["GET http://some.site.test:81/x?y HTTP/1.1\r\n"]),
        (
            format!("proxy_url: '{url}', skip_resolve_phase_with_proxy: true"),
            vec!["GET http://some.site.test:81/x?y HTTP/1.1\r\n"],
        ),
        (
            format!("proxy_url: '{user}', headers: {{ X-Key: hunter2 }}"),
            vec!["Proxy-Authorization: Basic bWU6cEBzcw==\r\n", "X-Key: hunter2\r\n"],
        ),
        (format!("proxy_url: '{url}', method: POST, body: text"), vec!["\r\n\r\ntext", "POST "]),
    ] {
        let target = format!("http://{NAME}:81/x?y");
        let result = run(&world.net, &with_keys(&keys), &target, LONG).await;
        table.expect(&keys, &result, "up");
        let received = proxy.last_received();
        let host = format!("Host: {NAME}:81\r\n");
        for sent in sent.into_iter().chain([host.as_str()]) {
            table.check(&keys, received.contains(sent), &format!("{sent:?} is not in {received}"));
        }
        let own = received.contains("Proxy-Authorization: ");
        table.check(&keys, own == keys.contains("me:"), "an identity that is not its own");
    }
    table.finish();
}

#[tokio::test]
async fn a_tunnel_is_asked_for_with_the_modules_words() {
    let world = world().await;
    let proxy = Server::start(Behaviour::Tunnel).await;
    let port = world.secure.address().port();
    let url = proxy.url("");
    let user = url.replace("://", "://me:p%40ss@");
    let own = "proxy_connect_header: { Proxy-Authorization: [Own x], X-KEY: [one, two], host: [elsewhere] }";
    let mut table = Table::default();
    for (keys, host, head) in [
        (
            format!("proxy_url: '{url}'"),
            NAME,
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        ),
        (
            format!("proxy_url: '{url}', skip_resolve_phase_with_proxy: true"),
            "localhost",
            format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        ),
        (
            format!("proxy_url: '{user}', headers: {{ X-Key: hunter2 }}"),
            NAME,
            format!(
                "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n"
            ),
        ),
        (
            format!("proxy_url: '{user}', {own}"),
            NAME,
            format!(
                "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nProxy-Authorization: Own x\r\nX-KEY: one\r\nX-KEY: two\r\n\r\n"
            ),
        ),
    ] {
        let target = world.secure.url_as("https", host, "/");
        let result = run(&world.net, &with_keys(&keys), &target, LONG).await;
        table.expect(&keys, &result, "up");
        // The rest is the target's, in TLS.
        let received = proxy.last_received();
        table.check(&keys, received.starts_with(&head), &received);
        let shown = world.secure.last_received().to_lowercase();
        table.check(
            &keys,
            !shown.contains("proxy-") && shown.contains(&format!("host: {host}:{port}")),
            &shown,
        );
        table.check(&keys, shown.contains("hunter2") == keys.contains("hunter2"), &shown);
        let ssl = value(&result, "probe_http_ssl");
        table.check(&keys, ssl == Some(1.0), "no TLS");
    }
    table.finish();
}

#[tokio::test]
async fn a_proxy_can_have_tls_of_its_own() {
    let world = world().await;
    let acceptor = |leaf| world.certificates.acceptor(leaf);
    let mut table = Table::default();
    for (leaf, behaviour, target, expected) in [
        (Leaf::Good, Behaviour::Tunnel, &world.secure, "up"),
        (Leaf::Good, Behaviour::Echo(200), &world.target, "up"),
        (Leaf::Expired, Behaviour::Tunnel, &world.secure, "proxy/connect"),
        (Leaf::Expired, Behaviour::Echo(200), &world.target, "proxy/connect"),
    ] {
        let proxy = Server::start_tls(acceptor(leaf), behaviour).await;
        let settings = with_keys(&format!("proxy_url: '{}'", proxy.url("")));
        let scheme = if target.url("").starts_with("https") { "https" } else { "http" };
        let result = run(&world.net, &settings, &target.url_as(scheme, NAME, "/"), LONG).await;
        table.expect(&format!("{leaf:?} for {scheme}"), &result, expected);
        // The certificates are the target's, not the proxy's.
        let expiry = value(&result, "probe_ssl_earliest_cert_expiry");
        let wanted = scheme == "https" && expected == "up";
        table.check(scheme, expiry.is_some() == wanted, &format!("an expiry of {expiry:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn some_targets_go_past_the_proxy() {
    let world = world().await;
    let proxy = Arc::new(Server::start(Behaviour::answer(200, "", "the proxy")).await);
    let url = proxy.url("");
    let variables = [("HTTP_PROXY", url.clone()), ("NO_PROXY", "past.test".to_owned())];
    let net = world.net.with_environment(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    });
    let environment = "proxy_from_environment: true".to_owned();
    let mut table = Table::default();
    for (keys, host, through) in [
        (format!("proxy_url: '{url}'"), NAME, true),
        (format!("proxy_url: '{url}', no_proxy: 'a.test, {NAME}'"), NAME, false),
        (format!("proxy_url: '{url}', no_proxy: site.test"), NAME, false),
        (format!("proxy_url: '{url}', no_proxy: other.test"), NAME, true),
        (format!("proxy_url: '{url}', no_proxy: 127.0.0.0/8"), "127.0.0.1", false),
        (environment.clone(), NAME, true),
        (environment, "127.0.0.1", false),
        ("follow_redirects: true".to_owned(), NAME, false),
    ] {
        let before = (proxy.connections(), world.target.connections());
        let target = world.target.url_as("http", host, "/");
        let result = run(&net, &with_keys(&keys), &target, LONG).await;
        table.expect(&keys, &result, "up");
        let found = (proxy.connections() - before.0, world.target.connections() - before.1);
        let wanted = if through { (1, 0) } else { (0, 1) };
        table.check(&keys, found == wanted, &format!("{host}: {found:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn the_evidence_shows_what_a_proxy_was_asked_for() {
    let world = world().await;
    let refusing = Server::start(Behaviour::answer(403, "", "")).await;
    let user = refusing.url("").replace("://", "://me:hunter2@");
    let keys = format!("proxy_url: '{user}', proxy_connect_header: {{ X-KEY: [hunter2] }}");
    let target = world.secure.url_as("https", NAME, "/");
    let result = run(&world.net, &with_keys(&keys), &target, LONG).await;
    assert_eq!(verdict(&result), "proxy/connect", "{result:?}");
    let port = world.secure.address().port();
    let expected = format!(
        "CONNECT 127.0.0.1:{port} HTTP/1.1\nHost: 127.0.0.1:{port}\nProxy-Authorization: <secret>\nX-KEY: <secret>\n"
    );
    assert_eq!(result.evidence.hops[0].request, expected);
    // Where the proxy forwards, it gets the whole URL.
    let forwarding = Server::start(Behaviour::Echo(200)).await;
    let user = forwarding.url("").replace("://", "://me:hunter2@");
    let target = format!("http://{NAME}:81/x");
    let result = run(&world.net, &with_keys(&format!("proxy_url: '{user}'")), &target, LONG).await;
    let shown = &result.evidence.hops[0].request;
    let begins = format!("GET http://{NAME}:81/x HTTP/1.1\nHost: {NAME}:81\n");
    assert!(shown.starts_with(&begins), "{shown}");
    assert!(shown.contains("\nProxy-Authorization: <secret>\n"), "{shown}");
}

#[tokio::test]
async fn a_name_that_only_the_proxy_knows() {
    let world = world().await;
    let proxy = Server::start(Behaviour::Echo(200)).await;
    let keys = format!("proxy_url: '{}'", proxy.url(""));
    let target = "http://inside.test/";
    let result = run(&world.net, &with_keys(&keys), target, LONG).await;
    assert_eq!(verdict(&result), "resolve/nxdomain", "{result:?}");
    let keys = format!("{keys}, skip_resolve_phase_with_proxy: true");
    assert_eq!(verdict(&run(&world.net, &with_keys(&keys), target, LONG).await), "up");
    assert!(proxy.last_received().contains("Host: inside.test\r\n"), "{}", proxy.last_received());
    // Without a proxy there is nobody else to look it up.
    let result = run(&world.net, HTTP, target, LONG).await;
    assert_eq!(verdict(&result), "resolve/nxdomain");
}

#[tokio::test]
async fn the_address_and_the_lookup_are_the_targets() {
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let there = format!("http://{}", server.address());
    let mut table = Table::default();
    for (proxy, keys, target, expected, protocol, lookup) in [
        (&*there, "", NOBODY, "up", Some(4.0), true),
        (NOBODY, "", NOBODY, "proxy/refused", Some(4.0), true),
        (&there, "skip_resolve_phase_with_proxy: true", NOBODY, "up", None, false),
        // The address that was tried is the proxy's, which nobody asked about.
        (NOBODY, "skip_resolve_phase_with_proxy: true", NOBODY, "proxy/refused", None, false),
        (
            NOBODY,
            "skip_resolve_phase_with_proxy: true, no_proxy: 127.0.0.1",
            &there,
            "up",
            Some(4.0),
            true,
        ),
    ] {
        let settings = format!("{{ prober: http, http: {{ proxy_url: '{proxy}', {keys} }} }}");
        let result = run_plain(&settings, target).await;
        table.expect(&settings, &result, expected);
        let found = value(&result, "probe_ip_protocol");
        table.check(&settings, found == protocol, &format!("the protocol is {found:?}"));
        for metric in ["probe_ip_addr_hash", "probe_dns_lookup_time_seconds"] {
            let found = value(&result, metric).is_some();
            table.check(&settings, found == protocol.is_some(), &format!("{metric}: {found}"));
        }
        let found: Vec<String> = phases(&result).into_iter().map(|(phase, _)| phase).collect();
        let has = found.iter().any(|phase| phase == "resolve");
        table.check(&settings, has == lookup && found.len() >= 4, &format!("phases {found:?}"));
    }
    table.finish();
}
