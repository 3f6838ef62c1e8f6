//! The other port to GitLab: what the commands of a person ask and do with that person's token.
//! Nothing here is asked by the loop.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use super::GitlabError;
use crate::world::{JobId, ProjectId, RecordId};

/// A pipeline's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineId(pub u64);

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// GitLab's id.
    pub id: ProjectId,
    /// With its groups, `team/app`.
    pub path: String,
    /// Its page.
    pub web_url: String,
    /// `None`: its repository is empty.
    pub default_branch: Option<String>,
    /// When something last happened in it.
    pub last_activity_at: Option<Timestamp>,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// GitLab's id.
    pub id: PipelineId,
    /// `running`, `success`, …
    pub status: Status,
    /// Its branch or tag.
    pub ref_name: String,
    /// Its commit.
    pub sha: String,
    /// What began it: `push`, `api`, …
    pub source: String,
    /// When it began.
    pub created_at: Option<Timestamp>,
    /// Its page.
    pub web_url: String,
}

/// A job of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectJob {
    /// GitLab's id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// The stage it is in.
    pub stage: String,
    /// `pending`, `running`, …
    pub status: Status,
    /// Its branch or tag.
    pub ref_name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The pipeline it is in.
    pub pipeline: Option<PipelineId>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it waited for a runner, in seconds.
    pub queued_secs: Option<f64>,
    /// Why it failed, in GitLab's word.
    pub failure_reason: Option<String>,
    /// The record whose runner has it.
    pub record: Option<RecordId>,
    /// The runner that has it, as the engine names it too.
    pub system_id: Option<String>,
    /// Its page.
    pub web_url: String,
}

/// The word that GitLab has for what a job or a pipeline does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub String);

impl Status {
    /// Nothing changes it but a person. `manual` waits for one, and a pipeline with such a job alone
    /// waits no less.
    pub fn is_over(&self) -> bool {
        ["success", "failed", "canceled", "skipped", "manual"].contains(&self.0.as_str())
    }

    /// It ended as it should.
    pub fn is_success(&self) -> bool {
        self.0 == "success"
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A variable of a pipeline that a person begins. Its value may be a secret.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: SecretString,
}

/// Which of a project's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobsOf {
    /// All, newest first.
    Project,
    /// Those of a pipeline, without the ones that were tried again.
    Pipeline(PipelineId),
}

/// What of a pipeline or a job a person changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Stop it.
    Cancel,
    /// Begin what failed or was cancelled once more.
    Retry,
}

/// GitLab, as a person's commands see it.
///
/// All methods answer within their own time limit, and log or return no secret.
#[async_trait]
pub trait UserGitlab: fmt::Debug + Send + Sync {
    /// Projects that the token's user is a member of, or with `all` those it sees; the latest active
    /// ones first, at most `limit`.
    async fn projects(
        &self,
        search: Option<&str>,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Project>, GitlabError>;

    /// The project with that full path or number.
    async fn project(&self, name: &str) -> Result<Project, GitlabError>;

    /// Its pipelines, newest first, at most `limit`.
    async fn pipelines(
        &self,
        project: ProjectId,
        ref_name: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Pipeline>, GitlabError>;

    /// One pipeline.
    async fn pipeline(&self, project: ProjectId, id: PipelineId) -> Result<Pipeline, GitlabError>;

    /// Jobs, at most `limit`.
    async fn jobs(
        &self,
        project: ProjectId,
        of: JobsOf,
        limit: usize,
    ) -> Result<Vec<ProjectJob>, GitlabError>;

    /// One job.
    async fn job(&self, project: ProjectId, id: JobId) -> Result<ProjectJob, GitlabError>;

    /// A job's whole log so far, as its runner wrote it.
    async fn log(&self, project: ProjectId, id: JobId) -> Result<Vec<u8>, GitlabError>;

    /// Begins a pipeline on a branch or tag. Not safe to repeat.
    async fn create_pipeline(
        &self,
        project: ProjectId,
        ref_name: &str,
        variables: &[Variable],
    ) -> Result<Pipeline, GitlabError>;

    /// Cancels or retries a pipeline.
    async fn change_pipeline(
        &self,
        project: ProjectId,
        id: PipelineId,
        change: Change,
    ) -> Result<Pipeline, GitlabError>;

    /// Cancels or retries a job; retried, it has another id.
    async fn change_job(
        &self,
        project: ProjectId,
        id: JobId,
        change: Change,
    ) -> Result<ProjectJob, GitlabError>;

    /// GitLab's web address, for links.
    fn url(&self) -> &str;
}
