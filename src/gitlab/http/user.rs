//! What a person's commands ask, over the same wire: REST, as in GitLab 16.3 to 18.6
//! (`doc/api/projects.md`, `pipelines.md`, `jobs.md`).

use std::fmt;
use std::sync::Arc;

use ::http::Method;
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::call::{Call, segment};
use super::wire::Wire;
use crate::clock::Clock;
use crate::gitlab::setup::Way;
use crate::gitlab::user::{
    Change, JobsOf, Pipeline, PipelineId, Project, ProjectJob, Status, UserGitlab, Variable,
};
use crate::gitlab::{GitlabError, Transport};
use crate::world::{JobId, ProjectId, RecordId};

/// What one page holds at most.
const PER_PAGE: usize = 100;
/// What a person is told where a right lacks: jobs and pipelines are begun with these.
const HINT: &str =
    "its user must be a Developer of the project or more, and the token's scope `api`";

/// GitLab behind a transport, with a person's token.
pub struct HttpUserGitlab {
    pub(super) wire: Wire,
}

impl HttpUserGitlab {
    /// The server that `way` names, asked through `transport`.
    pub fn new(way: &Way, transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let token = way.token.clone().unwrap_or_default();
        let wire = Wire::new(&way.url, token, Vec::new(), transport, clock);
        Self { wire }
    }

    /// At most `limit` items, page by page.
    async fn list<T: DeserializeOwned>(
        &self,
        call: Call,
        limit: usize,
    ) -> Result<Vec<T>, GitlabError> {
        let page = limit.clamp(1, PER_PAGE);
        let query = match call.query.as_str() {
            "" => format!("per_page={page}"),
            query => format!("{query}&per_page={page}"),
        };
        let mut items = self.wire.pages(call.query(query), limit.div_ceil(page)).await?.items;
        items.truncate(limit);
        Ok(items)
    }
}

impl fmt::Debug for HttpUserGitlab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUserGitlab").field("url", &self.wire.url()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
pub(super) struct ProjectRow {
    id: u64,
    path_with_namespace: String,
    web_url: String,
    default_branch: Option<String>,
    last_activity_at: Option<Timestamp>,
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: ProjectId(row.id),
            path: row.path_with_namespace,
            web_url: row.web_url,
            default_branch: row.default_branch,
            last_activity_at: row.last_activity_at,
        }
    }
}

#[derive(Deserialize)]
struct PipelineRow {
    id: u64,
    status: String,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    sha: String,
    #[serde(default)]
    source: String,
    created_at: Option<Timestamp>,
    #[serde(default)]
    web_url: String,
}

impl From<PipelineRow> for Pipeline {
    fn from(row: PipelineRow) -> Self {
        Self {
            id: PipelineId(row.id),
            status: Status(row.status),
            ref_name: row.ref_name.unwrap_or_default(),
            sha: row.sha,
            source: row.source,
            created_at: row.created_at,
            web_url: row.web_url,
        }
    }
}

#[derive(Deserialize)]
struct JobRow {
    id: u64,
    name: String,
    #[serde(default)]
    stage: String,
    status: String,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    #[serde(default)]
    tag_list: Vec<String>,
    pipeline: Option<IdRow>,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    queued_duration: Option<f64>,
    failure_reason: Option<String>,
    runner: Option<IdRow>,
    runner_manager: Option<ManagerRow>,
    web_url: String,
}

#[derive(Deserialize)]
struct IdRow {
    id: u64,
}

#[derive(Deserialize)]
struct ManagerRow {
    system_id: Option<String>,
}

impl From<JobRow> for ProjectJob {
    fn from(row: JobRow) -> Self {
        Self {
            id: JobId(row.id),
            name: row.name,
            stage: row.stage,
            status: Status(row.status),
            ref_name: row.ref_name.unwrap_or_default(),
            tags: row.tag_list,
            pipeline: row.pipeline.map(|pipeline| PipelineId(pipeline.id)),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            queued_secs: row.queued_duration,
            failure_reason: row.failure_reason,
            record: row.runner.map(|runner| RecordId(runner.id)),
            system_id: row.runner_manager.and_then(|manager| manager.system_id),
            web_url: row.web_url,
        }
    }
}

#[async_trait]
impl UserGitlab for HttpUserGitlab {
    async fn projects(
        &self,
        search: Option<&str>,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Project>, GitlabError> {
        let mut query = "simple=true&archived=false&order_by=last_activity_at".to_owned();
        if !all {
            query += "&membership=true";
        }
        if let Some(search) = search {
            query.extend(["&search_namespaces=true&search=", &segment(search)]);
        }
        let call = Call::get("GET /projects", "/projects").query(query).attempt("list projects");
        let rows: Vec<ProjectRow> = self.list(call, limit).await?;
        Ok(rows.into_iter().map(Project::from).collect())
    }

    async fn project(&self, name: &str) -> Result<Project, GitlabError> {
        let call = Call::get("GET /projects/:id", format!("/projects/{}", segment(name)))
            .object(format!("project `{name}` that this token may see"));
        Ok(self.wire.json::<ProjectRow>(&call).await?.into())
    }

    async fn pipelines(
        &self,
        project: ProjectId,
        ref_name: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Pipeline>, GitlabError> {
        let path = format!("/projects/{project}/pipelines");
        let query = ref_name.map(|name| format!("ref={}", segment(name))).unwrap_or_default();
        let call = Call::get("GET /projects/:id/pipelines", path).query(query);
        let call = call.attempt("list the project's pipelines");
        let rows: Vec<PipelineRow> = self.list(call, limit).await?;
        Ok(rows.into_iter().map(Pipeline::from).collect())
    }

    async fn pipeline(&self, project: ProjectId, id: PipelineId) -> Result<Pipeline, GitlabError> {
        let path = format!("/projects/{project}/pipelines/{id}");
        let call = Call::get("GET /projects/:id/pipelines/:id", path);
        let call = call.object(format!("pipeline {id} in that project"));
        Ok(self.wire.json::<PipelineRow>(&call).await?.into())
    }

    async fn jobs(
        &self,
        project: ProjectId,
        of: JobsOf,
        limit: usize,
    ) -> Result<Vec<ProjectJob>, GitlabError> {
        let call = match of {
            JobsOf::Project => {
                Call::get("GET /projects/:id/jobs", format!("/projects/{project}/jobs"))
                    .attempt("list the project's jobs")
            }
            JobsOf::Pipeline(id) => {
                let path = format!("/projects/{project}/pipelines/{id}/jobs");
                Call::get("GET /projects/:id/pipelines/:id/jobs", path)
                    .object(format!("pipeline {id} in that project"))
            }
        };
        let rows: Vec<JobRow> = self.list(call, limit).await?;
        Ok(rows.into_iter().map(ProjectJob::from).collect())
    }

    async fn job(&self, project: ProjectId, id: JobId) -> Result<ProjectJob, GitlabError> {
        let call =
            Call::get("GET /projects/:id/jobs/:id", format!("/projects/{project}/jobs/{id}"));
        let call = call.object(format!("job {id} in that project"));
        Ok(self.wire.json::<JobRow>(&call).await?.into())
    }

    async fn log(&self, project: ProjectId, id: JobId) -> Result<Vec<u8>, GitlabError> {
        let path = format!("/projects/{project}/jobs/{id}/trace");
        let call = Call::get("GET /projects/:id/jobs/:id/trace", path)
            .attempt(format!("read the log of job {id}"))
            .object(format!("job {id} in that project"));
        Ok(self.wire.answer(&call).await?.into_body().to_vec())
    }

    async fn create_pipeline(
        &self,
        project: ProjectId,
        ref_name: &str,
        variables: &[Variable],
    ) -> Result<Pipeline, GitlabError> {
        let variables: Vec<_> = variables
            .iter()
            .map(|one| json!({ "key": one.key, "value": one.value.expose_secret() }))
            .collect();
        let path = format!("/projects/{project}/pipeline");
        let call = Call::rest(Method::POST, "POST /projects/:id/pipeline", path)
            .body(json!({ "ref": ref_name, "variables": variables }))
            .attempt(format!("begin a pipeline on `{ref_name}`"))
            .object("such project that this token may see")
            .hint(HINT);
        Ok(self.wire.json::<PipelineRow>(&call).await?.into())
    }

    async fn change_pipeline(
        &self,
        project: ProjectId,
        id: PipelineId,
        change: Change,
    ) -> Result<Pipeline, GitlabError> {
        let (endpoint, word) = match change {
            Change::Cancel => ("POST /projects/:id/pipelines/:id/cancel", "cancel"),
            Change::Retry => ("POST /projects/:id/pipelines/:id/retry", "retry"),
        };
        let path = format!("/projects/{project}/pipelines/{id}/{word}");
        let call = Call::rest(Method::POST, endpoint, path)
            .attempt(format!("{word} pipeline {id}"))
            .object(format!("pipeline {id} in that project"))
            .hint(HINT);
        Ok(self.wire.json::<PipelineRow>(&call).await?.into())
    }

    async fn change_job(
        &self,
        project: ProjectId,
        id: JobId,
        change: Change,
    ) -> Result<ProjectJob, GitlabError> {
        let (endpoint, word) = match change {
            Change::Cancel => ("POST /projects/:id/jobs/:id/cancel", "cancel"),
            Change::Retry => ("POST /projects/:id/jobs/:id/retry", "retry"),
        };
        let call =
            Call::rest(Method::POST, endpoint, format!("/projects/{project}/jobs/{id}/{word}"))
                .attempt(format!("{word} job {id}"))
                .object(format!("job {id} in that project"))
                .hint(HINT);
        Ok(self.wire.json::<JobRow>(&call).await?.into())
    }

    fn url(&self) -> &str {
        self.wire.url()
    }
}
