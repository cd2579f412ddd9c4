//! Frames of HTTP/2 (RFC 9113) as bytes, right or wrong, with the plainest encoding of headers.
//!
//! Must not know connections.

use crate::behaviour::{Behaviour, Step};

/// The type of a frame, by its number in RFC 9113 §6; any other number may be used as well.
pub mod kind {
    /// A part of the body.
    pub const DATA: u8 = 0;
    /// The beginning of a header block.
    pub const HEADERS: u8 = 1;
    /// An obsolete hint.
    pub const PRIORITY: u8 = 2;
    /// The end of one stream.
    pub const RST_STREAM: u8 = 3;
    /// The settings of the sender.
    pub const SETTINGS: u8 = 4;
    /// An answer that nobody asked for.
    pub const PUSH_PROMISE: u8 = 5;
    /// A question whether the other side is there.
    pub const PING: u8 = 6;
    /// The end of the connection.
    pub const GOAWAY: u8 = 7;
    /// More room for bodies.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a header block.
    pub const CONTINUATION: u8 = 9;
}

/// The flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;

/// The flag of the last frame of a header block.
pub const END_HEADERS: u8 = 4;

/// The flag of a frame whose payload begins with the length of its padding.
pub const PADDED: u8 = 8;

/// The stream of the first request.
pub const FIRST_STREAM: u32 = 1;

/// Frames one after the other.
#[derive(Clone, Debug, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// What a server says first: its settings, which are empty.
    pub fn settings() -> Self {
        Self::default().frame(kind::SETTINGS, 0, 0, &[])
    }

    /// Adds a frame.
    #[must_use]
    pub fn frame(mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
        self.0.extend_from_slice(&length[1..]);
        self.0.extend_from_slice(&[kind, flags]);
        self.0.extend_from_slice(&stream.to_be_bytes());
        self.0.extend_from_slice(payload);
        self
    }

    /// Adds the headers of an answer to the first request, which need a single frame.
    #[must_use]
    pub fn headers(self, flags: u8, headers: &[(&str, &str)]) -> Self {
        self.frame(kind::HEADERS, flags | END_HEADERS, FIRST_STREAM, &block(headers))
    }

    /// Adds a header block for the first request, in frames of at most this size.
    #[must_use]
    pub fn block(mut self, flags: u8, block: &[u8], frame_bytes: usize) -> Self {
        let parts: Vec<&[u8]> = block.chunks(frame_bytes).collect();
        for (index, part) in parts.iter().enumerate() {
            let end = if index + 1 == parts.len() { END_HEADERS } else { 0 };
            self = if index == 0 {
                self.frame(kind::HEADERS, flags | end, FIRST_STREAM, part)
            } else {
                self.frame(kind::CONTINUATION, end, FIRST_STREAM, part)
            };
        }
        self
    }

    /// Adds a part of the body of the first answer.
    #[must_use]
    pub fn data(self, flags: u8, bytes: &[u8]) -> Self {
        self.frame(kind::DATA, flags, FIRST_STREAM, bytes)
    }

    /// Adds the end of the first stream for this reason (RFC 9113 §7).
    #[must_use]
    pub fn reset(self, code: u32) -> Self {
        self.frame(kind::RST_STREAM, 0, FIRST_STREAM, &code.to_be_bytes())
    }

    /// Adds the end of the connection for this reason; streams after `last` were not looked at.
    #[must_use]
    pub fn goaway(self, last: u32, code: u32) -> Self {
        self.frame(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
    }

    /// Adds other frames.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The bytes.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// A server that waits for a request, sends these frames, and then does these steps.
    pub fn reply(self, then: impl IntoIterator<Item = Step>) -> Behaviour {
        let steps = [Step::ReadHttp2Request, Step::Send(self.0)];
        Behaviour::Script(steps.into_iter().chain(then).collect())
    }
}

/// Headers as HPACK (RFC 7541 §6.2.2): each of them literal and not to be remembered.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

/// A string of HPACK, with its length in an integer with a prefix of seven bits (RFC 7541 §5).
fn string(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(u8::try_from(rest).expect("less than seven bits"));
    } else {
        rest -= 127;
        block.push(127);
        while rest >= 128 {
            block.push(u8::try_from(rest % 128 + 128).expect("seven bits and a mark"));
            rest /= 128;
        }
        block.push(u8::try_from(rest).expect("seven bits"));
    }
    block.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_the_standard_has_them() {
        let bytes = Frames::settings().headers(END_STREAM, &[(":status", "200")]).bytes();
        assert_eq!(bytes[..9], [0, 0, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[9..18], [0, 0, 13, 1, 5, 0, 0, 0, 1]);
        assert_eq!(&bytes[18..], b"\0\x07:status\x03200");
        // RFC 7541, C.1.2, with a prefix of seven bits.
        let mut long = Vec::new();
        string(&mut long, &"x".repeat(1337));
        assert_eq!(long[..3], [127, 0b1011_1010, 9]);
        let split = Frames::default().block(0, &[0; 5], 2).bytes();
        let flags: Vec<(u8, u8)> =
            [0, 11, 22].map(|begin| (split[begin + 3], split[begin + 4])).to_vec();
        assert_eq!(flags, [(kind::HEADERS, 0), (kind::CONTINUATION, 0), (kind::CONTINUATION, 4)]);
    }
}
