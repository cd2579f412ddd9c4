//! Rows about redirects: where to, with which method, how often, and with which cookies.

use std::net::SocketAddr;

use testkit::{Behaviour, Leaf, TlsSettings};

use super::row::{Row, Setup, plain, row};

/// Where every chain ends that ends well.
fn end() -> (&'static str, Vec<u8>) {
    ("/end", Behaviour::message(200, "", "there"))
}

/// A server whose `/` answers with this status and location, and whose `/end` is well.
fn from_root(status: u16, location: &str) -> Behaviour {
    let fields = format!("Location: {location}\r\n");
    Behaviour::paths([("/", Behaviour::message(status, &fields, "moved")), end()])
}

/// A server with so many redirects on the way to `/end`.
fn chain(length: usize) -> Behaviour {
    let hops = (0..length).map(|hop| {
        let from = if hop == 0 { "/".to_owned() } else { format!("/{hop}") };
        let to = if hop + 1 == length { "/end".to_owned() } else { format!("/{}", hop + 1) };
        (from, Behaviour::redirect(&to))
    });
    let mut replies: Vec<(String, Vec<u8>)> = hops.collect();
    replies.push(("/end".to_owned(), end().1));
    Behaviour::paths(replies.iter().map(|(path, reply)| (path.as_str(), reply.clone())))
}

pub(super) fn rows() -> Vec<Row> {
    [targets(), dead_ends(), methods(), limits(), other_hosts(), cookies(), odd_cookies()]
        .into_iter()
        .flatten()
        .collect()
}

fn targets() -> Vec<Row> {
    vec![
        plain("301", from_root(301, "/end"), ""),
        plain("302", from_root(302, "/end"), ""),
        plain("303", from_root(303, "/end"), ""),
        plain("307", from_root(307, "/end"), ""),
        plain("308", from_root(308, "/end"), ""),
        plain("300 with location", from_root(300, "/end"), ""),
        plain("304 with location", from_root(304, "/end"), ""),
        plain("305 with location", from_root(305, "/end"), ""),
        plain("201 with location", from_root(201, "/end"), ""),
        plain("redirect to a relative path", from_root(302, "end"), ""),
        plain("redirect to a query", from_root(302, "/end?x=1"), ""),
        plain("redirect to a fragment", from_root(302, "/end#part"), ""),
        plain("redirect to a path with dots", from_root(302, "/a/../end"), ""),
        plain("redirect to a path with a space", from_root(302, "/the end"), ""),
        plain("redirect to another scheme", from_root(302, "//127.0.0.1:1/"), ""),
        plain("redirect to a query alone", from_root(302, "?a=b"), ""),
        plain("redirect to a query with a space", from_root(302, "/a?b c"), "")
            .differs("urls-of-browsers", &["requests"]),
        plain("redirect to a broken escape", from_root(302, "/end%2"), "").differs(
            "urls-of-browsers",
            &[
                "probe_http_content_length",
                "probe_http_redirects",
                "probe_http_status_code",
                "probe_http_uncompressed_body_length",
                "probe_http_version",
                "requests",
            ],
        ),
        plain("redirect to a path in UTF-8", from_root(302, "/é"), ""),
    ]
}

fn dead_ends() -> Vec<Row> {
    vec![
        plain("redirect to nowhere", Behaviour::answer(302, "", "moved"), ""),
        plain("redirect to an empty location", from_root(302, ""), ""),
        plain("308 to nowhere", Behaviour::answer(308, "", "moved"), ""),
        plain("redirect to an unparsable location", from_root(302, "http://[::1/"), ""),
        plain("redirect to a host that is none", from_root(302, "http://a b/"), ""),
        plain("redirect to FTP", from_root(302, "ftp://127.0.0.1/"), ""),
        plain("redirect to a file", from_root(302, "file:///etc/passwd"), ""),
        plain("redirect to a script", from_root(302, "javascript:alert(1)"), ""),
        plain("redirect to a closed port", from_root(302, "http://127.0.0.1:1/"), ""),
        plain("redirect to an unknown host", from_root(302, "http://does-not-exist.invalid/"), "")
            .differs("redirect-that-fails", &["probe_ip_addr_hash", "probe_ip_protocol"]),
        plain("redirect to 9 KB", from_root(302, &format!("/{}", "x".repeat(9000))), ""),
        plain(
            "two locations",
            Behaviour::paths([
                ("/", Behaviour::message(302, "Location: /end\r\nLocation: /other\r\n", "")),
                end(),
            ]),
            "",
        ),
        plain(
            "redirect to an error",
            Behaviour::paths([("/", Behaviour::redirect("/missing"))]),
            "",
        ),
        plain(
            "redirect with an unreadable body",
            Behaviour::Paths(
                [
                    (
                        "/".to_owned(),
                        b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 100\r\n\r\nshort"
                            .to_vec(),
                    ),
                    ("/end".to_owned(), end().1),
                ]
                .into(),
            ),
            "",
        ),
    ]
}

fn methods() -> Vec<Row> {
    let post = "method: POST, body: ping, headers: { Content-Type: text/plain }";
    vec![
        plain("POST 301", from_root(301, "/end"), post),
        plain("POST 302", from_root(302, "/end"), post),
        plain("POST 303", from_root(303, "/end"), post),
        plain("POST 307", from_root(307, "/end"), post),
        plain("POST 308", from_root(308, "/end"), post),
        plain("PUT 302", from_root(302, "/end"), "method: PUT, body: ping"),
        plain("PUT 307", from_root(307, "/end"), "method: PUT, body: ping"),
        plain("HEAD 302", from_root(302, "/end"), "method: HEAD"),
        plain("HEAD 303", from_root(303, "/end"), "method: HEAD"),
        plain("DELETE 302", from_root(302, "/end"), "method: DELETE"),
        plain(
            "headers over a redirect",
            from_root(302, "/end"),
            "headers: { X-A: b, Authorization: Bearer x }",
        ),
    ]
}

fn limits() -> Vec<Row> {
    vec![
        plain("not followed", from_root(302, "/end"), "follow_redirects: false").differs("redirect-not-followed", &["probe_http_redirects", "probe_http_uncompressed_body_length"]),
        plain("not followed in the old way", from_root(302, "/end"), "no_follow_redirects: true").differs("redirect-not-followed", &["probe_http_redirects", "probe_http_uncompressed_body_length"]),
        plain(
            "not followed and wanted",
            from_root(302, "/end"),
            "follow_redirects: false, valid_status_codes: [302]",
        ).differs("redirect-not-followed", &["probe_http_redirects", "probe_http_uncompressed_body_length"]),
        plain(
            "not followed and wanted with its body",
            from_root(302, "/end"),
            "follow_redirects: false, valid_status_codes: [302], fail_if_body_not_matches_regexp: [moved]",
        ).differs("redirect-not-followed", &["probe_http_redirects", "probe_http_uncompressed_body_length", "probe_failed_due_to_regex", "probe_success"]),
        plain(
            "not followed and wanted with its header",
            from_root(302, "/end"),
            "follow_redirects: false, valid_status_codes: [302], fail_if_header_not_matches: [{ header: Location, regexp: end }]",
        ).differs("redirect-not-followed", &["probe_http_redirects", "probe_http_uncompressed_body_length"]),
        plain("one redirect", chain(1), ""),
        plain("nine redirects", chain(9), ""),
        plain("ten redirects", chain(10), ""),
        plain("eleven redirects", chain(11), ""),
        plain("redirect to itself", from_root(302, "/"), ""),
        plain(
            "redirect to and fro",
            Behaviour::paths([("/", Behaviour::redirect("/b")), ("/b", Behaviour::redirect("/"))]),
            "",
        ),
        plain(
            "status of the last answer wanted",
            from_root(302, "/end"),
            "valid_status_codes: [200]",
        ),
    ]
}

fn other_hosts() -> Vec<Row> {
    let other_port = |address: SocketAddr| {
        let there = format!("http://localhost:{}/end", address.port());
        Behaviour::paths([("/", Behaviour::redirect(&there)), end()])
    };
    let with_user = |address: SocketAddr| {
        let there = format!("http://user:pass@127.0.0.1:{}/end", address.port());
        Behaviour::paths([("/", Behaviour::redirect(&there)), end()])
    };
    let with_body = |address: SocketAddr| {
        let there = format!("Location: http://localhost:{}/end\r\n", address.port());
        Behaviour::paths([("/", Behaviour::message(307, &there, "")), end()])
    };
    vec![
        row("redirect to another host", Setup::Located(other_port), ""),
        row(
            "redirect to another host with secrets",
            Setup::Located(other_port),
            "headers: { Authorization: Bearer x, Cookie: a=b, X-Key: k }",
        )
        .differs("headers-stay", &["requests"]),
        row(
            "redirect to another host with a Host header",
            Setup::Located(other_port),
            "headers: { Host: vhost.example }",
        ),
        row("redirect with a user", Setup::Located(with_user), "")
            .differs("redirect-user", &["requests"]),
        row(
            "307 with a body to another host",
            Setup::Located(with_body),
            "method: POST, body: ping",
        ),
        row(
            "redirect with a Host header",
            Setup::Plain(from_root(302, "/end")),
            "headers: { Host: vhost.example }",
        ),
        row(
            "redirect from TLS into the clear",
            Setup::Tls(Leaf::Good, TlsSettings::default(), from_root(302, "http://127.0.0.1:1/")),
            "tls_config: { ca_file: '{authority}' }",
        ),
    ]
}

/// A server whose redirect has these header fields too.
fn setting(fields: &str) -> Behaviour {
    let fields = format!("Location: /end\r\n{fields}");
    Behaviour::paths([("/", Behaviour::message(302, &fields, "")), end()])
}

fn cookies() -> Vec<Row> {
    vec![
        plain("cookie", setting("Set-Cookie: a=1\r\n"), ""),
        plain("two cookies", setting("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"), ""),
        plain("cookie set twice", setting("Set-Cookie: a=1\r\nSet-Cookie: a=2\r\n"), ""),
        plain("cookie for a path", setting("Set-Cookie: a=1; Path=/end\r\n"), ""),
        plain("cookie for another path", setting("Set-Cookie: a=1; Path=/other\r\n"), ""),
        plain(
            "cookie for another domain",
            setting("Set-Cookie: a=1; Domain=other.example\r\n"),
            "",
        ),
        plain("cookie for TLS", setting("Set-Cookie: a=1; Secure\r\n"), ""),
        plain("cookie for HTTP", setting("Set-Cookie: a=1; HttpOnly; SameSite=Strict\r\n"), ""),
        plain("cookie that has expired", setting("Set-Cookie: a=1; Max-Age=0\r\n"), ""),
        plain(
            "cookie that expired on a day",
            setting("Set-Cookie: a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            "",
        ),
        plain(
            "cookie that expired on a day with dashes",
            setting("Set-Cookie: a=1; Expires=Wed, 31-Dec-1969 23:59:59 GMT\r\n"),
            "",
        ),
        plain(
            "cookie that expires in a short year",
            setting("Set-Cookie: a=1; Expires=Thu, 01-Jan-70 00:00:00 GMT\r\n"),
            "",
        ),
        plain(
            "cookie whose age outranks its day",
            setting("Set-Cookie: a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            "",
        ),
        plain("cookie for the domain itself", setting("Set-Cookie: a=1; Domain=127.0.0.1\r\n"), ""),
        plain("cookie for no domain", setting("Set-Cookie: a=1; Domain=\r\n"), ""),
        plain("cookie for no path", setting("Set-Cookie: a=1; Path=\r\n"), ""),
        plain("cookie for a path in vain", setting("Set-Cookie: a=1; Path=end\r\n"), ""),
        plain("cookie for localhost and TLS", setting("Set-Cookie: a=1; Secure\r\n"), "")
            .target("http://localhost:{port}/"),
    ]
}

fn odd_cookies() -> Vec<Row> {
    vec![
        plain("cookie without a name", setting("Set-Cookie: =1\r\n"), ""),
        plain("cookie with an odd name", setting("Set-Cookie: a b=1\r\n"), ""),
        plain("cookie with an odd value", setting("Set-Cookie: a=x y,z\r\n"), "")
            .differs("cookie-values", &["requests"]),
        plain("cookie with UTF-8", setting("Set-Cookie: a=\u{e9}\r\n"), ""),
        plain("cookie with spaces around", setting("Set-Cookie:  a = 1 ; Path=/\r\n"), "")
            .differs("cookie-values", &["requests"]),
        plain(
            "cookie of 5000 bytes",
            setting(&format!("Set-Cookie: a={}\r\n", "x".repeat(5000))),
            "",
        )
        .differs("cookie-limits", &["requests"]),
        plain("cookie without its host", setting("Set-Cookie: __Host-a=1; Path=/x\r\n"), ""),
        plain(
            "cookies of two paths",
            setting("Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/end\r\n"),
            "",
        ),
        plain("cookie in quotes", setting("Set-Cookie: a=\"x y\"\r\n"), ""),
        plain("cookie without a value", setting("Set-Cookie: a\r\n"), ""),
        plain(
            "cookie beside one of the module",
            setting("Set-Cookie: a=1\r\n"),
            "headers: { Cookie: own=2 }",
        ),
    ]
}
