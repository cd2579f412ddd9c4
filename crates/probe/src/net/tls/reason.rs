//! What an error of TLS says about the target.
//!
//! Must not know certificates.

use std::io;

use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible,
};

use super::{head::Head, witness::Witness};
use crate::{
    net::fault::local_fault,
    report::{Failure, Phase, Reason},
};

/// What an error of a connection that may be TLS says, after the handshake. An alert can come even then: in TLS 1.3 the
/// server says only then that it does not accept the client certificate.
pub(crate) fn failure(error: &io::Error, phase: Phase) -> Failure {
    if let Some(fault) = local_fault(error) {
        return fault;
    }
    if let Some(cause) = tls_cause(error) {
        return with_reason(cause, reason(cause, true));
    }
    let reason = match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Reason::Reset,
        io::ErrorKind::TimedOut => Reason::Timeout,
        _ => Reason::Closed,
    };
    Failure::new(phase, reason, error.to_string())
}

/// What an error of a handshake says.
pub(super) fn of_handshake(error: &io::Error, head: &Head, witness: &Witness) -> Failure {
    let Some(cause) = tls_cause(error) else { return failure(error, Phase::Tls) };
    let is_too_large = matches!(
        cause,
        Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge
        )
    );
    if !head.is_tls() {
        let detail = format!("what came is not TLS: {}", head.text());
        return Failure::new(Phase::Tls, Reason::NotTls, detail);
    }
    if is_too_large && head.is_server_hello() {
        // Nothing else that a server sends is large.
        return Failure::new(
            Phase::Tls,
            Reason::BadCert,
            "the certificates are larger than 64 KiB",
        );
    }
    let asked = witness.was_asked();
    let mut failure = with_reason(cause, reason(cause, asked));
    if failure.reason == Reason::ClientCert {
        let own = if witness.has_certificate() {
            "refuses the client certificate"
        } else {
            "wants a client certificate"
        };
        failure.detail = format!("{}: the server {own}", failure.detail);
    }
    failure
}

/// Whether an error of a connection is one of TLS.
pub(crate) fn is_from_tls(error: &io::Error) -> bool {
    tls_cause(error).is_some()
}

fn tls_cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// `asked` says whether the server asked for a client certificate.
pub(super) fn reason(error: &Error, asked: bool) -> Reason {
    match error {
        Error::NoApplicationProtocol => Reason::Alpn,
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => Reason::Version,
        Error::PeerIncompatible(_) => Reason::NoCommonParams,
        Error::InvalidCertificate(
            CertificateError::BadSignature | CertificateError::ApplicationVerificationFailure,
        ) => Reason::Violation,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Reason::BadCert,
        Error::AlertReceived(alert) => of_alert(*alert, asked),
        _ => Reason::Violation,
    }
}

fn of_alert(alert: AlertDescription, asked: bool) -> Reason {
    match alert {
        AlertDescription::ProtocolVersion => Reason::Version,
        AlertDescription::UnrecognisedName => Reason::UnrecognizedName,
        AlertDescription::NoApplicationProtocol => Reason::Alpn,
        AlertDescription::CertificateRequired => Reason::ClientCert,
        // Before TLS 1.3 there was no alert for a certificate that is missing: servers use any of these.
        AlertDescription::AccessDenied
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::HandshakeFailure
        | AlertDescription::NoCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::UnsupportedCertificate
            if asked =>
        {
            Reason::ClientCert
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            Reason::NoCommonParams
        }
        _ => Reason::Alert,
    }
}

/// A failure with what an error says.
pub(super) fn with_reason(error: &Error, reason: Reason) -> Failure {
    let detail = match error {
        Error::AlertReceived(alert) => {
            format!("the server sent the alert {} ({})", name(*alert), u8::from(*alert))
        }
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => {
            return Failure::new(Phase::Internal, Reason::Bug, error.to_string());
        }
        other => other.to_string(),
    };
    Failure::new(Phase::Tls, reason, detail)
}

/// An alert's name as RFC 8446 has it.
fn name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnrecognisedName => return "unrecognized_name".to_owned(),
        AlertDescription::UnknownCA => return "unknown_ca".to_owned(),
        AlertDescription::UnknownPSKIdentity => return "unknown_psk_identity".to_owned(),
        AlertDescription::Unknown(_) => return "of an unknown kind".to_owned(),
        _ => {}
    }
    let mut name = String::new();
    for character in format!("{alert:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}
