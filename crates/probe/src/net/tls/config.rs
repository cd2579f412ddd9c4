//! TLS configurations: made of a module's settings and the files they name, kept as long as those stay the same.
//!
//! Must not know a connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_rustls::rustls::{
    ClientConfig, SupportedProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
    version,
};

use super::{
    trust::{Anchors, Roots, Trust},
    witness::Witness,
};
use crate::{
    context::ProbeContext,
    net::{NetError, cert::Chains},
    report::{Failure, Phase, Reason},
    setting::{TlsSettings, TlsVersion},
};

/// How many different configurations are kept; a modules file has a handful.
const CONFIGURATIONS_MAX: usize = 256;

/// The protocols to offer, in the order of our preference.
pub(crate) type Protocols = &'static [&'static [u8]];

/// A configuration in use: one for all probes of a module, because building one is dear.
#[derive(Debug)]
pub(super) struct Connector {
    config: ClientConfig,
    pub(super) trust: Trust,
    pub(super) own_certificate: Option<Arc<CertifiedKey>>,
}

/// What the files of the settings hold, in the order of [`Sources::read`].
#[derive(Clone, Debug, Default)]
struct Sources {
    ca: Option<Arc<[u8]>>,
    cert: Option<Arc<[u8]>>,
    key: Option<Arc<[u8]>>,
    crl: Option<Arc<[u8]>>,
}

/// A connector with what it was made of.
struct Known {
    connector: Arc<Connector>,
    sources: Sources,
    /// Why the connector is not made of these sources, but of the last ones that were good.
    problem: Option<Arc<str>>,
}

/// Every TLS configuration in use.
pub(crate) struct Configurations {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) chains: Chains,
    roots: Arc<Roots>,
    known: Mutex<HashMap<([u8; 32], Protocols), Known>>,
}

impl Configurations {
    /// Trusts what the system trusts; what Mozilla trusts where the system has nothing.
    pub(crate) fn system() -> Self {
        Self::new(Roots::system())
    }

    pub(crate) fn with_roots(certificates: &[Vec<u8>]) -> Result<Self, NetError> {
        let certificates = certificates.iter().cloned().map(CertificateDer::from);
        Ok(Self::new(Roots::new(certificates).map_err(NetError::Roots)?))
    }

    fn new(roots: Roots) -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            chains: Chains::default(),
            roots: Arc::new(roots),
            known: Mutex::default(),
        }
    }

    /// The configuration for a module's settings. Files are looked at each time, so that a renewed one is seen. When what they
    /// hold now cannot be used, what they held before serves on.
    pub(super) fn connector(
        &self,
        context: &mut ProbeContext<'_>,
        settings: &TlsSettings,
        protocols: Protocols,
    ) -> Result<Arc<Connector>, Failure> {
        let sources = Sources::read(context, settings)?;
        let key = (settings.identity, protocols);
        let before = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).map(|known| {
                let same = known.sources.are(&sources);
                (Arc::clone(&known.connector), same, known.problem.clone())
            })
        };
        let (connector, problem) = match before {
            Some((connector, true, problem)) => {
                note(context, problem);
                return Ok(connector);
            }
            before => match (self.build(settings, &sources, protocols), before) {
                (Ok(connector), _) => (Arc::new(connector), None),
                (Err(error), Some((connector, _, _))) => (connector, Some(Arc::from(error))),
                (Err(error), None) => {
                    return Err(Failure::new(Phase::Internal, Reason::Config, error));
                }
            },
        };
        note(context, problem.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CONFIGURATIONS_MAX && !known.contains_key(&key) {
            // Only reloads with ever new settings can fill it; what is in use is built again.
            known.clear();
        }
        known.insert(key, Known { connector: Arc::clone(&connector), sources, problem });
        Ok(connector)
    }

    fn build(
        &self,
        settings: &TlsSettings,
        sources: &Sources,
        protocols: Protocols,
    ) -> Result<Connector, String> {
        let own_certificate = match (
            pem(
                "cert",
                settings.cert.as_deref(),
                settings.cert_file.as_deref(),
                sources.cert.as_ref(),
            ),
            pem(
                "key",
                settings.key.as_ref().map(|key| key.0.as_str()),
                settings.key_file.as_deref(),
                sources.key.as_ref(),
            ),
        ) {
            (Some(certificate), Some(key)) => {
                Some(Arc::new(own_certificate(&certificate, &key, &self.provider)?))
            }
            _ => None,
        };
        // Stands where each handshake has a witness of its own.
        let nobody = Arc::new(Witness::new(Arc::clone(&self.provider), None));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&versions(settings))
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&nobody) as _)
            .with_client_cert_resolver(nobody);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // A monitor must see the certificate that is served now, each time.
        config.resumption = Resumption::disabled();
        Ok(Connector { config, trust: self.trust(settings, sources)?, own_certificate })
    }

    fn trust(&self, settings: &TlsSettings, sources: &Sources) -> Result<Trust, String> {
        if settings.insecure_skip_verify {
            return Ok(Trust::Anything);
        }
        if !settings.fingerprint_sha256.is_empty() {
            return Ok(Trust::Pinned(settings.fingerprint_sha256.clone()));
        }
        let ca =
            pem("ca", settings.ca.as_deref(), settings.ca_file.as_deref(), sources.ca.as_ref());
        let roots = match &ca {
            Some(ca) => Arc::new(authorities(ca)?),
            None => Arc::clone(&self.roots),
        };
        let lists = match (&settings.crl_file, &sources.crl) {
            (Some(path), Some(bytes)) => revocation_lists(path, bytes)?,
            _ => Vec::new(),
        };
        Ok(Trust::Anchors(Anchors::new(roots, lists, Arc::clone(&self.provider))?))
    }
}

impl Connector {
    /// The configuration for one handshake, which the witness sees.
    pub(super) fn config(&self, witness: &Arc<Witness>) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(witness) as _);
        config.client_auth_cert_resolver = Arc::clone(witness) as _;
        Arc::new(config)
    }
}

impl Sources {
    fn read(context: &mut ProbeContext<'_>, settings: &TlsSettings) -> Result<Self, Failure> {
        let mut read =
            |path: &Option<String>| path.as_deref().map(|path| context.file(path)).transpose();
        Ok(Self {
            ca: read(&settings.ca_file)?,
            cert: read(&settings.cert_file)?,
            key: read(&settings.key_file)?,
            crl: read(&settings.crl_file)?,
        })
    }

    /// Whether these are the very same contents, which costs no comparison of them.
    fn are(&self, other: &Self) -> bool {
        let same = |one: &Option<Arc<[u8]>>, other: &Option<Arc<[u8]>>| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same(&self.ca, &other.ca)
            && same(&self.cert, &other.cert)
            && same(&self.key, &other.key)
            && same(&self.crl, &other.crl)
    }
}

/// Says that files cannot be used any more.
fn note(context: &mut ProbeContext<'_>, problem: Option<Arc<str>>) {
    if let Some(problem) = problem {
        context.note(format!("{problem}; what was there before is used"));
    }
}

/// A text in PEM with the name that errors call it by.
struct Pem<'a> {
    what: String,
    bytes: &'a [u8],
}

fn pem<'a>(
    name: &str,
    inline: Option<&'a str>,
    path: Option<&str>,
    contents: Option<&'a Arc<[u8]>>,
) -> Option<Pem<'a>> {
    match (inline, path, contents) {
        (Some(text), ..) => Some(Pem { what: format!("`{name}`"), bytes: text.as_bytes() }),
        (None, Some(path), Some(bytes)) => Some(Pem { what: path.to_owned(), bytes }),
        _ => None,
    }
}

/// Checks of settings what needs no file.
pub(crate) fn check(settings: &TlsSettings) -> Result<(), String> {
    if let Some(ca) = pem("ca", settings.ca.as_deref(), None, None) {
        authorities(&ca)?;
    }
    let certificate = pem("cert", settings.cert.as_deref(), None, None);
    let key = pem("key", settings.key.as_ref().map(|key| key.0.as_str()), None, None);
    match (&certificate, &key) {
        (Some(certificate), Some(key)) => {
            own_certificate(certificate, key, &aws_lc_rs::default_provider()).map(drop)
        }
        (Some(certificate), None) => certificates(certificate).map(drop),
        (None, Some(key)) => private_key(key).map(drop),
        (None, None) => Ok(()),
    }
}

fn authorities(pem: &Pem<'_>) -> Result<Roots, String> {
    Roots::new(certificates(pem)?.into_iter()).map_err(|error| format!("{}: {error}", pem.what))
}

fn certificates(pem: &Pem<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    all(pem.bytes, &pem.what, "certificate")
}

fn private_key(pem: &Pem<'_>) -> Result<PrivateKeyDer<'static>, String> {
    // The cause may tell of the key's text, and is not told.
    PrivateKeyDer::from_pem_slice(pem.bytes).map_err(|_| {
        format!(
            "{} holds no private key in PEM format\nhint: an encrypted one cannot be used",
            pem.what
        )
    })
}

/// Our certificate with its key.
fn own_certificate(
    certificate: &Pem<'_>,
    key: &Pem<'_>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(certificates(certificate)?, private_key(key)?, provider).map_err(
        |error| format!("{} and {} do not belong together: {error}", certificate.what, key.what),
    )
}

/// Lists in PEM, or one in DER.
fn revocation_lists(
    path: &str,
    bytes: &Arc<[u8]>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(bytes.to_vec())]);
    }
    all(bytes, path, "revocation list")
}

/// Every object of a kind in a text in PEM; one at least.
fn all<T: PemObject>(bytes: &[u8], what: &str, kind: &str) -> Result<Vec<T>, String> {
    let found: Result<Vec<T>, _> = T::pem_slice_iter(bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{what} holds no {kind} in PEM format")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

/// The versions to offer. The settings are known to leave one.
fn versions(settings: &TlsSettings) -> Vec<&'static SupportedProtocolVersion> {
    let lowest = settings.min_version.unwrap_or(TlsVersion::Tls12);
    let highest = settings.max_version.unwrap_or(TlsVersion::Tls13);
    [(TlsVersion::Tls13, &version::TLS13), (TlsVersion::Tls12, &version::TLS12)]
        .into_iter()
        .filter(|(version, _)| (lowest..=highest).contains(version))
        .map(|(_, version)| version)
        .collect()
}
