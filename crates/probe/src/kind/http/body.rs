//! Reading a body, no further than wanted.
//!
//! Must not know what the body is checked for.

use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::{cause::body_failure, exchange::Answer};
use crate::result::Failure;

/// What was read of a body.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The bytes, when they were asked for.
    pub(super) bytes: Vec<u8>,
    /// How many bytes were read.
    pub(super) length: u64,
    /// Whether the body ended within the limit.
    pub(super) complete: bool,
}

/// How much of the body is kept for people.
const EXCERPT_BYTES_MAX: usize = 1024;

/// Reads a body to its end or to the limit, and keeps the bytes only when they are `wanted`. The first ones are kept in
/// `excerpt` in any case, also when reading fails.
pub(super) async fn read(
    answer: &mut Answer,
    wanted: bool,
    limit: u64,
    excerpt: &mut Vec<u8>,
) -> Result<Read, Failure> {
    let mut read = Read::default();
    loop {
        let Answer { body, connection, .. } = answer;
        let next = connection.drive(async { body.frame().await.transpose() }).await;
        let Some(frame) = next.map_err(body_failure)? else {
            read.complete = true;
            return Ok(read);
        };
        let data: Bytes = frame.into_data().unwrap_or_default();
        read.length += data.len() as u64;
        let room = EXCERPT_BYTES_MAX.saturating_sub(excerpt.len());
        excerpt.extend(data.iter().take(room));
        if read.length > limit {
            return Ok(read);
        }
        if wanted {
            read.bytes.extend_from_slice(&data);
        }
    }
}
