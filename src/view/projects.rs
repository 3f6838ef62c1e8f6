//! What the commands show of projects, pipelines and their jobs.

use schemars::JsonSchema;
use serde::Serialize;

use super::words;
use crate::gitlab::user::{Pipeline, Project, ProjectJob};

/// A project.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProjectOutput {
    /// GitLab's id.
    pub id: u64,
    /// With its groups, `team/app`.
    pub path: String,
    /// `null`: its repository is empty.
    pub default_branch: Option<String>,
    /// When something last happened in it.
    pub last_activity_at: Option<String>,
    /// Its page.
    pub url: String,
}

impl From<&Project> for ProjectOutput {
    fn from(project: &Project) -> Self {
        Self {
            id: project.id.0,
            path: project.path.clone(),
            default_branch: project.default_branch.clone(),
            last_activity_at: project.last_activity_at.map(words::instant),
            url: project.web_url.clone(),
        }
    }
}

/// A pipeline.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PipelineOutput {
    /// GitLab's id.
    pub id: u64,
    /// `running`, `success`, …
    pub status: String,
    /// Its branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Its commit.
    pub sha: String,
    /// What began it: `push`, `api`, …
    pub source: String,
    /// When it began.
    pub created_at: Option<String>,
    /// Its page.
    pub url: String,
}

impl From<&Pipeline> for PipelineOutput {
    fn from(pipeline: &Pipeline) -> Self {
        Self {
            id: pipeline.id.0,
            status: pipeline.status.to_string(),
            ref_name: pipeline.ref_name.clone(),
            sha: pipeline.sha.clone(),
            source: pipeline.source.clone(),
            created_at: pipeline.created_at.map(words::instant),
            url: pipeline.web_url.clone(),
        }
    }
}

/// A job of a project.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProjectJobOutput {
    /// GitLab's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The stage it is in.
    pub stage: String,
    /// `pending`, `running`, …
    pub status: String,
    /// Its branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The pipeline it is in.
    pub pipeline: Option<u64>,
    /// When it was made.
    pub created_at: Option<String>,
    /// When a runner took it.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How long it waited for a runner, in seconds.
    pub queued_secs: Option<f64>,
    /// Why it failed, in GitLab's word.
    pub failure_reason: Option<String>,
    /// The record whose runner has it.
    pub record: Option<u64>,
    /// The runner that has it, as the engine names it too.
    pub system_id: Option<String>,
    /// Its page.
    pub url: String,
}

impl From<&ProjectJob> for ProjectJobOutput {
    fn from(job: &ProjectJob) -> Self {
        Self {
            id: job.id.0,
            name: job.name.clone(),
            stage: job.stage.clone(),
            status: job.status.to_string(),
            ref_name: job.ref_name.clone(),
            tags: job.tags.clone(),
            pipeline: job.pipeline.map(|pipeline| pipeline.0),
            created_at: job.created_at.map(words::instant),
            started_at: job.started_at.map(words::instant),
            finished_at: job.finished_at.map(words::instant),
            queued_secs: job.queued_secs,
            failure_reason: job.failure_reason.clone(),
            record: job.record.map(|record| record.0),
            system_id: job.system_id.clone(),
            url: job.web_url.clone(),
        }
    }
}
