//! One job by its id.
//!
//! No API finds a job by its id alone: it takes the project. So the projects of jobs that were
//! seen in the queue are remembered; another job can be found while it runs or waits, and only by
//! an administrator.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::HttpGitlab;
use super::call::Call;
use super::graphql::{Connection, Gid};
use super::queue::Pending;
use crate::gitlab::{Gitlab, GitlabError, JobDetail};
use crate::world::{FullPath, JobId, ProjectId, RecordId};

/// Jobs whose projects are remembered: those of several days on most instances.
const REMEMBERED_MAX: usize = 20_000;
/// Statuses that no job leaves: of GitLab's words (18.6) those in which no runner has it.
const OVER: [&str; 4] = ["success", "failed", "canceled", "skipped"];
/// Pages of live jobs that are searched for one that was not seen in the queue.
const SEARCH_PAGES_MAX: usize = 5;
const SEARCH: &str = "query($after:String){ \
     jobs(statuses:[RUNNING,PENDING], first:100, after:$after){ \
     pageInfo{hasNextPage endCursor} nodes{ id project{id fullPath} } } }";

/// The projects of jobs that were seen.
#[derive(Default)]
pub(super) struct Whereabouts(BTreeMap<JobId, (ProjectId, FullPath)>);

#[derive(Deserialize)]
struct Row {
    id: u64,
    name: String,
    status: String,
    web_url: String,
    #[serde(default)]
    tag_list: Vec<String>,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    runner: Option<Runner>,
    started_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Runner {
    id: u64,
}

#[derive(Deserialize)]
struct Data {
    jobs: Option<Connection<Option<Node>>>,
}

#[derive(Deserialize)]
struct Node {
    id: Gid,
    project: Option<Project>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    id: Gid,
    full_path: String,
}

impl HttpGitlab {
    pub(super) async fn find_job(
        &self,
        id: JobId,
        project: Option<ProjectId>,
    ) -> Result<JobDetail, GitlabError> {
        let (project, path) = match (project, self.jobs.with(|jobs| jobs.0.get(&id).cloned())) {
            (_, Some((project, path))) => (project, Some(path.to_string())),
            (Some(project), None) => (project, None),
            (None, None) => {
                let (project, path) = self.place_of(id).await?;
                (project, Some(path.to_string()))
            }
        };
        let of = path.as_ref().map_or_else(|| format!("project {project}"), |it| format!("`{it}`"));
        let call =
            Call::get("GET /projects/:id/jobs/:id", format!("/projects/{project}/jobs/{id}"))
                .attempt(format!("see job {id} of {of}"))
                .object(format!("job {id} in {of}"));
        let row: Row = self.wire.json(&call).await?;
        Ok(JobDetail {
            id: JobId(row.id),
            name: row.name,
            project_path: path.or_else(|| self.path_in(&row.web_url)),
            status: row.status,
            web_url: row.web_url,
            tags: row.tag_list,
            ref_name: row.ref_name.unwrap_or_default(),
            runner: row.runner.map(|runner| RecordId(runner.id)),
            started_at: row.started_at.map(|at| self.wire.ours(at)),
        })
    }

    /// `https://gitlab.example/team/app/-/jobs/41` is a page of `team/app`.
    fn path_in(&self, page: &str) -> Option<String> {
        let path = page.strip_prefix(self.url().trim_end_matches('/'))?;
        Some(path.split_once("/-/")?.0.trim_start_matches('/').to_owned())
    }

    pub(super) async fn job_is_over(
        &self,
        id: JobId,
        project: Option<ProjectId>,
    ) -> Result<bool, GitlabError> {
        let project = match project {
            Some(project) => project,
            None => self.place_of(id).await?.0,
        };
        let call =
            Call::get("GET /projects/:id/jobs/:id", format!("/projects/{project}/jobs/{id}"))
                .attempt(format!("see job {id}"))
                .object(format!("job {id}"));
        let row: Row = self.wire.json(&call).await?;
        Ok(OVER.contains(&row.status.as_str()))
    }

    /// The project of a job.
    pub(super) async fn place_of(&self, id: JobId) -> Result<(ProjectId, FullPath), GitlabError> {
        if let Some(place) = self.jobs.with(|jobs| jobs.0.get(&id).cloned()) {
            return Ok(place);
        }
        let place = self.search_job(id).await?;
        self.jobs.with(|jobs| jobs.0.insert(id, place.clone()));
        Ok(place)
    }

    /// Where a job is that was not seen in the queue: among the instance's live jobs.
    async fn search_job(&self, id: JobId) -> Result<(ProjectId, FullPath), GitlabError> {
        let unknown = || GitlabError::NotFound {
            object: format!("job {id} among the waiting and running jobs that the token may see"),
        };
        let server = self.proof().await?.server;
        // GraphQL leaves out what a fine-grained token may not see, and says nothing.
        if !server.administrator || server.is_fine_grained() {
            return Err(unknown());
        }
        let mut after = None;
        for _ in 0..SEARCH_PAGES_MAX {
            let variables = json!({ "after": after });
            let data: Data = self.wire.graphql("search the live jobs", SEARCH, variables).await?;
            let Connection { page_info, nodes } = data.jobs.ok_or_else(unknown)?;
            let found = nodes.into_iter().flatten().find(|node| node.id.0 == id.0);
            if let Some(project) = found.and_then(|node| node.project) {
                return Ok((ProjectId(project.id.0), project.full_path.into()));
            }
            after = page_info.end_cursor;
            if !page_info.has_next_page || after.is_none() {
                break;
            }
        }
        Err(unknown())
    }
}

impl Whereabouts {
    /// Remembers where these jobs are; the oldest are forgotten first.
    pub(super) fn remember(&mut self, jobs: &[Pending]) {
        for job in jobs {
            self.0.insert(job.id, (job.project, job.project_path.clone()));
        }
        while self.0.len() > REMEMBERED_MAX {
            self.0.pop_first();
        }
    }
}
