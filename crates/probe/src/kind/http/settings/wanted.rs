//! What is wanted of a body.
//!
//! Must not know how a body is read.

use http::{HeaderMap, header};

use crate::kind::http::decode::Coding;

/// The media types of bodies that have no end by design.
const ENDLESS: &[&str] = &["text/event-stream", "multipart/x-mixed-replace"];

/// How much of a body is read when the module sets no limit: as it comes, and decoded.
const BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// What is wanted of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// The coding that it has to be in.
    pub(crate) coding: Coding,
    /// Whether its bytes are to be kept.
    pub(crate) bytes: bool,
    /// Whether it is to be hashed.
    pub(crate) hash: bool,
    /// The limit that the module sets to what is decoded.
    pub(crate) limit: Option<u64>,
}

impl Wanted {
    /// How many bytes there may be, decoded.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.unwrap_or(BODY_BYTES_MAX)
    }

    /// How many bytes may come, before decoding.
    pub(crate) fn wire_limit(&self) -> u64 {
        match self.coding {
            Coding::Identity => self.limit(),
            _ => self.limit().max(BODY_BYTES_MAX),
        }
    }

    /// Whether anything hangs on the body's being there as a whole.
    pub(crate) fn is_strict(&self) -> bool {
        self.bytes || self.hash || self.limit.is_some() || self.coding != Coding::Identity
    }
}

/// Whether a body with these headers has no end by design.
pub(super) fn is_endless(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type =
        declared.and_then(|declared| declared.split(';').next()).unwrap_or_default().trim();
    ENDLESS.iter().any(|endless| media_type.eq_ignore_ascii_case(endless))
}
