//! The runner's side of GitLab's job API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use http::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::config::Section;
use super::job::Job;
use super::version::Version;
use crate::gitlab::Transport;
use crate::world::SystemId;

const LAST_UPDATE: HeaderName = HeaderName::from_static("x-gitlab-last-update");
const JOB_TOKEN: HeaderName = HeaderName::from_static("job-token");
const JOB_STATUS: HeaderName = HeaderName::from_static("job-status");
const INTERVAL: HeaderName = HeaderName::from_static("x-gitlab-trace-update-interval");

/// What GitLab answers to a poll.
#[derive(Debug)]
pub(super) enum Answer {
    /// A job, and the queue's mark.
    Job(Box<Job>, Option<String>),
    /// No job, and the queue's mark.
    Nothing(Option<String>),
    /// The token is not valid.
    Forbidden,
    /// No answer, or one that asks to try again.
    Failed(String),
}

/// What GitLab answers to news of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Taken; the next is wanted after this time.
    Taken(Option<Duration>),
    /// The trace is wanted from this offset on.
    Offset(usize),
    /// The job was cancelled.
    Cancelled,
    /// GitLab does not want to hear of this job any more.
    Unwanted,
    /// No answer, or one that asks to try again.
    Unanswered,
}

/// The client of one `[[runners]]`.
#[derive(Debug)]
pub(super) struct Client {
    transport: Arc<dyn Transport>,
    origin: String,
    reaches: bool,
    token: SecretString,
    system_id: SystemId,
    version: Version,
}

impl Client {
    /// The client for `section` over a transport that leads to `server` alone.
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        server: &str,
        section: &Section,
        system_id: &SystemId,
        version: Version,
    ) -> Self {
        let origin = section.url.trim_end_matches('/').to_owned();
        let reaches = origin == server.trim_end_matches('/');
        let (token, system_id) = (section.token.clone(), system_id.clone());
        Self { transport, origin, reaches, token, system_id, version }
    }

    /// Asks for a job; held by the server for up to 50 s when `last_update` is current.
    pub(super) async fn request_job(&self, last_update: Option<&str>) -> Answer {
        let body = json!({
            "token": self.token.expose_secret(),
            "system_id": self.system_id.as_str(),
            "last_update": last_update.unwrap_or_default(),
            "info": {
                "name": "gitlab-runner", "version": self.version.to_string(), "platform": "linux",
                "executor": "docker", "features": {},
            },
        });
        let answer = match self.send(Method::POST, "jobs/request", &[], json_body(&body)).await {
            Ok(answer) => answer,
            Err(problem) => return Answer::Failed(problem),
        };
        let update = header(&answer, &LAST_UPDATE).map(str::to_owned);
        match answer.status() {
            StatusCode::CREATED => match serde_json::from_slice(answer.body()) {
                Ok(job) => Answer::Job(Box::new(job), update),
                Err(error) => Answer::Failed(format!("the job cannot be read: {error}")),
            },
            StatusCode::NO_CONTENT => Answer::Nothing(update),
            StatusCode::FORBIDDEN => Answer::Forbidden,
            status => Answer::Failed(status.to_string()),
        }
    }

    /// Sends `text`, which begins at `offset` of the job's trace.
    pub(super) async fn append_trace(&self, job: &Job, offset: usize, text: &str) -> Heard {
        let path = format!("jobs/{}/trace", job.id());
        let range = format!("{offset}-{}", (offset + text.len()).saturating_sub(1));
        let token = job.token.expose_secret();
        let headers = [(JOB_TOKEN, token), (CONTENT_RANGE, &range), (CONTENT_TYPE, "text/plain")];
        let body = Bytes::copy_from_slice(text.as_bytes());
        heard(self.send(Method::PATCH, &path, &headers, body).await)
    }

    /// Tells a job's state; `outcome` is the failure's reason and exit code.
    pub(super) async fn update(
        &self,
        job: &Job,
        state: &str,
        failure: Option<(&str, Option<i64>)>,
        trace_size: usize,
    ) -> Heard {
        let mut body = json!({
            "token": job.token.expose_secret(),
            "state": state,
            "output": { "bytesize": trace_size },
        });
        if let (Some(fields), Some((reason, exit_code))) = (body.as_object_mut(), failure) {
            fields.insert("failure_reason".to_owned(), json!(reason));
            if let Some(code) = exit_code {
                fields.insert("exit_code".to_owned(), json!(code));
            }
        }
        let path = format!("jobs/{}", job.id());
        match self.send(Method::PUT, &path, &[], json_body(&body)).await {
            Ok(answer) if answer.status() == StatusCode::ACCEPTED => Heard::Unanswered,
            answer => heard(answer),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Response<Bytes>, String> {
        if !self.reaches {
            return Err(self.not_sent(path, "dial tcp: lookup: no such host"));
        }
        let uri = self.uri(path);
        let mut request = Request::builder().method(method).uri(uri);
        if headers.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        let sent = self.transport.send(request).await;
        sent.map_err(|error| self.not_sent(path, &error.to_string()))
    }

    fn uri(&self, path: &str) -> String {
        format!("{}/api/v4/{path}", self.origin)
    }

    /// In Go's words, as gitlab-runner logs them (network/client.go).
    fn not_sent(&self, path: &str, problem: &str) -> String {
        let uri = self.uri(path);
        format!("couldn't execute POST against {uri}: Post \"{uri}\": {problem}")
    }
}

fn json_body(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn header<'a>(answer: &'a Response<Bytes>, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The end of `Range: 0-<size>`.
fn offset(answer: &Response<Bytes>) -> Option<usize> {
    header(answer, &RANGE)?.split_once('-')?.1.parse().ok()
}

fn heard(answer: Result<Response<Bytes>, String>) -> Heard {
    let Ok(answer) = answer else { return Heard::Unanswered };
    let status = answer.status();
    match header(&answer, &JOB_STATUS) {
        Some("canceled" | "canceling") => Heard::Cancelled,
        Some("failed") => Heard::Unwanted,
        _ if status == StatusCode::RANGE_NOT_SATISFIABLE => {
            offset(&answer).map_or(Heard::Unanswered, Heard::Offset)
        }
        _ if status == StatusCode::TOO_MANY_REQUESTS => Heard::Unanswered,
        _ if status.is_client_error() => Heard::Unwanted,
        _ if status.is_success() => {
            let seconds = header(&answer, &INTERVAL).and_then(|value| value.parse().ok());
            Heard::Taken(seconds.map(Duration::from_secs))
        }
        _ => Heard::Unanswered,
    }
}
