//! Names that are looked for in several places, and name servers that answer well only at times: what the C library makes of
//! them, a probe has to make of them too.

use std::time::Duration;

use probe::{Net, ProbeResult, Warning};
use testkit::{Behaviour, DnsAnswer, DnsServer, Server};

use crate::support::{HTTP, LONG, Table, plain_net, run};

/// What Kubernetes writes into a container's resolv.conf, in a company that adds a domain of its own.
const CLUSTER: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local corp.internal\noptions ndots:5\n";

fn here() -> DnsAnswer {
    DnsAnswer::addresses(&["127.0.0.1"])
}

fn in_turn(answers: &[DnsAnswer]) -> DnsAnswer {
    DnsAnswer::InTurn(answers.to_vec())
}

/// One answer for A, another one for AAAA.
fn families(ipv4: DnsAnswer, ipv6: DnsAnswer) -> DnsAnswer {
    DnsAnswer::Families(Box::new(ipv4), Box::new(ipv6))
}

/// What is set up: the name servers with their answers in order, and the rest of resolv.conf.
struct World {
    servers: Vec<DnsServer>,
    web: Server,
    net: Net,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new(zones: Vec<Vec<(&str, DnsAnswer)>>, rest: &str) -> Self {
        let mut servers = Vec::new();
        for zone in zones {
            servers.push(DnsServer::start(zone).await);
        }
        let web = Server::start(Behaviour::answer(200, "", "ok")).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resolv.conf").display().to_string();
        let lines = servers.iter().map(|server| format!("nameserver {}\n", server.address()));
        std::fs::write(&path, lines.collect::<String>() + rest).unwrap();
        let net = plain_net().with_resolver_files(path, String::new());
        Self { servers, web, net, _directory: directory }
    }

    async fn probe(&self, name: &str, timeout: Duration) -> ProbeResult {
        run(&self.net, HTTP, &self.web.url_as("http", name, "/"), timeout).await
    }

    /// The names that the first server was asked for, in order, for IPv4.
    fn asked(&self) -> Vec<String> {
        let questions = self.servers[0].questions().into_iter();
        questions.filter(|question| question.kind == "A").map(|question| question.name).collect()
    }
}

/// The detail of the failure.
fn detail(result: &ProbeResult) -> String {
    format!("{:?}", result.outcome)
}

#[tokio::test]
async fn a_search_domain_that_fails_does_not_hide_the_name_itself() {
    let mut table = Table::default();
    for (what, answer) in [
        ("refuses", DnsAnswer::Refused),
        ("fails", DnsAnswer::Servfail),
        ("does not know such questions", DnsAnswer::NotImplemented),
        ("cannot read the question", DnsAnswer::FormatError),
        ("babbles", DnsAnswer::Malformed),
        ("has no address", DnsAnswer::Nodata),
        ("has an alias of itself", DnsAnswer::Alias("loop.corp.internal".to_owned())),
        ("fails for one family alone", families(DnsAnswer::Nodata, DnsAnswer::Servfail)),
    ] {
        let zone = vec![
            (".corp.internal", answer),
            ("web.example.test", here()),
            ("cart.shop.svc.cluster.local", here()),
        ];
        let world = World::new(vec![zone], CLUSTER).await;
        let result = world.probe("web.example.test", LONG).await;
        table.expect(what, &result, "up");
        table.check(what, result.elapsed < Duration::from_secs(2), "waited");
        // The domains before it are not disturbed.
        table.expect(what, &world.probe("cart", LONG).await, "up");
    }
    table.finish();
}

#[tokio::test]
async fn a_search_domain_that_drops_packets_costs_its_share() {
    let zone = vec![(".corp.internal", DnsAnswer::Silent), ("web.example.test", here())];
    let world = World::new(vec![zone], CLUSTER).await;
    let mut table = Table::default();
    for timeout in [1, 4].map(Duration::from_secs) {
        let result = world.probe("web.example.test", timeout).await;
        table.expect("up", &result, "up");
        table.check("up", result.elapsed < timeout / 2, "took more than the names may take");
        table.expect("gone", &world.probe("gone.example.test", timeout).await, "resolve/timeout");
    }
    // What is dropped for IPv6 alone holds nothing up either.
    let zone = vec![
        (".corp.internal", families(DnsAnswer::Nxdomain, DnsAnswer::Silent)),
        (".local", families(DnsAnswer::Nxdomain, DnsAnswer::Silent)),
        ("web.example.test", families(here(), DnsAnswer::Silent)),
    ];
    let world = World::new(vec![zone], CLUSTER).await;
    let result = world.probe("web.example.test", Duration::from_secs(2)).await;
    table.expect("IPv6", &result, "up");
    table.finish();
}

#[tokio::test]
async fn names_are_looked_for_in_the_order_of_the_resolver() {
    let mut table = Table::default();
    let zone = || {
        vec![
            ("web.dmz.corp.example", here()),
            ("both.dmz", here()),
            ("both.dmz.corp.example", DnsAnswer::Servfail),
            ("failing.dmz", DnsAnswer::Servfail),
            ("failing.dmz.corp.example", here()),
            ("empty.dmz", DnsAnswer::Nodata),
            ("empty.dmz.corp.example", here()),
        ]
    };
    for (options, name, expected, asked) in [
        ("", "web.dmz", "up", &["web.dmz", "web.dmz.corp.example"][..]),
        ("options ndots:2\n", "web.dmz", "up", &["web.dmz.corp.example"]),
        ("", "both.dmz", "up", &["both.dmz"]),
        ("", "failing.dmz", "up", &["failing.dmz", "failing.dmz", "failing.dmz.corp.example"]),
        ("", "empty.dmz", "up", &["empty.dmz", "empty.dmz.corp.example"]),
        ("", "web.dmz.", "resolve/nxdomain", &["web.dmz"]),
        ("", "gone.dmz", "resolve/nxdomain", &["gone.dmz", "gone.dmz.corp.example"]),
        ("options ndots:0\n", "web", "resolve/nxdomain", &["web", "web.corp.example"]),
        ("", "web", "resolve/nxdomain", &["web.corp.example", "web"]),
    ] {
        let row = format!("{options:?} {name}");
        let world = World::new(vec![zone()], &format!("search corp.example\n{options}")).await;
        table.expect(&row, &world.probe(name, LONG).await, expected);
        table.check(&row, world.asked() == asked, &format!("asked {:?}", world.asked()));
    }
    table.finish();
}

#[tokio::test]
async fn a_failure_names_what_could_not_be_learned() {
    let zone = vec![
        (".shop.svc.cluster.local", DnsAnswer::Servfail),
        (".corp.internal", DnsAnswer::Refused),
        ("known.cluster.local", DnsAnswer::Nodata),
    ];
    let world = World::new(vec![zone], CLUSTER).await;
    let mut table = Table::default();
    for (name, expected, words) in [
        ("cart", "resolve/servfail", "cart.shop.svc.cluster.local"),
        ("known", "resolve/nodata", "known.cluster.local has no address"),
        // It has as many dots as names that are complete.
        ("a.b.c.d.e.test", "resolve/nxdomain", "a.b.c.d.e.test does not exist"),
    ] {
        let result = world.probe(name, LONG).await;
        table.expect(name, &result, expected);
        table.check(name, detail(&result).contains(words), &detail(&result));
    }
    // A server that is not in charge of a domain leaves the word to the name itself.
    let world = World::new(vec![vec![(".corp.internal", DnsAnswer::Refused)]], CLUSTER).await;
    let result = world.probe("gone.test", LONG).await;
    table.expect("gone.test", &result, "resolve/nxdomain");
    let reported = detail(&result);
    table.check(
        "gone.test",
        reported.contains("gone.test does not exist") && reported.contains("corp.internal"),
        &reported,
    );
    table.finish();
}

#[tokio::test]
async fn one_bad_answer_is_asked_about_again() {
    let forged = DnsAnswer::Bytes(vec![0x81, 0x80, 0, 1]);
    let mut table = Table::default();
    for (what, bad) in [
        ("fails", DnsAnswer::Servfail),
        ("refuses", DnsAnswer::Refused),
        ("does not know such questions", DnsAnswer::NotImplemented),
        ("cannot read the question", DnsAnswer::FormatError),
        ("babbles", DnsAnswer::Malformed),
        ("ends early", forged),
        ("is lost", DnsAnswer::Silent),
    ] {
        let zone = vec![("web.test", in_turn(&[bad.clone(), here()]))];
        let world = World::new(vec![zone], "").await;
        let result = world.probe("web.test", Duration::from_secs(4)).await;
        table.expect(what, &result, "up");
        table.check(what, result.elapsed < Duration::from_secs(2), "waited");
        let warned = result.evidence.warnings.contains(&Warning::NameServer);
        table.check(what, !warned, "warned of the only server");
        // Also on the way through the search list, and where one family alone is concerned.
        let zone = vec![
            (".local", in_turn(&[bad.clone(), DnsAnswer::Nxdomain])),
            (".corp.internal", in_turn(&[bad.clone(), DnsAnswer::Nxdomain])),
            ("web.test", families(here(), in_turn(&[bad.clone(), DnsAnswer::Nodata]))),
        ];
        let world = World::new(vec![zone], CLUSTER).await;
        let result = world.probe("web.test", Duration::from_secs(8)).await;
        table.expect(&format!("{what}, in the search list"), &result, "up");
        // Another server is asked before the same one again.
        let first = vec![("web.test", in_turn(&[bad.clone(), bad, DnsAnswer::Nxdomain]))];
        let world = World::new(vec![first, vec![("web.test", here())]], "").await;
        let result = world.probe("web.test", Duration::from_secs(4)).await;
        table.expect(&format!("{what}, and another server knows"), &result, "up");
    }
    table.finish();
}

#[tokio::test]
async fn what_a_name_server_says_for_certain_is_asked_once() {
    let mut table = Table::default();
    for (what, answer, expected) in [
        ("gone", DnsAnswer::Nxdomain, "resolve/nxdomain"),
        ("empty", DnsAnswer::Nodata, "resolve/nodata"),
        ("here", here(), "up"),
    ] {
        let world = World::new(vec![vec![("web.test", answer)]], "").await;
        table.expect(what, &world.probe("web.test", LONG).await, expected);
        table.check(what, world.asked() == ["web.test"], &format!("asked {:?}", world.asked()));
    }
    table.finish();
}

#[tokio::test]
async fn a_family_that_fails_takes_nothing_from_the_other() {
    let mut table = Table::default();
    for bad in [
        DnsAnswer::Servfail,
        DnsAnswer::Refused,
        DnsAnswer::FormatError,
        DnsAnswer::NotImplemented,
        DnsAnswer::Malformed,
        DnsAnswer::Nxdomain,
        DnsAnswer::Silent,
    ] {
        let row = format!("{bad:?}");
        let six = DnsAnswer::addresses(&["::1"]);
        for (name, answer, expected) in [
            ("A is good", families(here(), bad.clone()), "up"),
            // Nothing listens at this address, which says that it was found.
            ("AAAA is good", families(bad.clone(), six), "connect/refused"),
        ] {
            let world = World::new(vec![vec![("web.test", answer)]], "").await;
            let result = world.probe("web.test", Duration::from_secs(4)).await;
            table.expect(&format!("{row}: {name}"), &result, expected);
        }
    }
    table.finish();
}
