//! The TLS handshake, and the verification of the certificate as a step of its own. The only folder that names rustls.
//!
//! The handshake itself takes any certificate; the chain is verified right after it and before anything is sent. That way
//! the facts of an untrusted certificate are known, and the reason why it is not trusted. Signatures of the handshake are
//! always verified. Must not know what is spoken over TLS.

mod config;
#[cfg(feature = "http3")]
mod quic;
mod reason;
mod stream;
mod trust;
mod witness;

use std::{borrow::Cow, sync::Arc, time::SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConnection, ProtocolVersion,
        pki_types::{ServerName, UnixTime},
    },
};

#[cfg(feature = "http3")]
pub(crate) use self::quic::{Handshake, Quic, own_alert};
use self::{
    config::Connector,
    stream::Tapped,
    trust::{Presented, Trusted},
    witness::Witness,
};
pub(crate) use self::{
    config::{Configurations, Protocols, check},
    reason::{failure, is_from_tls},
    stream::{CutShort, Stream},
};
use super::cert::Chain;
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Reason, Stage, TlsSummary, TlsVerdict, metric},
    setting::TlsSettings,
};

/// Makes the handshake with a server by the name `host`, verifies its certificate, and reports both.
pub(crate) async fn handshake<S>(
    context: &mut ProbeContext<'_>,
    settings: &TlsSettings,
    protocols: Protocols,
    host: &str,
    stream: S,
) -> Result<Stream<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let net = context.net;
    context.forget(metric::TLS);
    let connector = net.tls.connector(context, settings, protocols)?;
    let name = server_name(settings, host)?;
    let own_certificate = connector.own_certificate.clone();
    let witness = Arc::new(Witness::new(Arc::clone(&net.tls.provider), own_certificate));
    let shaking = TlsConnector::from(connector.config(&witness))
        .connect(name.clone(), Tapped::new(stream))
        .into_fallible();
    // Boxed, because it is large and every probe in flight would hold one to its end.
    let work = Box::pin(async {
        let shaken = shaking.await.map(Box::new);
        shaken.map_err(|(error, tapped)| reason::of_handshake(&error, tapped.head(), &witness))
    });
    let shaken = context.stage(Phase::Tls, Stage::Tls, work).await;
    let (tls, shaken) = match shaken {
        Ok(tls) => {
            let agreed = Agreed::from(tls.get_ref().1);
            (Some(tls), Ok(agreed))
        }
        Err(failure) => (None, Err(failure)),
    };
    judge(context, &connector, &name, &witness, shaken)?;
    let bug = || Failure::new(Phase::Internal, Reason::Bug, "a handshake without a connection");
    let tls = tls.ok_or_else(bug)?;
    let stream = Stream::new(tls);
    context.watch(stream.cut_short());
    Ok(stream)
}

/// What both sides of a connection agreed upon.
struct Agreed {
    version: &'static str,
    cipher: Option<String>,
    alpn: Option<String>,
}

impl From<&ClientConnection> for Agreed {
    fn from(connection: &ClientConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "unknown",
        };
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let cipher = suite.unwrap_or("unknown").replace("TLS13_", "TLS_");
        // One of those that we offered, thus harmless.
        let alpn = connection.alpn_protocol();
        let alpn = alpn.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
        Self { version, cipher: Some(cipher), alpn }
    }
}

/// Verifies the certificates of a handshake that is done, and reports what the witness saw of it in any case.
fn judge(
    context: &mut ProbeContext<'_>,
    connector: &Connector,
    name: &ServerName<'static>,
    witness: &Witness,
    shaken: Result<Agreed, Failure>,
) -> Result<(), Failure> {
    if witness.was_asked() {
        context.note("the server asks for a certificate of ours");
    }
    let net = context.net;
    let ders = witness.presented();
    let chain = net.tls.chains.read(ders.iter().map(AsRef::as_ref));
    let since = net.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(since);
    let agreed = match shaken {
        Ok(agreed) => agreed,
        Err(failure) => {
            report(context, &chain, None, Err(&failure));
            return Err(failure);
        }
    };
    let presented = Presented { ders, chain: &chain, name, now };
    let verdict = connector.trust.judge(&presented, witness.is_unverified());
    report(context, &chain, Some(agreed), verdict.as_ref());
    verdict.map(|_| ())
}

fn server_name(settings: &TlsSettings, host: &str) -> Result<ServerName<'static>, Failure> {
    let host = settings.server_name.as_deref().unwrap_or(host).trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).map_err(|_| {
        Failure::new(Phase::Policy, Reason::InvalidTarget, format!("{host} is not a name for TLS"))
    })
}

/// Reports what is known of a connection, whatever the verdict is.
fn report(
    context: &mut ProbeContext<'_>,
    chain: &Chain,
    agreed: Option<Agreed>,
    verdict: Result<&Trusted, &Failure>,
) {
    let mut summary = TlsSummary {
        verdict: match verdict {
            Ok(Trusted::Anchored { .. }) => TlsVerdict::Trusted,
            Ok(Trusted::Pinned) => TlsVerdict::Pinned,
            Ok(Trusted::Unchecked) => TlsVerdict::Unchecked,
            Err(failure) => TlsVerdict::Failed(failure.reason),
        },
        certificates: Arc::clone(&chain.summaries),
        ..TlsSummary::default()
    };
    report_certificates(context, chain, verdict);
    if let Some(Agreed { version, cipher, alpn }) = agreed {
        let shown = cipher.as_ref().map(|cipher| format!(", {cipher}")).unwrap_or_default();
        context.note(format!("TLS handshake done: {version}{shown}"));
        context.labelled(&metric::TLS_VERSION, vec![("version", Cow::Borrowed(version))], 1.0);
        if let Some(cipher) = &cipher {
            let labels = vec![("cipher", Cow::Owned(cipher.clone()))];
            context.labelled(&metric::TLS_CIPHER, labels, 1.0);
        }
        summary.version = Some(version);
        summary.cipher = cipher;
        summary.alpn = alpn;
    }
    context.tls(summary);
}

/// Reports the certificates that a server presented.
fn report_certificates(
    context: &mut ProbeContext<'_>,
    chain: &Chain,
    verdict: Result<&Trusted, &Failure>,
) {
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar date fit into 53 bits")]
    let seconds = |seconds: i64| seconds as f64;
    let Some(leaf) = chain.certificates.first() else { return };
    let summary = &leaf.summary;
    let ends = chain.certificates.iter().map(|certificate| certificate.summary.not_after);
    let earliest = ends.min().unwrap_or(summary.not_after);
    context.sample(&metric::SSL_EARLIEST_EXPIRY, seconds(earliest));
    context.expires(match verdict {
        // What else was presented does not matter, such as a cross-signature that has expired.
        Ok(Trusted::Anchored { expiry }) => *expiry,
        Ok(Trusted::Pinned) => summary.not_after,
        Ok(Trusted::Unchecked) | Err(_) => earliest,
    });
    context.sample(&metric::SSL_NOT_BEFORE, seconds(summary.not_before));
    if let Ok(Trusted::Anchored { expiry }) = verdict {
        context.sample(&metric::SSL_LAST_CHAIN_EXPIRY, seconds(*expiry));
    }
    let label = |text: &String| Cow::Owned(text.clone());
    let labels = vec![
        ("fingerprint_sha256", label(&summary.fingerprint_sha256)),
        ("subject", label(&summary.subject)),
        ("issuer", label(&summary.issuer)),
        ("subjectalternative", label(&leaf.host_names)),
        ("serialnumber", label(&summary.serial)),
    ];
    context.labelled(&metric::SSL_LAST_CHAIN_INFO, labels, 1.0);
    let now = context.started_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    context.note(format!(
        "certificate: subject {}, issuer {}, names {}, expires in {} days, chain of {}",
        summary.subject,
        summary.issuer,
        leaf.summary.names.join(" "),
        summary.not_after.saturating_sub(now) / 86_400,
        chain.certificates.len()
    ));
}
