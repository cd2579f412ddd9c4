//! Whom a module trusts: authorities and files that change, fingerprints, and what evidence of it there is.
//!
//! What each fault of a certificate is called is in the catalogue.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use probe::{Clocks, Net, Outcome, TlsVerdict};
use testkit::{Behaviour, Certificates, Leaf, Server};

use crate::support::{LONG, Table, plain_net, run, value, verdict};

/// A module with these keys of `tls_config`.
fn module(keys: &str) -> String {
    format!("{{ prober: http, http: {{ tls_config: {{ {keys} }} }} }}")
}

async fn serve(certificates: &Certificates, leaf: Leaf) -> (Server, Vec<u8>) {
    let (acceptor, der) = certificates.acceptor_and_leaf(leaf);
    (Server::start_tls(acceptor, Behaviour::answer(200, "", "ok")).await, der)
}

/// The fingerprint that the evidence of a probe has.
async fn fingerprint(server: &Server) -> String {
    let result =
        run(&plain_net(), &module("insecure_skip_verify: true"), &server.url("/"), LONG).await;
    let tls = result.evidence.hops.first().and_then(|hop| hop.tls.as_ref());
    let leaf = tls.and_then(|tls| tls.certificates.first()).expect("a certificate in the evidence");
    leaf.fingerprint_sha256.clone()
}

#[tokio::test]
async fn a_certificate_is_taken_by_its_fingerprint_whoever_issued_it() {
    let certificates = Certificates::new();
    let mut table = Table::default();
    for (leaf, expected) in [
        (Leaf::SelfSigned, "up"),
        (Leaf::SelfSignedAuthority, "up"),
        (Leaf::UnknownIssuer, "up"),
        (Leaf::WrongName, "up"),
        (Leaf::Expired, "tls/expired"),
    ] {
        let (server, _) = serve(&certificates, leaf).await;
        let found = fingerprint(&server).await.to_uppercase();
        let pins = format!("fingerprint_sha256: ['{}', '{found}']", "00".repeat(32));
        let result = run(&plain_net(), &module(&pins), &server.url("/"), LONG).await;
        table.expect(&format!("{leaf:?}"), &result, expected);
        let chain = value(&result, "probe_ssl_last_chain_expiry_timestamp_seconds");
        table.check(&format!("{leaf:?}"), chain.is_none(), "a trusted chain");
        let other = format!("fingerprint_sha256: ['{}']", "00".repeat(32));
        let result = run(&plain_net(), &module(&other), &server.url("/"), LONG).await;
        table.expect(&format!("{leaf:?}, not named"), &result, "tls/untrusted");
        let Outcome::Down(failure) = &result.outcome else { continue };
        let shown = failure.detail.contains(&found.to_lowercase());
        table.check(&format!("{leaf:?}, not named"), shown, &failure.detail);
    }
    table.finish();
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_trusted_as_such() {
    let certificates = Certificates::new();
    for leaf in [Leaf::SelfSigned, Leaf::SelfSignedAuthority] {
        let (server, der) = serve(&certificates, leaf).await;
        let net = Net::for_tests(None, &[der]).unwrap();
        let result = run(&net, &module(""), &server.url("/"), LONG).await;
        assert_eq!(verdict(&result), "up", "{leaf:?} {result:?}");
        let chain = value(&result, "probe_ssl_last_chain_expiry_timestamp_seconds");
        assert_eq!(chain, Some(2_493_072_000.0));
        // Its name counts anyway.
        let elsewhere = module("server_name: elsewhere.example");
        let result = run(&net, &elsewhere, &server.url("/"), LONG).await;
        assert_eq!(verdict(&result), "tls/name_mismatch", "{leaf:?}");
    }
}

/// Replaces a file as a renewal does.
fn replace(path: &Path, contents: &str) {
    let new = path.with_extension("new");
    fs::write(&new, contents).expect("a written file");
    fs::rename(&new, path).expect("a renamed file");
}

#[tokio::test]
async fn files_are_read_again_when_they_change_and_serve_on_when_they_break() {
    let (own, theirs) = (Certificates::new(), Certificates::new());
    let (server, _) = serve(&own, Leaf::Good).await;
    let net = plain_net();
    let file = own.file("ca.pem");
    let settings = module(&format!("ca_file: \"{}\"", file.display()));
    let mut table = Table::default();
    for (what, contents, expected, noted) in [
        ("missing at first", None, "fault internal/config", false),
        ("there", Some(own.authority_pem()), "up", false),
        ("another authority", Some(theirs.authority_pem()), "tls/untrusted", false),
        ("there again", Some(own.authority_pem()), "up", false),
        ("broken", Some("no PEM".to_owned()), "up", true),
        ("still broken", Some("no PEM".to_owned()), "up", true),
        ("lost", None, "up", true),
        ("fixed", Some(theirs.authority_pem()), "tls/untrusted", false),
    ] {
        match contents {
            Some(contents) => replace(&file, &contents),
            None => drop(fs::remove_file(&file)),
        }
        let result = run(&net, &settings, &server.url("/"), LONG).await;
        table.expect(what, &result, expected);
        let path = file.display().to_string();
        let found = result.notes.iter().any(|(_, note)| note.contains(&path));
        table.check(what, found == noted, &format!("noted: {found}"));
    }
    table.finish();
}

#[tokio::test]
async fn evidence_shows_the_connection_and_its_certificates() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let (server, _) = serve(&certificates, Leaf::WithIntermediate).await;
    let result = run(&net, &module(""), &server.url("/"), LONG).await;
    let tls = result.evidence.hops[0].tls.clone().unwrap();
    assert_eq!((tls.version, tls.verdict), (Some("TLS 1.3"), TlsVerdict::Trusted));
    assert!(tls.cipher.unwrap().starts_with("TLS_"));
    let [leaf, intermediate] = &*tls.certificates else { panic!("{:?}", tls.certificates) };
    assert_eq!(leaf.subject, "CN=Test leaf");
    assert_eq!(leaf.issuer, intermediate.subject);
    assert_eq!(leaf.names, ["localhost", "*.site.test", "127.0.0.1"]);
    assert_eq!(
        (leaf.key.as_str(), leaf.signature_algorithm.as_str()),
        ("ECDSA P-256", "ecdsa-with-SHA256")
    );
    assert_eq!(leaf.fingerprint_sha256.len(), 64);
    assert_eq!((leaf.not_before, leaf.not_after), (1_577_836_800, 2_493_072_000));
}

/// A machine whose time of day is fixed.
struct At(u64);

impl Clocks for At {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn boot(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_certificate_is_valid_through_its_last_second() {
    let certificates = Certificates::new();
    let (server, _) = serve(&certificates, Leaf::Good).await;
    let (begin, end) = (1_577_836_800, 2_493_072_000);
    let mut table = Table::default();
    for (now, expected) in
        [(begin - 1, "tls/not_yet_valid"), (begin, "up"), (end, "up"), (end + 1, "tls/expired")]
    {
        let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
        let net = net.with_clocks(Arc::new(At(now)));
        table.expect(
            &now.to_string(),
            &run(&net, &module(""), &server.url("/"), LONG).await,
            expected,
        );
    }
    table.finish();
}
