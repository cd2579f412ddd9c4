//! The TLS handshake, and the verification of the certificate as a step of its own. The only file that names rustls.
//!
//! The handshake itself takes any certificate; the chain is verified right after it and before anything is sent. That way
//! the facts of an untrusted certificate are known, and the reason why it is not trusted. Signatures of the handshake are
//! always verified. Must not know what is spoken over TLS.

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncWrite};
pub(crate) use tokio_rustls::client::TlsStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct,
        PeerIncompatible, RootCertStore, SignatureScheme, SupportedProtocolVersion,
        client::{
            Resumption, WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    },
};

use super::{NetError, cert, cert::Certificate};
use crate::{
    metric,
    result::{Failure, Phase, Reason},
    scope::{Scope, Timing},
    setting::{TlsSettings, TlsVersion},
};

/// How many different configurations are kept; a modules file has a handful.
const CONFIGURATIONS_MAX: usize = 256;

/// The protocols to offer, in the order of our preference.
pub(crate) type Protocols = &'static [&'static [u8]];

/// A configuration in use: one for all probes of a module, because building one is dear.
struct Connector {
    config: Arc<ClientConfig>,
    /// `None` when the module takes any certificate.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

/// What a configuration is made of: the settings with the contents of their files, and the protocols.
type Key = (TlsSettings, Protocols);

/// Every TLS configuration in use.
pub(crate) struct Configurations {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    connectors: Mutex<HashMap<Key, Arc<Connector>>>,
}

impl Configurations {
    /// Trusts what the system trusts; what Mozilla trusts where the system has nothing.
    pub(crate) fn system() -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (_added, _unreadable) = roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self::new(roots)
    }

    pub(crate) fn with_roots(certificates: &[Vec<u8>]) -> Result<Self, NetError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let added = roots.add(CertificateDer::from(certificate.clone()));
            added.map_err(|error| NetError::Roots(error.to_string()))?;
        }
        Ok(Self::new(roots))
    }

    fn new(roots: RootCertStore) -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            roots: Arc::new(roots),
            connectors: Mutex::default(),
        }
    }

    /// The configuration for a module's settings. Files are looked at each time, so that a renewed one is seen; what was
    /// built from the same contents before serves again.
    fn connector(
        &self,
        scope: &mut Scope<'_>,
        settings: &TlsSettings,
        protocols: Protocols,
    ) -> Result<Arc<Connector>, Failure> {
        let fault = |message: String| Failure::new(Phase::Internal, Reason::Config, message);
        let settings = with_files(scope, settings)?;
        let key = (settings, protocols);
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = connectors.get(&key) {
            return Ok(Arc::clone(connector));
        }
        let connector = Arc::new(self.build(&key.0, protocols).map_err(fault)?);
        if connectors.len() >= CONFIGURATIONS_MAX {
            // Only renewed certificates can fill it; what is in use is built again.
            connectors.clear();
        }
        connectors.insert(key, Arc::clone(&connector));
        Ok(connector)
    }

    fn build(&self, settings: &TlsSettings, protocols: Protocols) -> Result<Connector, String> {
        let roots = match &settings.ca {
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem, "ca")? {
                    roots.add(certificate).map_err(|error| format!("`ca`: {error}"))?;
                }
                Arc::new(roots)
            }
            None => Arc::clone(&self.roots),
        };
        let verifier = if settings.insecure_skip_verify || roots.is_empty() {
            None
        } else {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider));
            Some(builder.build().map_err(|error| error.to_string())?)
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&versions(settings)?)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&self.provider))));
        let mut config = match (&settings.cert, &settings.key) {
            (Some(certificate), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.0.as_bytes())
                    .map_err(|error| format!("`key`: {error}"))?;
                let chain = certificates(certificate, "cert")?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("`cert` and `key`: {error}"))?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => {
                return Err(
                    "`cert` and `key` belong together, and one of them is missing".to_owned()
                );
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // A monitor must see the certificate that is served now, each time.
        config.resumption = Resumption::disabled();
        Ok(Connector { config: Arc::new(config), verifier })
    }
}

/// The settings with the contents of the files they name.
fn with_files(scope: &mut Scope<'_>, settings: &TlsSettings) -> Result<TlsSettings, Failure> {
    let mut read = |path: &Option<String>| -> Result<Option<String>, Failure> {
        let Some(path) = path else { return Ok(None) };
        let text = std::str::from_utf8(&scope.file(path)?).map(str::to_owned);
        text.map(Some).map_err(|_| {
            let detail = format!("{path} is not a text in PEM format");
            Failure::new(Phase::Internal, Reason::Config, detail)
        })
    };
    Ok(TlsSettings {
        ca: settings.ca.clone().or(read(&settings.ca_file)?),
        cert: settings.cert.clone().or(read(&settings.cert_file)?),
        key: settings.key.clone().or(read(&settings.key_file)?.map(crate::setting::Secret)),
        ..settings.clone()
    })
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(format!("`{what}` holds no certificate in PEM format"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(format!("`{what}`: {error}")),
    }
}

fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let lowest = settings.min_version.unwrap_or(TlsVersion::Tls12);
    let highest = settings.max_version.unwrap_or(TlsVersion::Tls13);
    let all = [
        (TlsVersion::Tls13, &rustls::version::TLS13),
        (TlsVersion::Tls12, &rustls::version::TLS12),
    ];
    let offered: Vec<_> = all
        .into_iter()
        .filter(|(version, _)| (lowest..=highest).contains(version))
        .map(|(_, version)| version)
        .collect();
    if offered.is_empty() {
        Err("`min_version` is above `max_version`".to_owned())
    } else {
        Ok(offered)
    }
}

/// Takes any certificate in the handshake: it is verified afterwards, see the head of this file.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes the handshake with a server by the name `host`, verifies its certificate, and reports both.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    scope: &mut Scope<'_>,
    settings: &TlsSettings,
    protocols: Protocols,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, Failure> {
    let net = scope.net;
    let connector = net.tls.connector(scope, settings, protocols)?;
    let host = settings.server_name.as_deref().unwrap_or(host).trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| {
        Failure::new(Phase::Policy, Reason::InvalidTarget, format!("{host} is not a name for TLS"))
    })?;
    let shaking = TlsConnector::from(Arc::clone(&connector.config)).connect(name.clone(), stream);
    let work = async { shaking.await.map_err(|error| failure(&error, Phase::Tls)) };
    let stream = scope.phase(Phase::Tls, Timing::Tls, work).await?;
    let (_, connection) = stream.get_ref();
    let chain = connection.peer_certificates().unwrap_or_default();
    let certificates: Vec<Certificate> =
        chain.iter().filter_map(|der| Certificate::read(der)).collect();
    let now = UnixTime::since_unix_epoch(
        net.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default(),
    );
    let verdict = match (&connector.verifier, chain.split_first()) {
        (Some(verifier), Some((leaf, rest))) => verifier
            .verify_server_cert(leaf, rest, &name, &[], now)
            .map(|_| true)
            .map_err(|error| distrust(&error, &certificates)),
        (None, _) if settings.insecure_skip_verify => Ok(false),
        (None, _) => {
            Err(Failure::new(Phase::Tls, Reason::Untrusted, "no trusted certificate is known here"))
        }
        (Some(_), None) => {
            Err(Failure::new(Phase::Tls, Reason::BadCert, "the server presented no certificate"))
        }
    };
    scope.forget(metric::TLS);
    cert::report(scope, &certificates, verdict == Ok(true));
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "unknown",
    };
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let cipher = suite.unwrap_or("unknown").replace("TLS13_", "TLS_");
    scope.note(format!("TLS handshake done: {version}, {cipher}"));
    scope.labelled(&metric::TLS_VERSION, vec![("version", Cow::Borrowed(version))], 1.0);
    scope.labelled(&metric::TLS_CIPHER, vec![("cipher", Cow::Owned(cipher))], 1.0);
    verdict.map(|_| stream)
}

/// Whether the server chose HTTP/2.
pub(crate) fn chose_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// Why a certificate is not trusted.
fn distrust(error: &rustls::Error, chain: &[Certificate]) -> Failure {
    let unknown_issuer = || match chain {
        [leaf, ..] if leaf.is_self_issued() => Reason::SelfSigned,
        [leaf] if leaf.has_issuer_location => Reason::IncompleteChain,
        _ => Reason::Untrusted,
    };
    let rustls::Error::InvalidCertificate(cause) = error else {
        return Failure::new(Phase::Tls, Reason::BadCert, error.to_string());
    };
    let reason = match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Reason::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::NameMismatch
        }
        CertificateError::UnknownIssuer => unknown_issuer(),
        CertificateError::Revoked => Reason::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Reason::WrongPurpose
        }
        // Keys and signatures that the library does not take are those that are too weak by today's rules.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Reason::Weak,
        // A private authority's own certificate used as a server's: told as what it is.
        CertificateError::Other(_) if chain.first().is_some_and(Certificate::is_self_issued) => {
            Reason::SelfSigned
        }
        _ => Reason::BadCert,
    };
    let names = match (reason, chain.first()) {
        (Reason::NameMismatch, Some(leaf)) => format!("; it is for {}", leaf.names.join(", ")),
        (Reason::Expired | Reason::NotYetValid, Some(leaf)) => {
            let date = |seconds| {
                jiff::Timestamp::from_second(seconds)
                    .map_or_else(|_| seconds.to_string(), |at| at.to_string())
            };
            format!("; it is valid from {} to {}", date(leaf.not_before), date(leaf.not_after))
        }
        _ => String::new(),
    };
    Failure::new(Phase::Tls, reason, format!("{cause}{names}"))
}

/// What an error of a connection that may be TLS says. An alert can come after the handshake: in TLS 1.3 the server asks for
/// our certificate then.
pub(crate) fn failure(error: &io::Error, phase: Phase) -> Failure {
    if let Some(fault) = super::connect::local_fault(error) {
        return fault;
    }
    if let Some(cause) = tls_cause(error) {
        return Failure::new(Phase::Tls, reason(cause), cause.to_string());
    }
    let reason = match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Reason::Reset,
        io::ErrorKind::TimedOut => Reason::Timeout,
        _ => Reason::Closed,
    };
    Failure::new(phase, reason, error.to_string())
}

/// Whether an error of a connection is one of TLS.
pub(crate) fn is_from_tls(error: &io::Error) -> bool {
    tls_cause(error).is_some()
}

fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn reason(error: &rustls::Error) -> Reason {
    use rustls::Error;

    match error {
        Error::InvalidMessage(_) => Reason::NotTls,
        Error::NoApplicationProtocol => Reason::Alpn,
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => Reason::Version,
        Error::PeerIncompatible(_) => Reason::NoCommonParams,
        Error::InvalidCertificate(_) => Reason::Weak,
        Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                Reason::NoCommonParams
            }
            AlertDescription::ProtocolVersion => Reason::Version,
            AlertDescription::UnrecognisedName => Reason::UnrecognizedName,
            AlertDescription::NoApplicationProtocol => Reason::Alpn,
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => Reason::ClientCert,
            _ => Reason::Alert,
        },
        _ => Reason::Violation,
    }
}
