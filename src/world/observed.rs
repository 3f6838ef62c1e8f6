//! What could be read, or why it could not.

use std::sync::Arc;

use jiff::Timestamp;

/// A source's answer. Unknown is not empty: it keeps what was last seen, for counting only.
#[derive(Debug, Clone)]
pub enum Observed<T> {
    /// Read at `at`.
    Known {
        /// When, by our clock.
        at: Timestamp,
        /// What was read.
        value: T,
    },
    /// Could not be read.
    Unknown {
        /// Since when, by our clock.
        since: Timestamp,
        /// Why, in words for the operator.
        error: Arc<str>,
        /// What was last seen, if ever.
        last: Option<T>,
    },
}

impl<T> Observed<T> {
    /// The value, if it is known now.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// The value, known or last seen.
    pub fn last(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown { last, .. } => last.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown { last, .. } => last.as_mut(),
        }
    }

    /// The successor of this observation, given what was read at `at`.
    #[must_use]
    pub fn next(self, at: Timestamp, read: Result<T, Arc<str>>) -> Self {
        match (read, self) {
            (Ok(value), _) => Self::Known { at, value },
            (Err(error), Self::Known { value, .. }) => {
                Self::Unknown { since: at, error, last: Some(value) }
            }
            (Err(error), Self::Unknown { since, last, .. }) => Self::Unknown { since, error, last },
        }
    }
}
