//! What an error of the HTTP library says about the target.
//!
//! Must not know how a request is sent.

use std::io;

use super::wire::Meter;
use crate::{
    net::tls,
    report::{Failure, Phase, Reason},
};

/// How large a header block is that h2 refuses for nothing but its size. It says the same of a block that is malformed; those
/// are small.
const LARGE_BLOCK_BYTES: u32 = 32 * 1024;

/// What an error while reading the body says. A breach of HTTP/2 is one of the connection, wherever it happens.
pub(super) fn body_failure(failure: Failure) -> Failure {
    let reason = match failure.reason {
        _ if failure.phase != Phase::Http => return failure,
        Reason::H2Violation => return failure,
        Reason::Closed | Reason::NoResponse => Reason::Truncated,
        Reason::Malformed | Reason::HeaderLimit => Reason::BadFraming,
        Reason::H2Reset | Reason::H2Goaway => Reason::Reset,
        other => other,
    };
    Failure { phase: Phase::Body, reason, ..failure }
}

/// What an error of hyper says about the target.
pub(super) fn failure(error: &hyper::Error, meter: &Meter, phase: Phase) -> Failure {
    if let Some(failure) = meter.failure(phase) {
        return failure;
    }
    let failed = |reason| Failure::new(phase, reason, text(error));
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() {
                break;
            }
            // hyper reports malformed chunks as invalid input or data, as the TLS library does its own errors.
            let invalid =
                matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
            if invalid && !tls::is_from_tls(error) {
                return failed(Reason::Malformed);
            }
            return io_failure(error, meter, phase);
        }
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return h2_failure(error, meter, phase);
        }
        cause = inner.source();
    }
    // hyper has no better way to distinguish these.
    let says = |words: &[&str]| words.iter().any(|word| error.to_string().contains(word));
    if !error.is_parse() {
        closed(failed(Reason::Closed), meter)
    } else if says(&["too large"]) {
        failed(Reason::HeaderLimit)
    } else if says(&["content-length", "transfer-encoding"]) {
        failed(Reason::BadFraming)
    } else {
        failed(Reason::Malformed)
    }
}

/// A connection that was closed: before anything came, after it was said to be, or in the middle.
fn closed(failure: Failure, meter: &Meter) -> Failure {
    let seen = meter.seen();
    let reason = match failure.reason {
        _ if seen.goaway && !seen.answered => Reason::H2Goaway,
        _ if seen.bytes_read == 0 => Reason::NoResponse,
        reason => reason,
    };
    Failure { reason, ..failure }
}

/// What an error of reading or writing says.
fn io_failure(error: &io::Error, meter: &Meter, phase: Phase) -> Failure {
    // h2 calls an end in the middle a broken pipe, without the system having said so.
    let is_end = error.kind() == io::ErrorKind::BrokenPipe && error.raw_os_error().is_none();
    let failure = if is_end {
        Failure::new(phase, Reason::Closed, "the connection ended")
    } else {
        tls::failure(error, phase)
    };
    if failure.reason == Reason::Closed { closed(failure, meter) } else { failure }
}

fn h2_failure(error: &h2::Error, meter: &Meter, phase: Phase) -> Failure {
    if let Some(error) = error.get_io() {
        return io_failure(error, meter, phase);
    }
    let text = match error.reason() {
        Some(code) => format!("{code:?}: {error}"),
        None => error.to_string(),
    };
    let is_large = meter.seen().block_bytes >= LARGE_BLOCK_BYTES;
    let reason = if error.is_go_away() && error.is_remote() {
        Reason::H2Goaway
    } else if error.is_reset() && error.is_remote() {
        Reason::H2Reset
    } else if is_large && error.is_reset() || text.contains("header_list_way_too_large") {
        Reason::HeaderLimit
    } else {
        Reason::H2Violation
    };
    Failure::new(phase, reason, text)
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
