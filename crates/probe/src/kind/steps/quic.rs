//! Opening a QUIC connection, and what is recorded of it.
//!
//! Must not know what is spoken over the connection.

use std::net::IpAddr;

use super::{on_port, record_peer, resolve, tls};
use crate::{
    context::ProbeContext,
    net::{
        Net,
        connect::Destination,
        quic::{self, Opened},
        tls::{Protocols, TlsSettings},
    },
    report::{Failure, Phase, Reason, Stage, metric},
};

/// Looks the destination's host up unless an address is given, connects, makes the handshake with a server by the name `name`
/// and verifies its certificate. The handshake is what opens the connection, so that the time of both is that of the
/// handshake.
///
/// # Errors
/// A failure of the phases `resolve`, `connect` and `tls`, or an internal one.
pub(crate) async fn open(
    destination: &Destination<'_>,
    at: Option<IpAddr>,
    (settings, protocols): (&TlsSettings, Protocols),
    name: &str,
    net: &Net,
    context: &mut ProbeContext,
) -> Result<Opened, Failure> {
    context.forget(metric::TLS);
    let mut notes = Vec::new();
    let prepared = net.quic_handshakes(settings, protocols, name, &mut notes);
    context.notes(notes);
    let tls = prepared?;
    let addresses = match at {
        Some(address) => vec![address],
        None => resolve(destination, net, context).await?,
    };
    let addresses = on_port(destination.port, &addresses);
    let mut notes = Vec::new();
    let time_left = context.time_left();
    let answering = quic::first_answer(destination, &addresses, &tls, time_left, &mut notes);
    let answered = context.stage(Phase::Connect, Stage::Tls, answering).await;
    context.notes(notes);
    record_peer(answered.as_ref().ok().map(|attempt| attempt.peer.address), &addresses, context);
    let (connecting, peer) = answered?.into_parts();
    let shaking = peer.finish(connecting);
    let (connection, shaken) = match context.stage(Phase::Tls, Stage::Tls, shaking).await {
        Ok(connection) => (Some(connection), Ok(())),
        Err(failure) => (None, Err(failure)),
    };
    let (facts, verified) = tls.verify(&peer.handshake, net.now(), shaken);
    tls::record(facts, context);
    verified?;
    let bug = || Failure::new(Phase::Internal, Reason::Bug, "a handshake without a connection");
    Ok(Opened::new(connection.ok_or_else(bug)?, peer))
}
