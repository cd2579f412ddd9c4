//! What name servers say, do not say, or say wrongly, and addresses of which some are dead: rows 1 to 19.
//!
//! The name servers are on the loopback address and injected. Must not know how a question is asked.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use probe::{Net, ProbeResult, Warning};
use testkit::{Behaviour, DnsAnswer, DnsServer, FORGED, FullBacklog, Server};
use tokio::task::JoinSet;

use crate::row::{Case, Row, SHORT};

/// An answer's header behind the identifier, with one question and one answer announced.
const HEADER: [u8; 10] = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];

/// The type and the class of a question for an IPv4 address.
const A_IN: [u8; 4] = [0, 1, 0, 1];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = verdicts();
    rows.extend(servers());
    rows.extend(searches());
    rows.extend(messages());
    rows.extend(addresses());
    rows.extend(turns());
    rows.extend(names());
    rows
}

/// A name with this answer, and a server behind it.
fn answered(
    number: &'static str,
    name: &'static str,
    answer: DnsAnswer,
    expected: &'static str,
) -> Row {
    Row::new(number, name, expected, move || {
        asked(vec![("some.test", answer.clone())], "some.test")
    })
}

/// A name server with these answers, and a web server on 127.0.0.1 that is asked for by this name.
async fn asked(
    answers: Vec<(&'static str, DnsAnswer)>,
    name: &'static str,
) -> Result<Case, String> {
    let dns = DnsServer::start(answers).await;
    let server = Server::start(Behaviour::answer(200, "", "ok")).await;
    Ok(Case::with(net(&[dns.address()]), server.url_as("http", name, "/"), (dns, server)))
}

fn net(servers: &[SocketAddr]) -> Net {
    Net::for_tests(None, &[]).expect("a network for tests").with_name_servers(servers.to_vec())
}

/// A port that no socket has any more; one of a server would be closed only when its task is next run.
fn closed_port() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("the address of a bound socket")
}

fn here() -> DnsAnswer {
    DnsAnswer::addresses(&["127.0.0.1"])
}

/// The first name server was of no use, which is reported.
fn warned(result: &ProbeResult) -> Result<(), String> {
    let warned = result.evidence.warnings.contains(&Warning::NameServer);
    if warned { Ok(()) } else { Err(format!("no warning in {:?}", result.notes)) }
}

/// The end came at half of the deadline.
fn at_half_time(result: &ProbeResult) -> Result<(), String> {
    let expected = SHORT / 2..SHORT;
    if expected.contains(&result.elapsed) {
        Ok(())
    } else {
        Err(format!("took {:?}", result.elapsed))
    }
}

/// The connection went to this address.
fn went_to(address: &'static str) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let hop = result.evidence.hops.first().ok_or("no evidence")?;
        let ip = hop.peer.map(|peer| peer.ip());
        let expected: IpAddr = address.parse().expect("an address");
        if ip == Some(expected) { Ok(()) } else { Err(format!("went to {ip:?}")) }
    }
}

fn verdicts() -> Vec<Row> {
    vec![
        answered("1", "a name that does not exist", DnsAnswer::Nxdomain, "resolve/nxdomain"),
        answered("2", "a name without addresses", DnsAnswer::Nodata, "resolve/nodata"),
        answered("3a", "a name server that fails", DnsAnswer::Servfail, "resolve/servfail"),
        answered(
            "3e",
            "a name server that fails once",
            DnsAnswer::InTurn(vec![DnsAnswer::Servfail, here()]),
            "up",
        ),
        answered(
            "5b",
            "an answer that is lost once",
            DnsAnswer::InTurn(vec![DnsAnswer::Silent, here()]),
            "up",
        ),
        answered(
            "2b",
            "one family without addresses, and no word about the other",
            DnsAnswer::Families(Box::new(here()), Box::new(DnsAnswer::Servfail)),
            "up",
        ),
        answered("4a", "a name server that refuses", DnsAnswer::Refused, "resolve/refused"),
        answered("4b", "a server without names", DnsAnswer::NotImplemented, "resolve/refused"),
        answered("5", "a silent name server", DnsAnswer::Silent, "resolve/timeout")
            .until_the_deadline()
            .and(at_half_time),
        answered("7a", "200 addresses, which come over TCP alone", many(200), "up"),
        Row::new("7b", "the same without TCP", "resolve/malformed", || async {
            let dns = DnsServer::start_udp_only([("some.test", many(200))]).await;
            Ok(Case::with(net(&[dns.address()]), "http://some.test/", dns))
        }),
        answered("8a", "nothing but forged answers", DnsAnswer::Forged(None), "resolve/timeout")
            .until_the_deadline(),
        answered(
            "8b",
            "forged answers before the true one",
            DnsAnswer::Forged(Some(IpAddr::from([127, 0, 0, 1]))),
            "up",
        )
        .and(|result| {
            let forged = result.notes.iter().any(|(_, note)| note.contains(&FORGED.to_string()));
            if forged {
                Err(format!("a forged answer is believed: {:?}", result.notes))
            } else {
                Ok(())
            }
        })
        .and(went_to("127.0.0.1")),
    ]
}

/// 127.0.0.1 and many addresses behind it at which nobody listens.
fn many(count: u16) -> DnsAnswer {
    let dead = (0..count).map(|index| {
        let [high, low] = index.to_be_bytes();
        IpAddr::from([127, 1, high, low])
    });
    DnsAnswer::Addresses([IpAddr::from([127, 0, 0, 1])].into_iter().chain(dead).collect())
}

/// Several name servers, of which the first has this answer and the second knows the address.
fn second_knows(
    number: &'static str,
    name: &'static str,
    first: DnsAnswer,
    expected: &'static str,
) -> Row {
    Row::new(number, name, expected, move || {
        let first = first.clone();
        async move {
            let first = DnsServer::start([("some.test", first)]).await;
            let second = DnsServer::start([("some.test", here())]).await;
            let server = Server::start(Behaviour::answer(200, "", "ok")).await;
            let url = server.url_as("http", "some.test", "/");
            let net = net(&[first.address(), second.address()]);
            Ok(Case::with(net, url, (first, second, server)))
        }
    })
}

/// A name that is looked for below `corp.internal` first, of which this is said.
fn searched(
    number: &'static str,
    name: &'static str,
    answer: DnsAnswer,
    itself: DnsAnswer,
    expected: &'static str,
) -> Row {
    Row::new(number, name, expected, move || {
        let zone = vec![(".corp.internal", answer.clone()), ("some.test", itself.clone())];
        async move {
            let dns = DnsServer::start(zone).await;
            let server = Server::start(Behaviour::answer(200, "", "ok")).await;
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("resolv.conf");
            let text = format!(
                "nameserver {}\nsearch corp.internal\noptions ndots:5\n",
                dns.address()
            );
            std::fs::write(&path, text).expect("a file");
            let net = net(&[]).with_resolver_files(path.display().to_string(), String::new());
            let url = server.url_as("http", "some.test", "/");
            Ok(Case::with(net, url, (dns, server, directory)))
        }
    })
}

fn searches() -> Vec<Row> {
    use DnsAnswer::{Nxdomain, Refused, Servfail, Silent};

    vec![
        searched("4c", "a search domain that refuses", Refused, here(), "up"),
        searched("3f", "a search domain that fails", Servfail, here(), "up"),
        searched("5c", "a search domain that is silent", Silent, here(), "up"),
        searched("4d", "one that refuses, and no name", Refused, Nxdomain, "resolve/nxdomain"),
        searched("3g", "one that fails, and no name", Servfail, Nxdomain, "resolve/servfail"),
        searched("5d", "one that is silent, and no name", Silent, Nxdomain, "resolve/timeout")
            .until_the_deadline(),
        searched("3h", "both fail", Servfail, Servfail, "resolve/servfail"),
    ]
}

fn servers() -> Vec<Row> {
    let mut in_time =
        second_knows("6a", "a first name server that is silent", DnsAnswer::Silent, "up")
            .and(warned);
    in_time.timeout = Duration::from_secs(1);
    vec![
        in_time,
        second_knows("3b", "a first name server that fails", DnsAnswer::Servfail, "up").and(warned),
        second_knows("3c", "a first name server that refuses", DnsAnswer::Refused, "up")
            .and(warned),
        second_knows(
            "3d",
            "the first name server is believed",
            DnsAnswer::Nxdomain,
            "resolve/nxdomain",
        ),
        second_knows("17f", "a first name server that babbles", DnsAnswer::Malformed, "up")
            .and(warned),
        Row::new("6b", "a first name server that is not there", "up", || async {
            let gone = closed_port();
            let second = DnsServer::start([("some.test", here())]).await;
            let server = Server::start(Behaviour::answer(200, "", "ok")).await;
            let url = server.url_as("http", "some.test", "/");
            Ok(Case::with(net(&[gone, second.address()]), url, (second, server)))
        })
        .and(warned),
        Row::new("6c", "no name server is there", "resolve/servfail", || async {
            let gone = closed_port();
            Ok(Case::with(net(&[gone]), "http://some.test/", ()))
        }),
        Row::new("6d", "one that fails and one that is silent", "resolve/servfail", || async {
            let first = DnsServer::start([("some.test", DnsAnswer::Servfail)]).await;
            let second = DnsServer::start([("some.test", DnsAnswer::Silent)]).await;
            let net = net(&[first.address(), second.address()]);
            Ok(Case::with(net, "http://some.test/", (first, second)))
        })
        .until_the_deadline(),
    ]
}

fn messages() -> Vec<Row> {
    let chain = |length: usize| {
        const NAMES: [&str; 18] = [
            "a0.test", "a1.test", "a2.test", "a3.test", "a4.test", "a5.test", "a6.test", "a7.test",
            "a8.test", "a9.test", "a10.test", "a11.test", "a12.test", "a13.test", "a14.test",
            "a15.test", "a16.test", "a17.test",
        ];
        let mut answers: Vec<_> = NAMES
            .windows(2)
            .take(length)
            .map(|pair| (pair[0], DnsAnswer::AliasAlone(pair[1].to_owned())))
            .collect();
        answers.push((NAMES[length], here()));
        move || asked(answers.clone(), "a0.test")
    };
    let bytes = |tail: &[u8]| DnsAnswer::Bytes([&HEADER, tail].concat());
    let question = |name: &[u8]| [name, &A_IN].concat();
    let alias_of = |target: &str| DnsAnswer::Alias(target.to_owned());
    vec![
        answered("9a", "an alias of itself", alias_of("some.test"), "resolve/cname_loop"),
        answered(
            "9b",
            "an alias of itself, one at a time",
            DnsAnswer::AliasAlone("some.test".to_owned()),
            "resolve/cname_loop",
        ),
        Row::new("9c", "sixteen aliases", "up", chain(16)),
        Row::new("9d", "seventeen aliases", "resolve/cname_loop", chain(17)),
        answered("17a", "noise", DnsAnswer::Malformed, "resolve/malformed"),
        answered(
            "17b",
            "a name that points to itself",
            bytes(&question(&[0xc0, 12])),
            "resolve/malformed",
        ),
        answered(
            "17c",
            "a label of 65 bytes",
            bytes(&question(&[&[65][..], &[b'a'; 65], &[0]].concat())),
            "resolve/malformed",
        ),
        answered("17d", "an answer that ends early", bytes(&[]), "resolve/malformed"),
        answered("17e", "an alias with a space", alias_of("so me.test"), "resolve/malformed"),
        answered("17g", "an alias with a NUL", alias_of("so\0me.test"), "resolve/malformed"),
    ]
}

fn addresses() -> Vec<Row> {
    let mut ten = Row::new("13", "nine of ten addresses are dead", "up", || async {
        let server = Server::start(Behaviour::answer(200, "", "ok")).await;
        let port = server.address().port();
        let mut starting = JoinSet::new();
        for last in 11..20 {
            starting.spawn(FullBacklog::start_on(([127, 0, 0, last], port).into()));
        }
        let dead = starting.join_all().await;
        let mut all: Vec<IpAddr> = dead.iter().map(|dead| dead.address().ip()).collect();
        all.push(IpAddr::from([127, 0, 0, 1]));
        let dns = DnsServer::start([("some.test", DnsAnswer::Addresses(all))]).await;
        let url = server.url_as("http", "some.test", "/");
        Ok(Case::with(net(&[dns.address()]), url, (dns, server, dead)))
    });
    ten.timeout = Duration::from_secs(1);
    vec![
        // No machine has a route to an address of all machines, so that this is what a host without IPv6 sees of any; the real
        // thing, in a network of its own, is in `tests/it/namespace.rs`.
        answered(
            "11",
            "an IPv6 address that is out of reach",
            DnsAnswer::addresses(&["ff02::1"]),
            "connect/unreachable",
        ),
        Row::new("12", "an IPv6 address that swallows packets", "up", || async {
            let server = Server::start(Behaviour::answer(200, "", "ok")).await;
            let port = server.address().port();
            let dead = FullBacklog::start_on((std::net::Ipv6Addr::LOCALHOST, port).into()).await;
            let both = DnsAnswer::addresses(&["::1", "127.0.0.1"]);
            let dns = DnsServer::start([("some.test", both)]).await;
            let url = server.url_as("http", "some.test", "/");
            Ok(Case::with(net(&[dns.address()]), url, (dns, server, dead)))
        })
        .and(went_to("127.0.0.1")),
        ten,
        answered("14a", "a thousand addresses", many(1000), "up"),
        answered(
            "14b",
            "an answer of 64 KB whose good address is beyond what is tried",
            match many(3800) {
                DnsAnswer::Addresses(mut all) => {
                    all.reverse();
                    DnsAnswer::Addresses(all)
                }
                other => other,
            },
            "connect/refused",
        )
        .and(|result| {
            let tried = result.notes.iter().filter(|(_, note)| note.contains("refused")).count();
            if tried == 32 { Ok(()) } else { Err(format!("{tried} addresses were tried")) }
        }),
    ]
}

/// Names whose address is another one each time.
fn turns() -> Vec<Row> {
    vec![
        Row::new("15", "an address that is another one each time", "up", || async {
            let first =
                Server::start(Behaviour::paths([("/", Behaviour::redirect("/end"))])).await;
            let there = SocketAddr::from(([127, 0, 0, 2], first.address().port()));
            let second = Server::start_on(there, Behaviour::answer(200, "", "ok")).await;
            let turns = DnsAnswer::Turns(vec![IpAddr::from([127, 0, 0, 1]), there.ip()]);
            let dns = DnsServer::start([("some.test", turns)]).await;
            let url = first.url_as("http", "some.test", "/");
            Ok(Case::with(net(&[dns.address()]), url, (dns, first, second)))
        }),
        Row::new(
            "16b",
            "a name that turns to another network",
            "redirect/denied_address",
            || async {
                let turns = DnsAnswer::Turns(vec![
                    IpAddr::from([127, 0, 0, 1]),
                    IpAddr::from([169, 254, 169, 254]),
                ]);
                let dns = DnsServer::start([("some.test", turns)]).await;
                let server =
                    Server::start(Behaviour::paths([("/", Behaviour::redirect("/inside"))])).await;
                let url = server.url_as("http", "some.test", "/");
                Ok(Case::with(net(&[dns.address()]), url, (dns, server)))
            },
        ),
    ]
}

fn names() -> Vec<Row> {
    let sent = |needle: &'static str| {
        move |result: &ProbeResult| {
            let hop = result.evidence.hops.first().ok_or("no evidence")?;
            if hop.request.to_lowercase().contains(needle) {
                Ok(())
            } else {
                Err(format!("sent {:?}", hop.request))
            }
        }
    };
    vec![
        Row::new("18a", "a name with umlauts", "up", || {
            asked(vec![("xn--mller-kva.test", here())], "Müller.test")
        })
        .and(sent("host: xn--mller-kva.test:")),
        Row::new("18b", "a name with a final dot", "up", || {
            asked(vec![("some.test", here())], "SOME.test.")
        })
        .and(sent("host: some.test:")),
        Row::new("18c", "a name that is too long", "resolve/malformed", || async {
            let url = format!("http://{}.test/", "a".repeat(64));
            Ok(Case::with(net(&[SocketAddr::from(([127, 0, 0, 1], 1))]), url, ()))
        }),
        Row::new("19", "a resolv.conf without a name server", "fault internal/config", || async {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("resolv.conf");
            std::fs::write(&path, "# nothing yet\n").expect("a file");
            let net = net(&[]).with_resolver_files(path.display().to_string(), String::new());
            Ok(Case::with(net, "http://some.test/", directory))
        }),
    ]
}
