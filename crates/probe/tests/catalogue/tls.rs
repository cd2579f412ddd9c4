//! Certificates with one fault each: rows 82 to 91, 93 and 97.
//!
//! Must not know handshakes that break.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use probe::{Net, ProbeResult, TlsVerdict};
use testkit::{Behaviour, Certificates, Leaf, OpenSsl, Server, TlsSettings};

use crate::row::{Case, Row};

/// The moments at which certificates expire: 2021-01-01, 2049-01-01 and 2091-01-01.
const Y2021: f64 = 1_609_459_200.0;
const Y2049: f64 = 2_493_072_000.0;
const Y2091: f64 = 3_818_448_000.0;

/// Each certificate with what becomes of it: a number, what it is, the verdict, the earliest expiry, and what the detail says.
const LEAVES: &[(&str, &str, Leaf, &str, f64, &str)] = &[
    ("82a", "expired", Leaf::Expired, "tls/expired", Y2021, "2021-01-01"),
    ("82b", "not yet valid", Leaf::NotYetValid, "tls/not_yet_valid", Y2091, "2090-01-01"),
    (
        "82c",
        "an expired intermediate",
        Leaf::ExpiredIntermediate,
        "tls/expired",
        Y2021,
        "the intermediate certificate CN=Expired intermediate",
    ),
    (
        "82d",
        "an intermediate not yet valid",
        Leaf::FutureIntermediate,
        "tls/not_yet_valid",
        Y2049,
        "the intermediate certificate CN=Future intermediate",
    ),
    ("83a", "another name", Leaf::WrongName, "tls/name_mismatch", Y2049, "other.example"),
    (
        "83b",
        "a common name only",
        Leaf::CommonNameOnly,
        "tls/name_mismatch",
        Y2049,
        "no alternative",
    ),
    ("83c", "a name and no address", Leaf::NoAddress, "tls/name_mismatch", Y2049, "localhost"),
    ("84a", "self-signed", Leaf::SelfSigned, "tls/self_signed", Y2049, "vouches for itself"),
    ("84b", "self-signed, an authority", Leaf::SelfSignedAuthority, "tls/self_signed", Y2049, ""),
    ("84c", "not really self-signed", Leaf::FalseSelfSigned, "tls/untrusted", Y2049, "Test leaf"),
    ("84d", "an unknown root, sent", Leaf::Untrusted, "tls/untrusted", Y2049, "Foreign authority"),
    ("84e", "an unknown root", Leaf::UnknownIssuer, "tls/untrusted", Y2049, "Foreign authority"),
    (
        "84f",
        "a missing intermediate",
        Leaf::MissingIntermediate,
        "tls/incomplete_chain",
        Y2049,
        "CN=Test intermediate is not sent",
    ),
    ("85a", "a name out of bounds", Leaf::Constrained, "tls/bad_cert", Y2049, ""),
    ("85b", "an unknown critical extension", Leaf::CriticalExtension, "tls/bad_cert", Y2049, ""),
    ("85c", "an authority's own", Leaf::Authority, "tls/wrong_purpose", Y2049, "an authority"),
    ("85d", "for clients only", Leaf::ClientOnly, "tls/wrong_purpose", Y2049, ""),
    ("87a", "2000 names", Leaf::ManyNames(2000), "up", Y2049, ""),
    ("88a", "100 other certificates", Leaf::Padded, "up", Y2049, ""),
    ("88b", "everything ten times", Leaf::Duplicated, "up", Y2049, ""),
    ("88c", "in the wrong order", Leaf::Reversed, "up", Y2049, ""),
    ("88d", "a path of six", Leaf::Deep(5), "up", Y2049, ""),
    ("88e", "a path of 100", Leaf::Deep(100), "tls/bad_cert", Y2049, "Depth"),
];

pub(crate) fn rows() -> Vec<Row> {
    let certificates = Arc::new(Certificates::new());
    let leaves = LEAVES.iter().map(|(number, name, leaf, expected, expiry, detail)| {
        let (certificates, leaf) = (Arc::clone(&certificates), *leaf);
        Row::new(number, name, expected, move || {
            let certificates = Arc::clone(&certificates);
            async move { Ok(served(&certificates, leaf, &TlsSettings::default()).await) }
        })
        .and(move |result| {
            is_reported(result, *expiry, *expected == "up")?;
            says(result, detail)
        })
    });
    leaves.chain(made_here(&certificates)).chain(by_openssl()).collect()
}

/// A server with this certificate, asked by its address, and a client that trusts the authority.
async fn served(certificates: &Certificates, leaf: Leaf, settings: &TlsSettings) -> Case {
    let acceptor = certificates.acceptor_with(leaf, settings);
    let server = Server::start_tls(acceptor, Behaviour::answer(200, "", "ok")).await;
    let net = Net::for_tests(None, &[certificates.authority()]).expect("a network for tests");
    Case::with(net, server.url("/"), server)
}

/// What is known of a certificate whatever the verdict is.
fn is_reported(result: &ProbeResult, expiry: f64, trusted: bool) -> Result<(), String> {
    let value = |name: &str| {
        result.samples.iter().find(|sample| sample.metric.name == name).map(|sample| sample.value)
    };
    let found = value("probe_ssl_earliest_cert_expiry");
    if found != Some(expiry) {
        return Err(format!("an earliest expiry of {found:?}, not {expiry}"));
    }
    for name in ["probe_ssl_not_before", "probe_ssl_last_chain_info", "probe_tls_version_info"] {
        value(name).ok_or_else(|| format!("no {name}"))?;
    }
    let chain = value("probe_ssl_last_chain_expiry_timestamp_seconds");
    if chain.is_some() != trusted {
        return Err(format!("a trusted chain until {chain:?}"));
    }
    let tls = result.evidence.hops.first().and_then(|hop| hop.tls.as_ref());
    let tls = tls.ok_or("no evidence of TLS")?;
    let leaf = tls.certificates.first().ok_or("no certificate in the evidence")?;
    if (tls.verdict == TlsVerdict::Trusted) != trusted {
        return Err(format!("a verdict of {:?}", tls.verdict));
    }
    let is_bounded = tls.certificates.len() <= 8 && leaf.names.len() <= 16;
    if is_bounded { Ok(()) } else { Err("evidence without bounds".to_owned()) }
}

fn says(result: &ProbeResult, words: &str) -> Result<(), String> {
    let text = format!("{:?}", result.outcome);
    if text.contains(words) { Ok(()) } else { Err(format!("{words:?} is not in {text}")) }
}

/// What takes more than a certificate.
fn made_here(certificates: &Arc<Certificates>) -> Vec<Row> {
    let row = |number, name, expected, leaf, settings: TlsSettings| {
        let certificates = Arc::clone(certificates);
        Row::new(number, name, expected, move || {
            let (certificates, settings) = (Arc::clone(&certificates), settings.clone());
            async move { Ok(served(&certificates, leaf, &settings).await) }
        })
    };
    let plain = TlsSettings::default;
    let tls12 = || TlsSettings { only_tls12: true, ..TlsSettings::default() };
    let module = |keys: &str| format!("{{ prober: http, http: {{ tls_config: {{ {keys} }} }} }}");
    let lists = format!("crl_file: \"{}\"", certificates.file("revoked.pem").display());
    vec![
        row("87b", "5000 names", "tls/bad_cert", Leaf::ManyNames(5000), plain())
            .and(|result| says(result, "64 KiB")),
        row("87c", "5000 names, TLS 1.2", "tls/bad_cert", Leaf::ManyNames(5000), tls12())
            .and(|result| says(result, "64 KiB")),
        row("89a", "revoked, not asked for", "up", Leaf::Revoked, plain()),
        row("89b", "revoked", "tls/revoked", Leaf::Revoked, plain())
            .module(module(&lists))
            .and(|result| is_reported(result, Y2049, false)),
        row("89c", "not revoked", "up", Leaf::Good, plain()).module(module(&lists)),
        row("89d", "no list of its issuer", "up", Leaf::WithIntermediate, plain())
            .module(module(&lists)),
        row(
            "91b",
            "the default certificate for another name",
            "tls/name_mismatch",
            Leaf::Good,
            plain(),
        )
        .module(module("server_name: elsewhere.example"))
        .and(|result| says(result, "elsewhere.example")),
    ]
}

/// A server of `openssl`: the arguments of its program, and what the detail says.
type Old = (&'static str, &'static str, &'static str, Kind, &'static [&'static str], &'static str);

/// The kind of a key, and the hash that its certificate is signed with.
type Kind = (&'static str, &'static str);

const STRONG: Kind = ("rsa:2048", "sha256");
const SHORT_KEY: Kind = ("rsa:1024", "sha256");
const BROKEN_HASH: Kind = ("rsa:2048", "sha1");

/// What only `openssl` still does.
const OLD: &[Old] = &[
    ("86a", "RSA-1024", "tls/weak", SHORT_KEY, &[], "1024 bits"),
    ("86b", "RSA-1024, TLS 1.2", "tls/weak", SHORT_KEY, &["-tls1_2"], "1024 bits"),
    ("86d", "SHA-1", "tls/weak", BROKEN_HASH, &[], "sha1WithRSA"),
    ("86f", "RSA-2048", "up", STRONG, &[], ""),
    ("90a", "TLS 1.0 only", "tls/version", STRONG, &["-tls1"], ""),
    ("90b", "TLS 1.1 only", "tls/version", STRONG, &["-tls1_1"], ""),
    (
        "90c",
        "CBC only",
        "tls/no_common_params",
        STRONG,
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"],
        "",
    ),
    (
        "90d",
        "static RSA only",
        "tls/no_common_params",
        STRONG,
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        "",
    ),
    (
        "90e",
        "DHE only",
        "tls/no_common_params",
        STRONG,
        &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
        "",
    ),
    ("92c", "a client certificate, by openssl", "tls/client_cert", STRONG, &["-Verify", "1"], ""),
    (
        "92d",
        "a client certificate, by openssl with TLS 1.2",
        "tls/client_cert",
        STRONG,
        &["-Verify", "1", "-tls1_2"],
        "wants a client certificate",
    ),
];

/// Certificates by kind: making keys takes long.
type Made = Arc<Mutex<BTreeMap<Kind, Result<Arc<OpenSsl>, String>>>>;

fn by_openssl() -> Vec<Row> {
    let made = Made::default();
    let row = |number, name, expected, kind: Kind, arguments: &'static [&'static str]| {
        let made = Arc::clone(&made);
        Row::new(number, name, expected, move || {
            let made = Arc::clone(&made);
            async move {
                let make = || OpenSsl::new(kind.0, kind.1).map(Arc::new);
                let files = made.lock().unwrap().entry(kind).or_insert_with(make).clone()?;
                let net = Net::for_tests(None, &[files.authority()?]).unwrap();
                let server = files.serve(arguments)?;
                Ok(Case::with(net, server.url(), server))
            }
        })
    };
    let careless = "{ prober: http, http: { tls_config: { insecure_skip_verify: true } } }";
    let taken = [
        row("86c", "RSA-1024, taken as it is", "up", SHORT_KEY, &[]).module(careless),
        row("86e", "SHA-1, taken as it is", "up", BROKEN_HASH, &[]).module(careless),
    ];
    let refused = OLD.iter().map(|(number, name, expected, kind, arguments, words)| {
        row(number, name, expected, *kind, arguments).and(move |result| {
            let expiry =
                result.samples.iter().any(|sample| sample.metric.name.contains("earliest"));
            // Without a version or parameters in common the certificate is not sent.
            let is_reported = expiry || matches!(*expected, "tls/version" | "tls/no_common_params");
            if is_reported { says(result, words) } else { Err("no expiry".to_owned()) }
        })
    });
    refused.chain(taken).collect()
}
