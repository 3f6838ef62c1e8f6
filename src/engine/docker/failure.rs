//! bollard's errors in the port's words.

use std::io::{self, ErrorKind};

use bollard::errors::Error;
use jiff::Timestamp;

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
    pub(super) fn new(endpoint: &Endpoint, attempt: &str, error: Error, now: Timestamp) -> Self {
        let refused = |problem: String| {
            Self::Other(EngineError::Refused { attempt: attempt.to_owned(), problem })
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "bollard's other errors, now and later, are all about the way to the engine"
        )]
        match error {
            // Go's HTTP server says this, before any engine is asked.
            Error::DockerResponseServerError { status_code: 400, message }
                if message.contains("HTTP request to an HTTPS server") =>
            {
                Self::Other(EngineError::Unreachable {
                    endpoint: endpoint.to_string(),
                    problem: "it speaks TLS only\nhint: set `tls: {ca, cert, key}` of this host"
                        .to_owned(),
                })
            }
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
                problem: way_problem(endpoint, &other, now),
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

/// What an operator does who knows no more than that there is no answer.
const HINT: &str = "is it running, and may this user use it?";
/// What an operator does whose user may not use the socket.
const HINT_MAY_NOT: &str = "let this user use it: `sudo usermod -aG docker $USER`, then log in anew (who \
    may use it is as good as root there), or use an engine without root";
/// What an operator does where nothing is behind the socket or the port.
const HINT_NOT_RUNNING: &str = "start it (`sudo systemctl start docker`), or set `hosts.*.docker` or \
    `DOCKER_HOST` to where it is";

/// Why there is no way to the engine, and what to do.
fn way_problem(endpoint: &Endpoint, error: &Error, now: Timestamp) -> String {
    let causes = causes(error);
    let tls = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>());
    let problem = match (error, endpoint, tls) {
        (Error::SocketNotFoundError(_), ..) => "there is no socket".to_owned(),
        (_, Endpoint::Tls(_, files), Some(tls)) => super::tls::explained(tls, files, now),
        // The innermost cause says what happened; the outer ones only which library noticed.
        _ => causes.last().map_or_else(|| error.to_string(), ToString::to_string),
    };
    if problem.contains("\nhint: ") {
        problem
    } else {
        format!("{problem}\nhint: {}", hint(endpoint, error, &causes))
    }
}

fn hint(endpoint: &Endpoint, error: &Error, causes: &[Cause<'_>]) -> &'static str {
    let is = |kind: ErrorKind| {
        let mut io = causes.iter().filter_map(|cause| cause.downcast_ref::<io::Error>());
        io.any(|error| error.kind() == kind)
    };
    let socket = matches!(endpoint, Endpoint::Unix(_) | Endpoint::FirstOf(_));
    let absent = matches!(error, Error::SocketNotFoundError(_)) || is(ErrorKind::NotFound);
    if socket && is(ErrorKind::PermissionDenied) {
        HINT_MAY_NOT
    } else if is(ErrorKind::ConnectionRefused) || socket && absent {
        HINT_NOT_RUNNING
    } else {
        HINT
    }
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// An error and what caused it, the innermost last.
fn causes<'a>(error: Cause<'a>) -> Vec<Cause<'a>> {
    // What an I/O error carries is not its source, which is that one's source already.
    let next = |cause: Cause<'a>| match cause.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|carried| carried as Cause<'a>),
        None => cause.source(),
    };
    std::iter::successors(Some(error), |cause| next(*cause)).collect()
}
