//! The kinds of probes, one file or folder each.

pub(crate) mod http;
pub(crate) mod tcp;
