//! What an error of the HTTP library says about the target.
//!
//! Must not know how a request is sent.

use std::{io, sync::atomic::Ordering};

use super::wire::{HeadTooLarge, Meter};
use crate::{
    net::tls,
    result::{Failure, Phase, Reason},
};

/// What an error while reading the body says.
pub(super) fn body_failure(failure: Failure) -> Failure {
    let reason = match failure.reason {
        _ if failure.phase != Phase::Http => return failure,
        Reason::Closed | Reason::NoResponse => Reason::Truncated,
        Reason::Malformed => Reason::BadFraming,
        other => other,
    };
    Failure { phase: Phase::Body, reason, ..failure }
}

/// What an error of hyper says about the target.
pub(super) fn failure(error: &hyper::Error, meter: &Meter, phase: Phase) -> Failure {
    let told = |reason| Failure::new(phase, reason, text(error));
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            if error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<HeadTooLarge>)
            {
                return told(Reason::HeaderLimit);
            }
            if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() {
                break;
            }
            // hyper tells of chunks that are none as of invalid input or data; so does the TLS library of its own troubles.
            let invalid =
                matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
            if invalid && !tls::is_from_tls(error) {
                return told(Reason::Malformed);
            }
            let failure = tls::failure(error, phase);
            return if failure.reason == Reason::Closed { closed(failure, meter) } else { failure };
        }
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return h2_failure(error, meter, phase);
        }
        cause = inner.source();
    }
    // hyper has no better way to tell these apart.
    let says = |words: &[&str]| words.iter().any(|word| error.to_string().contains(word));
    if !error.is_parse() {
        closed(told(Reason::Closed), meter)
    } else if says(&["too large"]) {
        told(Reason::HeaderLimit)
    } else if says(&["content-length", "transfer-encoding"]) {
        told(Reason::BadFraming)
    } else {
        told(Reason::Malformed)
    }
}

/// A connection that was closed: before anything came, or in the middle.
fn closed(failure: Failure, meter: &Meter) -> Failure {
    if meter.bytes_read.load(Ordering::Relaxed) == 0 {
        Failure { reason: Reason::NoResponse, ..failure }
    } else {
        failure
    }
}

fn h2_failure(error: &h2::Error, meter: &Meter, phase: Phase) -> Failure {
    if let Some(error) = error.get_io() {
        return closed(tls::failure(error, phase), meter);
    }
    let reason = if error.is_go_away() && error.is_remote() {
        Reason::H2Goaway
    } else if error.is_reset() && error.is_remote() {
        Reason::H2Reset
    } else {
        Reason::H2Violation
    };
    Failure::new(phase, reason, error.to_string())
}

/// An error with its causes, in one line.
fn text(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
