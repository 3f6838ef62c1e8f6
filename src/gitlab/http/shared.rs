//! State that concurrent calls share. The closure keeps a lock from being held across an await.

use std::sync::Mutex;

use crate::lock::locked;

#[derive(Default)]
pub(super) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// Runs `f` on the state, alone.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut locked(&self.0))
    }
}
