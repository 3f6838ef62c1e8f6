//! `autogit jobs`: a project's or a pipeline's jobs.

use std::process::ExitCode;

use super::arguments::{Format, Jobs};
use super::job::{page, project_of};
use super::shell::{Shell, say};
use super::text::{RenderOptions, Table, json};
use crate::gitlab::user::{JobsOf, PipelineId};
use crate::operate::{Adapters, Failure};
use crate::view::{ProjectJobOutput, words};

pub(super) async fn jobs(
    arguments: &Jobs,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let (gitlab, project, of) = if let Some(word) = &arguments.pipeline {
        let (gitlab, project, id) =
            page("pipelines", word, &arguments.about, shell, adapters).await?;
        (gitlab, project, JobsOf::Pipeline(PipelineId(id)))
    } else {
        let (gitlab, project) = project_of(&arguments.about, shell, adapters).await?;
        (gitlab, project, JobsOf::Project)
    };
    let found = gitlab.jobs(project.id, of, arguments.limit).await;
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    let output: Vec<ProjectJobOutput> = found.iter().map(ProjectJobOutput::from).collect();
    say(&match arguments.format {
        Format::Json => json(&output),
        Format::Text if output.is_empty() => {
            format!("no jobs in {}\n", words::plain(&project.path))
        }
        Format::Text => render_jobs(&output, &shell.render_options(false)),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Jobs as a table.
pub(super) fn render_jobs(jobs: &[ProjectJobOutput], options: &RenderOptions) -> String {
    let mut table =
        Table::new(&["job", "status", "stage", "name", "tags", "ref", "waited", "began"]);
    for job in jobs {
        let tags = job.tags.join(",");
        let status = match &job.failure_reason {
            Some(why) => format!("{} ({})", job.status, why),
            None => job.status.clone(),
        };
        table.row([
            format!("#{}", job.id),
            words::plain(&status).into_owned(),
            words::plain(&job.stage).into_owned(),
            words::plain(&job.name).into_owned(),
            if tags.is_empty() { "-".to_owned() } else { words::plain(&tags).into_owned() },
            words::plain(&job.ref_name).into_owned(),
            job.queued_secs.map_or_else(|| "-".to_owned(), |secs| format!("{secs:.0}s")),
            options.day(job.started_at.as_deref()),
        ]);
    }
    table.text(options)
}
