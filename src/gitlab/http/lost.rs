//! A job whose runner died: GitLab shows it as running for up to an hour, and only a job that ended
//! can be queued again, so it is cancelled first.

use std::collections::BTreeSet;

use ::http::Method;
use serde::Deserialize;
use serde_json::json;

use super::HttpGitlab;
use super::call::Call;
use crate::gitlab::GitlabError;
use crate::world::{JobId, ProjectId};

const HINT: &str = "`lost_jobs: retry` needs a token with the scope `api` and the role Developer in the job's project";

/// Jobs that this process asked GitLab to cancel: whose cancellation an unanswered request left
/// half-done, as told apart from those that a person cancelled.
#[derive(Default)]
pub(super) struct Cancelled(BTreeSet<JobId>);

#[derive(Deserialize)]
struct Row {
    id: u64,
    status: String,
}

impl HttpGitlab {
    /// Cancels the job and queues it anew, unless it ended or a person saw to it.
    pub(super) async fn queue_again(&self, id: JobId) -> Result<Option<JobId>, GitlabError> {
        let (project, _) = self.place_of(id).await?;
        let row: Row = self.wire.json(&read(project, id)).await?;
        let ours = self.cancelled.with(|cancelled| cancelled.0.contains(&id));
        let mut status = match row.status.as_str() {
            "running" => {
                self.cancelled.with(|cancelled| cancelled.0.insert(id));
                let row: Row = self.wire.json(&cancel(project, id, false)).await?;
                row.status
            }
            "canceling" | "canceled" if ours => row.status,
            _ => return Ok(None),
        };
        // Since 17.0 a job waits in `canceling` for its runner to end it, and this one is dead.
        if status == "canceling" {
            let row: Row = self.wire.json(&cancel(project, id, true)).await?;
            status = row.status;
        }
        if status == "canceling" {
            return Err(GitlabError::Rejected {
                attempt: format!("a retry of job {id}"),
                message: "it is still being cancelled\nhint: retry it in GitLab when that is over"
                    .to_owned(),
            });
        }
        let again: Row = self.wire.json(&retry(project, id)).await?;
        self.cancelled.with(|cancelled| cancelled.0.remove(&id));
        Ok(Some(JobId(again.id)))
    }
}

fn read(project: ProjectId, id: JobId) -> Call {
    Call::get("GET /projects/:id/jobs/:id", format!("/projects/{project}/jobs/{id}"))
        .attempt(format!("see job {id}"))
        .object(format!("job {id}"))
}

fn cancel(project: ProjectId, id: JobId, force: bool) -> Call {
    let path = format!("/projects/{project}/jobs/{id}/cancel");
    let call = Call::rest(Method::POST, "POST /projects/:id/jobs/:id/cancel", path)
        .attempt(format!("cancel job {id}"))
        .object(format!("job {id}"))
        .hint(HINT);
    if force { call.body(json!({ "force": true })) } else { call }
}

fn retry(project: ProjectId, id: JobId) -> Call {
    let path = format!("/projects/{project}/jobs/{id}/retry");
    Call::rest(Method::POST, "POST /projects/:id/jobs/:id/retry", path)
        .attempt(format!("retry job {id}"))
        .object(format!("job {id}"))
        // Where the answer to a first request was lost, the second one is refused.
        .hint(format!("see in GitLab whether it was retried already, which it can be once; {HINT}"))
}
