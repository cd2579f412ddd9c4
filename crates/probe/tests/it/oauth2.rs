//! Access tokens: how they are asked for, how long they serve, and who is blamed when there is none.
//!
//! Must not know how a token is kept.

use std::time::Duration;

use probe::{Module, Net, ProbeResult};
use testkit::{Behaviour, Certificates, DnsServer, Leaf, Server};

use crate::{
    auth::{folder, http},
    support::{LONG, Table, module, plain_net, verdict},
};

/// An answer of a token endpoint.
fn token(token: &str, more: &str) -> Behaviour {
    Behaviour::answer(200, "", &format!("{{\"access_token\":\"{token}\"{more}}}"))
}

/// A module that gets its tokens there.
fn module_for(endpoint: &str, more: &str) -> Module {
    module(&format!(
        "{{ prober: http, http: {{ oauth2: {{ client_id: 'my id', client_secret: 'h&nter2', \
         token_url: '{endpoint}' {more} }} }} }}"
    ))
}

async fn probe(module: &Module, net: &Net, target: &Server) -> ProbeResult {
    let target = module.target(&target.url("/")).unwrap();
    module.probe(net, &target, LONG).await
}

#[tokio::test]
async fn the_client_says_who_it_is_by_header_and_then_in_the_body() {
    let refusing = Behaviour::answer(401, "", "");
    let endpoint = Server::start(Behaviour::Sequence(vec![
        refusing,
        token("t0ken", ",\"token_type\":\"bearer\""),
    ]))
    .await;
    let target = Server::start(Behaviour::Echo(200)).await;
    let more = ", scopes: [read, write], endpoint_params: { audience: 'a b' }";
    let tested = module_for(&endpoint.url("/token"), more);
    let result = probe(&tested, &plain_net(), &target).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    assert!(target.last_received().contains("Authorization: Bearer t0ken\r\n"));
    let [first, second] = &endpoint.received()[..] else { panic!("not two requests") };
    let form = "grant_type=client_credentials&scope=read+write&audience=a+b";
    // `my+id:h%26nter2` (RFC 6749 §2.3.1).
    assert!(first.contains("Authorization: Basic bXkraWQ6aCUyNm50ZXIy\r\n"), "{first}");
    assert!(first.starts_with("POST /token ") && first.ends_with(form), "{first}");
    assert!(first.contains("Content-Type: application/x-www-form-urlencoded\r\n"), "{first}");
    assert!(!second.contains("Authorization: "), "{second}");
    assert!(
        second.ends_with(&format!("{form}&client_id=my+id&client_secret=h%26nter2")),
        "{second}"
    );
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_it_expires() {
    let mut table = Table::default();
    for (more, asked) in [
        ("", 1),
        (",\"expires_in\":3600", 1),
        (",\"expires_in\":\"3600\"", 1),
        (",\"expires_in\":3600.5", 1),
        (",\"expires_in\":10", 3),
        (",\"expires_in\":\"5\"", 3),
        (",\"expires_in\":1e300", 1),
        (",\"expires_in\":null", 1),
        (",\"expires_in\":\"soon\"", 1),
    ] {
        let endpoint = Server::start(token("t0ken", more)).await;
        let target = Server::start(Behaviour::Echo(200)).await;
        let tested = module_for(&endpoint.url("/"), "");
        for _ in 0..3 {
            table.expect(more, &probe(&tested, &plain_net(), &target).await, "up");
        }
        let found = endpoint.connections();
        table.check(more, found == asked, &format!("asked {found} times"));
    }
    table.finish();
}

#[tokio::test]
async fn probes_at_the_same_time_fetch_one_token() {
    let endpoint = Server::start(token("t0ken", "")).await;
    let target = Server::start(Behaviour::Echo(200)).await;
    let tested = module_for(&endpoint.url("/"), "");
    let net = plain_net();
    let (one, two, three, four) = tokio::join!(
        probe(&tested, &net, &target),
        probe(&tested, &net, &target),
        probe(&tested, &net, &target),
        probe(&tested, &net, &target)
    );
    for result in [one, two, three, four] {
        assert_eq!(verdict(&result), "up", "{result:?}");
    }
    assert_eq!((endpoint.connections(), target.connections()), (1, 4));
}

#[tokio::test]
async fn a_token_that_the_target_does_not_take_is_not_used_again() {
    let endpoint =
        Server::start(Behaviour::Sequence(vec![token("first", ""), token("second", "")])).await;
    let target = Server::start(Behaviour::Sequence(vec![
        Behaviour::answer(401, "", ""),
        Behaviour::Echo(200),
    ]))
    .await;
    let tested = module_for(&endpoint.url("/"), "");
    for (expected, sent) in [("check/status", "first"), ("up", "second"), ("up", "second")] {
        let result = probe(&tested, &plain_net(), &target).await;
        assert_eq!(verdict(&result), expected, "{result:?}");
        let received = target.last_received();
        assert!(received.contains(&format!("Authorization: Bearer {sent}\r\n")), "{received}");
    }
    assert_eq!(endpoint.connections(), 2);
}

#[tokio::test]
async fn each_failure_of_the_endpoint_is_reported_as_such() {
    let answer = |status| Behaviour::answer(status, "", "{\"error\":\"hunter2\"}");
    let body = |text: &str| Behaviour::answer(200, "", text);
    let mut table = Table::default();
    for (name, behaviour, expected) in [
        ("400", answer(400), "token/auth"),
        ("401", answer(401), "token/auth"),
        ("403", answer(403), "token/auth"),
        ("404", answer(404), "token/status"),
        ("429", answer(429), "token/status"),
        ("500", answer(500), "token/status"),
        ("a redirect", Behaviour::reply(Behaviour::redirect("/")), "token/status"),
        ("no JSON", body("<html>h&nter2</html>"), "token/bad_reply"),
        ("no token", body("{}"), "token/bad_reply"),
        ("an empty token", token("", ""), "token/bad_reply"),
        ("a token that is a number", body("{\"access_token\":42424242}"), "token/bad_reply"),
        ("a token with a line break", token("h\\nnter2", ""), "token/bad_reply"),
        ("nothing", Behaviour::close_before_answer(), "token/no_response"),
        ("a reset", Behaviour::reset_before_answer(), "token/reset"),
        ("garbage", Behaviour::garbage(), "token/malformed"),
        ("half a body", Behaviour::close_mid_body(), "token/truncated"),
        ("a body without end", Behaviour::endless_body(), "token/too_large"),
    ] {
        let endpoint = Server::start(behaviour).await;
        let target = Server::start(Behaviour::Echo(200)).await;
        let tested = module_for(&endpoint.url("/"), "");
        let result = probe(&tested, &plain_net(), &target).await;
        table.expect(name, &result, expected);
        table.check(name, target.connections() == 0, "the target was asked");
        let shown = format!("{result:?}");
        table.check(name, !shown.contains("h&nter2") && !shown.contains("h%26nter2"), &shown);
    }
    for (name, behaviour) in
        [("silence", Behaviour::silence()), ("a stall", Behaviour::stall_mid_body())]
    {
        let endpoint = Server::start(behaviour).await;
        let tested = module_for(&endpoint.url("/"), "");
        let target = tested.target(&endpoint.url("/")).unwrap();
        let timeout = Duration::from_secs(1);
        table.expect(name, &tested.probe(&plain_net(), &target, timeout).await, "token/timeout");
    }
    table.finish();
}

#[tokio::test]
async fn the_way_to_the_endpoint_can_fail_too() {
    let certificates = Certificates::new();
    let dns = DnsServer::start([]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let target = Server::start(Behaviour::Echo(200)).await;
    let secure = Server::start_tls(certificates.acceptor(Leaf::Good), token("t0ken", "")).await;
    let proxy = Server::start(Behaviour::answer(407, "", "")).await;
    let authority = certificates.file("ca.pem");
    std::fs::write(&authority, certificates.authority_pem()).unwrap();
    let roots = format!(", tls_config: {{ ca_file: '{}' }}", authority.display());
    let proxied = format!(", proxy_url: '{}'", proxy.url(""));
    let mut table = Table::default();
    for (name, url, more, expected) in [
        ("a closed port", "http://127.0.0.1:1/", "", "token/refused"),
        ("no such name", "http://gone.test/", "", "token/nxdomain"),
        (
            "nobody vouches for it",
            &secure.url("/"),
            "",
            "token/untrusted or token/incomplete_chain",
        ),
        ("somebody does", &secure.url("/"), &roots, "up"),
        ("a proxy that refuses", "https://gone.test/", &proxied, "token/auth"),
        ("a proxy that refuses, for http", "http://gone.test/", &proxied, "token/auth"),
    ] {
        let tested = module_for(url, more);
        table.expect(name, &probe(&tested, &net, &target).await, expected);
    }
    let files = folder(&[]);
    let keys =
        "oauth2: { client_id: a, client_secret_file: @/it, token_url: 'http://127.0.0.1:1/' }";
    let tested = module(&http(keys, &files));
    table.expect(keys, &probe(&tested, &net, &target).await, "fault internal/config");
    std::fs::write(files.path().join("it"), "hunter2\n").unwrap();
    table.expect(keys, &probe(&tested, &net, &target).await, "token/refused");
    table.finish();
}
