//! The first bytes that a server sent, which show whether it speaks TLS.
//!
//! Must not know a connection.

/// As many bytes as show what a server speaks: a record's head and that of a handshake message (RFC 8446 §5.1 and §4).
const HEAD_BYTES: usize = 9;

/// The first bytes that a server sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    bytes: [u8; HEAD_BYTES],
    length: usize,
}

impl Head {
    /// Takes in what came, as far as it belongs to the head.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.length == HEAD_BYTES {
            return;
        }
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (free, byte) in free.iter_mut().zip(bytes) {
            *free = *byte;
            self.length += 1;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Whether this is the beginning of a record of TLS.
    pub(super) fn is_tls(&self) -> bool {
        let [kind, version, ..] = self.bytes;
        self.length == 0 || (0x14..=0x18).contains(&kind) && (self.length == 1 || version == 3)
    }

    /// Whether this is the beginning of a `ServerHello` of a usual size.
    pub(super) fn is_server_hello(&self) -> bool {
        let [record, _, _, _, _, message, length_high, ..] = self.bytes;
        record == 0x16 && message == 2 && length_high == 0
    }

    /// The bytes, for people.
    pub(super) fn text(&self) -> String {
        format!("\"{}\"", self.bytes().escape_ascii())
    }
}
