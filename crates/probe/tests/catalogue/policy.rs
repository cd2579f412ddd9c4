//! Where a probe must not go: rows 10, 16, 74, 75 and 117.
//!
//! The servers are on the loopback address, so that a redirect from there may go to any network but not to a metadata
//! service. Must not know how addresses are classed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use probe::Net;
use testkit::{Behaviour, DnsAnswer, DnsServer, Server};

use crate::row::{Case, HTTP, Row};

/// The metadata services in every spelling that some resolver takes, and names that resolve to them.
const METADATA: [&str; 14] = [
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "025177524776",
    "169.254.43518",
    "0xa9.0376.169.254",
    "169%2e254.169.254",
    "[::ffff:169.254.169.254]",
    "[::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "metadata.test",
    "alias.test",
];

async fn name_server() -> DnsServer {
    DnsServer::start([
        ("metadata.test", DnsAnswer::addresses(&["169.254.169.254", "fd00:ec2::254"])),
        ("alias.test", DnsAnswer::Alias("metadata.test".to_owned())),
        // A neighbour that may be visited stands beside the service that may not.
        ("mixed.test", DnsAnswer::addresses(&["169.254.169.254", "127.0.0.1"])),
    ])
    .await
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = METADATA.into_iter().map(to_metadata).collect();
    rows.extend([
        Row::new("74b", "from the network to this machine", "redirect/denied_address", || async {
            let Some(own) = network_address() else {
                return Err("this machine has no address but the loopback ones".to_owned());
            };
            let listener = Server::start(Behaviour::answer(200, "", "ok")).await;
            let server =
                Server::start_on(SocketAddr::from((own, 0)), redirect(&listener.url("/"))).await;
            Ok(Case::with(net(None), format!("http://{}/", server.address()), (server, listener)))
        }),
        Row::new("74c", "from this machine to the network", "up", || async {
            let Some(own) = network_address() else {
                return Err("this machine has no address but the loopback ones".to_owned());
            };
            let listener =
                Server::start_on(SocketAddr::from((own, 0)), Behaviour::answer(200, "", "ok"))
                    .await;
            let server = Server::start(redirect(&format!("http://{}/", listener.address()))).await;
            Ok(Case::with(net(None), server.url("/"), (server, listener)))
        }),
        Row::new("10", "an alias of a name inside", "redirect/denied_address", || async {
            let dns = name_server().await;
            let server = Server::start(redirect("http://alias.test/")).await;
            Ok(Case::with(net(Some(&dns)), server.url("/"), (server, dns)))
        }),
        Row::new("16", "a name with a denied and an allowed address", "up", || async {
            let dns = name_server().await;
            let listener = Server::start(Behaviour::answer(200, "", "ok")).await;
            let server = Server::start(redirect(&listener.url_as("http", "mixed.test", "/"))).await;
            Ok(Case::with(net(Some(&dns)), server.url("/"), (server, listener, dns)))
        }),
        Row::new("117a", "our own /probe", "policy/denied_address", || {
            to_ourselves("/probe?target=x", false)
        }),
        Row::new("117b", "our own /probe, listening everywhere", "policy/denied_address", || {
            to_ourselves("/probe", true)
        }),
        Row::new("117c", "our own health", "up", || to_ourselves("/-/healthy", false)),
        Row::new("117d", "somebody else's /probe", "up", || async {
            let server = Server::start(Behaviour::answer(200, "", "ok")).await;
            let net = net(None);
            net.add_own_address(([127, 0, 0, 1], 1).into());
            net.add_own_address((Ipv4Addr::new(127, 0, 0, 2), server.address().port()).into());
            Ok(Case::with(net, server.url("/probe"), server))
        }),
    ]);
    rows
}

fn net(dns: Option<&DnsServer>) -> Net {
    Net::for_tests(dns.map(DnsServer::address), &[]).expect("a network for tests")
}

fn redirect(location: &str) -> Behaviour {
    Behaviour::paths([("/", Behaviour::redirect(location))])
}

/// A redirect to a metadata service. If it were followed, the row would end in the connect phase.
fn to_metadata(host: &'static str) -> Row {
    Row::new("75", host, "redirect/denied_address", move || async move {
        let dns = name_server().await;
        let server = Server::start(redirect(&format!("http://{host}/latest/meta-data/"))).await;
        Ok(Case::with(net(Some(&dns)), server.url("/"), (server, dns)))
    })
    .module(HTTP)
}

async fn to_ourselves(path: &'static str, everywhere: bool) -> Result<Case, String> {
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    let net = net(None);
    let ip = if everywhere { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    net.add_own_address((ip, server.address().port()).into());
    Ok(Case::with(net, server.url(path), server))
}

/// An address of this machine in a network, which is the one that it would send a packet from; none is sent.
fn network_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
