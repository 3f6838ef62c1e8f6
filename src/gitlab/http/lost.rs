//! A job whose runner died: GitLab shows it as running for up to an hour, and only a job that ended
//! can be queued again, so it is cancelled first.

use std::collections::BTreeSet;

use ::http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::HttpGitlab;
use super::call::Call;
use crate::gitlab::{DeadJob, GitlabError};
use crate::world::{JobId, ProjectId};

/// GitLab's access levels: who may retry a job, and who may end a cancellation that waits.
const DEVELOPER: u64 = 30;
const MAINTAINER: u64 = 40;
/// How far times of two machines may be off, once they are corrected.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_secs(3);
/// Of a runner that is gone at a first look, nobody knows since when.
const FIRST_LOOKS: SignedDuration = SignedDuration::from_mins(1);
const SCOPE_HINT: &str = "`lost_jobs: retry` needs a token with the scope `api`";

/// Jobs that this process asked GitLab to cancel: whose cancellation an unanswered request left
/// half-done, as told apart from those that a person cancelled.
#[derive(Default)]
pub(super) struct Cancelled(BTreeSet<JobId>);

#[derive(Deserialize)]
struct Row {
    id: u64,
    status: String,
    finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Project {
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    access_level: u64,
}

impl HttpGitlab {
    /// Cancels the job and queues it anew, unless it ended or a person saw to it.
    pub(super) async fn queue_again(&self, job: DeadJob) -> Result<Option<JobId>, GitlabError> {
        let id = job.id;
        let (project, path) = if let Some(project) = job.project {
            (project, format!("project {project}"))
        } else {
            let (project, path) = self.place_of(id).await?;
            (project, path.to_string())
        };
        let row: Row = self.wire.json(&read(project, id)).await?;
        let ours = self.cancelled.with(|cancelled| cancelled.0.contains(&id));
        let left_half_done = match row.status.as_str() {
            "canceled" => self.ended_after_runner(&row, job),
            "canceling" => job.lost_at.is_some_and(|lost| self.is_from_before(lost)),
            _ => false,
        };
        let mut status = match row.status.as_str() {
            "running" => {
                self.may_queue_again(project, &path, id).await?;
                self.cancelled.with(|cancelled| cancelled.0.insert(id));
                let row: Row = self.wire.json(&cancel(project, id, false)).await?;
                row.status
            }
            "canceling" | "canceled" if ours || left_half_done => row.status,
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
        let again = self.wire.json::<Row>(&retry(project, id)).await.map_err(retried_already);
        let again = match again {
            // Whoever left it half-done may have come to the end all the same.
            Err(error) if left_half_done && !ours && is_retried_already(&error) => return Ok(None),
            again => again?,
        };
        self.cancelled.with(|cancelled| cancelled.0.remove(&id));
        Ok(Some(JobId(again.id)))
    }

    /// A job that is still `canceling` does not tell since when. If its runner died before this
    /// adapter was made, a process before it left the job so.
    fn is_from_before(&self, lost_at: Timestamp) -> bool {
        lost_at.duration_since(self.began_at) < FIRST_LOOKS
    }

    /// The job ended after its runner did.
    fn ended_after_runner(&self, row: &Row, job: DeadJob) -> bool {
        let ended_at = row.finished_at.map(|at| self.wire.ours(at));
        ended_at
            .zip(job.lost_at)
            .is_some_and(|(ended, lost)| ended.duration_since(lost) > CLOCK_ERROR)
    }

    /// Makes sure, before anything is done, that it can be done to its end: a job that is left
    /// `canceling` keeps its pipeline waiting, and nobody can retry it.
    async fn may_queue_again(
        &self,
        project: ProjectId,
        path: &str,
        id: JobId,
    ) -> Result<(), GitlabError> {
        let server = self.proof().await?.server;
        let attempt = format!("cancel and retry job {id} of `{path}`");
        let refused = |why: String, hint: String| GitlabError::Forbidden {
            attempt: format!("{attempt}: {why}"),
            hint: Some(hint),
        };
        if server.scopes_are_known() && !server.scopes.iter().any(|scope| scope == "api") {
            let scopes = server.scopes.join("`, `");
            return Err(refused(format!("its scopes are `{scopes}`"), SCOPE_HINT.to_owned()));
        }
        let waits = server.is_at_least(17, 0);
        // GitLab's docs, "Force cancel a job" (doc/ci/jobs): introduced in 17.10 behind the flag
        // `force_cancel_build`, off by default; generally available, without the flag, in 17.11. The
        // API shows flags to administrators only, so 17.10 is not relied on.
        if waits && !server.is_at_least(17, 11) {
            return Err(GitlabError::Rejected {
                attempt,
                message: format!(
                    "GitLab {} lets a cancelled job wait for its runner, and cannot end that\n\
                     hint: retry it in GitLab when it has failed, or update to 17.11",
                    server.version
                ),
            });
        }
        let (least, role) =
            if waits { (MAINTAINER, "Maintainer") } else { (DEVELOPER, "Developer") };
        if !server.administrator && self.level_in(project).await? < least {
            let hint = format!("make its user a {role} of `{path}`");
            return Err(refused(format!("`{}` is less than {role} there", server.user), hint));
        }
        Ok(())
    }

    /// The access level of the token's user in a project.
    async fn level_in(&self, project: ProjectId) -> Result<u64, GitlabError> {
        let call = Call::get("GET /projects/:id", format!("/projects/{project}"))
            .attempt(format!("see project {project}"))
            .object(format!("project {project}"));
        let project: Project = self.wire.json(&call).await?;
        let Some(permissions) = project.permissions else { return Ok(0) };
        let told = [permissions.project_access, permissions.group_access];
        Ok(told.into_iter().flatten().map(|access| access.access_level).max().unwrap_or(0))
    }
}

fn is_retried_already(error: &GitlabError) -> bool {
    matches!(error, GitlabError::Forbidden { attempt, .. } if attempt.contains("not retryable"))
}

/// Where the answer to a first request was lost, the second one is refused.
fn retried_already(error: GitlabError) -> GitlabError {
    if let GitlabError::Forbidden { attempt, hint: None } = &error
        && attempt.contains("not retryable")
    {
        let hint = "see in GitLab whether it was retried already, which it can be once".to_owned();
        return GitlabError::Forbidden { attempt: attempt.clone(), hint: Some(hint) };
    }
    error
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
        .object(format!("job {id}"));
    if force { call.body(json!({ "force": true })) } else { call }
}

fn retry(project: ProjectId, id: JobId) -> Call {
    let path = format!("/projects/{project}/jobs/{id}/retry");
    Call::rest(Method::POST, "POST /projects/:id/jobs/:id/retry", path)
        .attempt(format!("retry job {id}"))
        .object(format!("job {id}"))
}
