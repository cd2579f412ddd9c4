//! The TCP kind: a connection is all that it wants.

use testkit::{Behaviour, DnsAnswer, DnsServer, FullBacklog, Server};

use crate::support::{HTTP, LONG, SHORT, Table, plain_net, run, run_plain, value, verdict};

/// The plain TCP module.
const TCP: &str = "{ prober: tcp }";

/// An address of the loopback network where nobody listens any more.
async fn closed_port() -> std::net::SocketAddr {
    let server = Server::start(Behaviour::silence()).await;
    let address = server.address();
    drop(server);
    // Dropping the server ends its task at the next chance of the runtime; then the port refuses.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    address
}

#[tokio::test]
async fn a_connection_is_enough() {
    let mut table = Table::default();
    for (name, behaviour) in [
        ("silent", Behaviour::silence()),
        ("closes", Behaviour::close_before_answer()),
        ("speaks first", Behaviour::greeting("220 mail.example ESMTP\r\n")),
    ] {
        let server = Server::start(behaviour).await;
        let result = run_plain(TCP, &server.address().to_string()).await;
        table.expect(name, &result, "up");
        table.check(name, value(&result, "probe_ip_protocol") == Some(4.0), "no family");
        table.check(
            name,
            value(&result, "probe_dns_lookup_time_seconds").is_some(),
            "no lookup time",
        );
    }
    table.finish();
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let address = closed_port().await;
    assert_eq!(verdict(&run_plain(TCP, &address.to_string()).await), "connect/refused");
    assert_eq!(verdict(&run_plain(HTTP, &format!("http://{address}/")).await), "connect/refused");
}

#[tokio::test]
async fn a_port_that_does_not_answer_times_out() {
    let full = FullBacklog::start().await;
    assert_eq!(
        verdict(&run(&plain_net(), TCP, &full.address().to_string(), SHORT).await),
        "connect/timeout"
    );
}

#[tokio::test]
async fn names_are_looked_up() {
    let dns = DnsServer::start([("here.test", DnsAnswer::addresses(&["127.0.0.1"]))]).await;
    let net = probe::Net::for_tests(Some(dns.address()), &[]).unwrap();
    let server = Server::start(Behaviour::silence()).await;
    let port = server.address().port();
    assert_eq!(verdict(&run(&net, TCP, &format!("here.test:{port}"), LONG).await), "up");
    assert_eq!(
        verdict(&run(&net, TCP, &format!("gone.test:{port}"), LONG).await),
        "resolve/nxdomain"
    );
}
