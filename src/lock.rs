//! Plain data that threads share. A thread that panics while it has the lock leaves data as good as
//! any, so that the others go on with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The data behind `mutex`, alone.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
