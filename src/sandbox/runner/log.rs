//! What the process writes, as `--log-format json` writes it (`helpers/cli/runtime_platform.go`,
//! `network/gitlab.go` and `common/build.go` of 18.4 to 19.4).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::version::Version;
use crate::world::JobId;

/// One line of the process's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// The first line: which gitlab-runner this is.
    Platform {
        /// Its version.
        version: Version,
    },
    /// A job was handed over.
    Received {
        /// The job.
        job: JobId,
        /// Its repository.
        repo_url: String,
    },
    /// A job succeeded.
    Succeeded {
        /// The job.
        job: JobId,
        /// How long it took.
        duration: Duration,
    },
    /// A job failed, or was cancelled.
    Failed {
        /// The job.
        job: JobId,
        /// How long it took.
        duration: Duration,
        /// What gitlab-runner says of it.
        problem: String,
        /// In GitLab's word.
        reason: &'static str,
        /// Its script's exit code.
        exit_code: Option<i64>,
    },
    /// GitLab refused the token.
    Forbidden,
    /// After refusals it leaves GitLab alone for a while.
    Unhealthy,
    /// GitLab was not reached, or made no sense.
    PollFailed {
        /// What the network or GitLab answered.
        problem: String,
    },
    /// The process ends.
    Exiting {
        /// What asked it to, as gitlab-runner says it.
        why: &'static str,
    },
    /// The process cannot start.
    Fatal {
        /// What its config lacks, as gitlab-runner says it.
        problem: String,
    },
}

impl LogLine {
    /// The line, written at `at`.
    pub fn json(&self, at: Timestamp) -> String {
        let (level, message) = (self.level(), self.message());
        let mut line = Map::new();
        match self {
            Self::Received { job, repo_url } => {
                line.insert("job".to_owned(), json!(job.0));
                line.insert("repo_url".to_owned(), json!(repo_url));
            }
            Self::Succeeded { job, duration } => {
                line.insert("duration_s".to_owned(), json!(duration.as_secs_f64()));
                line.insert("job".to_owned(), json!(job.0));
            }
            Self::Failed { job, duration, reason, exit_code, .. } => {
                line.insert("duration_s".to_owned(), json!(duration.as_secs_f64()));
                if let Some(code) = exit_code {
                    line.insert("exit_code".to_owned(), json!(code));
                }
                line.insert("failure_reason".to_owned(), json!(reason));
                line.insert("job".to_owned(), json!(job.0));
            }
            Self::Platform { version } => {
                line.insert("version".to_owned(), json!(version.to_string()));
            }
            Self::PollFailed { problem } => {
                line.insert("status".to_owned(), json!(problem));
            }
            Self::Forbidden | Self::Unhealthy | Self::Exiting { .. } | Self::Fatal { .. } => {}
        }
        line.insert("level".to_owned(), json!(level));
        line.insert("msg".to_owned(), json!(message));
        line.insert("time".to_owned(), json!(at.to_string()));
        Value::Object(line).to_string()
    }

    /// Its message.
    pub fn message(&self) -> String {
        match self {
            Self::Platform { .. } => "Runtime platform".to_owned(),
            Self::Received { .. } => "Checking for jobs... received".to_owned(),
            Self::Succeeded { .. } => "Job succeeded".to_owned(),
            Self::Failed { problem, .. } => format!("Job failed: {problem}"),
            Self::Unhealthy => "Runner is not healthy!".to_owned(),
            Self::Forbidden => "Checking for jobs... forbidden".to_owned(),
            Self::PollFailed { .. } => "Checking for jobs... failed".to_owned(),
            Self::Exiting { why } => format!("{why}, so now exiting"),
            Self::Fatal { problem } => problem.clone(),
        }
    }

    /// Why a job failed that its script did not fail.
    pub fn system_failure(&self) -> Option<&str> {
        let Self::Failed { problem, reason: "runner_system_failure", .. } = self else {
            return None;
        };
        Some(problem)
    }

    /// The job it is about.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Received { job, .. } | Self::Succeeded { job, .. } | Self::Failed { job, .. } => {
                Some(*job)
            }
            Self::Platform { .. }
            | Self::Forbidden
            | Self::Unhealthy
            | Self::PollFailed { .. }
            | Self::Exiting { .. }
            | Self::Fatal { .. } => None,
        }
    }

    fn level(&self) -> &'static str {
        match self {
            Self::Platform { .. }
            | Self::Received { .. }
            | Self::Succeeded { .. }
            | Self::Exiting { .. } => "info",
            Self::Failed { .. } | Self::PollFailed { .. } => "warning",
            Self::Forbidden | Self::Unhealthy => "error",
            Self::Fatal { .. } => "fatal",
        }
    }
}
