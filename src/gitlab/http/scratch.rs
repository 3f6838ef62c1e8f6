//! What is made to try something, over the same wire as what a person asks: REST, as in GitLab 16.3 to
//! 19 (`doc/api/projects.md`, `commits.md`, `repository_files.md`, `branches.md`, `pipelines.md`).

use ::http::Method;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::HttpUserGitlab;
use super::call::{Call, segment};
use super::user::ProjectRow;
use crate::gitlab::GitlabError;
use crate::gitlab::scratch::{Deleted, ScratchGitlab};
use crate::gitlab::user::{PipelineId, Project, UserGitlab as _};
use crate::world::ProjectId;

/// What a person is told where a right lacks.
const HINT: &str = "a token with the scope `api` may, of a user who may make projects there: name one by \
    `--gitlab-token-file FILE`; `--project GROUP/NAME` uses a project that is there";
const HINT_WRITE: &str =
    "its user must be a Developer of the project or more, and the token's scope `api`";

#[derive(serde::Deserialize)]
struct IdRow {
    id: u64,
}

#[async_trait]
impl ScratchGitlab for HttpUserGitlab {
    async fn create_project(
        &self,
        group: Option<&str>,
        name: &str,
    ) -> Result<Project, GitlabError> {
        let mut body = json!({
            "name": name,
            "path": name,
            "description": "Made by `autogit selftest`, which deletes it when it ends",
            "visibility": "private",
            // Without these a server's defaults could begin pipelines of their own, or none at all.
            "auto_devops_enabled": false,
            "builds_access_level": "enabled",
            "initialize_with_readme": false,
        });
        if let Some(group) = group {
            let call = Call::get("GET /groups/:id", format!("/groups/{}", segment(group)))
                .object(format!("group `{group}` that this token may see"));
            let found: IdRow = self.wire.json(&call).await?;
            if let Some(fields) = body.as_object_mut() {
                fields.insert("namespace_id".to_owned(), found.id.into());
            }
        }
        let call = Call::rest(Method::POST, "POST /projects", "/projects")
            .body(body)
            .attempt("create a project")
            .object("such place for a project")
            .hint(HINT);
        Ok(self.wire.json::<ProjectRow>(&call).await?.into())
    }

    /// From 18.0 on a deleted project is only marked, on every tier, and has another path then; a second
    /// call that names that path removes it at once, where the administrator allows it.
    async fn delete_project(&self, project: &Project) -> Result<Deleted, GitlabError> {
        let delete = |query: String| {
            Call::rest(Method::DELETE, "DELETE /projects/:id", format!("/projects/{}", project.id))
                .query(query)
                .attempt(format!("delete project `{}`", project.path))
                .object(format!("project `{}`", project.path))
                .hint("an Owner of the project deletes it, with the scope `api`")
        };
        gone_is_done(self.wire.done(&delete(String::new())).await)?;
        let marked = match self.project(&project.id.to_string()).await {
            Ok(marked) => marked,
            Err(GitlabError::NotFound { .. }) => return Ok(Deleted::Now),
            Err(_) => return Ok(Deleted::Later),
        };
        let query = format!("permanently_remove=true&full_path={}", segment(&marked.path));
        match gone_is_done(self.wire.done(&delete(query)).await) {
            Ok(()) => Ok(Deleted::Now),
            Err(_) => Ok(Deleted::Later),
        }
    }

    async fn commit_file(
        &self,
        project: ProjectId,
        (branch, start): (&str, Option<&str>),
        path: &str,
        text: &str,
    ) -> Result<(), GitlabError> {
        // To create what is there and to update what is not are both refused.
        let action = match start {
            Some(start) if self.has_file(project, start, path).await? => "update",
            Some(_) | None => "create",
        };
        let mut body = json!({
            "branch": branch,
            "commit_message": "Try the runners (autogit selftest)",
            "actions": [{ "action": action, "file_path": path, "content": text }],
        });
        if let (Some(start), Some(fields)) = (start, body.as_object_mut()) {
            fields.insert("start_branch".to_owned(), start.into());
        }
        let url = format!("/projects/{project}/repository/commits");
        let call = Call::rest(Method::POST, "POST /projects/:id/repository/commits", url)
            .body(body)
            .attempt(format!("push branch `{branch}`"))
            .object("such project that this token may see")
            .hint(HINT_WRITE);
        self.wire.done(&call).await
    }

    async fn delete_branch(&self, project: ProjectId, branch: &str) -> Result<(), GitlabError> {
        let path = format!("/projects/{project}/repository/branches/{}", segment(branch));
        let call =
            Call::rest(Method::DELETE, "DELETE /projects/:id/repository/branches/:branch", path)
                .attempt(format!("delete branch `{branch}`"))
                .hint(HINT_WRITE);
        gone_is_done(self.wire.done(&call).await)
    }

    async fn delete_pipeline(&self, project: ProjectId, id: PipelineId) -> Result<(), GitlabError> {
        let path = format!("/projects/{project}/pipelines/{id}");
        let call = Call::rest(Method::DELETE, "DELETE /projects/:id/pipelines/:id", path)
            .attempt(format!("delete pipeline {id}"))
            .hint("an Owner of the project deletes pipelines, with the scope `api`");
        gone_is_done(self.wire.done(&call).await)
    }

    fn ours(&self, theirs: Timestamp) -> Timestamp {
        self.wire.ours(theirs)
    }
}

impl HttpUserGitlab {
    async fn has_file(
        &self,
        project: ProjectId,
        branch: &str,
        path: &str,
    ) -> Result<bool, GitlabError> {
        let url = format!("/projects/{project}/repository/files/{}/raw", segment(path));
        let call = Call::get("GET /projects/:id/repository/files/:path/raw", url)
            .query(format!("ref={}", segment(branch)))
            .attempt(format!("read `{path}` of branch `{branch}`"))
            .hint(HINT_WRITE);
        match self.wire.answer(&call).await {
            Ok(_) => Ok(true),
            Err(GitlabError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn gone_is_done(outcome: Result<(), GitlabError>) -> Result<(), GitlabError> {
    match outcome {
        Err(GitlabError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
