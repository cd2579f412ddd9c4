//! Rows about requests: methods, bodies, header fields, the host's name, and targets that are written in odd ways.

use testkit::Behaviour;

use super::row::{Row, Setup, plain, row};

pub(super) fn rows() -> Vec<Row> {
    [methods(), hosts(), targets()].into_iter().flatten().collect()
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

fn methods() -> Vec<Row> {
    vec![
        plain("GET", ok(), "method: GET"),
        plain("POST without a body", ok(), "method: POST"),
        plain("POST", ok(), "method: POST, body: ping"),
        plain(
            "POST as JSON",
            ok(),
            "method: POST, headers: { Content-Type: application/json }, body: '{\"a\": 1}'",
        ),
        plain("GET with a body", ok(), "body: ping"),
        plain("PUT", ok(), "method: PUT, body: ping"),
        plain("PUT without a body", ok(), "method: PUT"),
        plain("DELETE", ok(), "method: DELETE"),
        plain("OPTIONS", ok(), "method: OPTIONS"),
        plain("PROPFIND", ok(), "method: PROPFIND"),
        plain("method in small letters", ok(), "method: get"),
        plain("header fields", ok(), "headers: { X-Key: k, Accept: '*/*', Accept-Language: en }"),
        plain("an empty header field", ok(), "headers: { X-Key: '' }"),
        plain("own user agent", ok(), "headers: { User-Agent: mine }"),
        plain("own length", ok(), "headers: { Content-Length: '3' }, method: POST, body: ping"),
        plain("own coding", ok(), "headers: { Accept-Encoding: identity }"),
        plain("header in small letters", ok(), "headers: { x-key: k, authorization: Bearer t }"),
    ]
}

fn hosts() -> Vec<Row> {
    let path = "http://127.0.0.1:{port}/path?a=b";
    vec![
        plain("Host header", ok(), "headers: { Host: vhost.example }"),
        plain("Host header with port", ok(), "headers: { host: 'vhost.example:81' }"),
        plain("hostname", ok(), "").query("&hostname=vhost.example"),
        plain("hostname as the module has it", ok(), "headers: { Host: vhost.example }")
            .query("&hostname=vhost.example"),
        plain("hostname against the module", ok(), "headers: { Host: other.example }")
            .query("&hostname=vhost.example"),
        plain("empty hostname", ok(), "")
            .differs("empty-hostname", &["status of the exporter"])
            .query("&hostname="),
        plain("target by name", ok(), "").target("http://localhost:{port}/"),
        plain("target by IPv6", ok(), "").target("http://[::1]:1/"),
        plain(
            "target with a path",
            Behaviour::paths([("/path?a=b", Behaviour::message(200, "", "ok"))]),
            "",
        )
        .target(path),
        plain("empty Host header", ok(), "headers: { Host: '' }"),
        row("closed port", Setup::Nobody, ""),
        row("unknown host", Setup::Nobody, "").target("http://does-not-exist.invalid/"),
        row(
            "IPv6 alone to an IPv4 address",
            Setup::Plain(ok()),
            "preferred_ip_protocol: ip6, ip_protocol_fallback: false",
        ),
        row("IPv6 preferred to an IPv4 address", Setup::Plain(ok()), "preferred_ip_protocol: ip6"),
    ]
}

fn targets() -> Vec<Row> {
    vec![
        plain("target without a scheme", ok(), "").target("127.0.0.1:{port}"),
        plain("target without a path", ok(), "").target("http://127.0.0.1:{port}"),
        plain("target in capitals", ok(), "")
            .differs(
                "scheme-in-capitals",
                &[
                    "probe_http_content_length",
                    "probe_http_duration_seconds",
                    "probe_http_status_code",
                    "probe_http_uncompressed_body_length",
                    "probe_http_version",
                    "probe_ip_addr_hash",
                    "probe_ip_protocol",
                    "probe_success",
                    "requests",
                ],
            )
            .target("HTTP://127.0.0.1:{port}/"),
        plain("target with a user", ok(), "")
            .differs("target-user", &["status of the exporter"])
            .target("http://user:pass@127.0.0.1:{port}/"),
        plain("target with a fragment", ok(), "").target("http://127.0.0.1:{port}/#part"),
        plain("target with an escape", ok(), "").target("http://127.0.0.1:{port}/a%2Fb%20c"),
        plain("target with a plus", ok(), "").target("http://127.0.0.1:{port}/?q=a+b"),
        plain("target with a space", ok(), "")
            .differs("bad-target", &["status of the exporter"])
            .target("http://127.0.0.1:{port}/a b"),
        plain("target with dots", ok(), "")
            .differs("target-dots", &["requests"])
            .target("http://127.0.0.1:{port}/a/../b"),
        plain("target without a scheme but in its query", ok(), "")
            .target("127.0.0.1:{port}/path?a=http://x/"),
        plain("target with bars", ok(), "")
            .differs("urls-of-browsers", &["requests"])
            .target("http://127.0.0.1:{port}/a|b^c"),
        plain("target with quotes", ok(), "")
            .differs("urls-of-browsers", &["requests"])
            .target("http://127.0.0.1:{port}/?q=\"<>'"),
        plain("target with a backslash", ok(), "")
            .differs("urls-of-browsers", &["requests"])
            .target("http://127.0.0.1:{port}/a\\b"),
        plain("target with its host in capitals", ok(), "")
            .differs("urls-of-browsers", &["requests"])
            .target("http://LOCALHOST:{port}/"),
        plain("target with reserved characters", ok(), "")
            .target("http://127.0.0.1:{port}/;p=1,2!$&'()*+@:~-._?a=b&c=d;e=f"),
        plain("target with two slashes", ok(), "").target("http://127.0.0.1:{port}//a//b"),
        plain("target in UTF-8", ok(), "").target("http://127.0.0.1:{port}/é"),
        plain("target with an empty query", ok(), "").target("http://127.0.0.1:{port}/?"),
        row("target with a scheme of its own", Setup::Nobody, "")
            .differs("bad-target", &["status of the exporter"])
            .target("ftp://127.0.0.1:1/"),
        row("target without a host", Setup::Nobody, "").target("http:///path"),
        row("target with a port that is none", Setup::Nobody, "")
            .differs("bad-target", &["status of the exporter"])
            .target("http://127.0.0.1:99999/"),
        row("target with port 0", Setup::Nobody, "").target("http://127.0.0.1:0/"),
    ]
}
