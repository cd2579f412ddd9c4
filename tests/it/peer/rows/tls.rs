//! Rows about TLS.

use testkit::{Behaviour, Leaf, TlsSettings};

use super::row::{Row, Setup, plain, row};

/// Trusts the authority of the test.
const CA: &str = "tls_config: { {ca} }";

pub(super) fn rows() -> Vec<Row> {
    [certificates(), versions(), names(), clients(), outcomes(), clear()]
        .into_iter()
        .flatten()
        .collect()
}

fn ok() -> Behaviour {
    Behaviour::answer(200, "", "ok")
}

/// A row with a TLS server that presents this certificate.
fn leaf(name: &'static str, leaf: Leaf, http: &'static str) -> Row {
    row(name, Setup::Tls(leaf, TlsSettings::default(), ok()), http)
}

fn certificates() -> Vec<Row> {
    vec![
        leaf("good certificate", Leaf::Good, CA),
        leaf("good certificate for an address", Leaf::Good, CA).target("https://127.0.0.1:{port}/"),
        leaf("with intermediate", Leaf::WithIntermediate, CA),
        leaf("expired", Leaf::Expired, CA),
        leaf("not yet valid", Leaf::NotYetValid, CA),
        leaf("wrong name", Leaf::WrongName, CA),
        leaf("self-signed", Leaf::SelfSigned, CA),
        leaf("untrusted", Leaf::Untrusted, CA),
        leaf("missing intermediate", Leaf::MissingIntermediate, CA),
        leaf("expired intermediate", Leaf::ExpiredIntermediate, CA),
        leaf("certificate of a client", Leaf::ClientOnly, CA),
        leaf("not trusted by the system", Leaf::Good, ""),
        leaf(
            "expired and not verified",
            Leaf::Expired,
            "tls_config: { insecure_skip_verify: true }",
        ),
        leaf(
            "wrong name and not verified",
            Leaf::WrongName,
            "tls_config: { insecure_skip_verify: true }",
        ),
        leaf(
            "self-signed and not verified",
            Leaf::SelfSigned,
            "tls_config: { insecure_skip_verify: true }",
        ),
        leaf(
            "untrusted and not verified",
            Leaf::Untrusted,
            "tls_config: { insecure_skip_verify: true }",
        ),
    ]
}

fn tls(settings: &TlsSettings) -> Setup {
    Setup::Tls(Leaf::Good, settings.clone(), ok())
}

fn versions() -> Vec<Row> {
    let only12 = TlsSettings { only_tls12: true, ..TlsSettings::default() };
    let at_least13 = "tls_config: { {ca}, min_version: TLS13 }";
    vec![
        row("TLS 1.2", tls(&only12), CA),
        row("TLS 1.3 wanted of 1.2", tls(&only12), at_least13),
        leaf("TLS 1.2 at most", Leaf::Good, "tls_config: { {ca}, max_version: TLS12 }"),
        leaf("TLS 1.3 at least", Leaf::Good, at_least13),
    ]
}

fn names() -> Vec<Row> {
    let named = "tls_config: { {ca}, server_name: a.site.test }";
    let wrongly_named = "tls_config: { {ca}, server_name: other.example }";
    let both = "tls_config: { {ca}, server_name: a.site.test }, headers: { Host: b.other.test }";
    let host = "tls_config: { {ca} }, headers: { Host: a.site.test }";
    let wrong_host = "tls_config: { {ca} }, headers: { Host: a.other.test }";
    vec![
        leaf("server name", Leaf::Good, named),
        leaf("wrong server name", Leaf::Good, wrongly_named),
        leaf("server name beside a Host header", Leaf::Good, both),
        leaf("name of the Host header", Leaf::Good, host),
        leaf("wrong name of the Host header", Leaf::Good, wrong_host),
        leaf("name of hostname", Leaf::Good, CA).query("&hostname=a.site.test"),
        leaf("wrong name of hostname", Leaf::Good, CA).query("&hostname=a.other.test"),
        leaf("server name beside hostname", Leaf::Good, named).query("&hostname=a.other.test"),
    ]
}

fn clients() -> Vec<Row> {
    let asking = TlsSettings { demands_client_certificate: true, ..TlsSettings::default() };
    let asking12 = TlsSettings { only_tls12: true, ..asking.clone() };
    let known = "tls_config: { {ca}, cert_file: '{client certificate}', key_file: '{client key}' }";
    let no_authority = "tls_config: { ca_file: '{authority}.missing' }";
    vec![
        row("client certificate", tls(&asking), known),
        row("client certificate in TLS 1.2", tls(&asking12), known),
        row("client certificate missing", tls(&asking), CA),
        row("client certificate missing in TLS 1.2", tls(&asking12), CA),
        leaf("missing authority file", Leaf::Good, no_authority)
            .differs("internal-fault", &["status of the exporter"]),
    ]
}

fn outcomes() -> Vec<Row> {
    let over_tls = |behaviour: Behaviour| Setup::Tls(Leaf::Good, TlsSettings::default(), behaviour);
    let until_the_end = Behaviour::reply("HTTP/1.1 200 OK\r\n\r\nhello");
    vec![
        leaf("TLS unwanted", Leaf::Good, "tls_config: { {ca} }, fail_if_ssl: true"),
        leaf("TLS wanted", Leaf::Good, "tls_config: { {ca} }, fail_if_not_ssl: true"),
        row("TLS of an error", over_tls(Behaviour::answer(500, "", "no")), CA),
        row("TLS and close", over_tls(Behaviour::close_before_answer()), CA),
        row("TLS until the end", over_tls(until_the_end), CA),
        row("TLS and a reset", over_tls(Behaviour::reset_before_answer()), CA),
    ]
}

/// Where TLS is expected and not spoken, or the other way round.
fn clear() -> Vec<Row> {
    let https = "https://127.0.0.1:{port}/";
    vec![
        plain("TLS wanted in the clear", ok(), "fail_if_not_ssl: true"),
        plain("TLS unwanted in the clear", ok(), "fail_if_ssl: true"),
        plain(
            "TLS wanted of an error in the clear",
            Behaviour::answer(500, "", ""),
            "fail_if_not_ssl: true",
        ),
        plain("https to a server without TLS", Behaviour::greeting("HTTP/1.1 400 Bad\r\n\r\n"), "")
            .target(https),
        plain("https to garbage", Behaviour::garbage(), "").target(https),
        plain("fatal alert", Behaviour::fatal_alert(40), "").target(https),
        plain("handshake cut off", Behaviour::partial_handshake(), "").target(https),
        plain("handshake reset", Behaviour::reset_before_answer(), "").target(https),
        leaf("http to a server with TLS", Leaf::Good, "").target("http://localhost:{port}/"),
    ]
}
