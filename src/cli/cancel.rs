//! `autogit cancel`: stops a job or a pipeline.

use std::process::ExitCode;

use super::arguments::ChangeArguments;
use super::job::page;
use super::shell::{Shell, say};
use crate::gitlab::GitlabError;
use crate::gitlab::user::{Change, PipelineId};
use crate::operate::{Adapters, Failure};
use crate::view::words;
use crate::world::JobId;

pub(super) async fn cancel(
    arguments: &ChangeArguments,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    change(Change::Cancel, arguments, shell, adapters).await
}

/// What `cancel` and `retry` do.
pub(super) async fn change(
    change: Change,
    arguments: &ChangeArguments,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let failed = |error: GitlabError| Failure::Failed(error.to_string());
    let (kind, word) = arguments.named().map_err(Failure::Usage)?;
    let (gitlab, project, id) = page(kind, word, &arguments.about, shell, adapters).await?;
    let line = if kind == "pipelines" {
        let done = gitlab.change_pipeline(project.id, PipelineId(id), change).await;
        let pipeline = done.map_err(failed)?;
        format!("pipeline #{} is {}   {}", pipeline.id, pipeline.status, pipeline.web_url)
    } else {
        let job = gitlab.change_job(project.id, JobId(id), change).await.map_err(failed)?;
        let name = words::plain(&job.name).into_owned();
        format!("job #{} {name} is {}   {}", job.id, job.status, job.web_url)
    };
    say(&format!("{}\n", words::plain(&line)))?;
    Ok(ExitCode::SUCCESS)
}
