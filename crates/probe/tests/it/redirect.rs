//! Redirects: which are followed, where they end, and what is not sent to another host.

use probe::Net;
use testkit::{Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Server};

use crate::support::{HTTP, LONG, Table, run, run_plain, value, verdict};

/// What begins at `/hop0`, how it ends, and after how many redirects, where that is known.
type Row = (&'static str, Behaviour, &'static str, Option<f64>);

/// A server whose `/hop0` leads to this location.
fn to(location: &str) -> Behaviour {
    Behaviour::paths([("/hop0", Behaviour::redirect(location))])
}

fn followed() -> Vec<Row> {
    let chain = |length: usize| {
        let hops: Vec<String> = (0..=length).map(|index| format!("/hop{index}")).collect();
        let replies = hops.windows(2).map(|pair| (pair[0].clone(), Behaviour::redirect(&pair[1])));
        let end = (hops[length].clone(), Behaviour::message(200, "", "end"));
        Behaviour::Paths(replies.chain([end]).collect())
    };
    let paths = |replies: [(&'static str, &str); 2]| {
        Behaviour::paths(replies.map(|(path, location)| (path, Behaviour::redirect(location))))
    };
    vec![
        ("none", chain(0), "up", Some(0.0)),
        ("two", chain(2), "up", Some(2.0)),
        ("as many as allowed", chain(10), "up", Some(10.0)),
        ("one more than allowed", chain(11), "redirect/too_many", None),
        ("to itself", to("/hop0"), "redirect/loop", None),
        ("to and fro", paths([("/hop0", "/hop1"), ("/hop1", "/hop0")]), "redirect/loop", None),
        (
            "relative",
            Behaviour::paths([
                ("/hop0", Behaviour::redirect("end?x=1")),
                ("/end?x=1", Behaviour::message(200, "", "")),
            ]),
            "up",
            Some(1.0),
        ),
        ("to a failure", to("/missing"), "check/status", Some(1.0)),
    ]
}

fn not_followed() -> Vec<Row> {
    vec![
        ("file", to("file:///etc/passwd"), "redirect/denied_scheme", None),
        ("ftp", to("ftp://127.0.0.1/"), "redirect/denied_scheme", None),
        ("javascript", to("javascript:alert(1)"), "redirect/denied_scheme", None),
        ("no URL", to("http://["), "redirect/bad_location", None),
        ("no host", to("http://"), "redirect/bad_location", None),
        ("far too long", to(&format!("/{}", "x".repeat(100_000))), "redirect/bad_location", None),
        (
            "two different",
            Behaviour::reply(
                "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
            ),
            "redirect/bad_location",
            None,
        ),
        ("without a location", Behaviour::answer(302, "", ""), "check/status", None),
        (
            "with an empty location",
            Behaviour::answer(302, "Location: \r\n", ""),
            "check/status",
            None,
        ),
        ("not modified", Behaviour::answer(304, "Location: /hop0\r\n", ""), "check/status", None),
    ]
}

#[tokio::test]
async fn redirects_end_well_or_with_a_reason() {
    let mut table = Table::default();
    for (name, behaviour, expected, redirects) in followed().into_iter().chain(not_followed()) {
        let server = Server::start(behaviour).await;
        let result = run_plain(HTTP, &server.url("/hop0")).await;
        table.expect(name, &result, expected);
        let found = value(&result, "probe_http_redirects");
        table.check(
            name,
            redirects.is_none() || redirects == found,
            &format!("{found:?} redirects"),
        );
        table.check(name, server.connections() <= 12, "too many connections");
    }
    table.finish();
}

#[tokio::test]
async fn redirects_need_not_be_followed() {
    let server = Server::start(Behaviour::paths([("/", Behaviour::redirect("/other"))])).await;
    let mut table = Table::default();
    for (settings, expected) in [
        ("{ prober: http, http: { follow_redirects: false } }", "check/status"),
        ("{ prober: http, http: { follow_redirects: false, valid_status_codes: [302] } }", "up"),
        ("{ prober: http, http: { no_follow_redirects: true, valid_status_codes: [302] } }", "up"),
    ] {
        let result = run_plain(settings, &server.url("/")).await;
        table.expect(settings, &result, expected);
        table.check(
            settings,
            value(&result, "probe_http_status_code") == Some(302.0),
            "not the status of the redirect",
        );
    }
    table.finish();
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn secrets_stay_with_their_host() {
    let dns = DnsServer::start(
        ["one.test", "two.test"].map(|name| (name, DnsAnswer::addresses(&["127.0.0.1"]))),
    )
    .await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let settings = "{ prober: http, http: { headers: { Authorization: Bearer hunter2, Cookie: id=hunter2, X-Api-Key: hunter2, Accept: text/x-test } } }";
    let last = Server::start(Behaviour::answer(200, "", "ok")).await;
    let away = last.url_as("http", "two.test", "/end");
    let with_userinfo = away.replace("http://", "http://admin:letmein@");
    let first = Server::start(Behaviour::paths([
        ("/away", Behaviour::redirect(&away)),
        ("/userinfo", Behaviour::redirect(&with_userinfo)),
        ("/stay", Behaviour::redirect("/end")),
        ("/end", Behaviour::message(200, "", "ok")),
    ]))
    .await;

    for path in ["/away", "/userinfo"] {
        let result = run(&net, settings, &first.url_as("http", "one.test", path), LONG).await;
        assert_eq!(verdict(&result), "up", "{path}: {result:?}");
        assert!(
            first.last_received().contains("Bearer hunter2"),
            "the target itself must get the secret"
        );
        let received = last.last_received();
        assert!(!received.contains("hunter2"), "{path}: {received}");
        assert!(!received.to_lowercase().contains("authorization"), "{path}: {received}");
        assert!(
            received
                .to_lowercase()
                .contains(&format!("host: two.test:{}\r\n", last.address().port())),
            "{path}: {received}"
        );
        let shown = format!("{:?}", result.notes);
        assert!(!shown.contains("letmein") && !shown.contains("hunter2"), "{path}: {shown}");
    }

    let result = run(&net, settings, &first.url_as("http", "one.test", "/stay"), LONG).await;
    assert_eq!(verdict(&result), "up");
    assert!(
        first.last_received().starts_with("GET /end ") && first.last_received().contains("hunter2")
    );
}

#[tokio::test]
async fn the_method_changes_as_in_browsers() {
    let redirect = |status| Behaviour::message(status, "Location: /end\r\n", "");
    let server = Server::start(Behaviour::paths([
        ("/302", redirect(302)),
        ("/303", redirect(303)),
        ("/307", redirect(307)),
        ("/308", redirect(308)),
        ("/end", Behaviour::message(200, "", "ok")),
    ]))
    .await;
    let settings = "{ prober: http, http: { method: POST, body: the-body } }";
    for (path, method, has_body) in [
        ("/302", "GET", false),
        ("/303", "GET", false),
        ("/307", "POST", true),
        ("/308", "POST", true),
    ] {
        let result = run_plain(settings, &server.url(path)).await;
        assert_eq!(verdict(&result), "up", "{path}: {result:?}");
        let received = server.last_received();
        assert!(received.starts_with(&format!("{method} /end ")), "{path}: {received}");
        assert_eq!(received.contains("the-body"), has_body, "{path}: {received}");
    }
}

#[tokio::test]
async fn only_the_last_hop_counts_for_tls() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let plain = Server::start(Behaviour::answer(200, "", "ok")).await;
    let down = Behaviour::paths([("/", Behaviour::redirect(&plain.url("/")))]);
    let down = Server::start_tls(certificates.acceptor(Leaf::Good), down).await;
    let secure =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    let up = Server::start(Behaviour::paths([("/", Behaviour::redirect(&secure.url("/")))])).await;
    let away = Behaviour::paths([("/", Behaviour::redirect("http://127.0.0.1:1/"))]);
    let away = Server::start_tls(certificates.acceptor(Leaf::Good), away).await;
    let demands = "{ prober: http, http: { fail_if_not_ssl: true } }";
    let refuses = "{ prober: http, http: { fail_if_ssl: true } }";
    let mut table = Table::default();
    for (settings, server, expected, ssl) in [
        (HTTP, &down, "up", 0.0),
        (HTTP, &up, "up", 1.0),
        (demands, &down, "check/not_ssl", 0.0),
        (demands, &up, "up", 1.0),
        (refuses, &down, "up", 0.0),
        (refuses, &up, "check/ssl", 1.0),
        (HTTP, &away, "connect/refused", 0.0),
    ] {
        let row = format!("{} with {settings}", server.url("/"));
        let result = run(&net, settings, &server.url("/"), LONG).await;
        table.expect(&row, &result, expected);
        table.check(
            &row,
            value(&result, "probe_http_ssl") == Some(ssl),
            "the wrong probe_http_ssl",
        );
        let expiry = value(&result, "probe_ssl_earliest_cert_expiry");
        table.check(&row, expiry.is_some() == (ssl > 0.0), &format!("an expiry of {expiry:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn cookies_are_kept_between_hops_of_their_host() {
    let dns = DnsServer::start(
        ["one.test", "two.test"].map(|name| (name, DnsAnswer::addresses(&["127.0.0.1"]))),
    )
    .await;
    let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
    let last = Server::start(Behaviour::answer(200, "", "ok")).await;
    let set = |location: &str| {
        Behaviour::message(
            302,
            &format!("Location: {location}\r\nSet-Cookie: session=s3cret; Path=/\r\n"),
            "",
        )
    };
    let first = Server::start(Behaviour::paths([
        ("/login", set("/end")),
        ("/away", set(&last.url_as("http", "two.test", "/"))),
        ("/end", Behaviour::message(200, "", "ok")),
    ]))
    .await;
    assert_eq!(
        verdict(&run(&net, HTTP, &first.url_as("http", "one.test", "/login"), LONG).await),
        "up"
    );
    assert!(
        first.last_received().to_lowercase().contains("\r\ncookie: session=s3cret\r\n"),
        "{}",
        first.last_received()
    );
    assert_eq!(
        verdict(&run(&net, HTTP, &first.url_as("http", "one.test", "/away"), LONG).await),
        "up"
    );
    assert!(!last.last_received().contains("s3cret"), "{}", last.last_received());
    // A new probe knows nothing of the cookies of the one before.
    assert!(!first.last_received().contains("s3cret"), "{}", first.last_received());
}

#[tokio::test]
async fn a_page_that_redirects_to_itself_until_it_sees_its_cookie_is_no_loop() {
    let wall =
        Behaviour::reply(Behaviour::message(302, "Location: /\r\nSet-Cookie: seen=1\r\n", ""));
    let server =
        Server::start(Behaviour::Sequence(vec![wall, Behaviour::answer(200, "", "welcome")])).await;
    let result = run_plain(HTTP, &server.url("/")).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    assert!(server.last_received().contains("seen=1"), "{}", server.last_received());
}
