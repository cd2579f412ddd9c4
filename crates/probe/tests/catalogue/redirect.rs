//! Redirects, what goes along with them, and challenges: rows 70 to 73 and 76 to 81.
//!
//! Where it matters what another host is sent, that host sends back what it got, and the module looks for it. Must not know
//! how a redirect is followed.

use std::sync::Arc;

use probe::{Net, ProbeResult, Warning};
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Server};

use crate::row::{Case, Row};

/// A module that sends secrets, and must not find them at the other host.
const UNSENT: &str = "{ prober: http, http: { \
    headers: { Authorization: Bearer hunter2, Cookie: id=hunter2, X-Api-Key: hunter2 }, \
    fail_if_body_matches_regexp: ['(?i)hunter2|authorization|cookie|letmein'] } }";

/// The same, where they have to be found.
const SENT: &str = "{ prober: http, http: { \
    headers: { Authorization: Bearer hunter2, Cookie: id=hunter2, X-Api-Key: hunter2 }, \
    fail_if_body_not_matches_regexp: ['(?s)Bearer hunter2.*id=hunter2.*X-Api-Key: hunter2'] } }";

/// A module that sends a body and wants it back.
const POST: &str = "{ prober: http, http: { method: POST, body: the-body, \
    fail_if_body_not_matches_regexp: ['(?s)^POST .*the-body$'] } }";

pub(crate) fn rows() -> Vec<Row> {
    let certificates = Arc::new(Certificates::new());
    [chains(), locations(), downgrades(&certificates), secrets(), bodies(&certificates)]
        .into_iter()
        .chain([challenges(), cookies()])
        .flatten()
        .collect()
}

/// A server on which `/` redirects there.
fn to(location: &str) -> Behaviour {
    Behaviour::paths([("/", Behaviour::redirect(location))])
}

/// Demands this warning, and no other.
fn warns(warning: Warning) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let found = &result.evidence.warnings;
        if *found == [warning] { Ok(()) } else { Err(format!("warnings {found:?}")) }
    }
}

/// Demands this number of requests.
fn takes(count: usize) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let found = result.evidence.hops.len();
        if found == count { Ok(()) } else { Err(format!("{found} requests")) }
    }
}

fn chains() -> Vec<Row> {
    let chain = |length: usize| {
        let paths: Vec<String> = std::iter::once("/".to_owned())
            .chain((1..=length).map(|index| format!("/{index}")))
            .collect();
        let hops = paths.windows(2).map(|pair| (pair[0].clone(), Behaviour::redirect(&pair[1])));
        let end = (paths[length].clone(), Behaviour::message(200, "", "end"));
        Behaviour::Paths(hops.chain([end]).collect())
    };
    let to_and_fro =
        Behaviour::paths([("/", Behaviour::redirect("/a")), ("/a", Behaviour::redirect("/"))]);
    let wall = Behaviour::message(302, "Location: /\r\nSet-Cookie: seen=1\r\n", "");
    let wall = Behaviour::Sequence(vec![Behaviour::reply(wall), Behaviour::answer(200, "", "ok")]);
    vec![
        Row::server("70a", "to itself", to("/"), "redirect/loop").and(takes(1)),
        Row::server("70b", "to and fro", to_and_fro, "redirect/loop").and(takes(2)),
        Row::server("70c", "ten hops", chain(10), "up").and(takes(11)),
        Row::server("70d", "eleven hops", chain(11), "redirect/too_many").and(takes(11)),
        Row::server("70e", "to itself until the cookie is there", wall, "up").and(takes(2)),
    ]
}

fn locations() -> Vec<Row> {
    let named = |fields: &str| Behaviour::answer(302, fields, "");
    let mut rows = vec![
        Row::server("71a", "without a location", named(""), "check/status"),
        Row::server("71b", "an empty location", named("Location: \r\n"), "check/status")
            .and(takes(1)),
        Row::server("73a", "not a URL", to("http://["), "redirect/bad_location"),
        Row::server("73b", "100 KB", to(&"x".repeat(100_000)), "redirect/bad_location"),
        Row::server(
            "73c",
            "two locations",
            named("Location: /a\r\nLocation: /b\r\n"),
            "redirect/bad_location",
        ),
        Row::server("73d", "bytes that are no text", {
            let mut bytes = b"HTTP/1.1 302 Found\r\nLocation: /".to_vec();
            bytes.extend(b"\xff\xfe\r\nContent-Length: 0\r\n\r\n");
            Behaviour::reply(bytes)
        }, "redirect/bad_location"),
        Row::server("73e", "one location twice", {
            let twice = Behaviour::message(302, "Location: /a\r\nLocation: /a\r\n", "");
            Behaviour::paths([("/", twice), ("/a", Behaviour::message(200, "", "ok"))])
        }, "up"),
    ];
    for (number, location) in [
        ("72a", "file:///etc/passwd"),
        ("72b", "ftp://127.0.0.1/"),
        ("72c", "gopher://127.0.0.1:70/"),
        ("72d", "javascript:alert(1)"),
        ("72e", "data:text/plain,ok"),
    ] {
        let row = Row::server(number, location, to(location), "redirect/denied_scheme");
        rows.push(row.and(takes(1)));
    }
    rows
}

/// A server with TLS whose `/` leads to one without, on the same host.
async fn down(certificates: &Certificates, status: u16, end: Behaviour) -> Case {
    let plain = Server::start(end).await;
    let location = format!("Location: {}\r\n", plain.url("/"));
    let first = Behaviour::paths([("/", Behaviour::message(status, &location, ""))]);
    let server = Server::start_tls(certificates.acceptor(Leaf::Good), first).await;
    let net = Net::for_tests(None, &[certificates.authority()]).expect("a network for tests");
    Case::with(net, server.url("/"), (server, plain))
}

fn downgrades(certificates: &Arc<Certificates>) -> Vec<Row> {
    let row = |number, name, expected| {
        let certificates = Arc::clone(certificates);
        Row::new(number, name, expected, move || {
            let certificates = Arc::clone(&certificates);
            async move { Ok(down(&certificates, 302, Behaviour::Echo(200)).await) }
        })
    };
    vec![
        row("76a", "from https to http", "up").and(warns(Warning::Downgrade)),
        row("76b", "from https to http, unwanted", "redirect/downgrade")
            .module("{ prober: http, http: { require_tls: true } }")
            .and(takes(1)),
        row("76c", "secrets, from https to http", "up").module(UNSENT),
    ]
}

/// A host that leads to another one, which sends back what it got.
async fn away(fields: &'static str, user: &'static str) -> Result<Case, String> {
    let names = ["one.test", "two.test"];
    let here = names.map(|name| (name, DnsAnswer::addresses(&["127.0.0.1"])));
    let dns = DnsServer::start(here).await;
    let last = Server::start(Behaviour::Echo(200)).await;
    let there = last.url_as("http", &format!("{user}two.test"), "/");
    let answer = Behaviour::message(302, &format!("Location: {there}\r\n{fields}"), "");
    let first = Server::start(Behaviour::reply(answer)).await;
    let net = Net::for_tests(Some(dns.address()), &[]).expect("a network for tests");
    Ok(Case::with(net, first.url_as("http", "one.test", "/"), (first, last, dns)))
}

fn secrets() -> Vec<Row> {
    let cookie = "Set-Cookie: session=hunter2; Path=/\r\n";
    let same_host = Behaviour::Sequence(vec![
        Behaviour::reply(Behaviour::redirect("/end")),
        Behaviour::Echo(200),
    ]);
    vec![
        Row::new("77a", "secrets, to another host", "up", || away("", "")).module(UNSENT),
        Row::new("77b", "cookies, to another host", "up", move || away(cookie, "")).module(UNSENT),
        Row::server("77c", "secrets, to the same host", same_host, "up").module(SENT),
        Row::new("78", "a user in the location", "up", || away("", "admin:letmein@"))
            .module(UNSENT)
            .and(warns(Warning::UserInLocation))
            .and(|result| {
                let shown = format!("{result:?}");
                if shown.contains("letmein") { Err(shown) } else { Ok(()) }
            }),
    ]
}

fn bodies(certificates: &Arc<Certificates>) -> Vec<Row> {
    let again = |status| {
        let first = Behaviour::message(status, "Location: /end\r\n", "");
        Behaviour::Sequence(vec![Behaviour::reply(first), Behaviour::Echo(200)])
    };
    let certificates = Arc::clone(certificates);
    vec![
        Row::server("79a", "307 to the same host", again(307), "up").module(POST),
        Row::server("79b", "308 to the same host", again(308), "up").module(POST),
        Row::new("79c", "307 to another host", "redirect/bad_location", || async {
            let last = Server::start(Behaviour::Echo(200)).await;
            let there = format!("Location: {}\r\n", last.url_as("http", "localhost", "/"));
            let first = Server::start(Behaviour::answer(307, &there, "")).await;
            let net = Net::for_tests(None, &[]).expect("a network for tests");
            Ok(Case::with(net, first.url("/"), (first, last)))
        })
        .module(POST),
        Row::new("79d", "307 from https to http", "redirect/downgrade", move || {
            let certificates = Arc::clone(&certificates);
            async move { Ok(down(&certificates, 307, Behaviour::Echo(200)).await) }
        })
        .module(POST),
    ]
}

fn challenges() -> Vec<Row> {
    let asks = |status, scheme: &str, field: &str| {
        Behaviour::answer(status, &format!("{field}: {scheme}\r\n"), "")
    };
    let basic = asks(401, "Basic realm=\"x\"", "WWW-Authenticate");
    let with_password =
        "{ prober: http, http: { basic_auth: { username: me, password: hunter2 } } }";
    vec![
        Row::server("80a", "401, Basic", basic.clone(), "check/status").and(takes(1)),
        Row::server("80b", "401, Basic, with a password", basic, "check/status")
            .module(with_password)
            .and(takes(1)),
        Row::server(
            "80c",
            "401, Negotiate",
            asks(401, "Negotiate", "WWW-Authenticate"),
            "check/status",
        )
        .and(takes(1)),
        Row::server("80d", "407, NTLM", asks(407, "NTLM", "Proxy-Authenticate"), "check/status")
            .and(takes(1)),
    ]
}

fn cookies() -> Vec<Row> {
    let fields: Vec<String> =
        (0..400).map(|index| format!("Set-Cookie: c{index}=x\r\n")).collect();
    let fields = fields.concat();
    let many = Behaviour::message(302, &format!("Location: /\r\n{fields}"), "");
    let large = format!("Location: /\r\nSet-Cookie: large={}\r\n", "x".repeat(5000));
    let then_echo = |first: Vec<u8>| {
        Behaviour::Sequence(vec![Behaviour::reply(first), Behaviour::Echo(200)])
    };
    vec![
        Row::new("81a", "a cookie for everybody below .test", "up", || {
            away("Set-Cookie: session=hunter2; Domain=test; Path=/\r\n", "")
        })
        .module(UNSENT),
        Row::new("81b", "a cookie for somebody else", "up", || {
            away("Set-Cookie: session=hunter2; Domain=two.test; Path=/\r\n", "")
        })
        .module(UNSENT),
        Row::server("81c", "400 cookies", then_echo(many), "up").module(
            "{ prober: http, http: { \
                fail_if_body_not_matches_regexp: ['Cookie: (c[0-9]+=x; ){49}c[0-9]+=x[\\r\\n]'] } }",
        ),
        Row::server(
            "81d",
            "a cookie of 5 KB",
            then_echo(Behaviour::message(302, &large, "")),
            "redirect/loop",
        ),
    ]
}
