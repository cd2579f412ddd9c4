//! What a decoder of a content coding is.
//!
//! Must not know which codings there are.

use std::io;

/// A decoder in the middle of a body. Each error but those of the sink says that the body is malformed.
pub(super) trait Decoder<S>: Send {
    /// Decodes the next bytes of the body.
    fn decode(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Says that the body has ended.
    fn end(&mut self) -> io::Result<()>;

    /// Where the decoded bytes go.
    fn sink(&mut self) -> &mut S;
}

/// An error about a body that goes on behind its end.
pub(super) fn trailing_data() -> io::Error {
    io::Error::other("more data after the end of the encoded data")
}

/// An error about a body that ends too early.
pub(super) fn cut_off() -> io::Error {
    io::Error::other("the encoded data is cut off")
}
