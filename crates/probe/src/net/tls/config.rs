//! TLS configurations: made of a module's settings and the files they name, kept as long as those stay the same.
//!
//! Must not know a connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use notation::sync::lock;
use tokio_rustls::rustls::{
    ClientConfig, SupportedProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
    sign::CertifiedKey,
    version,
};

use super::{
    pem::{authorities, own_certificate, pem, revocation_lists},
    roots::Roots,
    settings::{TlsSettings, TlsVersion},
    trust::{Anchors, Trust},
    witness::Witness,
};
use crate::{
    file::{FileError, Files},
    net::cert::Chains,
    report::{Failure, Phase, Reason},
};

/// How many different configurations are kept; a modules file has a handful.
const CONFIGURATIONS_MAX: usize = 256;

/// The protocols to offer, in the order of preference.
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

    pub(crate) fn with_roots(certificates: &[Vec<u8>]) -> Result<Self, String> {
        let certificates = certificates.iter().cloned().map(CertificateDer::from);
        Ok(Self::new(Roots::new(certificates)?))
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
    /// hold now cannot be used, what they held before serves on, and a note says so.
    ///
    /// # Errors
    /// An internal failure, when files cannot be used and never could.
    pub(super) fn connector(
        &self,
        files: Files<'_>,
        settings: &TlsSettings,
        protocols: Protocols,
        notes: &mut Vec<String>,
    ) -> Result<Arc<Connector>, Failure> {
        let sources = Sources::read(files, settings, notes)?;
        let key = (settings.identity, protocols);
        let before = {
            let known = lock(&self.known);
            known.get(&key).map(|known| {
                let same = known.sources.are(&sources);
                (Arc::clone(&known.connector), same, known.problem.clone())
            })
        };
        let (connector, problem) = match before {
            Some((connector, true, problem)) => {
                notes.extend(problem.as_deref().map(note));
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
        notes.extend(problem.as_deref().map(note));
        let mut known = lock(&self.known);
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
    fn read(
        files: Files<'_>,
        settings: &TlsSettings,
        notes: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        let fault =
            |error: FileError| Failure::new(Phase::Internal, Reason::Config, error.to_string());
        let mut read = |path: &Option<String>| {
            let Some(path) = path.as_deref() else { return Ok(None) };
            let file = files.read(path).map_err(fault)?;
            notes.extend(file.stale);
            Ok(Some(file.bytes))
        };
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
fn note(problem: &str) -> String {
    format!("{problem}; what was there before is used")
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
