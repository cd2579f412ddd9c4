//! Servers that misbehave on purpose, certificates with one known fault each, and a name server with fixed answers.
//!
//! For tests only. Everything listens on the loopback address, on a port that the system chose, and stops when it is
//! dropped. Must not know `probe`, so that an expectation is never derived from the code that it checks.
#![expect(
    clippy::expect_used,
    reason = "a test set-up that cannot be made has no other way on than to fail its test"
)]

mod backlog;
mod behaviour;
mod certificates;
mod dns;
pub mod frames;
mod openssl;
mod server;

pub use backlog::FullBacklog;
pub use behaviour::{Behaviour, Step};
pub use certificates::{Certificates, Leaf, TlsSettings};
pub use dns::{DnsAnswer, DnsServer, FORGED, Question, Sections};
pub use frames::Frames;
pub use openssl::{OpenSsl, OpenSslServer};
pub use server::Server;
