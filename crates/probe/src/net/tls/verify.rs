//! The verification of the certificates of one handshake, after it and before anything is sent.
//!
//! Must not know over what the handshake was made.

use std::time::SystemTime;

use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

use super::{
    config::Connector,
    facts::{Agreed, TlsFacts},
    settings::TlsSettings,
    trust::Presented,
    witness::Witness,
};
use crate::{
    net::cert::Chains,
    report::{Failure, Phase, Reason},
};

/// Verifies the certificates of a handshake that is done. What the witness saw of it is known in any case. `now` is the time
/// of day.
pub(super) fn verify(
    connector: &Connector,
    chains: &Chains,
    name: &ServerName<'static>,
    witness: &Witness,
    now: SystemTime,
    shaken: Result<Agreed, Failure>,
) -> (TlsFacts, Result<(), Failure>) {
    let ders = witness.presented();
    let chain = chains.read(ders.iter().map(AsRef::as_ref));
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(now);
    let (agreed, verdict) = match shaken {
        Ok(agreed) => {
            let presented = Presented { ders, chain: &chain, name, now };
            (Some(agreed), connector.trust.judge(&presented, witness.is_unverified()))
        }
        Err(failure) => (None, Err(failure)),
    };
    let facts = TlsFacts::new(chain, agreed, verdict.as_ref(), witness.was_asked());
    (facts, verdict.map(drop))
}

/// The name to ask for and to verify.
///
/// # Errors
/// `policy/invalid_target` when it is none.
pub(super) fn server_name(
    settings: &TlsSettings,
    host: &str,
) -> Result<ServerName<'static>, Failure> {
    let host = settings.server_name.as_deref().unwrap_or(host).trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).map_err(|_| {
        Failure::new(Phase::Policy, Reason::InvalidTarget, format!("{host} is not a name for TLS"))
    })
}
