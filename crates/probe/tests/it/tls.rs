//! TLS: every fault of a certificate and of a handshake has its reason, and the expiry is known whatever the verdict.

use probe::Net;
use testkit::{Behaviour, Certificates, Leaf, Server, TlsSettings};

use crate::support::{HTTP, LONG, Table, label, run, run_plain, value, verdict};

/// The TCP module that only shakes hands.
const TCP: &str = "{ prober: tcp, tcp: { tls: true } }";

/// 2021-01-01, 2049-01-01 and 2091-01-01 in Unix time.
const Y2021: f64 = 1_609_459_200.0;
const Y2049: f64 = 2_493_072_000.0;
const Y2091: f64 = 3_818_448_000.0;

/// Each certificate with its verdict and its earliest expiry.
const LEAVES: &[(Leaf, &str, f64)] = &[
    (Leaf::Good, "up", Y2049),
    (Leaf::WithIntermediate, "up", Y2049),
    (Leaf::Expired, "tls/expired", Y2021),
    (Leaf::ExpiredIntermediate, "tls/expired", Y2021),
    (Leaf::NotYetValid, "tls/not_yet_valid", Y2091),
    (Leaf::WrongName, "tls/name_mismatch", Y2049),
    (Leaf::SelfSigned, "tls/self_signed", Y2049),
    (Leaf::Untrusted, "tls/untrusted", Y2049),
    (Leaf::MissingIntermediate, "tls/incomplete_chain", Y2049),
    (Leaf::ClientOnly, "tls/wrong_purpose", Y2049),
];

fn net(certificates: &Certificates) -> Net {
    Net::for_tests(None, &[certificates.authority()]).expect("a network that trusts the authority")
}

#[tokio::test]
async fn every_certificate_has_its_verdict_and_its_expiry() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let mut table = Table::default();
    for (leaf, expected, expiry) in LEAVES {
        let server =
            Server::start_tls(certificates.acceptor(*leaf), Behaviour::answer(200, "", "ok")).await;
        for (settings, target) in [(HTTP, server.url("/")), (TCP, server.address().to_string())] {
            let row = format!("{leaf:?} with {settings}");
            let result = run(&net, settings, &target, LONG).await;
            table.expect(&row, &result, expected);
            let found = value(&result, "probe_ssl_earliest_cert_expiry");
            table.check(
                &row,
                found == Some(*expiry),
                &format!("an earliest expiry of {found:?}, not {expiry}"),
            );
            table.check(
                &row,
                value(&result, "probe_ssl_not_before").is_some(),
                "no start of validity",
            );
            let chain = value(&result, "probe_ssl_last_chain_expiry_timestamp_seconds");
            table.check(
                &row,
                chain.is_some() == (*expected == "up"),
                &format!("a trusted chain until {chain:?}"),
            );
        }
    }
    table.finish();
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let settings = "{ prober: http, http: { tls_config: { insecure_skip_verify: true } } }";
    let mut table = Table::default();
    for (leaf, _, expiry) in LEAVES {
        let server =
            Server::start_tls(certificates.acceptor(*leaf), Behaviour::answer(200, "", "ok")).await;
        let result = run(&net, settings, &server.url("/"), LONG).await;
        table.expect(&format!("{leaf:?}"), &result, "up");
        let found = value(&result, "probe_ssl_earliest_cert_expiry");
        table.check(
            &format!("{leaf:?}"),
            found == Some(*expiry),
            &format!("an earliest expiry of {found:?}"),
        );
    }
    table.finish();
}

#[tokio::test]
async fn names_are_verified_as_asked_for() {
    let certificates = Certificates::new();
    let dns_answers = ["here.site.test", "a.b.site.test"]
        .map(|name| (name, testkit::DnsAnswer::addresses(&["127.0.0.1"])));
    let dns = testkit::DnsServer::start(dns_answers).await;
    let net = Net::for_tests(Some(dns.address()), &[certificates.authority()]).unwrap();
    let good =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    let other =
        Server::start_tls(certificates.acceptor(Leaf::WrongName), Behaviour::answer(200, "", "ok"))
            .await;
    let named = "{ prober: http, http: { tls_config: { server_name: other.example } } }";
    let mut table = Table::default();
    for (settings, target, expected) in [
        (HTTP, good.url_as("https", "here.site.test", "/"), "up"),
        // A wildcard stands for one label.
        (HTTP, good.url_as("https", "a.b.site.test", "/"), "tls/name_mismatch"),
        (named, good.url("/"), "tls/name_mismatch"),
        (named, other.url("/"), "up"),
    ] {
        table.expect(
            &format!("{target} with {settings}"),
            &run(&net, settings, &target, LONG).await,
            expected,
        );
    }
    table.finish();
}

#[tokio::test]
async fn a_host_name_given_by_the_caller_is_the_name_of_the_handshake() {
    let certificates = Certificates::new();
    let server =
        Server::start_tls(certificates.acceptor(Leaf::WrongName), Behaviour::answer(200, "", "ok"))
            .await;
    let module = crate::support::module(HTTP);
    let target = module.target(&server.url("/")).unwrap();
    let target = module.with_hostname(target, "other.example").unwrap();
    let result = module.probe(&net(&certificates), &target, LONG).await;
    assert_eq!(verdict(&result), "up", "{result:?}");
    assert!(
        server.last_received().to_lowercase().contains("host: other.example\r\n"),
        "{}",
        server.last_received()
    );
}

#[tokio::test]
async fn authorities_of_a_module_replace_those_of_the_system() {
    let certificates = Certificates::new();
    let server =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    // JSON quotes a text as YAML wants it.
    let inline = certificates.authority_pem().replace('\n', "\\n");
    let settings = format!("{{ prober: http, http: {{ tls_config: {{ ca: \"{inline}\" }} }} }}");
    assert_eq!(verdict(&run_plain(&settings, &server.url("/")).await), "up");
    let file = certificates.file("authority.pem");
    let settings = format!(
        "{{ prober: http, http: {{ tls_config: {{ ca_file: \"{}\" }} }} }}",
        file.display()
    );
    assert_eq!(verdict(&run_plain(&settings, &server.url("/")).await), "up");
    // Without them nobody vouches for the server.
    assert!(verdict(&run_plain(HTTP, &server.url("/")).await).starts_with("tls/"));
    // A file that is missing is our own fault, and says nothing about the target.
    let missing = certificates.file("no-such-file.pem");
    let settings = format!(
        "{{ prober: http, http: {{ tls_config: {{ ca_file: \"{}\" }} }} }}",
        missing.display()
    );
    assert_eq!(verdict(&run_plain(&settings, &server.url("/")).await), "fault internal/config");
}

#[tokio::test]
async fn versions_are_negotiated_within_the_bounds_of_the_module() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let old = TlsSettings { only_tls12: true, ..TlsSettings::default() };
    let old = Server::start_tls(
        certificates.acceptor_with(Leaf::Good, &old),
        Behaviour::answer(200, "", "ok"),
    )
    .await;
    let new =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    let bounded = |key: &str, version: &str| {
        format!("{{ prober: http, http: {{ tls_config: {{ {key}: {version} }} }} }}")
    };
    let mut table = Table::default();
    for (settings, server, expected, version) in [
        (HTTP.to_owned(), &old, "up", Some("TLS 1.2")),
        (HTTP.to_owned(), &new, "up", Some("TLS 1.3")),
        (bounded("max_version", "TLS12"), &new, "up", Some("TLS 1.2")),
        (bounded("min_version", "TLS13"), &new, "up", Some("TLS 1.3")),
        (bounded("min_version", "TLS13"), &old, "tls/version", None),
    ] {
        let result = run(&net, &settings, &server.url("/"), LONG).await;
        table.expect(&settings, &result, expected);
        let found = label(&result, "probe_tls_version_info", "version");
        table.check(&settings, found.as_deref() == version, &format!("{found:?}, not {version:?}"));
    }
    table.finish();
}

#[tokio::test]
async fn a_server_may_want_a_client_certificate() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let (certificate, key) = (certificates.file("client.pem"), certificates.file("client.key"));
    let own = format!(
        "{{ prober: http, http: {{ tls_config: {{ cert_file: \"{}\", key_file: \"{}\" }} }} }}",
        certificate.display(),
        key.display()
    );
    let mut table = Table::default();
    for only_tls12 in [false, true] {
        let wants =
            TlsSettings { demands_client_certificate: true, only_tls12, ..TlsSettings::default() };
        let acceptor = certificates.acceptor_with(Leaf::Good, &wants);
        let server = Server::start_tls(acceptor, Behaviour::answer(200, "", "ok")).await;
        let row = format!("only TLS 1.2: {only_tls12}");
        table.expect(&row, &run(&net, HTTP, &server.url("/"), LONG).await, "tls/client_cert");
        table.expect(&row, &run(&net, &own, &server.url("/"), LONG).await, "up");
    }
    table.finish();
}

#[tokio::test]
async fn broken_handshakes() {
    let mut table = Table::default();
    for (name, behaviour, expected) in [
        (
            "plain HTTP",
            Behaviour::reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            "tls/not_tls",
        ),
        ("garbage", Behaviour::garbage(), "tls/not_tls"),
        ("another protocol", Behaviour::greeting("SSH-2.0-OpenSSH_9.2p1\r\n"), "tls/not_tls"),
        ("closed at once", Behaviour::close_before_answer(), "tls/closed"),
        ("closed within a record", Behaviour::partial_handshake(), "tls/closed"),
        ("reset", Behaviour::reset_before_answer(), "tls/reset"),
        ("no common parameters", Behaviour::fatal_alert(40), "tls/no_common_params"),
        ("no common version", Behaviour::fatal_alert(70), "tls/version"),
        ("internal error", Behaviour::fatal_alert(80), "tls/alert"),
        ("unknown name", Behaviour::fatal_alert(112), "tls/unrecognized_name"),
        ("no common protocol", Behaviour::fatal_alert(120), "tls/alpn"),
    ] {
        // A server of plain bytes stands for a broken TLS server; `plain HTTP` must not wait for a whole HTTP request.
        let behaviour = match behaviour {
            Behaviour::Script(steps) if name == "plain HTTP" => {
                let steps = steps.into_iter().map(|step| match step {
                    testkit::Step::ReadRequest => testkit::Step::ReadSome,
                    other => other,
                });
                Behaviour::Script(steps.collect())
            }
            other => other,
        };
        let server = Server::start(behaviour).await;
        for (settings, target) in
            [(HTTP, server.url_as("https", "127.0.0.1", "/")), (TCP, server.address().to_string())]
        {
            table.expect(
                &format!("{name} with {settings}"),
                &run_plain(settings, &target).await,
                expected,
            );
        }
    }
    table.finish();
}

#[tokio::test]
async fn what_breaks_after_the_handshake_is_not_a_matter_of_tls() {
    let certificates = Certificates::new();
    let net = net(&certificates);
    let mut table = Table::default();
    for (name, behaviour, expected) in [
        ("closed before the answer", Behaviour::close_before_answer(), "http/no_response"),
        ("closed in the header", Behaviour::close_mid_header(), "http/closed"),
        ("closed in the body", Behaviour::close_mid_body(), "body/truncated"),
        ("garbage", Behaviour::garbage(), "http/malformed"),
        ("reset in the body", Behaviour::reset_mid_body(), "body/reset"),
    ] {
        let server = Server::start_tls(certificates.acceptor(Leaf::Good), behaviour).await;
        let result = run(&net, HTTP, &server.url("/"), LONG).await;
        table.expect(name, &result, expected);
        table.check(
            name,
            value(&result, "probe_ssl_earliest_cert_expiry") == Some(Y2049),
            "no expiry",
        );
    }
    table.finish();
}

#[tokio::test]
async fn tls_where_http_is_expected_is_malformed() {
    let certificates = Certificates::new();
    let server =
        Server::start_tls(certificates.acceptor(Leaf::Good), Behaviour::answer(200, "", "ok"))
            .await;
    let result = run_plain(HTTP, &server.url_as("http", "127.0.0.1", "/")).await;
    assert_eq!(verdict(&result), "http/malformed", "{result:?}");
    assert_eq!(value(&result, "probe_ssl_earliest_cert_expiry"), None);
}
