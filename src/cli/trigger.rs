//! `autogit trigger`: begins a pipeline, and follows it if asked to.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::{Format, Trigger};
use super::job::project_of;
use super::jobs::render_jobs;
use super::shell::{Shell, say, talk};
use super::text::json;
use crate::error_policy::{EXIT_FAILED, ErrorKind};
use crate::gitlab::GitlabError;
use crate::gitlab::user::{JobsOf, Pipeline, Project, ProjectJob, UserGitlab};
use crate::operate::{Adapters, Failure};
use crate::view::{PipelineOutput, ProjectJobOutput, words};
use crate::world::JobId;

/// Between two looks at a pipeline that is followed.
const PAUSE: Duration = Duration::from_secs(2);
/// Jobs of a pipeline that are followed.
const JOBS_MAX: usize = 500;

pub(super) async fn trigger(
    arguments: &Trigger,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let (gitlab, project) = project_of(&arguments.about, shell, adapters).await?;
    let ref_name = arguments.ref_name.as_ref().or(project.default_branch.as_ref());
    let ref_name = ref_name.ok_or_else(|| {
        Failure::Failed(format!(
            "the repository of {} is empty\nhint: push a commit with a `.gitlab-ci.yml` first",
            project.path
        ))
    })?;
    let variables = arguments.variables(shell)?;
    let begun = gitlab.create_pipeline(project.id, ref_name, &variables).await;
    let pipeline = begun.map_err(|error| {
        let doubt = "\nhint: it may have begun all the same; `autogit pipelines` tells";
        let doubt = if error.in_doubt() { doubt } else { "" };
        Failure::Failed(format!("{error}{doubt}"))
    })?;
    let line = format!("pipeline #{} on {ref_name}   {}", pipeline.id, pipeline.web_url);
    if arguments.format == Format::Text {
        say(&format!("{}\n", words::plain(&line)))?;
    } else if !arguments.wait {
        say(&json(&PipelineOutput::from(&pipeline)))?;
    }
    if !arguments.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let (ended, jobs) = follow(gitlab.as_ref(), &project, &pipeline, shell).await?;
    let shown: Vec<ProjectJobOutput> = jobs.iter().map(ProjectJobOutput::from).collect();
    match arguments.format {
        Format::Text => say(&format!(
            "\n{}\npipeline #{}: {}\n",
            render_jobs(&shown, &shell.render_options(false)),
            ended.id,
            words::plain(&ended.status.0)
        ))?,
        Format::Json => say(&json(&PipelineOutput::from(&ended)))?,
    }
    let fine = ended.status.is_success();
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Waits until the pipeline ended, which is returned with its jobs, and tells each job's changes. A GitLab that does not answer for a
/// moment is asked again.
async fn follow(
    gitlab: &dyn UserGitlab,
    project: &Project,
    pipeline: &Pipeline,
    shell: &Shell,
) -> Result<(Pipeline, Vec<ProjectJob>), Failure> {
    let mut told: BTreeMap<JobId, String> = BTreeMap::new();
    let mut last_trouble = None;
    loop {
        match look(gitlab, project, pipeline).await {
            Ok((seen, jobs)) => {
                last_trouble = None;
                for job in &jobs {
                    let status = job.status.0.clone();
                    if told.insert(job.id, status.clone()).as_ref() != Some(&status) {
                        talk(&line(job, shell));
                    }
                }
                if seen.status.is_over() {
                    return Ok((seen, jobs));
                }
            }
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                let words = error.to_string();
                if last_trouble.as_ref() != Some(&words) {
                    talk(&format!("{words}; asked again for pipeline {}", pipeline.id));
                    last_trouble = Some(words);
                }
            }
            Err(error) => return Err(Failure::Failed(error.to_string())),
        }
        shell.clock().sleep(PAUSE).await;
    }
}

async fn look(
    gitlab: &dyn UserGitlab,
    project: &Project,
    pipeline: &Pipeline,
) -> Result<(Pipeline, Vec<ProjectJob>), GitlabError> {
    let seen = gitlab.pipeline(project.id, pipeline.id).await?;
    let jobs = gitlab.jobs(project.id, JobsOf::Pipeline(pipeline.id), JOBS_MAX).await?;
    Ok((seen, jobs))
}

/// One change of a job.
fn line(job: &ProjectJob, shell: &Shell) -> String {
    let time = shell.render_options(false).time(shell.clock().now());
    let why = match (job.status.0.as_str(), &job.failure_reason) {
        (_, Some(why)) => format!(" ({why})"),
        ("pending", None) => format!("   `autogit explain {}` tells for what", job.id),
        _ => String::new(),
    };
    let line = format!("{time}  #{} {}: {}{why}", job.id, job.name, job.status);
    words::plain(&line).into_owned()
}
