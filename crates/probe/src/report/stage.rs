//! The stages of a probe whose time is measured.
//!
//! Must not know what happens in them.

/// A stage whose time is reported, summed over redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the first byte of the answer.
    Processing,
    /// Reading the body.
    Transfer,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 5] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Processing, Self::Transfer];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Processing => "processing",
            Self::Transfer => "transfer",
        }
    }
}
