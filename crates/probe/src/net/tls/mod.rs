//! The TLS handshake, and the verification of the certificate as a step of its own. The only folder that names rustls.
//!
//! The handshake itself takes any certificate; the chain is verified right after it and before anything is sent. That way
//! the facts of an untrusted certificate are known, and the reason why it is not trusted. Signatures of the handshake are
//! always verified. Must not know what is spoken over TLS.

mod config;
mod facts;
mod handshake;
mod head;
mod pem;
#[cfg(feature = "http3")]
mod quic;
mod reason;
mod roots;
mod settings;
mod stream;
mod trust;
mod verify;
mod witness;

#[cfg(feature = "http3")]
pub(crate) use self::quic::{Quic, QuicHandshake, own_alert};
pub(crate) use self::{
    config::{Configurations, Protocols},
    facts::TlsFacts,
    handshake::Handshake,
    reason::{failure, is_from_tls},
    settings::{TlsSettings, TlsVersion},
    stream::Stream,
};
