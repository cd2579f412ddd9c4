//! Certificates, keys and revocation lists in PEM, as settings and files hold them.
//!
//! Must not know what they are used for.

use std::sync::Arc;

use tokio_rustls::rustls::{
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::roots::Roots;

/// A text in PEM with the name that errors call it by.
pub(super) struct Pem<'a> {
    what: String,
    bytes: &'a [u8],
}

/// A text that the settings hold, or the file that they name; `None` when there is neither.
pub(super) fn pem<'a>(
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

/// Checks what settings hold themselves: an authority, a certificate and its key. Files are read later.
pub(super) fn check(ca: Option<&str>, cert: Option<&str>, key: Option<&str>) -> Result<(), String> {
    if let Some(ca) = pem("ca", ca, None, None) {
        authorities(&ca)?;
    }
    match (pem("cert", cert, None, None), pem("key", key, None, None)) {
        (Some(certificate), Some(key)) => {
            own_certificate(&certificate, &key, &aws_lc_rs::default_provider()).map(drop)
        }
        (Some(certificate), None) => certificates(&certificate).map(drop),
        (None, Some(key)) => private_key(&key).map(drop),
        (None, None) => Ok(()),
    }
}

/// The authorities of a text.
pub(super) fn authorities(pem: &Pem<'_>) -> Result<Roots, String> {
    Roots::new(certificates(pem)?.into_iter()).map_err(|error| format!("{}: {error}", pem.what))
}

fn certificates(pem: &Pem<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    all(pem.bytes, &pem.what, "certificate")
}

fn private_key(pem: &Pem<'_>) -> Result<PrivateKeyDer<'static>, String> {
    // The cause may quote the key, and is left out.
    PrivateKeyDer::from_pem_slice(pem.bytes).map_err(|_| {
        format!("{} holds no private key in PEM format; an encrypted one cannot be used", pem.what)
    })
}

/// The client's certificate with its key.
pub(super) fn own_certificate(
    certificate: &Pem<'_>,
    key: &Pem<'_>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(certificates(certificate)?, private_key(key)?, provider).map_err(
        |error| format!("{} and {} do not belong together: {error}", certificate.what, key.what),
    )
}

/// Lists in PEM, or one in DER.
pub(super) fn revocation_lists(
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
