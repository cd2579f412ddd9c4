//! What a module expects of a header.
//!
//! Must not know how an answer is held against it.

use serde::{Deserialize, Serialize};

use crate::setting::Pattern;

/// An expectation of a header.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderMatch {
    pub(crate) header: String,
    pub(crate) regexp: Pattern,
    /// Whether the expectation is met when there is no such header.
    #[serde(default)]
    pub(crate) allow_missing: bool,
}
