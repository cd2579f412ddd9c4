//! An authority and certificates with one known fault each, and the TLS servers that present them.
//!
//! Must not know which verdict a client should reach about them.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, NameConstraints, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The end-entity certificate that a server presents. Unless it says otherwise, it is for `localhost`, `*.site.test` and
/// `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Nothing is wrong; signed by the authority; valid until 2049-01-01.
    Good,
    /// Nothing is wrong; valid until 2040-01-01.
    Shorter,
    /// As [`Leaf::WithIntermediate`], with a certificate for the authority as well by which another one vouched for it until
    /// 2021-01-01.
    ExpiredCrossSign,
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
    /// Signed by an intermediate that is sent and is valid from 2090-01-01 on.
    FutureIntermediate,
    /// Without alternative names; its common name is `localhost`.
    CommonNameOnly,
    /// For `localhost` only, and so for no address.
    NoAddress,
    /// Signed by another authority, whose certificate is not sent.
    UnknownIssuer,
    /// Says that it signed itself, but another key did.
    FalseSelfSigned,
    /// Signed by its own key, and says that it may sign others.
    SelfSignedAuthority,
    /// Says that it may sign others.
    Authority,
    /// Signed by an intermediate that is sent and may sign for `other.example` only.
    Constrained,
    /// Has a critical extension that nobody knows.
    CriticalExtension,
    /// With this many alternative names beside the usual ones.
    ManyNames(u16),
    /// As [`Leaf::WithIntermediate`], with everything sent ten times.
    Duplicated,
    /// As [`Leaf::WithIntermediate`], with the authority sent before the intermediate.
    Reversed,
    /// As [`Leaf::WithIntermediate`], with the intermediate sent after 100 others that have nothing to do with it.
    Padded,
    /// Signed by the last of so many intermediates, each signed by the one before it, all of them sent.
    Deep(u8),
    /// Its serial number is in `revoked.pem`.
    Revoked,
}

/// The serial number of [`Leaf::Revoked`].
const REVOKED: u64 = 7777;

/// How a TLS server behaves, besides the certificate that it presents.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// The application protocols that it accepts, as in `h2`; none means that it ignores the extension.
    pub alpn: Vec<&'static str>,
    /// Speaks TLS 1.2 only.
    pub only_tls12: bool,
    /// Demands a certificate of the client, signed by the authority.
    pub demands_client_certificate: bool,
    /// How many tickets to send after the handshake, instead of the usual two.
    pub tickets: Option<usize>,
}

/// An authority, a second one that nobody trusts, and intermediates; made anew for each value.
#[derive(Debug)]
pub struct Certificates {
    authority: Issuer,
    other_authority: Issuer,
    intermediate: Issuer,
    expired_intermediate: Issuer,
    future_intermediate: Issuer,
    constrained_intermediate: Issuer,
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
            intermediate: intermediate("Test intermediate", &authority, |_| {}),
            expired_intermediate: intermediate("Expired intermediate", &authority, |params| {
                params.not_after = date_time_ymd(2021, 1, 1);
            }),
            future_intermediate: intermediate("Future intermediate", &authority, |params| {
                params.not_before = date_time_ymd(2090, 1, 1);
                params.not_after = date_time_ymd(2091, 1, 1);
            }),
            constrained_intermediate: intermediate("Constrained", &authority, |params| {
                let permitted_subtrees = vec![GeneralSubtree::DnsName("other.example".to_owned())];
                params.name_constraints =
                    Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
            }),
            client: (client.pem(), client_key.serialize_pem()),
            folder: TempDir::new().expect("a temporary folder"),
            authority,
        };
        let texts =
            [("authority.pem", made.authority_pem()), ("client.pem", made.client.0.clone())];
        let others = [
            ("client.key", made.client.1.clone()),
            ("revoked.pem", revocation_list(&made.authority)),
        ];
        for (name, text) in texts.into_iter().chain(others) {
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

    /// The path of `authority.pem`, `client.pem`, `client.key` or `revoked.pem`; the files live as long as this value.
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
        self.acceptor_of(chain, &key, settings)
    }

    fn acceptor_of(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
        settings: &TlsSettings,
    ) -> TlsAcceptor {
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
        // Not by the usual way, which refuses a certificate with an unknown critical extension.
        let key = aws_lc_rs::sign::any_supported_type(key).expect("a usable key");
        let both = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let mut config = builder.with_cert_resolver(Arc::new(both));
        config.send_tls13_tickets = settings.tickets.unwrap_or(config.send_tls13_tickets);
        config.alpn_protocols = settings.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// The TLS side of a server that presents this certificate, and the certificate itself in DER.
    pub fn acceptor_and_leaf(&self, leaf: Leaf) -> (TlsAcceptor, Vec<u8>) {
        let (chain, key) = self.chain(leaf);
        let der = chain.first().expect("a chain begins with its leaf").to_vec();
        (self.acceptor_of(chain, &key, &TlsSettings::default()), der)
    }

    /// The authority's name and key, vouched for by the other authority until 2021.
    fn cross_sign(&self) -> CertificateDer<'static> {
        let mut params = authority_parameters("Test authority");
        params.not_after = date_time_ymd(2021, 1, 1);
        let signed = params.signed_by(self.authority.key(), &self.other_authority);
        signed.expect("a certificate of the authority").der().clone()
    }

    /// The certificates as presented, leaf first, and the key of the leaf.
    fn chain(&self, leaf: Leaf) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = new_key();
        let params = leaf_parameters(leaf);
        let lineage = match leaf {
            Leaf::Deep(length) => lineage(&self.authority, length),
            _ => Vec::new(),
        };
        let issuer = match leaf {
            Leaf::SelfSigned | Leaf::SelfSignedAuthority => None,
            Leaf::Untrusted | Leaf::UnknownIssuer => Some(&self.other_authority),
            Leaf::MissingIntermediate
            | Leaf::WithIntermediate
            | Leaf::ExpiredCrossSign
            | Leaf::Duplicated
            | Leaf::Reversed
            | Leaf::Padded => Some(&self.intermediate),
            Leaf::ExpiredIntermediate => Some(&self.expired_intermediate),
            Leaf::FutureIntermediate => Some(&self.future_intermediate),
            Leaf::Constrained => Some(&self.constrained_intermediate),
            Leaf::Deep(_) => lineage.last(),
            _ => Some(&self.authority),
        };
        let made = match issuer {
            // The name is that of the leaf, the key is another one.
            Some(_) if leaf == Leaf::FalseSelfSigned => {
                params.signed_by(&key, &root("Test leaf")).expect("a leaf certificate")
            }
            Some(issuer) => params.signed_by(&key, issuer).expect("a leaf certificate"),
            None => params.self_signed(&key).expect("a leaf certificate"),
        };
        let der = |issuer: &Issuer| issuer.der().clone();
        let intermediate = der(&self.intermediate);
        let sent: Vec<CertificateDer<'static>> = match (leaf, issuer) {
            (
                Leaf::Untrusted
                | Leaf::WithIntermediate
                | Leaf::ExpiredIntermediate
                | Leaf::FutureIntermediate
                | Leaf::Constrained,
                Some(issuer),
            ) => vec![der(issuer)],
            (Leaf::Duplicated, _) => {
                let both = [made.der().clone(), intermediate];
                both.iter().cycle().take(20).cloned().collect()
            }
            (Leaf::ExpiredCrossSign, _) => vec![intermediate, self.cross_sign()],
            (Leaf::Reversed, _) => vec![der(&self.authority), intermediate],
            (Leaf::Padded, _) => {
                let other = der(&self.other_authority);
                std::iter::repeat_n(other, 100).chain([intermediate]).collect()
            }
            (Leaf::Deep(_), _) => lineage.iter().rev().map(der).collect(),
            _ => Vec::new(),
        };
        let chain = std::iter::once(made.der().clone()).chain(sent).collect();
        (chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
    }
}

/// What is particular about a leaf, but for its issuer.
fn leaf_parameters(leaf: Leaf) -> CertificateParams {
    let usual = ["localhost", "*.site.test", "127.0.0.1"];
    let many: Vec<String> = match leaf {
        Leaf::ManyNames(count) => (0..count).map(|index| format!("n{index}.example")).collect(),
        _ => Vec::new(),
    };
    let names: Vec<&str> = match leaf {
        Leaf::WrongName => vec!["other.example"],
        Leaf::CommonNameOnly => Vec::new(),
        Leaf::NoAddress => vec!["localhost"],
        _ => usual.into_iter().chain(many.iter().map(String::as_str)).collect(),
    };
    let common_name = if leaf == Leaf::CommonNameOnly { "localhost" } else { "Test leaf" };
    let mut params = parameters(common_name, &names);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    match leaf {
        Leaf::Shorter => params.not_after = date_time_ymd(2040, 1, 1),
        Leaf::Expired => params.not_after = date_time_ymd(2021, 1, 1),
        Leaf::NotYetValid => {
            params.not_before = date_time_ymd(2090, 1, 1);
            params.not_after = date_time_ymd(2091, 1, 1);
        }
        Leaf::MissingIntermediate => params.custom_extensions.push(authority_information_access()),
        Leaf::ClientOnly => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
        Leaf::SelfSignedAuthority | Leaf::Authority => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        Leaf::CriticalExtension => {
            let mut unknown =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
            unknown.set_criticality(true);
            params.custom_extensions.push(unknown);
        }
        Leaf::Revoked => params.serial_number = Some(SerialNumber::from(REVOKED)),
        _ => {}
    }
    params
}

/// So many intermediates, each signed by the one before it, the first one by the authority.
fn lineage(authority: &Issuer, length: u8) -> Vec<Issuer> {
    let mut made: Vec<Issuer> = Vec::new();
    for index in 0..length {
        let issuer = made.last().unwrap_or(authority);
        made.push(intermediate(&format!("Intermediate {index}"), issuer, |_| {}));
    }
    made
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

fn intermediate(
    common_name: &str,
    authority: &Issuer,
    change: impl FnOnce(&mut CertificateParams),
) -> Issuer {
    let mut params = authority_parameters(common_name);
    change(&mut params);
    CertifiedIssuer::signed_by(params, new_key(), authority).expect("an intermediate certificate")
}

/// A list that revokes the serial number of [`Leaf::Revoked`], as PEM text.
fn revocation_list(authority: &Issuer) -> String {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(REVOKED),
        revocation_time: date_time_ymd(2021, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2021, 1, 1),
        next_update: date_time_ymd(2049, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = list.signed_by(authority).expect("a revocation list");
    signed.pem().expect("a revocation list as text")
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
