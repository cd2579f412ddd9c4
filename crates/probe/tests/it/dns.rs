//! Names: what a name server says, or does not say, and what follows from it.

use std::net::IpAddr;

use probe::Net;
use testkit::{Behaviour, DnsAnswer, DnsServer, FullBacklog, Server};

use crate::support::{HTTP, LONG, SHORT, Table, run, value, verdict};

#[tokio::test]
async fn every_answer_of_a_name_server_has_its_verdict() {
    let here = || DnsAnswer::addresses(&["127.0.0.1"]);
    let dns = DnsServer::start([
        ("here.test", here()),
        ("gone.test", DnsAnswer::Nxdomain),
        ("empty.test", DnsAnswer::Nodata),
        ("failing.test", DnsAnswer::Servfail),
        ("refusing.test", DnsAnswer::Refused),
        ("alias.test", DnsAnswer::Alias("here.test".to_owned())),
        ("dangling.test", DnsAnswer::Alias("gone.test".to_owned())),
        ("two.test", DnsAnswer::addresses(&["127.0.0.2", "127.0.0.1"])),
        ("dual.test", DnsAnswer::addresses(&["::1", "127.0.0.1"])),
    ])
    .await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let mut table = Table::default();
    for (host, expected) in [
        ("here.test", "up"),
        ("HERE.test.", "up"),
        ("gone.test", "resolve/nxdomain"),
        ("empty.test", "resolve/nodata"),
        ("failing.test", "resolve/servfail"),
        ("refusing.test", "resolve/refused"),
        ("alias.test", "up"),
        ("dangling.test", "resolve/nxdomain"),
        // Nobody listens at the first address.
        ("two.test", "up"),
        ("dual.test", "up"),
    ] {
        let result = run(&net, HTTP, &server.url_as("http", host, "/"), LONG).await;
        table.expect(host, &result, expected);
    }
    table.finish();
}

#[tokio::test]
async fn a_name_server_that_makes_no_sense_ends_in_the_resolve_phase() {
    let dns = DnsServer::start([
        ("silent.test", DnsAnswer::Silent),
        ("broken.test", DnsAnswer::Malformed),
    ])
    .await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let result = run(&net, HTTP, "http://silent.test/", SHORT).await;
    assert_eq!(verdict(&result), "resolve/timeout");
    let result = run(&net, HTTP, "http://broken.test/", LONG).await;
    assert_eq!(verdict(&result), "resolve/malformed");
}

#[tokio::test]
async fn the_address_is_reported() {
    let dns = DnsServer::start([("here.test", DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let result = run(&net, HTTP, &server.url_as("http", "here.test", "/"), LONG).await;
    assert_eq!(value(&result, "probe_ip_protocol"), Some(4.0));
    // FNV-1a of 32 bits over the four bytes of the address, as blackbox_exporter computes it.
    let hash = [127_u8, 0, 0, 1]
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    assert_eq!(value(&result, "probe_ip_addr_hash"), Some(f64::from(hash)));
    assert!(value(&result, "probe_dns_lookup_time_seconds").unwrap() > 0.0);
    assert!(
        server.last_received().contains(&format!("here.test:{}", server.address().port())),
        "{}",
        server.last_received()
    );
}

#[tokio::test]
async fn an_address_needs_no_name_server() {
    let dns = DnsServer::start([]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    assert_eq!(verdict(&run(&net, HTTP, &server.url("/"), LONG).await), "up");
    assert_eq!(dns.questions(), []);
}

#[tokio::test]
async fn a_family_can_be_demanded() {
    let dns = DnsServer::start([("four.test", DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let target = server.url_as("http", "four.test", "/");
    for (settings, expected) in [
        ("{ prober: http, http: { preferred_ip_protocol: ip4 } }", "up"),
        ("{ prober: http, http: { preferred_ip_protocol: ip6 } }", "up"),
        (
            "{ prober: http, http: { preferred_ip_protocol: ip4, ip_protocol_fallback: false } }",
            "up",
        ),
        (
            "{ prober: http, http: { preferred_ip_protocol: ip6, ip_protocol_fallback: false } }",
            "resolve/nodata",
        ),
    ] {
        assert_eq!(verdict(&run(&net, settings, &target, LONG).await), expected, "{settings}");
    }
}

#[tokio::test]
async fn an_address_that_swallows_packets_does_not_hide_the_next_one() {
    let dns =
        DnsServer::start([("two.test", DnsAnswer::addresses(&["127.0.0.3", "127.0.0.1"]))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let dead = FullBacklog::start_on(([127, 0, 0, 3], server.address().port()).into()).await;
    let result = run(&net, HTTP, &server.url_as("http", "two.test", "/"), LONG).await;
    assert_eq!(verdict(&result), "up", "{} and {}: {result:?}", dead.address(), server.address());
    assert!(result.elapsed < LONG / 4, "{:?}", result.elapsed);
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    // Nobody listens at any but the first address.
    let texts: Vec<String> = (0..200).map(|last| format!("127.0.1.{last}")).collect();
    let mut many = vec!["127.0.0.1"];
    many.extend(texts.iter().map(String::as_str));
    let dns = DnsServer::start([("many.test", DnsAnswer::addresses(&many))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let result = run(&net, HTTP, &server.url_as("http", "many.test", "/"), LONG).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    assert!(dns.questions().iter().any(|question| question.over_tcp), "{:?}", dns.questions());
}

#[tokio::test]
async fn every_probe_asks_again() {
    let dns = DnsServer::start([("here.test", DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        let result = run(&net, HTTP, &server.url_as("http", "here.test", "/"), LONG).await;
        assert_eq!(verdict(&result), "up");
        asked.push(
            dns.questions()
                .iter()
                .filter(|question| question.name == "here.test" && question.kind == "A")
                .count(),
        );
    }
    assert_eq!(asked, [1, 2, 3]);
}

#[tokio::test]
async fn an_address_that_changes_is_followed() {
    let turns = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 1]].map(IpAddr::from);
    let dns = DnsServer::start([("some.test", DnsAnswer::Turns(turns.to_vec()))]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        let result = run(&net, HTTP, &server.url_as("http", "some.test", "/"), LONG).await;
        found.push(verdict(&result));
    }
    // Nobody listens at the second one.
    assert_eq!(found, ["up", "connect/refused", "up"]);
}

#[tokio::test]
async fn the_files_of_the_system_are_read_again_when_they_change() {
    let [old, new] = [DnsAnswer::Refused, DnsAnswer::addresses(&["127.0.0.1"])];
    let old = DnsServer::start([("some.test", old)]).await;
    let new =
        DnsServer::start([("some.test", new.clone()), ("short.some.test", new.clone())]).await;
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (resolv_conf, hosts) = (path("resolv.conf"), path("hosts"));
    let net =
        Net::for_tests(None, &[]).unwrap().with_resolver_files(resolv_conf.clone(), hosts.clone());
    let nameserver = |server: &DnsServer| format!("nameserver {}\n", server.address());
    let found =
        async |name: &str| verdict(&run(&net, HTTP, &server.url_as("http", name, "/"), LONG).await);
    // There is no file yet: nothing can be said about the target.
    assert_eq!(found("some.test").await, "fault internal/config");
    for (step, text, name, expected) in [
        ("the first state", nameserver(&old), "some.test", "resolve/refused"),
        ("another server", nameserver(&new), "some.test", "up"),
        ("a search list", nameserver(&new) + "search some.test\n", "short", "up"),
        ("a name with a dot", nameserver(&new) + "search test\n", "short.some", "up"),
        (
            "and with a final dot",
            nameserver(&new) + "search test\n",
            "short.some.",
            "resolve/nxdomain",
        ),
        ("emptied", String::new(), "some.test", "fault internal/config"),
        ("there again", nameserver(&new), "some.test", "up"),
    ] {
        std::fs::write(&resolv_conf, text).unwrap();
        assert_eq!(found(name).await, expected, "{step}");
    }
    // Replaced as a whole, as resolvconf and container runtimes do, and then lost: the last good one serves on.
    std::fs::write(path("next"), nameserver(&old)).unwrap();
    std::fs::rename(path("next"), &resolv_conf).unwrap();
    assert_eq!(found("some.test").await, "resolve/refused");
    std::fs::remove_file(&resolv_conf).unwrap();
    assert_eq!(found("some.test").await, "resolve/refused");
    // What stands in hosts needs no name server.
    std::fs::write(&hosts, "127.0.0.1 some.test # own\n").unwrap();
    assert_eq!(found("some.test").await, "up");
    assert_eq!(found("localhost").await, "up");
}
