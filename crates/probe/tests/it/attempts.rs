//! Probes that ask more than once: again after a failure, or at each address; and how long an attempt may take.
//!
//! Must not know why an attempt fails.

use std::{net::SocketAddr, time::Duration};

use probe::{Net, Outcome, ProbeResult};
use testkit::{Behaviour, DnsAnswer, DnsServer, Server, Step};

use crate::support::{LONG, Table, plain_net, run, run_plain, value, verdict};

fn fine() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

/// The attempt of each request.
fn attempts(result: &ProbeResult) -> Vec<u32> {
    result.evidence.hops.iter().map(|hop| hop.attempt).collect()
}

#[tokio::test]
async fn a_failure_is_followed_by_another_attempt() {
    let in_turn = |parts: &[Behaviour]| Behaviour::Sequence(parts.to_vec());
    let down = || Behaviour::answer(500, "", "");
    let mut table = Table::default();
    for (name, retries, behaviour, expected, attempts) in [
        ("fine at once", 3, fine(), "up", 1),
        ("a reset", 1, in_turn(&[Behaviour::reset_before_answer(), fine()]), "up", 2),
        ("a status", 2, in_turn(&[down(), down(), fine()]), "up", 3),
        ("half a body", 1, in_turn(&[Behaviour::close_mid_body(), fine()]), "up", 2),
        ("one too many", 1, in_turn(&[down(), down(), fine()]), "check/status", 2),
        (
            "the last one is reported",
            1,
            in_turn(&[down(), Behaviour::close_before_answer()]),
            "http/no_response",
            2,
        ),
        ("no retries", 0, in_turn(&[down(), fine()]), "check/status", 1),
    ] {
        let server = Server::start(behaviour).await;
        let settings = format!("{{ prober: http, http: {{ retries: {retries} }} }}");
        let result = run_plain(&settings, &server.url("/")).await;
        table.expect(name, &result, expected);
        let reported = value(&result, "probe_attempts");
        let wanted = (retries > 0).then_some(f64::from(attempts));
        table.check(name, reported == wanted, &format!("{reported:?} attempts are reported"));
        let seen = self::attempts(&result);
        table.check(name, seen == (1..=attempts).collect::<Vec<_>>(), &format!("{seen:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn an_attempt_that_hangs_leaves_time_for_the_next() {
    for hangs in [Behaviour::silence(), Behaviour::stall_mid_body()] {
        let server = Server::start(Behaviour::Sequence(vec![hangs, fine()])).await;
        let timeout = Duration::from_secs(2);
        let settings = "{ prober: http, http: { retries: 1 } }";
        let result = run(&plain_net(), settings, &server.url("/"), timeout).await;
        assert_eq!(verdict(&result), "up", "{result:?}");
        assert!(result.elapsed >= timeout / 3, "{:?}", result.elapsed);
    }
    // When all of them hang, they end with the probe.
    let server = Server::start(Behaviour::silence()).await;
    let settings = "{ prober: http, http: { retries: 2 } }";
    let timeout = Duration::from_millis(600);
    let result = run(&plain_net(), settings, &server.url("/"), timeout).await;
    assert_eq!((verdict(&result).as_str(), server.connections()), ("http/timeout", 3));
}

#[tokio::test]
async fn an_internal_error_is_not_tried_again() {
    let server = Server::start(fine()).await;
    let settings = "{ prober: http, http: { retries: 3, method: POST, body_file: /no/such/file } }";
    let result = run_plain(settings, &server.url("/")).await;
    assert_eq!(verdict(&result), "fault internal/config");
    assert_eq!((value(&result, "probe_attempts"), server.connections()), (Some(1.0), 0));
}

#[tokio::test]
async fn an_answer_may_come_too_late_and_in_time() {
    let late = |status| {
        let pause = Step::Drip(b"H".to_vec(), Duration::from_millis(150));
        let mut message = Behaviour::message(status, "", "ok");
        message.remove(0);
        Behaviour::Script(vec![Step::ReadRequest, pause, Step::Send(message)])
    };
    let mut table = Table::default();
    for (name, behaviour, limit, expected) in [
        ("too late", late(200), "100ms", "check/too_slow"),
        ("late enough", late(200), "20s", "up"),
        ("wrong, and too late", late(500), "100ms", "check/status"),
    ] {
        let server = Server::start(behaviour).await;
        let settings = format!("{{ prober: http, http: {{ fail_if_slower_than: {limit} }} }}");
        let result = run_plain(&settings, &server.url("/")).await;
        table.expect(name, &result, expected);
        let status = value(&result, "probe_http_status_code");
        table.check(name, status >= Some(200.0), "no status");
    }
    // Each attempt has its own time.
    let server = Server::start(Behaviour::Sequence(vec![late(200), fine()])).await;
    let settings = "{ prober: http, http: { fail_if_slower_than: 100ms, retries: 5 } }";
    table.expect("late once", &run_plain(settings, &server.url("/")).await, "up");
    table.finish();
}

/// A name with two addresses, and what listens there on one port; nobody where there is no behaviour.
async fn two_addresses(
    behaviours: [Option<Behaviour>; 2],
) -> (Net, String, Vec<Server>, DnsServer) {
    let [first, second] = behaviours;
    // No other test listens at these addresses: a port that is free at one is so at the other, and stays so.
    let free = std::net::TcpListener::bind("127.0.0.21:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut servers = Vec::new();
    for (last, behaviour) in [(21, first), (22, second)] {
        if let Some(behaviour) = behaviour {
            let address = SocketAddr::from(([127, 0, 0, last], port));
            servers.push(Server::start_on(address, behaviour).await);
        }
    }
    let both = DnsAnswer::addresses(&["127.0.0.21", "127.0.0.22"]);
    let dns = DnsServer::start([("some.test", both)]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    (net, format!("http://some.test:{port}/"), servers, dns)
}

#[tokio::test]
async fn each_address_has_to_be_good() {
    let down = || Behaviour::answer(503, "", "");
    let to_itself = || {
        Behaviour::paths([
            ("/", Behaviour::redirect("/end")),
            ("/end", Behaviour::message(200, "", "ok")),
        ])
    };
    let mut table = Table::default();
    for (name, behaviours, expected, success, status) in [
        ("both are fine", [Some(fine()), Some(fine())], "up", [1.0, 1.0], 200.0),
        ("the second is not", [Some(fine()), Some(down())], "check/status", [1.0, 0.0], 503.0),
        ("the first is not", [Some(down()), Some(fine())], "check/status", [0.0, 1.0], 503.0),
        ("the second is gone", [Some(fine()), None], "connect/refused", [1.0, 0.0], 0.0),
        ("the first is gone", [None, Some(down())], "connect/refused", [0.0, 0.0], 0.0),
        ("redirects stay there", [Some(to_itself()), Some(to_itself())], "up", [1.0, 1.0], 200.0),
        (
            "the first hangs",
            [Some(Behaviour::silence()), Some(fine())],
            "http/timeout",
            [0.0, 1.0],
            0.0,
        ),
    ] {
        let redirects = name.starts_with("redirects");
        let (net, target, servers, _dns) = two_addresses(behaviours).await;
        let settings = "{ prober: http, http: { all_addresses: true } }";
        let result = run(&net, settings, &target, Duration::from_secs(4)).await;
        table.expect(name, &result, expected);
        let found: Vec<(String, f64)> = result
            .samples
            .iter()
            .filter(|sample| sample.metric.name == "probe_address_success")
            .map(|sample| (sample.labels[0].1.to_string(), sample.value))
            .collect();
        let wanted = [("127.0.0.21".to_owned(), success[0]), ("127.0.0.22".to_owned(), success[1])];
        table.check(name, found == wanted, &format!("{found:?}"));
        if let Outcome::Down(failure) = &result.outcome {
            let bad = if success[0] > 0.0 { "127.0.0.22: " } else { "127.0.0.21: " };
            table.check(name, failure.detail.starts_with(bad), &failure.detail);
        }
        let reported = value(&result, "probe_http_status_code");
        table.check(name, reported == Some(status), &format!("the status {reported:?}"));
        let each = if redirects { 2 } else { 1 };
        let fair = servers.iter().all(|server| server.connections() == each);
        table.check(name, fair, "not each address was asked as often");
    }
    table.finish();
}

#[tokio::test]
async fn one_address_is_all_of_them() {
    let server = Server::start(fine()).await;
    let settings = "{ prober: http, http: { all_addresses: true, retries: 1 } }";
    let result = run(&plain_net(), settings, &server.url("/"), LONG).await;
    assert_eq!(verdict(&result), "up");
    assert_eq!(value(&result, "probe_address_success"), Some(1.0));
    let dns = DnsServer::start([]).await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let result = run(&net, settings, "http://gone.test/", LONG).await;
    assert_eq!(verdict(&result), "resolve/nxdomain", "{result:?}");
}

#[tokio::test]
async fn where_the_servers_time_went_is_in_the_evidence() {
    let fields =
        "Server-Timing: db;dur=53.2;desc=\"a query\", cache\r\nserver-timing: app;dur=1\r\n";
    let server = Server::start(Behaviour::answer(200, fields, "ok")).await;
    let result = run_plain("{ prober: http }", &server.url("/")).await;
    let found: Vec<_> = result.evidence.hops[0]
        .server_timing()
        .into_iter()
        .map(|metric| (metric.name, metric.milliseconds, metric.description))
        .collect();
    let reported = |name: &str, time, text: &str| (name.to_owned(), time, text.to_owned());
    assert_eq!(
        found,
        [
            reported("db", Some(53.2), "a query"),
            reported("cache", None, ""),
            reported("app", Some(1.0), "")
        ]
    );
}
