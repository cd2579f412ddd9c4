//! What a look-up of a name went through, for people; known also when it is cut off.
//!
//! Must not know how names are looked up.

use std::sync::{Mutex, PoisonError};

/// The trace of one look-up.
#[derive(Default)]
pub(crate) struct LookupTrace(Mutex<Steps>);

#[derive(Default)]
struct Steps {
    notes: Vec<String>,
    first_server_failed: bool,
}

impl LookupTrace {
    /// Adds a line, once.
    pub(super) fn note(&self, note: String) {
        let steps = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !steps.notes.contains(&note) {
            steps.notes.push(note);
        }
    }

    /// Records that another name server answered instead of the first one.
    pub(super) fn note_first_server_failed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first_server_failed = true;
    }

    /// The notes, and whether the first name server was of no use.
    pub(crate) fn into_parts(self) -> (Vec<String>, bool) {
        let steps = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        (steps.notes, steps.first_server_failed)
    }
}
