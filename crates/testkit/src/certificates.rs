//! An authority and certificates with one known fault each, and the TLS servers that present them.
//!
//! Must not know which verdict a client should reach about them.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The end-entity certificate that a server presents. All but [`Leaf::WrongName`] are for `localhost`, `*.site.test` and
/// `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Nothing is wrong; signed by the authority; valid until 2049-01-01.
    Good,
    /// Expired on 2021-01-01.
    Expired,
    /// Valid from 2090-01-01 on.
    NotYetValid,
    /// For `other.example` only.
    WrongName,
    /// Signed by its own key.
    SelfSigned,
    /// Signed by another authority, whose certificate is sent along.
    Untrusted,
    /// Signed by an intermediate that is not sent; says where to get it (authority information access).
    MissingIntermediate,
    /// Signed by an intermediate that is sent and has expired on 2021-01-01.
    ExpiredIntermediate,
    /// Signed by an intermediate that is sent; nothing is wrong.
    WithIntermediate,
    /// Its extended key usage is client authentication only.
    ClientOnly,
}

/// How a TLS server behaves, besides the certificate that it presents.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// The application protocols that it accepts, as in `h2`; none means that it ignores the extension.
    pub alpn: Vec<&'static str>,
    /// Speaks TLS 1.2 only.
    pub only_tls12: bool,
    /// Demands a certificate of the client, signed by the authority.
    pub demands_client_certificate: bool,
}

/// An authority, a second one that nobody trusts, and intermediates; made anew for each value.
#[derive(Debug)]
pub struct Certificates {
    authority: Issuer,
    other_authority: Issuer,
    intermediate: Issuer,
    expired_intermediate: Issuer,
    client: (String, String),
    folder: TempDir,
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificates {
    /// Makes the authorities and a client certificate. Also writes the files that [`Certificates::file`] names.
    pub fn new() -> Self {
        let authority = root("Test authority");
        let client_key = new_key();
        let mut params = parameters("Test client", &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = params.signed_by(&client_key, &authority).expect("a client certificate");
        let made = Self {
            other_authority: root("Foreign authority"),
            intermediate: intermediate("Test intermediate", &authority, 2049),
            expired_intermediate: intermediate("Expired intermediate", &authority, 2021),
            client: (client.pem(), client_key.serialize_pem()),
            folder: TempDir::new().expect("a temporary folder"),
            authority,
        };
        let texts =
            [("authority.pem", made.authority_pem()), ("client.pem", made.client.0.clone())];
        for (name, text) in texts.into_iter().chain([("client.key", made.client.1.clone())]) {
            std::fs::write(made.file(name), text).expect("a written file");
        }
        made
    }

    /// The certificate of the authority in DER.
    pub fn authority(&self) -> Vec<u8> {
        self.authority.der().to_vec()
    }

    /// The certificate of the authority as PEM text.
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// A client certificate of the authority and its key, both as PEM text.
    pub fn client_pem(&self) -> (&str, &str) {
        (&self.client.0, &self.client.1)
    }

    /// The path of `authority.pem`, `client.pem` or `client.key`; the files live as long as this value.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The TLS side of a server that presents this certificate.
    pub fn acceptor(&self, leaf: Leaf) -> TlsAcceptor {
        self.acceptor_with(leaf, &TlsSettings::default())
    }

    /// The TLS side of a server that presents this certificate and has these settings.
    pub fn acceptor_with(&self, leaf: Leaf, settings: &TlsSettings) -> TlsAcceptor {
        let (chain, key) = self.chain(leaf);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls12: &[&SupportedProtocolVersion] = &[&version::TLS12];
        let versions = if settings.only_tls12 { tls12 } else { DEFAULT_VERSIONS };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("protocol versions that the provider has");
        let builder = if settings.demands_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).expect("a usable authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier of clients"))
        } else {
            builder.with_no_client_auth()
        };
        let mut config =
            builder.with_single_cert(chain, key).expect("a key that fits its certificate");
        config.alpn_protocols = settings.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// The certificates as presented, leaf first, and the key of the leaf.
    fn chain(&self, leaf: Leaf) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = new_key();
        let names: &[&str] = if leaf == Leaf::WrongName {
            &["other.example"]
        } else {
            &["localhost", "*.site.test", "127.0.0.1"]
        };
        let mut params = parameters("Test leaf", names);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match leaf {
            Leaf::Expired => params.not_after = date_time_ymd(2021, 1, 1),
            Leaf::NotYetValid => {
                params.not_before = date_time_ymd(2090, 1, 1);
                params.not_after = date_time_ymd(2091, 1, 1);
            }
            Leaf::MissingIntermediate => {
                params.custom_extensions.push(authority_information_access());
            }
            Leaf::ClientOnly => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            _ => {}
        }
        let (issuer, sent) = match leaf {
            Leaf::SelfSigned => (None, None),
            Leaf::Untrusted => (Some(&self.other_authority), Some(&self.other_authority)),
            Leaf::MissingIntermediate => (Some(&self.intermediate), None),
            Leaf::WithIntermediate => (Some(&self.intermediate), Some(&self.intermediate)),
            Leaf::ExpiredIntermediate => {
                (Some(&self.expired_intermediate), Some(&self.expired_intermediate))
            }
            _ => (Some(&self.authority), None),
        };
        let made = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        let mut chain = vec![made.expect("a leaf certificate").der().clone()];
        chain.extend(sent.map(|issuer| issuer.der().clone()));
        (chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key pair")
}

/// Parameters valid from 2020 to 2049, with a subject and with alternative names.
fn parameters(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority_parameters(common_name: &str) -> CertificateParams {
    let mut params = parameters(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn root(common_name: &str) -> Issuer {
    CertifiedIssuer::self_signed(authority_parameters(common_name), new_key())
        .expect("a root certificate")
}

fn intermediate(common_name: &str, authority: &Issuer, last_year: i32) -> Issuer {
    let mut params = authority_parameters(common_name);
    params.not_after = date_time_ymd(last_year, 1, 1);
    CertifiedIssuer::signed_by(params, new_key(), authority).expect("an intermediate certificate")
}

/// The extension that says where the issuer's certificate can be had (RFC 5280, section 4.2.2.1), in DER.
fn authority_information_access() -> CustomExtension {
    let location = b"http://authority.example/intermediate.der";
    let identifier = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let mut description = identifier.to_vec();
    description.extend([0x86, der_length(location)]);
    description.extend(location);
    let mut sequence = vec![0x30, der_length(&description)];
    sequence.extend(description);
    let mut content = vec![0x30, der_length(&sequence)];
    content.extend(sequence);
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}

/// The length byte of a short DER value.
fn der_length(content: &[u8]) -> u8 {
    u8::try_from(content.len()).expect("content shorter than 128 bytes")
}
