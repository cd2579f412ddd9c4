//! The one way to take a mutex.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex; the data behind it stays usable after a panic elsewhere, because every writer leaves it whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
