//! The peer's own files and its own list of settings: this program must take them as they are.
//!
//! Must not know what a setting does.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use probe::parse_modules;
use regex::Regex;

use crate::{
    parts::part,
    tidy::{assert_none, read},
};

/// Keys of a section, each with values that the peer takes.
type Keys = &'static [(&'static str, &'static [&'static str])];

/// Every key of the `http` section in the peer's reference, with values that it takes.
const HTTP_KEYS: Keys = &[
    (
        "authorization",
        &["{ credentials: x }", "{ type: Token, credentials: x }", "{ credentials_file: x }"],
    ),
    (
        "basic_auth",
        &[
            "{ username: a, password: b }",
            "{ username_file: a, password_file: b }",
            "{ username: a, password_file: b }",
        ],
    ),
    ("body", &["ping", "''"]),
    ("body_file", &["body.txt"]),
    ("body_size_limit", &["0", "10MB", "1KB", "5GB", "64B"]),
    ("compression", &["gzip", "br", "deflate", "identity", "''"]),
    ("enable_http2", &["true", "false"]),
    ("enable_http3", &["false"]),
    ("fail_if_body_json_matches_cel", &["body.a == 'b'"]),
    ("fail_if_body_json_not_matches_cel", &["\"body.a == 'b' && body.c.startsWith('q')\""]),
    ("fail_if_body_matches_regexp", &["[a]", "[a, 'b+']", "[]"]),
    ("fail_if_body_not_matches_regexp", &["[a]"]),
    ("fail_if_header_matches", &["[{ header: A, regexp: '.*', allow_missing: true }]"]),
    ("fail_if_header_not_matches", &["[{ header: A, regexp: '(\\*|a\\.b)' }]"]),
    ("fail_if_not_ssl", &["true", "false"]),
    ("fail_if_ssl", &["true", "false"]),
    ("follow_redirects", &["true", "false"]),
    ("headers", &["{ Host: a.example, Origin: b.example }"]),
    ("http_headers", &["{ A: { values: [b] }, C: { secrets: [d] } }", "{ A: { files: [b.txt] } }"]),
    ("ip_protocol_fallback", &["true", "false"]),
    ("method", &["GET", "POST", "HEAD"]),
    ("no_proxy", &["'127.0.0.1,.example', proxy_url: 'http://a.example:1'"]),
    (
        "oauth2",
        &[
            "{ client_id: a, client_secret: b, scopes: [c], token_url: 'http://a.example/t', endpoint_params: { d: e } }",
            "{ client_id: a, client_secret_file: b, token_url: 'http://a.example/t' }",
        ],
    ),
    ("preferred_ip_protocol", &["ip4", "ip6"]),
    ("proxy_connect_header", &["{ A: [b, c] }, proxy_url: 'http://a.example:1'"]),
    ("proxy_from_environment", &["true", "false"]),
    ("proxy_url", &["'http://127.0.0.1:3128'", "'https://127.0.0.1:3128'"]),
    ("skip_resolve_phase_with_proxy", &["true", "false"]),
    (
        "tls_config",
        &[
            "{ insecure_skip_verify: true, ca_file: a, cert_file: b, key_file: c, server_name: d }",
            "{ min_version: TLS12, max_version: TLS13 }",
        ],
    ),
    ("valid_http_versions", &["[HTTP/1.1, HTTP/2.0]", "[HTTP/1.0]"]),
    ("valid_status_codes", &["[200, 404]", "[]"]),
];

/// The same for the `tcp` section.
const TCP_KEYS: Keys = &[
    ("ip_protocol_fallback", &["true", "false"]),
    ("preferred_ip_protocol", &["ip4", "ip6"]),
    (
        "query_response",
        &[
            "[]",
            "[{ expect: '^a (.+)$', labels: [{ name: b, value: '${1}' }], send: 'c ${1}', starttls: true }]",
            "[{ expect_bytes: S }, { send: !!binary AAAACATSFi8= }, { starttls: false }, {}]",
        ],
    ),
    ("source_ip_address", &["127.0.0.1"]),
    ("tls", &["true", "false"]),
    ("tls_config", &["{ insecure_skip_verify: true, ca_file: a, server_name: d }"]),
];

/// The expectations of one section of an answer.
const EXPECTATIONS: &[&str] = &[
    "{}",
    "{ fail_if_matches_regexp: ['.*127.0.0.1'], fail_if_all_match_regexp: ['.*127.0.0.1'], fail_if_not_matches_regexp: ['www.prometheus.io.\t300\tIN\tA\t127.0.0.1'], fail_if_none_matches_regexp: ['127.0.0.1'] }",
    "{ fail_if_matches_regexp: [] }",
];

/// The same for the `dns` section.
const DNS_KEYS: Keys = &[
    ("dns_over_tls", &["false", "true, transport_protocol: tcp"]),
    ("ip_protocol_fallback", &["true", "false"]),
    ("preferred_ip_protocol", &["ip4", "ip6"]),
    ("query_class", &["IN", "CH", "HS", "CS", "NONE", "ANY", "''"]),
    ("query_name", &["www.prometheus.io", "www.prometheus.io.", "_sip._tcp.example.com", "."]),
    ("query_type", &["A", "AAAA", "SOA", "ANY", "HTTPS", "NSAP-PTR", "''"]),
    ("recursion_desired", &["true", "false"]),
    ("source_ip_address", &["127.0.0.1"]),
    ("tls_config", &["{ insecure_skip_verify: true, ca_file: a, server_name: d }"]),
    ("transport_protocol", &["udp", "tcp", "''"]),
    ("valid_rcodes", &["[NOERROR, NXDOMAIN, BADSIG]", "[]"]),
    ("validate_additional_rrs", EXPECTATIONS),
    ("validate_answer_rrs", EXPECTATIONS),
    ("validate_authority_rrs", EXPECTATIONS),
];

/// The sections that we have, each with its keys.
const SECTIONS: &[(&str, Keys)] = &[("http", HTTP_KEYS), ("tcp", TCP_KEYS), ("dns", DNS_KEYS)];

/// A file of the peer's package; `None` when the peer is not there, which was reported.
fn shipped(path: &str) -> Option<PathBuf> {
    let program = part("prometheus-blackbox-exporter")?;
    let root = program.ancestors().nth(3).unwrap();
    Some(root.join(path))
}

/// What is wrong with a text as a modules file.
fn mistakes(text: &str) -> Vec<String> {
    let problems = parse_modules(text).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_setting_of_the_peer_is_taken() {
    let mut findings = Vec::new();
    for (section, keys) in SECTIONS {
        for (key, value) in
            keys.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
        {
            let text = format!(
                "modules: {{ m: {{ prober: {section}, {section}: {{ {key}: {value} }} }} }}\n"
            );
            let reported = mistakes(&text);
            findings.extend(
                reported.iter().map(|mistake| format!("{section}: {key}: {value}: {mistake}")),
            );
        }
    }
    assert_none("settings of blackbox_exporter that we refuse", &findings);
}

#[test]
fn the_list_of_settings_is_that_of_the_peers_reference() {
    let Some(reference) = shipped("usr/share/doc/prometheus-blackbox-exporter/CONFIGURATION.md.gz")
    else {
        return;
    };
    let output = Command::new("gzip").arg("-dc").arg(&reference).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let key = Regex::new(r"(?m)^(?:  )?(?:\[ )?([a-z][a-z0-9_]*):").unwrap();
    for (name, keys) in SECTIONS {
        let (_, section) = text.split_once(&format!("### `<{name}_probe>`")).unwrap();
        let (section, _) = section.split_once("\n###").unwrap();
        let mut documented: BTreeSet<&str> =
            key.captures_iter(section).map(|found| found.get(1).unwrap().as_str()).collect();
        // What is expected of the records of a section is a section of its own.
        documented.retain(|key| *name != "dns" || !key.starts_with("fail_if_"));
        let known: BTreeSet<&str> = keys.iter().map(|(key, _)| *key).collect();
        assert_eq!(known, documented, "{name}");
    }
}

#[test]
fn the_files_that_the_peer_ships_load_unchanged() {
    let examples = "usr/share/doc/prometheus-blackbox-exporter/examples";
    let paths = ["etc/prometheus/blackbox.yml".to_owned(), format!("{examples}/example.yml")];
    let mut findings = Vec::new();
    for path in paths {
        let Some(file) = shipped(&path) else { return };
        let reported = mistakes(&read(&file));
        findings.extend(reported.iter().map(|mistake| format!("{path}: {mistake}")));
        findings
            .extend(validated(&file).err().map(|reported| format!("{path}: validate: {reported}")));
    }
    assert_none("what we refuse of the peer's files", &findings);
}

/// Runs `validate` on a modules file; the error is what it said.
fn validated(modules: &Path) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let targets = directory.path().join("targets.yml");
    std::fs::write(&targets, "- targets: [http://a.example/]\n").unwrap();
    let rules = directory.path().join("rules.yml");
    std::fs::write(&rules, "groups: []\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_webservice-monitor"))
        .arg("validate")
        .arg(format!("--config.file={}", modules.display()))
        .arg(format!("--targets.file={}", targets.display()))
        .arg(format!("--rules.file={}", rules.display()))
        .output()
        .unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
