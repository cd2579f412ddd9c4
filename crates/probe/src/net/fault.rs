//! Errors of the system that are this machine's fault, not the target's.
//!
//! Must not know what was attempted.

use std::io;

use crate::report::{Failure, Phase, Reason};

/// The internal fault behind an error of the system: no descriptor, port, buffer or memory left. It says nothing about the
/// target.
pub(crate) fn local_fault(error: &io::Error) -> Option<Failure> {
    // ENOMEM, ENFILE, EMFILE, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS of Linux (errno(3)).
    const FAULTS: [i32; 6] = [12, 23, 24, 98, 99, 105];

    let code = error.raw_os_error()?;
    FAULTS.contains(&code).then(|| Failure::new(Phase::Internal, Reason::NoFds, error.to_string()))
}
