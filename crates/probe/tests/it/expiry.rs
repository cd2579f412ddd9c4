//! When certificates expire: of the chain that is trusted, and of every host on the way.

use probe::{Net, ProbeResult};
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Server, Step};

use crate::support::{LONG, Table, run, value, verdict};

const HOPS: &str = "probe_ssl_hops_earliest_cert_expiry";
const CHAIN: &str = "probe_ssl_last_chain_expiry_timestamp_seconds";
const EARLIEST: &str = "probe_ssl_earliest_cert_expiry";

const Y2021: f64 = 1_609_459_200.0;
const Y2040: f64 = 2_208_988_800.0;
const Y2049: f64 = 2_493_072_000.0;

struct World {
    certificates: Certificates,
    net: Net,
}

impl World {
    fn new() -> Self {
        let certificates = Certificates::new();
        let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
        Self { certificates, net }
    }

    async fn serve(&self, leaf: Leaf, behaviour: Behaviour) -> Server {
        Server::start_tls(self.certificates.acceptor(leaf), behaviour).await
    }

    async fn probe(&self, keys: &str, target: &str) -> ProbeResult {
        run(&self.net, &format!("{{ prober: http, http: {{ {keys} }} }}"), target, LONG).await
    }
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

fn to(location: &str) -> Behaviour {
    Behaviour::reply(Behaviour::redirect(location))
}

#[tokio::test]
async fn what_counts_is_the_chain_that_is_trusted() {
    let world = World::new();
    let mut table = Table::default();
    for (leaf, expected, [hops, chain, earliest]) in [
        (Leaf::Good, "up", [Some(Y2049); 3]),
        (Leaf::WithIntermediate, "up", [Some(Y2049); 3]),
        (Leaf::Shorter, "up", [Some(Y2040); 3]),
        (Leaf::ExpiredCrossSign, "up", [Some(Y2049), Some(Y2049), Some(Y2021)]),
        (Leaf::Expired, "tls/expired", [Some(Y2021), None, Some(Y2021)]),
        (Leaf::ExpiredIntermediate, "tls/expired", [Some(Y2021), None, Some(Y2021)]),
        (Leaf::WrongName, "tls/name_mismatch", [Some(Y2049), None, Some(Y2049)]),
        (Leaf::SelfSigned, "tls/self_signed", [Some(Y2049), None, Some(Y2049)]),
    ] {
        let server = world.serve(leaf, ok()).await;
        let tcp = "{ prober: tcp, tcp: { tls: true } }";
        let address = server.address().to_string();
        for (kind, result) in [
            ("http", world.probe("", &server.url("/")).await),
            ("http, twice", world.probe("retries: 1", &server.url("/")).await),
            ("http, each address", world.probe("all_addresses: true", &server.url("/")).await),
            ("tcp", run(&world.net, tcp, &address, LONG).await),
        ] {
            let row = format!("{leaf:?} {kind}");
            table.expect(&row, &result, expected);
            for (metric, expected) in [(HOPS, hops), (CHAIN, chain), (EARLIEST, earliest)] {
                let found = value(&result, metric);
                table.check(&row, found == expected, &format!("{metric} is {found:?}"));
            }
        }
    }
    table.finish();
}

#[tokio::test]
async fn without_an_authority_every_certificate_counts_or_only_the_pinned_one() {
    let world = World::new();
    let mut table = Table::default();
    // Nothing is verified: then everything counts.
    let server = world.serve(Leaf::ExpiredCrossSign, ok()).await;
    let result = world.probe("tls_config: { insecure_skip_verify: true }", &server.url("/")).await;
    table.check("not verified", value(&result, HOPS) == Some(Y2021), "not the earliest");
    let tls = result.evidence.hops[0].tls.clone().unwrap();
    let pin = &tls.certificates[0].fingerprint_sha256;
    let pinned = format!("tls_config: {{ fingerprint_sha256: ['{pin}'] }}");
    let result = world.probe(&pinned, &server.url("/")).await;
    table.expect("known itself", &result, "up");
    table.check("known itself", value(&result, HOPS) == Some(Y2049), "not its own");
    table.finish();
}

#[tokio::test]
async fn every_host_on_the_way_counts() {
    let world = World::new();
    let plain = Server::start(ok()).await;
    let good = world.serve(Leaf::Good, ok()).await;
    let failing = world.serve(Leaf::Good, Behaviour::answer(503, "", "")).await;
    let shorter = world.serve(Leaf::Shorter, ok()).await;
    let expired = world.serve(Leaf::Expired, ok()).await;
    let cross = world.serve(Leaf::ExpiredCrossSign, to(&good.url("/"))).await;
    let mut table = Table::default();
    for (row, leaf, location, expected, [hops, chain]) in [
        ("the first is shorter", Leaf::Shorter, good.url("/"), "up", [Some(Y2040), Some(Y2049)]),
        ("the last is shorter", Leaf::Good, shorter.url("/"), "up", [Some(Y2040); 2]),
        ("by a cross-signature", Leaf::Shorter, cross.url("/"), "up", [Some(Y2040), Some(Y2049)]),
        ("to no TLS", Leaf::Shorter, plain.url("/"), "up", [Some(Y2040), None]),
        (
            "to one that expired",
            Leaf::Shorter,
            expired.url("/"),
            "tls/expired",
            [Some(Y2021), None],
        ),
        (
            "to one that fails",
            Leaf::Shorter,
            failing.url("/"),
            "check/status",
            [Some(Y2040), Some(Y2049)],
        ),
        (
            "to a closed port",
            Leaf::Shorter,
            "https://127.0.0.1:1/".to_owned(),
            "connect/refused",
            [Some(Y2040), None],
        ),
        (
            "nowhere",
            Leaf::Shorter,
            "ftp://127.0.0.1/".to_owned(),
            "redirect/denied_scheme",
            [Some(Y2040); 2],
        ),
    ] {
        let first = world.serve(leaf, to(&location)).await;
        for keys in ["", "retries: 1"] {
            let result = world.probe(keys, &first.url("/")).await;
            table.expect(row, &result, expected);
            for (metric, expected) in [(HOPS, hops), (CHAIN, chain)] {
                let found = value(&result, metric);
                table.check(row, found == expected, &format!("{metric} is {found:?}"));
            }
        }
    }
    table.finish();
}

#[tokio::test]
async fn hosts_without_a_certificate_do_not_count() {
    let world = World::new();
    let plain = Server::start(ok()).await;
    let shorter = world.serve(Leaf::Shorter, ok()).await;
    let mut table = Table::default();
    let first = Server::start(to(&shorter.url("/"))).await;
    let result = world.probe("", &first.url("/")).await;
    table.check("from no TLS", value(&result, HOPS) == Some(Y2040), "not that of the last");
    let result = world.probe("", &plain.url("/")).await;
    table.check("no TLS", value(&result, HOPS).is_none(), "there is one");
    let silent = Server::start(Behaviour::close_before_answer()).await;
    let result = world.probe("", &silent.url_as("https", "127.0.0.1", "/")).await;
    table.check("no certificate", value(&result, HOPS).is_none(), "there is one");
    table.finish();
}

#[tokio::test]
async fn who_is_not_on_the_way_does_not_count() {
    let world = World::new();
    let dns = DnsServer::start([("some.site.test", DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let net = world.net.with_name_servers(vec![dns.address()]);
    let world = World { net, ..world };
    let good = world.serve(Leaf::Good, ok()).await;
    let proxy = world.serve(Leaf::Shorter, Behaviour::Tunnel).await;
    let keys = format!("proxy_url: '{}'", proxy.url(""));
    let result = world.probe(&keys, &good.url_as("https", "some.site.test", "/")).await;
    assert_eq!((verdict(&result).as_str(), value(&result, HOPS)), ("up", Some(Y2049)));
    let token = Behaviour::answer(200, "", "{\"access_token\":\"t0ken\"}");
    for (answer, expected) in [(token, "up"), (Behaviour::answer(500, "", ""), "token/status")] {
        let endpoint = world.serve(Leaf::Shorter, answer).await;
        let plain = Server::start(ok()).await;
        let authority = world.certificates.file("authority.pem");
        let keys = format!(
            "oauth2: {{ client_id: a, client_secret: b, token_url: '{}', tls_config: {{ ca_file: '{}' }} }}",
            endpoint.url("/"),
            authority.display()
        );
        let result = world.probe(&keys, &plain.url("/")).await;
        assert_eq!((verdict(&result).as_str(), value(&result, HOPS)), (expected, None));
    }
}

#[tokio::test]
async fn tls_that_begins_in_a_dialogue_counts() {
    let world = World::new();
    let greeting = vec![Step::Send(b"220 here\r\n".to_vec())];
    let acceptor = world.certificates.acceptor(Leaf::Shorter);
    let server =
        Server::start_tls_after(greeting, acceptor, Behaviour::Script(vec![Step::Silence])).await;
    let settings =
        "{ prober: tcp, tcp: { query_response: [{ expect: '^220' }, { starttls: true }] } }";
    let result = run(&world.net, settings, &server.address().to_string(), LONG).await;
    assert_eq!((verdict(&result).as_str(), value(&result, HOPS)), ("up", Some(Y2040)));
    assert_eq!(value(&result, CHAIN), Some(Y2040));
}
