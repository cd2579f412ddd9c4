//! Modules files: what is accepted, and how each mistake is reported.

use std::time::Duration;

use probe::{Module, parse_modules};

#[test]
fn modules_as_they_are_in_the_wild() {
    for text in [
        "modules: {}\n",
        "modules:\n  http_2xx:\n    prober: http\n",
        "modules:\n  http_2xx:\n    prober: http\n    http:\n",
        "modules:\n  a:\n    prober: http\n    timeout: 5s\n    http:\n      valid_http_versions: [\"HTTP/1.1\", \"HTTP/2.0\"]\n      valid_status_codes: []  # Defaults to 2xx\n      method: GET\n      headers:\n        Host: vhost.example.com\n        Accept-Language: en-US\n      follow_redirects: true\n      fail_if_ssl: false\n      fail_if_not_ssl: false\n      fail_if_body_matches_regexp:\n        - \"Could not connect to database\"\n      fail_if_body_not_matches_regexp:\n        - \"Download the latest version here\"\n      fail_if_header_matches:\n        - header: Set-Cookie\n          allow_missing: true\n          regexp: '.*'\n      fail_if_header_not_matches:\n        - header: Access-Control-Allow-Origin\n          regexp: '(\\*|example\\.com)'\n      tls_config:\n        insecure_skip_verify: false\n      preferred_ip_protocol: \"ip4\"\n      ip_protocol_fallback: false\n",
        "modules:\n  post:\n    prober: http\n    timeout: 1m30s\n    http:\n      method: POST\n      headers:\n        Content-Type: application/json\n      body: '{}'\n      body_size_limit: 10MB\n",
        "modules:\n  tls:\n    prober: tcp\n    timeout: 500ms\n    tcp:\n      tls: true\n      tls_config: { min_version: TLS12, server_name: a.example }\n",
        "# only a comment above\nmodules:\n  a: { prober: tcp, http: { method: GET } }\n",
    ] {
        assert!(parse_modules(text).is_ok(), "{text}\n{:?}", parse_modules(text).unwrap_err());
    }
}

/// Files with one mistake each, its line, and a word that the message must hold.
const MISTAKES: &[(&str, usize, &str)] = &[
    ("modules:\n  a: { prober: htpt }\n", 2, "http"),
    ("modules:\n  a:\n    timeout: 5s\n", 1, "prober"),
    ("modules:\n  a:\n    prober: http\n    timeout: 5\n", 4, "duration"),
    ("modules:\n  a:\n    prober: http\n    timeout: 1d\n", 4, "duration"),
    ("modules:\n  a:\n    prober: http\n    timeout: -5s\n", 4, "duration"),
    ("modules:\n  a:\n    prober: http\n    http:\n      metod: GET\n", 5, "method"),
    ("modules:\n  a:\n    prober: http\n    http:\n      method: 'GE T'\n", 5, "method"),
    ("modules:\n  a:\n    prober: http\n    http:\n      valid_status_codes: [two]\n", 5, "two"),
    ("modules:\n  a:\n    prober: http\n    http:\n      valid_status_codes: [99]\n", 5, "99"),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      valid_status_codes: [299-200]\n",
        5,
        "299-200",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      valid_http_versions: [HTTP/4]\n",
        5,
        "HTTP/4",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      fail_if_body_matches_regexp: ['[']\n",
        5,
        "regular expression",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      fail_if_header_matches: [{ regexp: x }]\n",
        5,
        "header",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      headers: { 'bad header': x }\n",
        5,
        "bad header",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      headers: { X-Split: \"a\\r\\nInjected: b\" }\n",
        5,
        "header",
    ),
    ("modules:\n  a:\n    prober: http\n    http:\n      body_size_limit: many\n", 5, "size"),
    ("modules:\n  a:\n    prober: http\n    http:\n      preferred_ip_protocol: ip5\n", 5, "ip5"),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      tls_config: { min_version: SSL3 }\n",
        5,
        "SSL3",
    ),
    (
        "modules:\n  a:\n    prober: http\n    http:\n      oauth2: { client_id: x }\n",
        3,
        "token_url",
    ),
    ("moduls: {}\n", 1, "modules"),
];

#[test]
fn every_mistake_is_reported_where_it_is() {
    for (text, line, needle) in MISTAKES {
        let problems = parse_modules(text).map(|_| ()).expect_err(text);
        let at = format!("line {line} ");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let found = shown.iter().any(|shown| shown.starts_with(&at) && shown.contains(needle));
        assert!(found, "{text}: no word of {needle:?} at line {line} in {shown:?}");
    }
}

#[test]
fn modules_of_kinds_that_are_not_there_yet_do_not_spoil_the_others() {
    let text = "modules:\n  ping: { prober: icmp, icmp: { ttl: 5 } }\n  web: { prober: http }\n";
    let modules = parse_modules(text).unwrap();
    assert_eq!(modules.usable.keys().collect::<Vec<_>>(), ["web"]);
    assert!(modules.unsupported["ping"].contains("`icmp` is not supported yet"));
}

#[test]
fn the_mistakes_of_a_file_are_reported_together() {
    let text = "modules:\n  a: { prober: htpt }\n  b: { prober: http, timeout: soon }\n  c: { prober: http, http: { metod: GET } }\n";
    let mistakes = parse_modules(text).unwrap_err();
    let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.position.unwrap().line).collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn a_module_knows_its_name_its_kind_and_its_timeout() {
    let modules = parse_modules("modules:\n  slow: { prober: tcp, timeout: 1m30s }\n").unwrap();
    let slow = &modules.usable["slow"];
    assert_eq!(
        (slow.name(), slow.kind(), slow.timeout()),
        ("slow", "tcp", Some(Duration::from_secs(90)))
    );
    assert!(slow.target("db.example:5432").is_ok() && slow.target("https://db.example/").is_err());
    let http = &Module::builtin()["http_2xx"];
    assert!(
        http.target("www.example.com").is_err() && http.target_lenient("www.example.com").is_ok()
    );
}

#[test]
fn a_host_header_and_a_host_name_must_not_contradict() {
    let modules =
        parse_modules("modules:\n  a: { prober: http, http: { headers: { host: a.example } } }\n")
            .unwrap();
    let module = &modules.usable["a"];
    let target = module.target("http://127.0.0.1/").unwrap();
    assert!(module.with_hostname(target.clone(), "a.example").is_ok());
    assert!(module.with_hostname(target.clone(), "b.example").is_err());
    assert!(Module::builtin()["http_2xx"].with_hostname(target, "a.example\r\nX: y").is_err());
}
