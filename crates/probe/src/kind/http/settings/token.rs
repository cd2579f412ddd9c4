//! An access token, kept with the settings that it was fetched by.
//!
//! Must not know how a token is fetched.

use std::fmt;

use http::HeaderValue;
use tokio::time::Instant;

use crate::report::HIDDEN;

/// A token in use.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    /// The parts that must not be shown.
    pub(crate) secret: String,
    /// `None` for a token that does not say when it expires.
    pub(crate) expires: Option<Instant>,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}
