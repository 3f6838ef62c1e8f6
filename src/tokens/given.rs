//! The operator's own tokens, as GitLab took them.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::world::RecordId;

/// An operator's own token, as GitLab took it.
#[derive(Debug, Clone)]
pub struct Given {
    token: SecretString,
    /// The record behind it.
    pub record: RecordId,
    /// When it was taken: GitLab does not tell when it was made.
    pub since: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// The operator was told that it ends soon.
    warned: bool,
}

impl Given {
    /// GitLab took it just now.
    pub fn new(
        token: SecretString,
        record: RecordId,
        since: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self { token, record, since, expires_at, warned: false }
    }

    /// It is that token.
    pub fn is(&self, token: &SecretString) -> bool {
        self.token.expose_secret() == token.expose_secret()
    }

    /// The operator is to be told that it ends soon, which is said once.
    pub(super) fn warn(&mut self) -> bool {
        !std::mem::replace(&mut self.warned, true)
    }

    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }
}
