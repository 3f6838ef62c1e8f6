//! bollard's errors in the port's words.

use bollard::errors::Error;

use super::endpoint::Endpoint;
use crate::engine::EngineError;

/// Why a call failed; an answer with a status is kept apart, for its caller may know better.
#[derive(Debug)]
pub(super) enum Failure {
    /// The engine answered no.
    Answer {
        /// HTTP's status.
        status: u16,
        /// What the engine says.
        message: String,
        /// What was attempted.
        attempt: String,
    },
    /// Anything else.
    Other(EngineError),
}

impl Failure {
    pub(super) fn new(endpoint: &Endpoint, attempt: &str, error: Error) -> Self {
        let refused = |problem: String| {
            Self::Other(EngineError::Refused { attempt: attempt.to_owned(), problem })
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "bollard's other errors, now and later, are all about the way to the engine"
        )]
        match error {
            Error::DockerResponseServerError { status_code, message } => Self::Answer {
                status: status_code,
                message: message.trim().to_owned(),
                attempt: attempt.to_owned(),
            },
            Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
                refused(error)
            }
            Error::JsonDataError { .. }
            | Error::JsonSerdeError { .. }
            | Error::APIVersionParseError {}
            | Error::StrParseError { .. } => refused(format!("its answer is unreadable: {error}")),
            other => Self::Other(EngineError::Unreachable {
                endpoint: endpoint.to_string(),
                problem: way_problem(endpoint, &other),
            }),
        }
    }

    /// The status, where the engine answered with one.
    pub(super) fn status(&self) -> Option<u16> {
        self.answer().map(|(status, _)| status)
    }

    /// The status and what the engine says, where it answered.
    pub(super) fn answer(&self) -> Option<(u16, &str)> {
        match self {
            Self::Answer { status, message, .. } => Some((*status, message)),
            Self::Other(_) => None,
        }
    }

    /// The port's error, for a call about `object`.
    pub(super) fn about(self, object: impl FnOnce() -> String) -> EngineError {
        match self.status() {
            Some(404) => EngineError::NotFound { object: object() },
            _ => self.into(),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answer { message, attempt, .. } => Self::Refused { attempt, problem: message },
            Failure::Other(error) => error,
        }
    }
}

/// An object that is gone already is as wanted.
pub(super) fn gone_is_done(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.status() == Some(404) => Ok(()),
        other => other,
    }
}

/// The innermost cause says what happened; the outer ones only which library noticed.
fn way_problem(endpoint: &Endpoint, error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let cause = if matches!(error, Error::SocketNotFoundError(_)) {
        "there is no socket".to_owned()
    } else {
        innermost.to_string()
    };
    match endpoint {
        Endpoint::Ssh(_) => format!(
            "{cause}; ssh:// needs the `ssh` program and a key here, and `docker` on that host"
        ),
        Endpoint::FirstOf(_) | Endpoint::Unix(_) | Endpoint::Http(_) | Endpoint::Tls(..) => cause,
    }
}
