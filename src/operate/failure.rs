//! Why a command did not do what it is for, and the exit code that says so.

use std::process::ExitCode;

use crate::error_policy::{EXIT_FAILED, EXIT_USAGE};
use crate::source::{LoadError, LockError, NoOrigin};

/// Why a command did not do what it is for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The spec or the command line is wrong; rendered already.
    #[error("{0}")]
    Usage(String),
    /// The spec is fine, and something else is not.
    #[error("error: {0}")]
    Failed(String),
    /// Whoever read the output closed it, as `| head` does: nobody is there to be told.
    #[error("the output is read by nobody any more")]
    Unread,
}

/// What shells say of a process that a closed pipe ended (128 and SIGPIPE).
const EXIT_UNREAD: u8 = 141;

impl Failure {
    /// A spec that cannot be used, by places: what is written there is shown by `check` alone.
    pub(crate) fn spec(error: &LoadError) -> Self {
        match error {
            LoadError::Spec(_) | LoadError::Both { .. } => {
                let hint = "`autogit check` shows the lines";
                Self::Usage(format!("{}\nhint: {hint}", error.in_words()))
            }
            LoadError::Missing { .. }
            | LoadError::File(_)
            | LoadError::Remote(_)
            | LoadError::EnvFile(_)
            | LoadError::Named(_) => Self::Usage(format!("error: {error}")),
        }
    }

    /// The code that says which of the two it is.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(EXIT_FAILED),
            Self::Usage(_) => ExitCode::from(EXIT_USAGE),
            Self::Unread => ExitCode::from(EXIT_UNREAD),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<NoOrigin> for Failure {
    fn from(error: NoOrigin) -> Self {
        Self::Usage(format!("error: {error}"))
    }
}
