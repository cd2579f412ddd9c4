//! What a look-up of a name went through, for people; known also when it is cut off.
//!
//! Must not know how names are looked up.

use std::sync::Mutex;

use notation::sync::{into_inner, lock};

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
        let steps = &mut *lock(&self.0);
        if !steps.notes.contains(&note) {
            steps.notes.push(note);
        }
    }

    /// Records that another name server answered instead of the first one.
    pub(super) fn note_first_server_failed(&self) {
        lock(&self.0).first_server_failed = true;
    }

    /// The notes, and whether the first name server was of no use.
    pub(crate) fn into_parts(self) -> (Vec<String>, bool) {
        let steps = into_inner(self.0);
        (steps.notes, steps.first_server_failed)
    }
}
