//! Deadlines: each phase has its own timeout verdict, and the measured phases add up to the whole.

use std::time::Duration;

use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, FullBacklog, Leaf, Server, Step};

use crate::support::{HTTP, LONG, SHORT, Table, phases, plain_net, run, run_plain, value, verdict};

#[tokio::test]
async fn each_phase_times_out_by_its_own_name() {
    let dns = DnsServer::start([("silent.test", DnsAnswer::Silent)]).await;
    let certificates = Certificates::new();
    let net = probe::Net::for_tests(Some(dns.address()), &[certificates.authority()]).unwrap();
    let full = FullBacklog::start().await;
    let silent = Server::start(Behaviour::silence()).await;
    let silent_tls =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::silence()).await;
    let stalled =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::stall_mid_body()).await;
    let mut table = Table::default();
    for (target, expected) in [
        ("http://silent.test/".to_owned(), "resolve/timeout"),
        (format!("http://{}/", full.address()), "connect/timeout"),
        (silent.url_as("https", "127.0.0.1", "/"), "tls/timeout"),
        (silent.url("/"), "http/timeout"),
        (silent_tls.url("/"), "http/timeout"),
        (stalled.url("/"), "body/timeout"),
    ] {
        let result = run(&net, HTTP, &target, SHORT).await;
        table.expect(&target, &result, expected);
        table.check(
            &target,
            // Half of the time is for the name.
            result.elapsed
                >= Duration::from_millis(if expected == "resolve/timeout" { 125 } else { 250 }),
            "gave up long before its deadline",
        );
    }
    table.finish();
}

#[tokio::test]
async fn the_shorter_timeout_wins() {
    let server = Server::start(Behaviour::silence()).await;
    for (settings, timeout, effective) in [
        ("{ prober: http, timeout: 100ms }", LONG, 0.1),
        ("{ prober: http, timeout: 20s }", Duration::from_millis(100), 0.1),
        ("{ prober: http, timeout: 0s }", Duration::from_millis(100), 0.1),
    ] {
        let result = run(&plain_net(), settings, &server.url("/"), timeout).await;
        assert_eq!(verdict(&result), "http/timeout");
        assert_eq!(value(&result, "probe_timeout_seconds"), Some(effective), "{settings}");
    }
}

#[tokio::test]
async fn the_phases_add_up_to_the_whole() {
    let pause = Duration::from_millis(150);
    let server = Server::start(Behaviour::Script(vec![
        Step::ReadRequest,
        Step::Drip(b"H".to_vec(), pause),
        Step::Send(b"TTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod".to_vec()),
        Step::Drip(b"y".to_vec(), pause),
    ]))
    .await;
    let result = run_plain(HTTP, &server.url("/")).await;
    assert_eq!(verdict(&result), "up");
    let phases = phases(&result);
    let seconds =
        |name: &str| phases.iter().find(|(phase, _)| phase == name).map(|(_, seconds)| *seconds);
    assert!(seconds("processing").unwrap() >= 0.14, "{phases:?}");
    assert!(seconds("transfer").unwrap() >= 0.14, "{phases:?}");
    let total: f64 = phases.iter().map(|(_, seconds)| seconds).sum();
    let whole = value(&result, "probe_duration_seconds").unwrap();
    // What is not within a phase is only our own work between them.
    assert!(whole - total < 0.1, "{total} s of {whole} s: {phases:?}");
}

#[tokio::test]
async fn all_phases_of_an_encrypted_probe_are_there() {
    let certificates = Certificates::new();
    let net = probe::Net::for_tests(None, &[certificates.authority()]).unwrap();
    let server =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    let result = run(&net, HTTP, &server.url("/"), LONG).await;
    assert_eq!(verdict(&result), "up");
    let mut names: Vec<String> = phases(&result).into_iter().map(|(phase, _)| phase).collect();
    names.sort();
    assert_eq!(names, ["connect", "processing", "resolve", "tls", "transfer"]);
}

#[tokio::test]
async fn probes_that_hang_do_not_disturb_the_others() {
    let net = std::sync::Arc::new(plain_net());
    let silent = Server::start(Behaviour::silence()).await;
    let fine = Server::start(Behaviour::answer(200, "", "ok")).await;
    let mut probes = tokio::task::JoinSet::new();
    for index in 0..200 {
        let net = std::sync::Arc::clone(&net);
        let (target, expected, timeout) = if index % 2 == 0 {
            (silent.url("/"), "http/timeout", Duration::from_secs(1))
        } else {
            (fine.url("/"), "up", LONG)
        };
        probes.spawn(async move { (verdict(&run(&net, HTTP, &target, timeout).await), expected) });
    }
    while let Some(done) = probes.join_next().await {
        let (found, expected) = done.unwrap();
        assert_eq!(found, expected);
    }
    assert_eq!((silent.connections(), fine.connections()), (100, 100));
}

#[tokio::test]
async fn a_cancelled_probe_closes_its_connection() {
    let server = Server::start(Behaviour::silence()).await;
    let net = plain_net();
    let module = crate::support::module(HTTP);
    let target = module.target(&server.url("/")).unwrap();
    let cut = tokio::time::timeout(SHORT, module.probe(&net, &target, LONG)).await;
    assert!(cut.is_err(), "{cut:?}");
    server.all_closed().await;
}
