//! The TLS handshake, and what is recorded of it.
//!
//! Must not know what is spoken over TLS.

use std::{borrow::Cow, time::SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    context::ProbeContext,
    net::{
        Net,
        tls::{Protocols, Stream, TlsFacts, TlsSettings},
    },
    report::{Failure, Phase, Stage, metric},
};

/// Makes the handshake with a server by the name `host`, and verifies its certificate.
///
/// # Errors
/// A failure of the phase `tls`, or an internal one.
pub(crate) async fn handshake<S>(
    settings: &TlsSettings,
    protocols: Protocols,
    host: &str,
    stream: S,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Stream<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    context.forget(metric::TLS);
    let mut notes = Vec::new();
    let prepared = net.handshake(settings, protocols, host, &mut notes);
    context.notes(notes);
    let handshake = prepared?;
    let shaken = context.stage(Phase::Tls, Stage::Tls, handshake.make(stream)).await;
    let (facts, verified) = handshake.verify(net.now(), shaken);
    record(facts, context);
    let stream = verified?;
    context.watch_tls_end(stream.cut_short());
    Ok(stream)
}

/// Records what is known of a connection, whatever the verdict is.
pub(super) fn record(facts: TlsFacts, context: &mut ProbeContext) {
    if facts.asks_for_certificate {
        context.note("the server asks for a client certificate");
    }
    record_certificates(&facts, context);
    let summary = facts.summary;
    if let Some(version) = summary.version {
        let shown = summary.cipher.as_ref().map(|cipher| format!(", {cipher}"));
        context.note(format!("TLS handshake done: {version}{}", shown.unwrap_or_default()));
        context.labelled(&metric::TLS_VERSION, vec![("version", Cow::Borrowed(version))], 1.0);
        if let Some(cipher) = &summary.cipher {
            let labels = vec![("cipher", Cow::Owned(cipher.clone()))];
            context.labelled(&metric::TLS_CIPHER, labels, 1.0);
        }
    }
    if let Some(hop) = context.hop() {
        hop.tls = Some(summary);
    }
}

/// Records the certificates that a server presented.
fn record_certificates(facts: &TlsFacts, context: &mut ProbeContext) {
    #[expect(clippy::cast_precision_loss, reason = "seconds of any calendar date fit into 53 bits")]
    let seconds = |seconds: i64| seconds as f64;
    let Some(leaf) = facts.chain.certificates.first() else { return };
    let summary = &leaf.summary;
    if let Some(earliest) = facts.earliest_expiry() {
        context.sample(&metric::SSL_EARLIEST_EXPIRY, seconds(earliest));
    }
    if let Some(expiry) = facts.expiry() {
        context.expires(expiry);
    }
    context.sample(&metric::SSL_NOT_BEFORE, seconds(summary.not_before));
    if let Some(expiry) = facts.path_expiry {
        context.sample(&metric::SSL_LAST_CHAIN_EXPIRY, seconds(expiry));
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
        summary.names.join(" "),
        summary.not_after.saturating_sub(now) / 86_400,
        facts.chain.certificates.len()
    ));
}
